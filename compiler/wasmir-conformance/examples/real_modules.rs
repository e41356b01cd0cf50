//! Takes programs that people ship through the pipeline: fetches the npm packages of `real-modules.toml` (needs `npm`
//! and `tar`; kept under `target/real-modules`), recompiles each module, validates the result, and prints sizes and times.
//!
//! `cargo run --release -p wasmir-conformance --example real_modules [NAME…]` takes those whose package name contains a
//! NAME; all by default. Exits with 1 if any module fails.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use serde::Deserialize;
use sha2::{Digest, Sha256};
use wasmir_conformance::{engine, stages};

#[derive(Deserialize)]
struct List {
    module: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    package: String,
    version: String,
    path: String,
    sha256: String,
    about: String,
}

impl Entry {
    /// The module's bytes, fetched if they are not there yet.
    fn fetch(&self, cache: &Path) -> Result<Vec<u8>, String> {
        let folder = cache.join(format!(
            "{}-{}",
            self.package.replace(['@', '/'], "_"),
            self.version
        ));
        let file = folder.join(&self.path);
        if !file.exists() {
            std::fs::create_dir_all(&folder)
                .map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
            let spec = format!("{}@{}", self.package, self.version);
            let archive = run(Command::new("npm")
                .args(["pack", "--silent", &spec])
                .current_dir(&folder))?;
            run(Command::new("tar")
                .args(["xzf", archive.trim(), &self.path])
                .current_dir(&folder))?;
        }
        let bytes = std::fs::read(&file)
            .map_err(|error| format!("cannot read {}: {error}", file.display()))?;
        let digest: String = Sha256::digest(&bytes)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        if digest == self.sha256 {
            Ok(bytes)
        } else {
            Err(format!("sha256 is {digest}, not {}", self.sha256))
        }
    }
}

fn run(command: &mut Command) -> Result<String, String> {
    let output = command
        .output()
        .map_err(|error| format!("{command:?}: {error}"))?;
    if !output.status.success() {
        return Err(format!(
            "{command:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        ));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let list = std::fs::read_to_string(root.join("../wasmir-lift/tests/real-modules.toml"))
        .expect("the list is there");
    let list: List = toml::from_str(&list).expect("the list is well-formed");
    let cache: PathBuf = root.join("../../target/real-modules");
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let mut failed = false;
    println!("| module | size | recompiled | size ratio | MB/s |\n|---|---|---|---|---|");
    for entry in &list.module {
        if !wanted.is_empty() && !wanted.iter().any(|name| entry.package.contains(name)) {
            continue;
        }
        let outcome = entry.fetch(&cache).and_then(|wasm| {
            let start = Instant::now();
            let output = stages::recompile(&wasm)?;
            let took = start.elapsed();
            engine::validate(&output)?;
            Ok((wasm.len(), output.len(), took))
        });
        match outcome {
            Ok((before, after, took)) => println!(
                "| {} {} ({}) | {before} | {after} | {:.3} | {:.1} |",
                entry.package,
                entry.version,
                entry.about,
                after as f64 / before as f64,
                before as f64 / 1e6 / took.as_secs_f64()
            ),
            Err(error) => {
                failed = true;
                println!("| {} {} | FAILED: {error} |", entry.package, entry.version);
            }
        }
    }
    ExitCode::from(u8::from(failed))
}
