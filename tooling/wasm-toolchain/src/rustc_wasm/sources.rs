//! The folder that Cargo builds in: our sources, beside links to rustc's.

use crate::cache;
use crate::error::Error;
use crate::sysroot::link;
use std::fs;
use std::path::Path;

include!(concat!(env!("OUT_DIR"), "/sources.rs"));

/// Folders and files of rustc's source that its crates refer to.
const LINKED: [&str; 4] = ["compiler", "library", "src", "Cargo.toml"];

/// Writes the files whose contents are not there yet and removes those that are no longer ours.
pub(super) fn unpack(folder: &Path, files: &[(&str, &[u8])]) -> Result<(), Error> {
    for (name, contents) in files {
        let path = folder.join(name);
        // An untouched file keeps its time, by which Cargo tells what to rebuild.
        if fs::read(&path).is_ok_and(|old| old == *contents) {
            continue;
        }
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(Error::io("create", parent))?;
        }
        fs::write(&path, contents).map_err(Error::io("write", &path))?;
    }
    let mut folders = vec![folder.join("compiler")];
    while let Some(folder_) = folders.pop() {
        for entry in fs::read_dir(&folder_).map_err(Error::io("read", &folder_))? {
            let entry = entry.map_err(Error::io("read", &folder_))?;
            let path = entry.path();
            if entry.file_name() == "rustc-src" {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(folder).unwrap_or(&path);
            let name = name.to_string_lossy().replace('\\', "/");
            if files.iter().all(|(known, _)| *known != name) {
                cache::remove(&path)?;
            }
        }
    }
    Ok(())
}

/// Makes `at` a folder of links to the parts of rustc's source. What the distribution keeps in two places looks like one tree.
pub(super) fn link_source(source: &Path, at: &Path) -> Result<(), Error> {
    if at.is_symlink() {
        cache::remove(at)?;
    }
    fs::create_dir_all(at).map_err(Error::io("create", at))?;
    for part in LINKED {
        let mut to = source.join(part);
        if part == "library" && !to.is_dir() {
            // rustup keeps the library's source as another component.
            to = source.join("../../src/rust/library");
        }
        let link_at = at.join(part);
        if !to.exists() {
            continue;
        }
        if !fs::read_link(&link_at).is_ok_and(|old| old == to) {
            link(&to, &link_at)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_sources_are_whole() {
        let has = |name: &str| FILES.iter().any(|(n, _)| *n == name);
        for name in [
            "Cargo.toml",
            "compiler/wasmir/Cargo.toml",
            "compiler/pack-store/src/lib.rs",
            "compiler/wasmir/src/lib.rs",
            "compiler/codegen-cranelift/src/lib.rs",
            "compiler/wasmir-ld/src/lib.rs",
            "compiler/rustc-wasm/Cargo.toml",
            "compiler/rustc-wasm/Cargo.lock",
            "compiler/rustc-wasm/dylib/Cargo.toml",
            "compiler/rustc-wasm/dylib/main.rs",
            "compiler/rustc-wasm/src/main.rs",
        ] {
            assert!(has(name), "{name}");
        }
        assert!(FILES.is_sorted());
        assert_eq!(DIGEST.len(), 64);
    }

    #[test]
    fn unpacking_leaves_unchanged_files_alone_and_removes_strangers() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let old: &[(&str, &[u8])] = &[
            ("Cargo.toml", b"a"),
            ("compiler/x/a.rs", b"1"),
            ("compiler/x/b.rs", b"2"),
        ];
        unpack(folder.path(), old).unwrap();
        let time = |name: &str| fs::metadata(at(name)).unwrap().modified().unwrap();
        let before = time("compiler/x/a.rs");
        std::thread::sleep(Duration::from_millis(20));
        let new: &[(&str, &[u8])] = &[
            ("Cargo.toml", b"a"),
            ("compiler/x/a.rs", b"1"),
            ("compiler/x/c.rs", b"3"),
        ];
        unpack(folder.path(), new).unwrap();
        assert_eq!(time("compiler/x/a.rs"), before);
        assert!(!at("compiler/x/b.rs").exists());
        assert_eq!(fs::read(at("compiler/x/c.rs")).unwrap(), b"3");
    }
}
