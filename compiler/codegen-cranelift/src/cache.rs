//! Finished bodies on disk, by the content of what they were made from.
//!
//! A body compiled once is not compiled again, in whichever module and under whichever numbers it turns up: see
//! [`key`]. What changes the emitted code of an unchanged body is this compiler, so the fingerprint of its sources is
//! part of the store.
//!
//! # Format
//! A folder of packs, each written once, whole, by rename. A pack is a header with the fingerprint, then entries of key,
//! length, checksum and contents. All packs are read when the cache is opened; what a run adds becomes a pack of its own
//! when it is [saved](Cache::save). If there are many packs, or they pass the limit, the entries used last are put into
//! one and the others go.
//!
//! # Invariants
//! - Output is the same with and without a cache, and whatever it holds.
//! - Nothing read is trusted: an entry that is damaged is a miss, a pack that breaks off ends there.
//! - Processes that share a folder disturb each other at most by misses: no pack is ever changed, and one that goes has
//!   been read by those who use it. Together they may pass the limit until the next one opens the folder.
//!
//! # Cost
//! Opening reads the packs, which are at most the limit. A hit costs cloning and hashing the body.
//!
//! ```
//! # let folder = std::env::temp_dir().join(format!("cache-example-{}", std::process::id()));
//! use codegen_cranelift::{Cache, Options, emit_module};
//! use std::sync::Arc;
//!
//! let module = wasmir::parse_module(
//!     "wasmir 1
//!      type type0 = func() -> (i32)
//!      func %f type0 {
//!        local l0: i32
//!      b0:
//!        l0 = i32.const 42
//!        return l0
//!      }
//!      export \"f\" func %f",
//! )?;
//! let cache = Arc::new(Cache::open(&folder, 64 << 20));
//! let options = Options { cache: Some(cache.clone()), ..Options::default() };
//! let first = emit_module(&module, &options)?;
//! cache.save()?;
//! assert_eq!(emit_module(&module, &Options::default())?, first);
//!
//! let again = Arc::new(Cache::open(&folder, 64 << 20));
//! let options = Options { cache: Some(again.clone()), ..Options::default() };
//! assert_eq!(emit_module(&module, &options)?, first);
//! assert_eq!(again.stats().hits, 1);
//! # std::fs::remove_dir_all(&folder)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod key;
mod pack;

use crate::bodies::Plan;
use crate::encode::FunctionBody;
use crate::env::{Reloc, RelocKind};
use crate::error::Result;
use crate::leb;
use cranelift_codegen::ir::SourceLoc;
use key::{Key, Mentions};
use pack::Pack;
use rustc_hash::FxHashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use wasmir::{Body, FuncData};

/// More packs than this are put together.
const MAX_PACKS: usize = 12;

/// What a cache did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheStats {
    /// Bodies that were found.
    pub hits: u64,
    /// Bodies that were compiled.
    pub misses: u64,
    /// Bodies that have no canonical form and are always compiled.
    pub unfit: u64,
}

/// A cache of finished function bodies. Threads and processes may share it.
#[derive(Debug)]
pub struct Cache {
    folder: PathBuf,
    limit: u64,
    packs: Vec<Pack>,
    entries: FxHashMap<Key, Entry>,
    added: Mutex<FxHashMap<Key, Vec<u8>>>,
    hits: AtomicU64,
    misses: AtomicU64,
    unfit: AtomicU64,
}

/// Where an entry is.
#[derive(Debug)]
struct Entry {
    pack: usize,
    range: std::ops::Range<usize>,
    used: AtomicBool,
}

impl Cache {
    /// Opens the cache in `folder`, which need not exist, with at most `limit` bytes on disk.
    ///
    /// What cannot be read is not there: a cache never makes a build fail.
    pub fn open(folder: impl AsRef<Path>, limit: u64) -> Cache {
        let folder = folder.as_ref().to_owned();
        let packs = pack::read_all(&folder, limit);
        let mut entries = FxHashMap::default();
        for (number, pack) in packs.iter().enumerate() {
            for (key, range) in pack.entries() {
                entries.insert(
                    key,
                    Entry {
                        pack: number,
                        range,
                        used: AtomicBool::new(false),
                    },
                );
            }
        }
        Cache {
            folder,
            limit,
            packs,
            entries,
            added: Mutex::default(),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            unfit: AtomicU64::new(0),
        }
    }

    /// What the cache did since it was opened.
    pub fn stats(&self) -> CacheStats {
        CacheStats {
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
            unfit: self.unfit.load(Ordering::Relaxed),
        }
    }

