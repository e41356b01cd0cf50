//! Remembers what each rustc said about itself, so that a build that has nothing to do does not start every candidate to
//! ask it (10 to 20 ms each).
//!
//! An entry holds as long as the executable has the same size and modification time; package managers and rustup replace both.
//! The file is a cache in the strict sense: unreadable, damaged or not writable, it only costs time.

use crate::environment::Environment;
use crate::files::write_whole;
use crate::version::RustcVersion;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// Size and modification time (nanoseconds, 0 where there is none) of an executable, by which it is known again.
pub(crate) fn stamp(program: &Path) -> std::io::Result<(u64, u128)> {
    let metadata = fs::metadata(program)?;
    let modified = metadata
        .modified()
        .ok()
        .and_then(|t| t.duration_since(UNIX_EPOCH).ok())
        .map_or(0, |d| d.as_nanos());
    Ok((metadata.len(), modified))
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    size: u64,
    modified: u128,
    verbose: String,
}

/// The remembered versions; written back by [`VersionCache::save`] when something was learnt.
#[derive(Debug, Default)]
pub(crate) struct VersionCache {
    file: Option<PathBuf>,
    entries: BTreeMap<PathBuf, Entry>,
    learnt: bool,
}

impl VersionCache {
    /// Reads the cache, if there is one.
    pub(crate) fn load(env: &Environment) -> VersionCache {
        let file = env
            .wasmrust_home()
            .map(|home| home.join("rustc-versions.json"));
        let entries = file
            .as_ref()
            .and_then(|f| fs::read(f).ok())
            .and_then(|text| serde_json::from_slice(&text).ok());
        VersionCache {
            file,
            entries: entries.unwrap_or_default(),
            learnt: false,
        }
    }

    /// The version of `rustc`, remembered or asked for.
    pub(crate) fn version(&mut self, rustc: &Path) -> Result<RustcVersion, String> {
        let (size, modified) = stamp(rustc).map_err(|e| e.to_string())?;
        let known = self
            .entries
            .get(rustc)
            .filter(|e| e.size == size && e.modified == modified);
        if let Some(version) = known.and_then(|e| RustcVersion::parse(&e.verbose)) {
            return Ok(version);
        }
        let version = RustcVersion::ask(rustc)?;
        self.entries.insert(
            rustc.to_owned(),
            Entry {
                size,
                modified,
                verbose: version.verbose.clone(),
            },
        );
        self.learnt = true;
        Ok(version)
    }

    /// Writes what was learnt, for the next time.
    pub(crate) fn save(self) {
        let Some(file) = self.file.filter(|_| self.learnt) else {
            return;
        };
        // Not being able to remember is no error: the next run asks again.
        let _ = serde_json::to_vec(&self.entries)
            .map_err(std::io::Error::from)
            .and_then(|bytes| write_whole(&file, &bytes));
    }
}
