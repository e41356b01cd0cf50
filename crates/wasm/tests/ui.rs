//! What rustc says to a user's mistakes.
//!
//! Each `NAME.rs` of a suite is compiled as a crate of its own against this one, and what rustc says is compared with `NAME.stderr`.
//! To accept what it says now, run the test with `BLESS=1`. A file whose name begins with `ok-` must compile without a word.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

/// How the cases of a folder are compiled.
struct Suite {
    /// Relative to this package.
    folder: &'static str,
    /// At least so many cases: a lost folder must not pass.
    least: usize,
    /// Code is generated, as for WebAssembly: panics abort, and lost linear values are noticed.
    codegen: bool,
}

/// `crates/wasm` as a library for cases, with what it depends on.
struct Library {
    file: PathBuf,
    dependencies: PathBuf,
}

impl Library {
    /// Builds it into the folder of the running test.
    fn build(codegen: bool) -> Self {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .parent()
            .expect("inside the target folder");
        let mut cargo = Command::new(env!("CARGO"));
        cargo
            .args(["build", "--package", "wasm", "--message-format", "json"])
            .arg("--target-dir")
            .arg(target)
            .current_dir(env!("CARGO_MANIFEST_DIR"));
        if codegen {
            cargo.args([
                "--features",
                "wit,linear-guard",
                "--config",
                "profile.dev.panic='abort'",
            ]);
        } else {
            cargo.args(["--features", "wit"]);
        }
        let output = cargo.output().expect("cargo runs");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let messages = String::from_utf8(output.stdout).expect("JSON is UTF-8");
        let file = messages
            .lines()
            .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
            .filter(|message| {
                message["reason"] == "compiler-artifact" && message["target"]["name"] == "wasm"
            })
            // The name with a hash, in the folder of dependencies: the other is overwritten by the next build.
            .find_map(|message| {
                let files = message["filenames"].as_array()?;
                let file = files
                    .iter()
                    .filter_map(serde_json::Value::as_str)
                    .find(|file| file.ends_with(".rmeta"))?;
                Some(Path::new(file).with_extension("rlib"))
            })
            .expect("cargo names the library it built");
        Self {
            file,
            dependencies: target.join("debug/deps"),
        }
    }

    /// Whether a case compiles, and what rustc says about it.
    fn compile(&self, case: &Path, codegen: bool) -> (bool, String) {
        // A name of its own, for tests run at the same time.
        let name = case
            .file_stem()
            .and_then(OsStr::to_str)
            .expect("a UTF-8 name")
            .replace('-', "_");
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let mut dependencies = OsString::from("dependency=");
        dependencies.push(&self.dependencies);
        let mut library = OsString::from("wasm=");
        library.push(&self.file);
        let how: &[&str] = if codegen {
            &["--emit=obj", "-Cpanic=abort"]
        } else {
            &["--emit=metadata"]
        };
        let output = Command::new(rustc)
            .args(["--edition=2024", "--crate-type=lib", "--color=never"])
            .arg(format!("--crate-name={name}"))
            .args(how)
            .arg("--out-dir")
            .arg(env!("CARGO_TARGET_TMPDIR"))
            .args([
                OsStr::new("-L"),
                &dependencies,
                OsStr::new("--extern"),
                &library,
            ])
            .arg(case.file_name().expect("a file"))
            .current_dir(case.parent().expect("in a folder"))
            .env("CARGO_PKG_NAME", "case")
            .env("CARGO_PKG_VERSION", "0.1.0")
            .env_remove("RUSTFLAGS")
            .output()
            .expect("rustc runs");
        let text = String::from_utf8(output.stderr).expect("rustc writes UTF-8");
        let text = without_evaluation(&text);
        let text: String = text
            .lines()
            .map(|line| without_place(line) + "\n")
            .collect();
        (output.status.success(), text)
    }
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
        let library = Library::build(self.codegen);
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
        let (succeeded, said) = library.compile(case, self.codegen);
        let name = case
            .file_stem()
            .and_then(OsStr::to_str)
            .expect("a UTF-8 name");
        let expected_file = case.with_extension("stderr");
        if name.starts_with("ok-") {
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
        codegen: false,
    };
    suite.check();
}

#[test]
fn effects() {
    let suite = Suite {
        folder: "../../tests/ui/effects",
        least: 40,
        codegen: false,
    };
    suite.check();
}

#[test]
fn host_functions() {
    let suite = Suite {
        folder: "../../tests/ui/host",
        least: 15,
        codegen: false,
    };
    suite.check();
}

#[test]
fn linear_types() {
    let suite = Suite {
        folder: "../../tests/ui/linear",
        least: 100,
        codegen: true,
    };
    suite.check();
}

#[test]
fn shared_memory() {
    let suite = Suite {
        folder: "../../tests/ui/memory",
        least: 20,
        codegen: false,
    };
    suite.check();
}

#[test]
fn the_guides_examples_compile() {
    for (chapter, least, codegen) in [("components", 5, false), ("contracts", 5, true)] {
        let guide = format!("../../docs/guide/{chapter}.md");
        let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join(guide);
        let guide = std::fs::read_to_string(guide).expect("the guide is there");
        let library = Library::build(codegen);
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
            let (succeeded, said) = library.compile(&file, codegen);
            assert!(succeeded, "{example}\n{said}");
        }
    }
}
