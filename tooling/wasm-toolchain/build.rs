//! Packs the sources of the compiler's back end into this library, so that an installed `cargo wasm` can build the MIR
//! front end on a machine that has no checkout of this repository.
//!
//! Writes `$OUT_DIR/sources.rs`: `FILES`, a sorted list of path and contents, and `DIGEST`, the SHA-256 of that list, which
//! names what is built from it.

use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// Crates that rustc-wasm consists of, besides rustc's.
const CRATES: [&str; 6] = [
    "compiler/pack-store",
    "compiler/wasmir",
    "compiler/codegen-cranelift",
    "compiler/wasmir-ld",
    "compiler/wasmir-verify",
    "compiler/rustc-wasm",
];

fn main() -> io::Result<()> {
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let root = here.join("../..").canonicalize()?;
    // The workspace's manifest holds what the crates' manifests inherit.
    let mut files = vec![PathBuf::from("Cargo.toml")];
    for name in CRATES {
        let manifests =
            ["Cargo.toml", "Cargo.lock", "build.rs"].map(|file| Path::new(name).join(file));
        files.extend(manifests.into_iter().filter(|f| root.join(f).is_file()));
        for part in ["src", "dylib"] {
            let sources = Path::new(name).join(part);
            if root.join(&sources).is_dir() {
                println!("cargo::rerun-if-changed={}", root.join(&sources).display());
                collect(&root, &sources, &mut files)?;
            }
        }
    }
    files.sort_by_key(|file| file.to_string_lossy().replace('\\', "/"));
    let mut text = String::from("pub(crate) static FILES: &[(&str, &[u8])] = &[\n");
    let mut digest = Sha256::new();
    for file in &files {
        let path = root.join(file);
        println!("cargo::rerun-if-changed={}", path.display());
        let name = file.to_string_lossy().replace('\\', "/");
        let contents = fs::read(&path)?;
        // With lengths, so that no two lists agree by accident.
        for part in [name.as_bytes(), &contents] {
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part);
        }
        let path = path.display().to_string();
        let _ = writeln!(text, "    ({name:?}, include_bytes!({path:?})),");
    }
    text.push_str("];\npub(crate) static DIGEST: &str = \"");
    for byte in digest.finalize() {
        let _ = write!(text, "{byte:02x}");
    }
    text.push_str("\";\n");
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    fs::write(out.join("sources.rs"), text)
}

/// Every file below `folder` of `root`, relative to `root`.
fn collect(root: &Path, folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(root.join(folder))? {
        let entry = entry?;
        let path = folder.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            collect(root, &path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}
