//! Packs: files of entries that are written once.

use super::Key;
use sha2::{Digest, Sha256};
use std::fs;
use std::io::{self, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const MAGIC: &[u8; 8] = b"wasmir\0\x01";
/// Of the sources of this compiler; see `build.rs`.
const FINGERPRINT: &str = env!("COMPILER_FINGERPRINT");
const CHECK: usize = 8;
const HEAD: usize = 32 + 4 + CHECK;

/// A pack in memory.
#[derive(Debug)]
pub(super) struct Pack {
    path: PathBuf,
    bytes: Vec<u8>,
}

fn header() -> Vec<u8> {
    let mut header = MAGIC.to_vec();
    header.extend_from_slice(&Sha256::digest(FINGERPRINT));
    header
}

fn checksum(key: &Key, bytes: &[u8]) -> [u8; CHECK] {
    let mut hash = Sha256::new();
    hash.update(key);
    hash.update(bytes);
    let mut sum = [0; CHECK];
    sum.copy_from_slice(&hash.finalize()[..CHECK]);
    sum
}

/// How many bytes of a pack an entry takes.
pub(super) fn entry_len(bytes: &[u8]) -> u64 {
    (HEAD + bytes.len()) as u64
}

impl Pack {
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The keys and where their contents are; ends where the pack breaks off.
    pub(super) fn entries(&self) -> Vec<(Key, Range<usize>)> {
        let mut entries = Vec::new();
        let mut at = header().len();
        while let Some(head) = self.bytes.get(at..at + HEAD) {
            let (Ok(key), Ok(len)) = (
                Key::try_from(&head[..32]),
                <[u8; 4]>::try_from(&head[32..36]),
            ) else {
                break;
            };
            let start = at + HEAD;
            let end = start + u32::from_le_bytes(len) as usize;
            if end > self.bytes.len() {
                break;
            }
            entries.push((key, start..end));
            at = end;
        }
        entries
    }

    /// The contents of an entry.
    pub(super) fn bytes(&self, range: Range<usize>) -> &[u8] {
        &self.bytes[range]
    }

    /// The contents of an entry if they are what was written.
    pub(super) fn checked(&self, key: &Key, range: Range<usize>) -> Option<&[u8]> {
        let sum = &self.bytes[range.start - CHECK..range.start];
        let bytes = &self.bytes[range];
        (checksum(key, bytes) == *sum).then_some(bytes)
    }

    /// Deletes the file; if that fails somebody else has or will.
    pub(super) fn remove(&self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// What other compilers left is deleted when they have not come back for it for so long.
const FOREIGN: Duration = Duration::from_secs(14 * 24 * 3600);
/// A pack that takes longer to be written is not being written any more.
const ABANDONED: Duration = Duration::from_secs(3600);

/// Reads the packs of a folder, the oldest first, as far as the limit allows, the newest by preference.
pub(super) fn read_all(folder: &Path, limit: u64) -> Vec<Pack> {
    let Ok(files) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = files.flatten().map(|file| file.path()).collect();
    paths.sort();
    let header = header();
    let mut packs = Vec::new();
    let mut room = limit;
    for path in paths.into_iter().rev() {
        let is = |extension: &str| path.extension().is_some_and(|e| e == extension);
        if is("part") && is_older(&path, ABANDONED) {
            // Left behind by a process that was killed.
            let _ = fs::remove_file(&path);
        }
        if !is("pack") {
            continue;
        }
        let fits = fs::metadata(&path).is_ok_and(|data| data.len() <= room);
        let bytes = if fits {
            fs::read(&path).unwrap_or_default()
        } else {
            Vec::new()
        };
        let pack = Pack { path, bytes };
        if pack.bytes.starts_with(&header) {
            room = room.saturating_sub(pack.len() as u64);
            packs.push(pack);
        } else if !fits || is_older(&pack.path, FOREIGN) {
            pack.remove();
        }
    }
    packs.reverse();
    packs
}

fn is_older(path: &Path, limit: Duration) -> bool {
    let age = fs::metadata(path)
        .and_then(|data| data.modified())
        .ok()
        .and_then(|time| time.elapsed().ok());
    age.is_some_and(|age| age > limit)
}

/// Writes a pack; it appears whole or not at all.
pub(super) fn write<'a>(
    folder: &Path,
    entries: impl Iterator<Item = (Key, &'a [u8])>,
) -> io::Result<()> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let mut bytes = header();
    for (key, contents) in entries {
        let Ok(len) = u32::try_from(contents.len()) else {
            continue;
        };
        bytes.extend_from_slice(&key);
        bytes.extend_from_slice(&len.to_le_bytes());
        bytes.extend_from_slice(&checksum(&key, contents));
        bytes.extend_from_slice(contents);
    }
    fs::create_dir_all(folder)?;
    // Names sort by age.
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let name = format!(
        "{:020}-{:010}-{:06}",
        now.unwrap_or_default().as_nanos(),
        std::process::id(),
        NUMBER.fetch_add(1, Ordering::Relaxed)
    );
    let part = folder.join(format!("{name}.part"));
    let whole = folder.join(format!("{name}.pack"));
    let written = fs::File::create(&part)
        .and_then(|mut file| file.write_all(&bytes))
        .and_then(|()| fs::rename(&part, &whole));
    if written.is_err() {
        let _ = fs::remove_file(&part);
    }
    written
}
