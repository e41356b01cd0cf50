//! The standard library's source as it is compiled for programs whose panics unwind.
//!
//! libtest leaves out every `#[should_panic]` test on WebAssembly, because a panic ends the program there. Where panics unwind, that
//! is not so. Its source knows no setting for this, so a folder of links to the installed source is made in which `test` is a copy
//! whose condition asks how panics end. Of a release that spells the condition differently nothing is changed: such tests
//! stay ignored, as libtest says beside their names.

use crate::error::Error;
use crate::sysroot::link;
use std::fs;
use std::path::{Path, PathBuf};

/// What libtest asks before it runs a test that is to panic, and what it should ask.
const CONDITION: (&str, &str) = (
    r#"(cfg!(target_family = "wasm") || cfg!(target_os = "zkvm"))"#,
    r#"((cfg!(target_family = "wasm") && !cfg!(panic = "unwind")) || cfg!(target_os = "zkvm"))"#,
);

/// Makes the folder in `into` and returns its path.
pub(crate) fn make(library: &Path, into: &Path) -> Result<PathBuf, Error> {
    let folder = into.join("library");
    fs::create_dir_all(&folder).map_err(Error::io("create", &folder))?;
    for entry in fs::read_dir(library).map_err(Error::io("read", library))? {
        let entry = entry.map_err(Error::io("read", library))?;
        let to = folder.join(entry.file_name());
        match entry.file_name() == "test" {
            true => copy(&entry.path(), &to)?,
            false => link(&entry.path(), &to)?,
        }
    }
    let root = folder.join("test/src/lib.rs");
    if let Ok(text) = fs::read_to_string(&root) {
        let text = text.replacen(CONDITION.0, CONDITION.1, 1);
        fs::write(&root, text).map_err(Error::io("write", &root))?;
    }
    Ok(folder)
}

/// Copies a folder of sources; contents alone, since an installed source is read-only.
fn copy(from: &Path, to: &Path) -> Result<(), Error> {
    fs::create_dir_all(to).map_err(Error::io("create", to))?;
    for entry in fs::read_dir(from).map_err(Error::io("read", from))? {
        let entry = entry.map_err(Error::io("read", from))?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy(&from, &to)?;
        } else {
            let bytes = fs::read(&from).map_err(Error::io("read", &from))?;
            fs::write(&to, bytes).map_err(Error::io("write", &to))?;
        }
    }
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn only_the_condition_of_libtest_changes() {
        let place = tempfile::tempdir().unwrap();
        let library = place.path().join("source");
        for (file, text) in [
            ("core/src/lib.rs", "core"),
            (
                "test/src/lib.rs",
                "let a = should && (cfg!(target_family = \"wasm\") || cfg!(target_os = \"zkvm\"));",
            ),
            ("test/src/console.rs", "console"),
            ("Cargo.lock", "lock"),
        ] {
            let path = library.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let made = make(&library, place.path()).unwrap();
        let read = |file: &str| fs::read_to_string(made.join(file)).unwrap();
        assert!(read("test/src/lib.rs").contains("!cfg!(panic = \"unwind\")"));
        assert_eq!(read("test/src/console.rs"), "console");
        assert_eq!(read("core/src/lib.rs"), "core");
        assert!(made.join("core").is_symlink() && !made.join("test").is_symlink());
        let original = fs::read_to_string(library.join("test/src/lib.rs")).unwrap();
        assert!(!original.contains("unwind"), "the source stays as it was");
    }
}
