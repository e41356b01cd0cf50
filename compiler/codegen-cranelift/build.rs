//! Fingerprints the sources that decide what code a body becomes, for the cache of finished bodies.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

fn sources(folder: &Path, list: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            sources(&path, list);
        } else {
            list.push(path);
        }
    }
}

fn main() {
    let mut list = Vec::new();
    // Cranelift's version is pinned in the workspace's manifest, wasmir stands beside this crate.
    for folder in ["src", "../wasmir/src"] {
        println!("cargo::rerun-if-changed={folder}");
        sources(Path::new(folder), &mut list);
    }
    for manifest in ["Cargo.toml", "../../Cargo.toml"] {
        println!("cargo::rerun-if-changed={manifest}");
        list.push(manifest.into());
    }
    list.sort();
    let mut hash = DefaultHasher::new();
    for path in list {
        // A file that cannot be read (the packaged crate stands alone) counts as empty.
        std::fs::read(&path).unwrap_or_default().hash(&mut hash);
    }
    let version = std::env::var("CARGO_PKG_VERSION").unwrap_or_default();
    println!(
        "cargo::rustc-env=COMPILER_FINGERPRINT={version}-{:016x}",
        hash.finish()
    );
}
