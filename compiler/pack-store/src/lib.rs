//! Results of earlier runs on disk, by the hash of what they were made from.
//!
//! # Format
//! A folder of *packs*, each written once, whole, by rename. A pack is a header with a digest of the maker's version, an index
//! of keys, places, lengths and checksums, and the contents ([`pack`]). Opening a store reads the indexes; contents are read one by
//! one as they are asked for. What a run adds becomes a pack when it is [saved](Store::save).
//!
//! # How packs are put together
//! Packs are ordered by age. A new pack takes in all that are younger than the oldest pack which is not larger than everything
//! younger than it, that one included. So each pack that is left is larger than all younger ones together, their number is at
//! most logarithmic in their size, and an entry is written again at most that often. When the limit is passed, all become one that
//! holds half of it: new entries, then those used in this run, then the youngest.
//!
//! # Invariants
//! - Nothing read is trusted: an entry that is damaged is a miss, as is one that cannot be read.
//! - No pack is ever changed. One that goes has been opened by those who use it, or is missed by them; processes that share a
//!   folder disturb each other by misses alone. Together they may pass the limit until the next one opens the folder.
//! - Packs of other versions are ignored, and deleted when nobody has written them for two weeks or the limit asks for it.
//!
//! # Cost
//! Opening: the indexes are read, and nothing is done for each entry. A search: a few entries of each pack. A hit: one read, one hash of its
//! contents.
//!
//! ```
//! # let folder = std::env::temp_dir().join(format!("store-example-{}", std::process::id()));
//! use pack_store::Store;
//!
//! let key = [7; 32];
//! let store = Store::open(&folder, 1 << 20, "maker 1.0");
//! assert_eq!(store.get(&key), None);
//! store.insert(key, b"result".to_vec());
//! store.save()?;
//!
//! let again = Store::open(&folder, 1 << 20, "maker 1.0");
//! assert_eq!(again.get(&key).as_deref(), Some(&b"result"[..]));
//! assert_eq!(Store::open(&folder, 1 << 20, "maker 1.1").get(&key), None);
//! # std::fs::remove_dir_all(&folder)?;
//! # Ok::<(), std::io::Error>(())
//! ```

mod pack;

use pack::{Pack, Place};
use rustc_hash::{FxHashMap, FxHashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// The name of an entry: a cryptographic hash of all that its contents depend on.
pub type Key = [u8; 32];

/// A store of results. Threads and processes may share one.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    limit: u64,
    version: String,
    /// The oldest first.
    packs: Vec<Pack>,
    added: Mutex<FxHashMap<Key, Vec<u8>>>,
}

impl Store {
    /// Opens the store in `folder`, which need not exist, with at most `limit` bytes on disk, for entries that `version` of
    /// their maker made.
    ///
    /// What cannot be read is not there: a store never makes its user fail.
    pub fn open(folder: impl AsRef<Path>, limit: u64, version: &str) -> Store {
        let folder = folder.as_ref().to_owned();
        let packs = pack::open_all(&folder, limit, version);
        Store {
            folder,
            limit,
            version: version.to_owned(),
            packs,
            added: Mutex::default(),
        }
    }

    /// The contents of an entry that was there when the store was opened.
    pub fn get(&self, key: &Key) -> Option<Vec<u8>> {
        // Of several with a key the youngest counts.
        let mut packs = self.packs.iter().rev();
        let (pack, number) = packs.find_map(|pack| Some((pack, pack.find(key)?)))?;
        let contents = pack.read(key, &pack.place(number)?)?;
        pack.mark_used(number);
        Some(contents)
    }

    /// Adds an entry, to be written by [`save`](Store::save). If there is one already, this one takes its place.
    pub fn insert(&self, key: Key, contents: Vec<u8>) {
        self.lock().insert(key, contents);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, FxHashMap<Key, Vec<u8>>> {
        // Nobody panics with the lock held, except for want of memory.
        self.added.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes what was added, and keeps the folder within its limit.
    ///
    /// # Errors
    /// If the folder cannot be written; then it is as it was, and what was added is lost.
    pub fn save(&self) -> io::Result<()> {
        let added = std::mem::take(&mut *self.lock());
        if added.is_empty() {
            return Ok(());
        }
        let mut added: Vec<(Key, Vec<u8>)> = added.into_iter().collect();
        added.sort_unstable_by_key(|(key, _)| *key);
        let new: u64 = added.iter().map(|(_, c)| pack::entry_len(c.len())).sum();
        let stored: u64 = self.packs.iter().map(Pack::len).sum();
        let (first, room) = match stored.saturating_add(new) <= self.limit {
            true => (self.joined(new), u64::MAX),
            false => (0, self.limit / 2),
        };
        let kept = self.kept(first, room.saturating_sub(new), &added);
        let all = added.iter().map(|(key, c)| (*key, c.as_slice()));
        let all = all.chain(kept.iter().map(|(key, c)| (*key, c.as_slice())));
        let mut left = room;
        let fits = all.filter(|(_, contents)| {
            let len = pack::entry_len(contents.len());
            let fits = len <= left;
            left -= if fits { len } else { 0 };
            fits
        });
        pack::write(&self.folder, &self.version, fits.collect())?;
        self.packs[first..].iter().for_each(Pack::remove);
        Ok(())
    }

    /// The oldest pack that a new one of `new` bytes takes in, with all that are younger.
    fn joined(&self, new: u64) -> usize {
        let mut younger = new;
        let mut first = self.packs.len();
        for (i, pack) in self.packs.iter().enumerate().rev() {
            if pack.len() <= younger {
                first = i;
            }
            younger += pack.len();
        }
        first
    }

    /// Entries of the packs from `first` on that are written again: those used in this run, then the youngest, as far as there is
    /// `room`, without those that were `added`.
    fn kept(&self, first: usize, mut room: u64, added: &[(Key, Vec<u8>)]) -> Vec<(Key, Vec<u8>)> {
        let mut seen: FxHashSet<Key> = added.iter().map(|(key, _)| *key).collect();
        let mut rank: Vec<(bool, usize, Key, Place)> = Vec::new();
        // Of several with a key the youngest counts.
        for (age, pack) in self.packs.iter().enumerate().skip(first).rev() {
            let entries = pack.entries().filter(|(key, ..)| seen.insert(*key));
            rank.extend(
                entries.map(|(key, number, place)| (pack.is_used(number), age, key, place)),
            );
        }
        rank.sort_unstable_by(|a, b| (b.0, b.1, a.2).cmp(&(a.0, a.1, b.2)));
        let mut kept = Vec::new();
        for (_, age, key, place) in rank {
            let len = pack::entry_len(place.len());
            if len > room {
                break;
            }
            // One that is damaged, or gone with its pack, is not worth keeping.
            if let Some(contents) = self.packs[age].read(&key, &place) {
                room -= len;
                kept.push((key, contents));
            }
        }
        kept
    }
}
