//! Compiles programs against `crates/wasm`, as a user's rustc would.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// `crates/wasm` as a library for programs, with what it depends on.
pub(crate) struct Library {
    file: PathBuf,
    dependencies: PathBuf,
}

impl Library {
    /// Builds it into the folder of the running test, with these features and this way of panicking. With `linear-guard` and panics that
    /// abort, as for WebAssembly, lost linear values are noticed.
    pub(crate) fn with(features: &str, panic: &str) -> Self {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .parent()
            .expect("inside the target folder");
        let mut cargo = Command::new(env!("CARGO"));
        cargo
            .args(["build", "--package", "wasm", "--message-format", "json"])
            .args(["--features", features])
            .arg("--config")
            .arg(format!("profile.dev.panic='{panic}'"))
            .arg("--target-dir")
            .arg(target)
            .current_dir(env!("CARGO_MANIFEST_DIR"));
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

    /// Compiles a program into `CARGO_TARGET_TMPDIR`; `flags` say what it becomes.
    pub(crate) fn compile(&self, program: &Path, flags: &[&str]) -> Output {
        // A name of its own, for tests run at the same time.
        let name = program
            .file_stem()
            .and_then(OsStr::to_str)
            .expect("a UTF-8 name")
            .replace('-', "_");
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let mut dependencies = OsString::from("dependency=");
        dependencies.push(&self.dependencies);
        let mut library = OsString::from("wasm=");
        library.push(&self.file);
        Command::new(rustc)
            .args(["--edition=2024", "--color=never"])
            .arg(format!("--crate-name={name}"))
            .args(flags)
            .arg("--out-dir")
            .arg(env!("CARGO_TARGET_TMPDIR"))
            .args([
                OsStr::new("-L"),
                &dependencies,
                OsStr::new("--extern"),
                &library,
            ])
            .arg(program.file_name().expect("a file"))
            .current_dir(program.parent().expect("in a folder"))
            .env("CARGO_PKG_NAME", "case")
            .env("CARGO_PKG_VERSION", "0.1.0")
            .env_remove("RUSTFLAGS")
            .output()
            .expect("rustc runs")
    }
}
