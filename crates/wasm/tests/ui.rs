//! What rustc says to a user's mistakes.
//!
//! Each `NAME.rs` of a suite is compiled as a crate of its own against this one, and what rustc says is compared with `NAME.stderr`.
//! To accept what it says now, run the test with `BLESS=1`. A file whose name begins with `ok-` must compile without a word,
//! and one that begins with `unseen-`, whose mistake only WasmRust's own compiler sees (`cargo xtask ui`).

mod support;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use support::Library;

/// Checks, without code generation.
const CHECK: &[&str] = &["--emit=metadata"];

/// Generates code as for WebAssembly.
const CODE: &[&str] = &["--emit=obj", "-Cpanic=abort"];

/// How the cases of a folder are compiled.
struct Suite {
    /// Relative to this package.
    folder: &'static str,
    /// At least so many cases: a lost folder must not pass.
    least: usize,
    /// Rustc's flags.
    flags: &'static [&'static str],
}

/// The library for programs that are compiled with these flags.
fn library(flags: &[&str]) -> Library {
    match flags == CODE {
        true => Library::with("wit,linear-guard", "abort"),
        false => Library::with("wit", "unwind"),
    }
}

/// Whether a program compiles, and what rustc says about it.
fn compile(library: &Library, program: &Path, flags: &[&str]) -> (bool, String) {
    let output = library.compile(program, &[&["--crate-type=lib"], flags].concat());
    let text = String::from_utf8(output.stderr).expect("rustc writes UTF-8");
    let text = without_evaluation(&text);
    let text: String = text
        .lines()
        .map(|line| without_place(line) + "\n")
        .collect();
    (output.status.success(), text)
}

/// A line without the parts that change when this crate or the standard library does.
fn without_place(line: &str) -> String {
    let line = &line.replacen(" ::: ", " --> ", 1);
    match line.split_once("--> ") {
        Some((arrow, place)) if place.contains("/library/") => format!("{arrow}--> $RUST"),
        Some((arrow, place)) if place.contains('/') => {
            let file = place.split(':').next().unwrap_or(place);
            format!("{arrow}--> {file}")
        }
        _ => line.to_owned(),
    }
}

/// The text without what rustc shows of the library's and the standard library's code when a constant in them panics: it depends on
/// whether their source is installed. What is left is the message, and for which type and function it was evaluated.
fn without_evaluation(text: &str) -> String {
    let mut out = String::new();
    for block in text.split_inclusive("\n\n") {
        let is_ours = block.contains("is lost: it can be dropped")
            || block.starts_with("note: erroneous constant encountered")
            || block.starts_with("note: the above error was encountered");
        if is_ours {
            let kept = block.lines().take_while(|line| !line.contains("--> "));
            kept.for_each(|line| out += &format!("{line}\n"));
            out += "\n";
        } else {
            out += block;
        }
    }
    out.trim_end().to_owned() + if out.is_empty() { "" } else { "\n" }
}

impl Suite {
    fn check(&self) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(self.folder);
        let library = library(self.flags);
        let bless = std::env::var_os("BLESS").is_some();
        let mut cases: Vec<PathBuf> = std::fs::read_dir(&folder)
            .expect("the folder of cases")
            .map(|entry| entry.expect("a readable entry").path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
            .collect();
        cases.sort();
        assert!(cases.len() >= self.least, "the cases are there");
        let (next, wrong) = (Mutex::new(cases.iter()), Mutex::new(Vec::new()));
        std::thread::scope(|scope| {
            for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
                scope.spawn(|| {
                    loop {
                        let case = next.lock().expect("no thread panics").next();
                        let Some(case) = case else { break };
                        if let Err(message) = self.check_case(case, &library, bless) {
                            wrong.lock().expect("no thread panics").push(message);
                        }
                    }
                });
            }
        });
        let mut wrong = wrong.into_inner().expect("no thread panics");
        wrong.sort();
        assert!(
            wrong.is_empty(),
            "{}\nhelp: if this is right, run again with BLESS=1",
            wrong.concat()
        );
    }

    fn check_case(&self, case: &Path, library: &Library, bless: bool) -> Result<(), String> {
        let (succeeded, said) = compile(library, case, self.flags);
        let name = case
            .file_stem()
            .and_then(OsStr::to_str)
            .expect("a UTF-8 name");
        let expected_file = case.with_extension("stderr");
        if name.starts_with("ok-") || name.starts_with("unseen-") {
            return if said.is_empty() && succeeded {
                Ok(())
            } else {
                Err(format!("--- {name} must compile:\n{said}\n"))
            };
        }
        if succeeded || !said.contains("error") {
            return Err(format!("--- {name} must not compile\n{said}"));
        }
        if bless {
            return std::fs::write(&expected_file, &said).map_err(|error| error.to_string());
        }
        let expected = std::fs::read_to_string(&expected_file).unwrap_or_default();
        if said == expected {
            Ok(())
        } else {
            Err(format!(
                "--- {name}: expected\n{expected}\n--- but rustc says\n{said}\n"
            ))
        }
    }
}

#[test]
fn mistakes_are_answered_at_their_place() {
    let suite = Suite {
        folder: "tests/ui",
        least: 30,
        flags: CHECK,
    };
    suite.check();
}

#[test]
fn effects() {
    let suite = Suite {
        folder: "../../tests/ui/effects",
        least: 65,
        flags: CHECK,
    };
    suite.check();
}

#[test]
fn host_functions() {
    let suite = Suite {
        folder: "../../tests/ui/host",
        least: 15,
        flags: CHECK,
    };
    suite.check();
}

#[test]
fn linear_types() {
    let suite = Suite {
        folder: "../../tests/ui/linear",
        least: 100,
        flags: CODE,
    };
    suite.check();
}

#[test]
fn shared_memory() {
    let suite = Suite {
        folder: "../../tests/ui/memory",
        least: 20,
        flags: CHECK,
    };
    suite.check();
}

#[test]
fn the_guides_examples_compile() {
    for (chapter, least, flags) in [("components", 5, CHECK), ("contracts", 5, CODE)] {
        let guide = format!("../../docs/guide/{chapter}.md");
        let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join(guide);
        let guide = std::fs::read_to_string(guide).expect("the guide is there");
        let library = library(flags);
        let examples: Vec<&str> = guide
            .split("```rust\n")
            .skip(1)
            .map(|rest| rest.split("```").next().unwrap_or(rest))
            .collect();
        assert!(examples.len() >= least, "the guide has examples");
        for (index, example) in examples.iter().enumerate() {
            let file = format!("guide-{chapter}-{index}.rs");
            let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(file);
            std::fs::write(&file, example).expect("a writable folder");
            let (succeeded, said) = compile(&library, &file, flags);
            assert!(succeeded, "{example}\n{said}");
        }
    }
}
