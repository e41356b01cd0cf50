//! Compiled functions on disk, so that a module of which little changed is compiled little.
//!
//! Wasmtime asks for the code of each function by a hash of its intermediate code, target and settings included, in which functions
//! of the same module are named by their place in the caller; so a function is found again whatever its number has become.
//! Constants are part of the hash: a function that names data or table elements is found as long as those have not moved.
//!
//! The store is opened when the first function is asked for, which the cache of whole modules spares where it can.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use pack_store::{Key, Store};
use wasmtime::CacheStore;

/// Bytes on disk, at most: the code of some ten programs of ten megabytes each.
const LIMIT: u64 = 256 << 20;

/// Entries name the compiler that made them, and are checked for it when they are read; this is the form around them.
const VERSION: &str = "functions 1";

/// The code of functions, for an engine.
#[derive(Debug)]
pub(super) struct FunctionCache {
    folder: PathBuf,
    store: OnceLock<Store>,
}

impl FunctionCache {
    pub(super) fn new(folder: PathBuf) -> Arc<Self> {
        Arc::new(Self {
            folder,
            store: OnceLock::new(),
        })
    }

    fn store(&self) -> &Store {
        self.store
            .get_or_init(|| Store::open(&self.folder, LIMIT, VERSION))
    }

    /// Writes what was compiled since the last time.
    pub(super) fn save(&self) {
        if let Some(store) = self.store.get() {
            // Without it the next process compiles more, and no more than that.
            let _ = store.save();
        }
    }
}

impl CacheStore for FunctionCache {
    fn get(&self, key: &[u8]) -> Option<Cow<'_, [u8]>> {
        let key = Key::try_from(key).ok()?;
        self.store().get(&key).map(Cow::Owned)
    }

    fn insert(&self, key: &[u8], value: Vec<u8>) -> bool {
        let Ok(key) = Key::try_from(key) else {
            return false;
        };
        self.store().insert(key, value);
        true
    }
}
