//! Finished bodies on disk, by the content of what they were made from.
//!
//! A body compiled once is not compiled again, in whichever module and under whichever numbers it turns up: see
//! [`key`]. What changes the emitted code of an unchanged body is this compiler, so the fingerprint of its sources is
//! part of the store.
//!
//! [`pack_store`] keeps them on disk, within a limit.
//!
//! # Invariants
//! - Output is the same with and without a cache, and whatever it holds.
//! - Nothing read is trusted: what is damaged, or cannot be read as a body with the relocations of this one, is a miss.
//!
//! # Cost
//! A hit costs cloning and hashing the body, and one read.
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

use crate::bodies::Plan;
use crate::encode::FunctionBody;
use crate::env::{Reloc, RelocKind};
use crate::error::Result;
use crate::leb;
use cranelift_codegen::ir::SourceLoc;
use key::Mentions;
use pack_store::Store;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use wasmir::{Body, FuncData};

/// Of the sources of this compiler; see `build.rs`.
const FINGERPRINT: &str = env!("COMPILER_FINGERPRINT");

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
    store: Store,
    hits: AtomicU64,
    misses: AtomicU64,
    unfit: AtomicU64,
}

impl Cache {
    /// Opens the cache in `folder`, which need not exist, with at most `limit` bytes on disk.
    ///
    /// What cannot be read is not there: a cache never makes a build fail.
    pub fn open(folder: impl AsRef<Path>, limit: u64) -> Cache {
        Cache {
            store: Store::open(folder, limit, FINGERPRINT),
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
        self.store.save()
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
        let found = self.store.get(&key);
        if let Some(found) = found.and_then(|bytes| decode(&bytes, plan, &mentions)) {
            self.hits.fetch_add(1, Ordering::Relaxed);
            return Ok(found);
        }
        self.misses.fetch_add(1, Ordering::Relaxed);
        let made = make()?;
        if let Some(bytes) = encode(&made, plan, &mentions) {
            self.store.insert(key, bytes);
        }
        Ok(made)
    }
}

/// Results of passes are kept in the same store: what they depend on, the sources of both, is the same.
impl wasmir::passes::kept::Results for Cache {
    fn get(&self, key: &pack_store::Key) -> Option<Vec<u8>> {
        self.store.get(key)
    }

    fn insert(&self, key: pack_store::Key, contents: Vec<u8>) {
        self.store.insert(key, contents);
    }
}

const KINDS: [RelocKind; 11] = [
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
    RelocKind::MemAddrTlsSleb,
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
