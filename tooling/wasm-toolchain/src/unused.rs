//! What of the cache folder belongs to other versions: compilers, and standard libraries, that nothing on this machine uses as it is.
//!
//! Each version of our sources has a compiler of its own, and each compiler a standard library; the older ones stay, for who goes
//! back to them. They cost some 250 MB each, so that a user must be able to get rid of them.
//!
//! # Invariants
//! A folder is renamed before its content is removed: under a final name there is all of it or nothing. Locks of set-ups are held.
//!
//! # Cost
//! One look at each file below the folders found, for its size.

use crate::cache::{self, Lock};
use crate::discover;
use crate::environment::Environment;
use crate::error::Error;
use crate::progress::Progress;
use crate::rustc_wasm;
use crate::sysroot::Composed;
use std::fs;
use std::path::{Path, PathBuf};

/// What is removed carries this in front of its name.
const REMOVED: &str = ".removed-";

/// Folders of other versions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unused {
    /// In the order of their names.
    pub folders: Vec<PathBuf>,
    /// Their content together.
    pub bytes: u64,
}

/// Finds what neither the rustc that is used here nor the `rustc-wasm` of these sources needs.
///
/// # Errors
/// There is no cache folder, or no rustc, of which one could tell what it needs.
pub fn unused(env: &Environment) -> Result<Unused, Error> {
    let home = env.wasmrust_home().ok_or(Error::NoHome)?;
    let rust = discover::find_rust(env)?;
    let [finished, workshop] = rustc_wasm::folders(env, &rust)?;
    let mut used = vec![finished, workshop];
    let compiler = rustc_wasm::compiler(env, &rust)?;
    for rust in [rust, compiler] {
        // Without a linker there is no sysroot.
        if let Ok(composed) = Composed::plan(env, &rust) {
            used.push(composed.folder(crate::Panic::Abort));
        }
    }
    let mut found = Unused::default();
    for room in ["rustc-wasm", "sysroots"] {
        for entry in fs::read_dir(home.join(room))
            .into_iter()
            .flatten()
            .flatten()
        {
            let path = entry.path();
            let folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if folder && !used.contains(&path) && is_ours(&path) {
                found.bytes += size(&path);
                found.folders.push(path);
            }
        }
    }
    found.folders.sort();
    Ok(found)
}

/// Removes it, and says what that was.
///
/// # Errors
/// A folder cannot be removed; those before it are gone.
pub fn remove_unused(env: &Environment, progress: &Progress) -> Result<Unused, Error> {
    let home = env.wasmrust_home().ok_or(Error::NoHome)?;
    let _compilers = Lock::take(&home.join("rustc-wasm"), "rustc-wasm", progress)?;
    let _libraries = Lock::take(&home, "sysroots", progress)?;
    let found = unused(env)?;
    for folder in &found.folders {
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        let moved = folder.with_file_name(format!("{REMOVED}{name}"));
        cache::remove(&moved)?;
        fs::rename(folder, &moved).map_err(Error::io("rename", folder))?;
        cache::remove(&moved)?;
    }
    Ok(found)
}

/// Whether a folder has a name that this crate gives: `1.96.0-<digest>`, `build-1.96.0-<digest>`, or that of something left over.
fn is_ours(folder: &Path) -> bool {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    if name.starts_with(REMOVED) {
        return true;
    }
    let name = name.strip_prefix("build-").unwrap_or(&name);
    name.rsplit_once('-').is_some_and(|(release, digest)| {
        release.starts_with(|c: char| c.is_ascii_digit())
            && digest.len() == 12
            && digest.bytes().all(|b| b.is_ascii_hexdigit())
    })
}

/// What the files below a folder hold; links are not followed.
fn size(folder: &Path) -> u64 {
    let files = cache::files_below(folder).unwrap_or_default();
    let metadata = files.iter().flat_map(fs::symlink_metadata);
    metadata.map(|metadata| metadata.len()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_are_given_here_are_ours() {
        for (name, ours) in [
            ("1.96.0-0123456789ab", true),
            ("1.97.0-beta.2-0123456789ab", true),
            ("build-1.96.0-0123456789ab", true),
            (".removed-1.96.0-0123456789ab", true),
            ("notes", false),
            ("1.96.0", false),
            ("1.96.0-mine", false),
            ("mine-0123456789ab", false),
        ] {
            assert_eq!(
                is_ours(Path::new("/x").join(name).as_path()),
                ours,
                "{name}"
            );
        }
    }
}
