//! What every end-to-end test stands on: the built `cargo-wasm`, a set-up that happens once, throw-away projects, and outputs
//! that print themselves whole when an expectation fails.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// The root of the source tree.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors()
        .nth(2)
        .expect("cargo-wasm stands two folders below the root")
        .to_path_buf()
}

/// A fresh command line of the `cargo-wasm` under test, away from any colour or cache setting of the caller.
pub(crate) fn cargo_wasm() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cargo-wasm"));
    for variable in [
        "RUSTFLAGS",
        "CARGO_ENCODED_RUSTFLAGS",
        "CARGO_TARGET_DIR",
        "CARGO_BUILD_TARGET",
        "RUSTC",
    ] {
        command.env_remove(variable);
    }
    // Which compiler a machine has set up must not decide what a test shows.
    if std::env::var_os("WASMRUST_FRONTEND").is_none() {
        command.env("WASMRUST_FRONTEND", "stock");
    }
    command.env("NO_COLOR", "1").stdin(Stdio::null());
    command
}

/// Makes the machine ready, once for all tests, by the command that a user runs.
pub(crate) fn set_up() {
    static DONE: OnceLock<()> = OnceLock::new();
    DONE.get_or_init(|| {
        Output::of(cargo_wasm().args(["setup", "--yes"])).succeeded();
    });
}

/// The folder in which the examples and fixtures are built: one for all tests, so that dependencies compile once.
pub(crate) fn shared_target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("e2e-target")
}

/// What a command did.
pub(crate) struct Output {
    command: String,
    /// Exit code; `None` when a signal ended it.
    pub(crate) code: Option<i32>,
    /// Standard output, as text.
    pub(crate) stdout: String,
    /// Standard error, as text.
    pub(crate) stderr: String,
}

impl Output {
    /// Runs `command` to its end with whatever standard input it has.
    pub(crate) fn of(command: &mut Command) -> Output {
        Output::with_input(command, None)
    }

    /// Runs `command` with `input` as its standard input.
    pub(crate) fn fed(command: &mut Command, input: impl AsRef<[u8]>) -> Output {
        Output::with_input(command, Some(input.as_ref()))
    }

    fn with_input(command: &mut Command, input: Option<&[u8]>) -> Output {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        if input.is_some() {
            command.stdin(Stdio::piped());
        }
        let mut child = command
            .spawn()
            .unwrap_or_else(|e| panic!("{command:?} does not start: {e}"));
        let writer = input.map(|bytes| {
            let (mut pipe, bytes) = (child.stdin.take().expect("piped"), bytes.to_vec());
            // A program that does not read its input to the end is not an error of the test.
            std::thread::spawn(move || drop(pipe.write_all(&bytes)))
        });
        let output = child
            .wait_with_output()
            .expect("the child can be waited for");
        if let Some(writer) = writer {
            writer.join().expect("the writer does not panic");
        }
        Output {
            command: format!("{command:?}"),
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    #[track_caller]
    fn fail(&self, what: &str) -> ! {
        panic!(
            "{what}\n--- command: {}\n--- code: {:?}\n--- stdout:\n{}\n--- stderr:\n{}",
            self.command, self.code, self.stdout, self.stderr
        )
    }

    /// Asserts exit code 0.
    #[track_caller]
    pub(crate) fn succeeded(self) -> Output {
        self.exited(0)
    }

    /// Asserts this exit code, and that nothing panicked on the way.
    #[track_caller]
    pub(crate) fn exited(self, code: i32) -> Output {
        if self.code != Some(code) {
            self.fail(&format!("exit code {:?}, expected {code}", self.code));
        }
        if self.stderr.contains("thread 'main' panicked") {
            self.fail("it panicked");
        }
        self
    }

    /// Asserts that standard error holds each of `parts`.
    #[track_caller]
    pub(crate) fn says(self, parts: &[&str]) -> Output {
        for part in parts {
            if !self.stderr.contains(part) {
                self.fail(&format!("standard error lacks {part:?}"));
            }
        }
        self
    }

    /// Asserts that standard output holds each of `parts`.
    #[track_caller]
    pub(crate) fn prints(self, parts: &[&str]) -> Output {
        for part in parts {
            if !self.stdout.contains(part) {
                self.fail(&format!("standard output lacks {part:?}"));
            }
        }
        self
    }
}

/// A package in a temporary folder, removed when the value is dropped.
pub(crate) struct Project {
    folder: tempfile::TempDir,
}

impl Project {
    /// A package `name` with these files; `Cargo.toml` gets a standard head and `[dependencies]` from `dependencies`.
    pub(crate) fn new(name: &str, dependencies: &str, files: &[(&str, &str)]) -> Project {
        let project = Project {
            folder: tempfile::tempdir().expect("a temporary folder"),
        };
        let manifest = format!(
            "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[dependencies]\n{dependencies}\n\n[workspace]\n"
        );
        project.write("Cargo.toml", &manifest);
        for (path, text) in files {
            project.write(path, text);
        }
        project
    }

    /// A package that depends on the guest crate of this tree.
    pub(crate) fn guest(name: &str, source: &str) -> Project {
        Project::guest_with(name, &[], source)
    }

    /// As [`guest`](Self::guest), with features of the guest crate.
    pub(crate) fn guest_with(name: &str, features: &[&str], source: &str) -> Project {
        let path = root().join("crates/wasm");
        let dependency = format!("wasm = {{ path = {path:?}, features = {features:?} }}");
        Project::new(name, &dependency, &[("src/lib.rs", source)])
    }

    /// The package's folder.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes one file, making its folders.
    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().expect("inside the project"))
            .expect("folders can be made");
        fs::write(path, text).expect("files can be written");
    }

    /// Writes a script that can be run, and says where it is.
    pub(crate) fn script(&self, path: &str, text: &str) -> PathBuf {
        self.write(path, text);
        let path = self.path().join(path);
        let mode = Command::new("chmod").arg("+x").arg(&path).status();
        assert!(mode.expect("chmod runs").success());
        path
    }

    /// `cargo wasm ARGS` in the package's folder, with a target folder shared by all tests' packages of that name.
    pub(crate) fn cargo_wasm<S: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = S>,
    ) -> Command {
        let mut command = cargo_wasm();
        command.args(arguments).current_dir(self.path());
        command
    }

    /// Every `.wasm` file that a user would take for a finished artefact.
    pub(crate) fn artefacts(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![self.path().join("target")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
                let path = entry.path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|e| e == "wasm") {
                    found.push(path);
                }
            }
        }
        found
    }
}

/// Asserts that `file` holds a valid component (or core module) and gives its bytes.
#[track_caller]
pub(crate) fn validated(file: &Path) -> Vec<u8> {
    let bytes = fs::read(file).unwrap_or_else(|e| panic!("{} cannot be read: {e}", file.display()));
    wasmparser::Validator::new_with_features(wasmparser::WasmFeatures::all())
        .validate_all(&bytes)
        .unwrap_or_else(|e| panic!("{} is not valid: {e}", file.display()));
    bytes
}

/// The bytes of all sections that are not custom.
pub(crate) fn stripped(bytes: &[u8]) -> u64 {
    wasmparser::Parser::new(0)
        .parse_all(bytes)
        .map(|payload| payload.expect("a valid module"))
        .filter_map(|payload| payload.as_section())
        .filter(|(id, _)| *id != 0)
        .map(|(_, range)| range.end - range.start)
        .sum()
}
