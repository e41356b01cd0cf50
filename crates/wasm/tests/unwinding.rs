//! Where panics unwind, one that comes to a linear value ends the program: whoever caught it could not consume the value any more.

mod support;

use std::path::Path;
use std::process::{Command, Output};
use support::Library;

const PROGRAM: &str = r#"
#[wasm::linear]
pub struct Lock(wasm::Handle);

impl Lock {
    #[wasm::consume]
    fn release(self) -> u32 {
        self.0.into_raw()
    }
}

fn main() {
    let word = std::env::args().nth(1).unwrap_or_default();
    let caught = std::panic::catch_unwind(|| {
        if word == "before" {
            panic!("before the lock");
        }
        let lock = Lock(wasm::Handle::from_raw(7));
        if word == "holding" {
            panic!("while it is held");
        }
        lock.release()
    });
    println!("goes on with {:?}", caught.ok());
}
"#;

#[test]
fn a_panic_that_comes_to_a_linear_value_ends_the_program() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let source = folder.join("holds-a-lock.rs");
    std::fs::write(&source, PROGRAM).expect("a writable folder");
    let library = Library::with("wit,linear-guard", "unwind");
    let compiled = library.compile(&source, &["--crate-type=bin"]);
    assert!(
        compiled.status.success(),
        "{}",
        String::from_utf8_lossy(&compiled.stderr)
    );
    let run = |word: &str| -> (bool, String, String) {
        let program = folder.join(format!("holds_a_lock{}", std::env::consts::EXE_SUFFIX));
        let output = Command::new(program).arg(word).output();
        let Output {
            status,
            stdout,
            stderr,
        } = output.expect("the program runs");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        (status.success(), text(stdout), text(stderr))
    };
    assert_eq!(run("").1, "goes on with Some(7)\n");
    assert_eq!(run("before").1, "goes on with None\n");
    let (succeeded, printed, said) = run("holding");
    assert!(!succeeded && printed.is_empty(), "{printed}");
    assert!(said.contains("while it is held"), "{said}");
    assert!(said.contains("`wasm::Handle` is lost"), "{said}");
}
