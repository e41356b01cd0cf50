//! The cache folder: locks, completion stamps and atomic installation.
//!
//! # Invariants
//!
//! * A finished folder appears by one `rename`, with its stamp inside; nobody ever sees half of one.
//! * A folder whose stamp is missing, unreadable or disagrees with its files is not used and is made anew.
//! * One process builds at a time; others wait for the lock, then find the result.
//!
//! # Cost
//!
//! The quick check that precedes every build reads one stamp and asks the size of each file (some 40 for a sysroot, < 1 ms);
//! the thorough one, used by set-up and `doctor`, also reads and hashes them.

use crate::error::Error;
use crate::progress::Progress;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// The stamp's name inside a finished folder.
pub(crate) const STAMP: &str = ".complete.json";

/// Lists what a finished folder holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stamp {
    /// Digest of everything that the content was made from.
    pub(crate) key: String,
    /// Every file by its path inside the folder.
    pub(crate) files: BTreeMap<String, FileStamp>,
}

/// Size and content of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FileStamp {
    pub(crate) size: u64,
    pub(crate) sha256: String,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Integrity {
    /// There, and what it should be.
    Complete,
    /// Not there.
    Absent,
    /// There, but unfinished, damaged or made from something else; the text says how.
    Damaged(String),
}

impl Stamp {
    /// Describes the files now in `folder`.
    pub(crate) fn of(folder: &Path, key: &str) -> Result<Stamp, Error> {
        let mut files = BTreeMap::new();
        for path in files_below(folder)? {
            let name = relative_name(folder, &path);
            if name != STAMP {
                let size = fs::metadata(&path).map_err(Error::io("read", &path))?.len();
                files.insert(
                    name,
                    FileStamp {
                        size,
                        sha256: hash_file(&path)?,
                    },
                );
            }
        }
        Ok(Stamp {
            key: key.to_owned(),
            files,
        })
    }

    fn write(&self, folder: &Path) -> Result<(), Error> {
        let path = folder.join(STAMP);
        let text = serde_json::to_vec_pretty(self).unwrap_or_default();
        fs::write(&path, text).map_err(Error::io("write", path))
    }
}

/// Checks `folder` against its stamp; `thorough` also compares contents.
pub(crate) fn check(folder: &Path, key: &str, thorough: bool) -> Integrity {
    if !folder.exists() {
        return Integrity::Absent;
    }
    let Ok(text) = fs::read(folder.join(STAMP)) else {
        return Integrity::Damaged("it was never finished".into());
    };
    let Ok(stamp) = serde_json::from_slice::<Stamp>(&text) else {
        return Integrity::Damaged("its stamp is unreadable".into());
    };
    if stamp.key != key {
        return Integrity::Damaged("it was made from something else".into());
    }
    for (name, expected) in &stamp.files {
        let path = folder.join(name);
        let Ok(metadata) = fs::metadata(&path) else {
            return Integrity::Damaged(format!("`{name}` is missing"));
        };
        if metadata.len() != expected.size {
            return Integrity::Damaged(format!(
                "`{name}` has {} bytes instead of {}",
                metadata.len(),
                expected.size
            ));
        }
        if thorough && !hash_file(&path).is_ok_and(|hash| hash == expected.sha256) {
            return Integrity::Damaged(format!("`{name}` has changed"));
        }
    }
    Integrity::Complete
}

/// Stamps the finished `staged` folder and moves it to `destination`, replacing what is there.
pub(crate) fn install(staged: &Path, destination: &Path, key: &str) -> Result<(), Error> {
    Stamp::of(staged, key)?.write(staged)?;
    if let Some(parent) = destination.parent() {
        fs::create_dir_all(parent).map_err(Error::io("create", parent))?;
    }
    remove(destination)?;
    fs::rename(staged, destination).map_err(Error::io("move a finished folder to", destination))
}

/// Removes a file or folder that may not exist.
pub(crate) fn remove(path: &Path) -> Result<(), Error> {
    let result = match fs::symlink_metadata(path) {
        Err(_) => return Ok(()),
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
    };
    result.map_err(Error::io("remove", path))
}

/// Holds the cache folder's lock until dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    // Closing the file releases the lock, also when the process is killed.
    _file: File,
}

impl Lock {
    /// Takes the lock `name` in `home`, waiting for another holder.
    pub(crate) fn take(home: &Path, name: &str, progress: &Progress) -> Result<Lock, Error> {
        fs::create_dir_all(home).map_err(Error::io("create", home))?;
        let path = home.join(format!("{name}.lock"));
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(Error::io("open", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                progress.say(&format!(
                    "waiting for another set-up (it holds `{}`)",
                    path.display()
                ));
                file.lock().map_err(Error::io("lock", &path))?;
            }
            Err(TryLockError::Error(source)) => {
                return Err(Error::Io {
                    action: "lock",
                    path,
                    source,
                });
            }
        }
        Ok(Lock { _file: file })
    }
}

/// Hex SHA-256 of `parts`, each preceded by its length so that no two lists agree by accident.
pub(crate) fn digest<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hex(&hasher.finalize())
}

fn hash_file(path: &Path) -> Result<String, Error> {
    let mut file = File::open(path).map_err(Error::io("open", path))?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let n = file.read(&mut buffer).map_err(Error::io("read", path))?;
        if n == 0 {
            return Ok(hex(&hasher.finalize()));
        }
        hasher.update(&buffer[..n]);
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Every file below `folder`, sorted; links are followed for files and not for folders.
pub(crate) fn files_below(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let (mut files, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(Error::io("read", &folder))? {
            let entry = entry.map_err(Error::io("read", &folder))?;
            let kind = entry.file_type().map_err(Error::io("read", entry.path()))?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else if entry.path().is_file() {
                files.push(entry.path());
            }
        }
    }
    files.sort();
    Ok(files)
}

fn relative_name(folder: &Path, path: &Path) -> String {
    let relative = path.strip_prefix(folder).unwrap_or(path);
    relative
        .components()
        .map(|c| c.as_os_str().to_string_lossy())
        .collect::<Vec<_>>()
        .join("/")
}
