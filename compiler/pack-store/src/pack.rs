//! Packs: files of entries that are written once.
//!
//! ```text
//! magic 8, version 32 (SHA-256), count u32
//! count × (key 32, offset u64, length u32, checksum 8)      sorted by key
//! contents
//! ```
//! Numbers are little-endian, offsets count from the start of the file. A checksum is the beginning of the SHA-256 of key and
//! contents, so an index that is damaged leads to misses as well. The first contents begin where the index ends, and that says
//! whether the count is the one that was written.
//!
//! # Algorithm
//! An index is searched where it lies, for most runs ask for a small part of what is kept. Keys are hashes, so a key's value says about where
//! it stands (*interpolation search*, Peterson 1957): from there steps that double lead past it, and halving finds it between
//! the last two. Of 80,000 entries half a dozen are looked at. In an index that is not sorted keys are missed; every step shrinks what is left,
//! so no index makes a search longer than two logarithms.

use crate::Key;
use sha2::{Digest, Sha256};
use std::cmp::Ordering::{Equal, Greater, Less};
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const MAGIC: &[u8; 8] = b"packs\0\0\x01";
const CHECK: usize = 8;
const HEADER: usize = 8 + 32 + 4;
const INDEX: usize = 32 + 8 + 4 + CHECK;

/// More packs than this are not opened; by the way they are put together, there are never so many of one version.
const MAX_PACKS: usize = 128;
/// What other versions left is deleted when they have not come back for it for so long.
const FOREIGN: Duration = Duration::from_secs(14 * 24 * 3600);
/// A pack that takes longer to be written is not being written any more.
const ABANDONED: Duration = Duration::from_secs(3600);

/// A pack that is open.
#[derive(Debug)]
pub(crate) struct Pack {
    path: PathBuf,
    file: File,
    len: u64,
    index: Vec<u8>,
    /// For each entry whether it was read, as bits.
    used: Vec<AtomicU64>,
}

/// Where the contents of an entry are, and what they hash to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    offset: u64,
    len: u32,
    check: [u8; CHECK],
}

impl Place {
    pub(crate) fn len(&self) -> usize {
        self.len as usize
    }
}

/// How many bytes of a pack an entry takes whose contents have `len`.
pub(crate) fn entry_len(len: usize) -> u64 {
    (INDEX + len) as u64
}

fn header(version: &str) -> Vec<u8> {
    let mut header = MAGIC.to_vec();
    header.extend_from_slice(&Sha256::digest(version));
    header
}

fn checksum(key: &Key, contents: &[u8]) -> [u8; CHECK] {
    let mut hash = Sha256::new();
    hash.update(key);
    hash.update(contents);
    let mut sum = [0; CHECK];
    sum.copy_from_slice(&hash.finalize()[..CHECK]);
    sum
}

/// Fills `buffer` from `offset` of `file`.
fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    #[cfg(unix)]
    {
        std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset)
    }
    #[cfg(windows)]
    {
        let mut done = 0;
        while done < buffer.len() {
            let at = offset + done as u64;
            match std::os::windows::fs::FileExt::seek_read(file, &mut buffer[done..], at)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                n => done += n,
            }
        }
        Ok(())
    }
}

impl Pack {
    /// Opens a pack of the version that the header names; `None` if it is another's, or its count is damaged.
    fn open(path: PathBuf, header: &[u8]) -> io::Result<Option<Pack>> {
        let mut file = File::open(&path)?;
        let len = file.metadata()?.len();
        let mut start = [0; HEADER];
        if len < HEADER as u64 {
            return Ok(None);
        }
        file.read_exact(&mut start)?;
        let (found, count) = start.split_at(header.len());
        let Ok(count) = <[u8; 4]>::try_from(count) else {
            return Ok(None);
        };
        if found != header {
            return Ok(None);
        }
        let end = HEADER as u64 + u64::from(u32::from_le_bytes(count)) * INDEX as u64;
        if end > len {
            return Ok(None);
        }
        let mut index = vec![0; (end - HEADER as u64) as usize];
        file.read_exact(&mut index)?;
        let words = (index.len() / INDEX).div_ceil(64);
        let pack = Pack {
            path,
            file,
            len,
            index,
            used: std::iter::repeat_with(AtomicU64::default)
                .take(words)
                .collect(),
        };
        let whole = pack
            .entries()
            .next()
            .is_none_or(|(_, _, first)| first.offset == end);
        Ok(whole.then_some(pack))
    }

