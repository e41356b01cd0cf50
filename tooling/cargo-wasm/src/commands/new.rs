//! `cargo wasm new`: `cargo new` with sources that show something.

use crate::cargo;
use crate::cli::New;
use crate::error::{Error, Failure, Result};
use crate::finish;
use crate::report;
use std::path::Path;
use std::process::{Command, ExitCode};
use wasm_toolchain::{Environment, discover};

const PROGRAM: &str = include_str!("../../templates/main.rs");
const LIBRARY: &str = include_str!("../../templates/lib.rs");

/// Makes the package by Cargo, which knows about workspaces and version control, then fills in our sources.
pub(crate) fn new(arguments: &New) -> Result<ExitCode> {
    let env = Environment::from_process();
    // Any Cargo can make a package, so this works before set-up.
    let program = discover::find_rust(&env)
        .map(|rust| rust.cargo)
        .ok()
        .or_else(|| env.which("cargo"));
    let program = program.ok_or_else(|| {
        Error::user("no `cargo` was found").hint("install Rust, or run `cargo wasm setup --yes`")
    })?;
    let mut command = Command::new(program);
    command.args([
        "new",
        "--quiet",
        if arguments.lib { "--lib" } else { "--bin" },
    ]);
    for (option, value) in [("--name", &arguments.name), ("--vcs", &arguments.vcs)] {
        if let Some(value) = value {
            command.args([option, value]);
        }
    }
    command.arg("--").arg(&arguments.path);
    if !cargo::run(command)?.success() {
        return Err(Failure::Said(1));
    }
    let folder = &arguments.path;
    if arguments.lib {
        finish::write(&folder.join("src/lib.rs"), LIBRARY.as_bytes())?;
        let manifest = folder.join("Cargo.toml");
        let text = String::from_utf8_lossy(&finish::read(&manifest)?).into_owned();
        finish::write(&manifest, with_library(&text, &guest_crate()).as_bytes())?;
    } else {
        finish::write(&folder.join("src/main.rs"), PROGRAM.as_bytes())?;
    }
    let what = if arguments.lib {
        "component library"
    } else {
        "program"
    };
    report::status(
        "Created",
        &format!(
            "{what} `{}`; try `cargo wasm run {}`",
            name_of(folder),
            folder.display()
        ),
    );
    Ok(ExitCode::SUCCESS)
}

fn name_of(folder: &Path) -> String {
    folder.file_name().map_or_else(
        || folder.display().to_string(),
        |name| name.to_string_lossy().into_owned(),
    )
}

/// The `wasm` dependency: the source tree that this tool was built from while it is there, else the repository.
fn guest_crate() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crates/wasm");
    match path.canonicalize() {
        Ok(path) if path.join("Cargo.toml").is_file() => format!(
            "{{ path = {} }}",
            toml::Value::from(path.to_string_lossy().into_owned())
        ),
        _ => format!("{{ git = {:?} }}", env!("CARGO_PKG_REPOSITORY")),
    }
}

/// The manifest that Cargo wrote, as a component library.
fn with_library(manifest: &str, wasm: &str) -> String {
    let head = manifest
        .trim_end()
        .trim_end_matches("[dependencies]")
        .trim_end();
    format!(
        "{head}\n\n[lib]\ncrate-type = [\"cdylib\", \"rlib\"]\n\n[dependencies]\nwasm = {wasm}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_stays_valid() {
        let cargo =
            "[package]\nname = \"x\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[dependencies]\n";
        let text = with_library(cargo, "{ path = \"a\" }");
        let table: toml::Table = text.parse().unwrap();
        assert_eq!(table["dependencies"]["wasm"]["path"].as_str(), Some("a"));
        assert_eq!(table["package"]["name"].as_str(), Some("x"));
        assert_eq!(name_of(Path::new("a/b")), "b");
    }
}