    /// Writes what was added, and keeps the folder within its limit.
    ///
    /// # Errors
    /// If the folder cannot be written; then it is as it was.
    pub fn save(&self) -> io::Result<()> {
        let added = std::mem::take(
            &mut *self
                .added
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner),
        );
        let mut added: Vec<(Key, Vec<u8>)> = added.into_iter().collect();
        added.sort_unstable_by_key(|(key, _)| *key);
        let stored: u64 = self.packs.iter().map(|pack| pack.len() as u64).sum();
        let new: u64 = added.iter().map(|(_, bytes)| pack::entry_len(bytes)).sum();
        if self.packs.len() < MAX_PACKS && stored + new <= self.limit {
            if added.is_empty() {
                return Ok(());
            }
            let added = added.iter().map(|(key, bytes)| (*key, bytes.as_slice()));
            return pack::write(&self.folder, added);
        }
        // New ones and those just used first, then those of the newest packs, down to half of the limit.
        let mut rank: Vec<(bool, usize, &Key, &Entry)> = self
            .entries
            .iter()
            .map(|(key, e)| (e.used.load(Ordering::Relaxed), e.pack, key, e))
            .collect();
        rank.sort_unstable_by(|a, b| (b.0, b.1, a.2).cmp(&(a.0, a.1, b.2)));
        let old = rank
            .iter()
            .map(|(_, _, key, e)| (**key, self.packs[e.pack].bytes(e.range.clone())));
        let new = added.iter().map(|(key, bytes)| (*key, bytes.as_slice()));
        let mut room = self.limit / 2;
        let kept = new.chain(old).take_while(|(_, bytes)| {
            let len = pack::entry_len(bytes);
            let fits = len <= room;
            room = room.saturating_sub(len);
            fits
        });
        pack::write(&self.folder, kept)?;
        for pack in &self.packs {
            pack.remove();
        }
        Ok(())
    }

    /// The body of a function, from the cache or by `make`.
    pub(crate) fn get_or_make(
        &self,
        plan: &Plan<'_>,
        func: &FuncData,
        body: &Body,
        make: impl FnOnce() -> Result<FunctionBody>,
    ) -> Result<FunctionBody> {
        let Some((key, mentions)) = key::key(plan, &key::salt(plan), func.ty, body) else {
            self.unfit.fetch_add(1, Ordering::Relaxed);
            return make();
        };
        if let Some(entry) = self.entries.get(&key) {
            let bytes = self.packs[entry.pack].checked(&key, entry.range.clone());
            if let Some(found) = bytes.and_then(|bytes| decode(bytes, plan, &mentions)) {
                entry.used.store(true, Ordering::Relaxed);
                self.hits.fetch_add(1, Ordering::Relaxed);
                return Ok(found);
            }
        }
        self.misses.fetch_add(1, Ordering::Relaxed);
        let made = make()?;
        if let Some(bytes) = encode(&made, plan, &mentions) {
            let mut added = self
                .added
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            added.insert(key, bytes);
        }
        Ok(made)
    }
}

const KINDS: [RelocKind; 10] = [
    RelocKind::Func,
    RelocKind::TableSlot,
    RelocKind::TableSlot64,
    RelocKind::Type,
    RelocKind::Global,
    RelocKind::Table,
    RelocKind::Tag,
    RelocKind::MemAddrSleb,
    RelocKind::MemAddrSleb64,
    RelocKind::MemAddrLeb,
];

/// A body in terms of what it mentions; `None` if it names something it was not seen to mention.
fn encode(body: &FunctionBody, plan: &Plan<'_>, mentions: &Mentions) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(body.bytes.len() + 8 * body.relocs.len() + 16);
    let mut put = |value: u64| leb::unsigned(&mut out, value);
    put(body.relocs.len() as u64);
    let mut last = 0;
    for reloc in &body.relocs {
        put(u64::from(reloc.offset.checked_sub(last)?));
        last = reloc.offset;
        put(KINDS.iter().position(|kind| *kind == reloc.kind)? as u64);
        put(mentions.place(plan, reloc.kind, reloc.target)?.into());
        put(reloc.addend as u64);
    }
    put(body.locations.len() as u64);
    let mut last = 0;
    for (offset, loc) in &body.locations {
        put(u64::from(offset.checked_sub(last)?));
        last = *offset;
        put(mentions.loc_place(loc.bits())?.into());
    }
    out.extend_from_slice(&body.bytes);
    Some(out)
}

/// The opposite of [`encode`]; `None` if the bytes make no sense.
fn decode(mut bytes: &[u8], plan: &Plan<'_>, mentions: &Mentions) -> Option<FunctionBody> {
    fn get(bytes: &mut &[u8]) -> Option<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = bytes.split_first()?;
            *bytes = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }
    let bytes = &mut bytes;
    let mut body = FunctionBody::default();
    let mut offset = 0u32;
    for _ in 0..get(bytes)? {
        offset = offset.checked_add(u32::try_from(get(bytes)?).ok()?)?;
        let kind = *KINDS.get(usize::try_from(get(bytes)?).ok()?)?;
        let place = u32::try_from(get(bytes)?).ok()?;
        body.relocs.push(Reloc {
            offset,
            kind,
            target: mentions.number(plan, kind, place)?,
            addend: get(bytes)? as i64,
        });
    }
    let mut offset = 0u32;
    for _ in 0..get(bytes)? {
        offset = offset.checked_add(u32::try_from(get(bytes)?).ok()?)?;
        let loc = mentions.loc(u32::try_from(get(bytes)?).ok()?)?;
        body.locations.push((offset, SourceLoc::new(loc)));
    }
    body.bytes = bytes.to_vec();
    let fits = |reloc: &Reloc| {
        reloc.offset as usize + crate::fields::width(reloc.kind) <= body.bytes.len()
    };
    body.relocs.iter().all(fits).then_some(body)
}