    /// Bytes on disk.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// The number of entries.
    fn count(&self) -> usize {
        self.index.len() / INDEX
    }

    /// The keys, the numbers of their entries, and where their contents are.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (Key, usize, Place)> + '_ {
        (0..self.count())
            .filter_map(|number| Some((*self.key(number)?, number, self.place(number)?)))
    }

    /// The number of the entry that has this key.
    pub(crate) fn find(&self, key: &Key) -> Option<usize> {
        let count = self.count();
        let (prefix, _) = key.split_first_chunk()?;
        // Where a key of this value stands among evenly spread ones: below `count`.
        let guess = (u128::from(u64::from_be_bytes(*prefix)) * count as u128) >> 64;
        let (mut low, mut high) = (0, count);
        let (mut at, mut step) = (guess as usize, 8);
        // An entry at `low` or above has it, and none at `high` or above.
        while low < high {
            let found = self.key(at)?;
            match found.cmp(key) {
                Equal => return Some(at),
                Less => low = at + 1,
                Greater => high = at,
            }
            let halfway = low.midpoint(high);
            at = match found < key {
                true => halfway.min(low.saturating_add(step)),
                false => halfway.max(high.saturating_sub(step)),
            };
            step *= 2;
        }
        None
    }

    fn entry(&self, number: usize) -> Option<&[u8; INDEX]> {
        self.index.get(number * INDEX..)?.first_chunk()
    }

    fn key(&self, number: usize) -> Option<&Key> {
        self.entry(number)?.first_chunk()
    }

    /// Where the contents of an entry are, if that is within the file.
    pub(crate) fn place(&self, number: usize) -> Option<Place> {
        let (_, rest) = self.entry(number)?.split_first_chunk::<32>()?;
        let (offset, rest) = rest.split_first_chunk::<8>()?;
        let (len, rest) = rest.split_first_chunk::<4>()?;
        let place = Place {
            offset: u64::from_le_bytes(*offset),
            len: u32::from_le_bytes(*len),
            check: *rest.first_chunk()?,
        };
        let end = place.offset.checked_add(u64::from(place.len))?;
        (end <= self.len).then_some(place)
    }

    /// Notes that an entry was read.
    pub(crate) fn mark_used(&self, number: usize) {
        if let Some(word) = self.used.get(number / 64) {
            word.fetch_or(1 << (number % 64), Ordering::Relaxed);
        }
    }

    /// Whether an entry was read.
    pub(crate) fn is_used(&self, number: usize) -> bool {
        let word = self.used.get(number / 64);
        word.is_some_and(|word| word.load(Ordering::Relaxed) >> (number % 64) & 1 == 1)
    }

    /// The contents of an entry if they are what was written.
    pub(crate) fn read(&self, key: &Key, place: &Place) -> Option<Vec<u8>> {
        // At most the length of the file: see `entries`.
        let mut contents = vec![0; place.len()];
        read_at(&self.file, &mut contents, place.offset).ok()?;
        (checksum(key, &contents) == place.check).then_some(contents)
    }

    /// Deletes the file; if that fails somebody else has or will.
    pub(crate) fn remove(&self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Opens the packs of a folder, the oldest first, as far as the limit allows, the youngest by preference.
pub(crate) fn open_all(folder: &Path, limit: u64, version: &str) -> Vec<Pack> {
    let Ok(files) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = files.flatten().map(|file| file.path()).collect();
    // Names sort by age.
    paths.sort();
    let header = header(version);
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
        let fits = packs.len() < MAX_PACKS && fs::metadata(&path).is_ok_and(|d| d.len() <= room);
        let opened = match fits {
            true => Pack::open(path.clone(), &header).ok().flatten(),
            false => None,
        };
        if let Some(pack) = opened {
            room -= pack.len().min(room);
            packs.push(pack);
        } else if !fits || is_older(&path, FOREIGN) {
            let _ = fs::remove_file(&path);
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
pub(crate) fn write(
    folder: &Path,
    version: &str,
    mut entries: Vec<(Key, &[u8])>,
) -> io::Result<()> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    entries.retain(|(_, contents)| u32::try_from(contents.len()).is_ok());
    entries.sort_unstable_by_key(|(key, _)| *key);
    let mut bytes = header(version);
    bytes.extend_from_slice(&(entries.len() as u32).to_le_bytes());
    let mut offset = (HEADER + entries.len() * INDEX) as u64;
    for (key, contents) in &entries {
        bytes.extend_from_slice(key);
        bytes.extend_from_slice(&offset.to_le_bytes());
        bytes.extend_from_slice(&(contents.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&checksum(key, contents));
        offset += contents.len() as u64;
    }
    for (_, contents) in &entries {
        bytes.extend_from_slice(contents);
    }
    fs::create_dir_all(folder)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let name = format!(
        "{:020}-{:010}-{:06}",
        now.unwrap_or_default().as_nanos(),
        std::process::id(),
        NUMBER.fetch_add(1, Ordering::Relaxed)
    );
    let part = folder.join(format!("{name}.part"));
    let whole = folder.join(format!("{name}.pack"));
    let written = File::create(&part)
        .and_then(|mut file| file.write_all(&bytes))
        .and_then(|()| fs::rename(&part, &whole));
    if written.is_err() {
        let _ = fs::remove_file(&part);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pack(keys: &[Key]) -> Pack {
        let folder = tempfile::tempdir().expect("a folder");
        let entries = keys.iter().map(|key| (*key, &key[..4])).collect();
        write(folder.path(), "test", entries).expect("a pack");
        open_all(folder.path(), u64::MAX, "test")
            .pop()
            .expect("a pack")
    }

    /// Keys that are spread as hashes are, and ones that are not at all.
    #[test]
    fn every_key_is_found_and_no_other() {
        let spread: Vec<Key> = (0..3000u32)
            .map(|n| Sha256::digest(n.to_le_bytes()).into())
            .collect();
        let key = |at: usize, byte: u8| {
            let mut key = [0; 32];
            key[at] = byte;
            key
        };
        let clustered: Vec<Key> = (0..=255u8).map(|n| key(9, n)).collect();
        let ends: Vec<Key> = [0, 255].map(|byte| [byte; 32]).to_vec();
        let one = vec![key(0, 128)];
        for keys in [spread, clustered, ends, one] {
            let pack = pack(&keys);
            for wanted in &keys {
                let number = pack.find(wanted).expect("a key that is there");
                assert_eq!(pack.key(number), Some(wanted));
                let mut other = *wanted;
                other[31] ^= 1;
                assert_eq!(pack.find(&other).is_some(), keys.contains(&other));
            }
            for other in [[0; 32], [255; 32], key(0, 127), key(31, 7)] {
                assert_eq!(pack.find(&other).is_some(), keys.contains(&other));
            }
        }
        assert_eq!(pack(&[]).find(&[7; 32]), None);
    }

    #[test]
    fn an_index_that_is_not_sorted_is_searched_to_an_end() {
        let mut keys: Vec<Key> = (0..4096u32)
            .map(|n| Sha256::digest(n.to_le_bytes()).into())
            .collect();
        keys.sort_unstable();
        let mut pack = pack(&keys);
        // Not sorted any more: whatever is answered, it is answered.
        let entries = pack.index.as_chunks_mut::<INDEX>().0;
        entries.reverse();
        entries.rotate_left(1000);
        let found = keys.iter().filter(|key| pack.find(key).is_some()).count();
        assert!(found < keys.len());
    }
}
