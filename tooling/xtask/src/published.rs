//! Sources of published packages, as Cargo fetches them.

use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Found>,
}

#[derive(Deserialize)]
struct Found {
    name: String,
    version: String,
    manifest_path: PathBuf,
}

/// The folders where Cargo keeps the sources of the packages with these names and versions, in their order. They are not to be
/// changed. `cargo` is Cargo without arguments; a package that depends on all is made in `folder`.
///
/// # Errors
/// When a version does not exist, or two of them cannot be had together.
pub(crate) fn sources(
    mut cargo: Command,
    folder: &Path,
    wanted: &[(&str, &str)],
) -> Result<Vec<PathBuf>> {
    fs::create_dir_all(folder.join("src"))?;
    fs::write(folder.join("src/lib.rs"), "")?;
    let mut manifest =
        "[package]\nname = \"fetch\"\nedition = \"2024\"\n[workspace]\n[dependencies]\n".to_owned();
    for (name, version) in wanted {
        let _ = writeln!(
            manifest,
            "{name} = {{ version = \"={version}\", default-features = false }}"
        );
    }
    fs::write(folder.join("Cargo.toml"), manifest)?;
    cargo
        .current_dir(folder)
        .args(["metadata", "--format-version", "1"]);
    let metadata: Metadata = serde_json::from_str(&succeed(&mut cargo)?)?;
    let found = |&(name, version): &(&str, &str)| {
        let is = |found: &&Found| found.name == name && found.version == version;
        let found = metadata.packages.iter().find(is);
        let found = found.with_context(|| format!("no `{name}` {version} was fetched"))?;
        let source = found.manifest_path.parent();
        Ok(source.context("a manifest has a folder")?.to_owned())
    };
    wanted.iter().map(found).collect()
}

/// What a command says; an error if it fails.
pub(crate) fn succeed(command: &mut Command) -> Result<String> {
    let output = command
        .output()
        .with_context(|| format!("cannot start {command:?}"))?;
    ensure!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?)
}
