//! The host's side of a running guest: its WASI context and the account of its memory.

use wasmtime::{Engine, ResourceLimiter, Store};
use wasmtime_wasi::{FsPerms, WasiCtxBuilder, WasiCtxView, WasiView, p1::WasiP1Ctx};

use crate::{error::Error, options::Options};

/// What a store carries.
pub(super) struct Host {
    pub(super) wasi: WasiP1Ctx,
    pub(super) memory: MemoryAccount,
}

impl WasiView for Host {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        self.wasi.ctx()
    }
}

/// Counts the bytes of all memories and tables of a store, and refuses growth beyond a limit.
///
/// A refused `memory.grow` is no trap: the guest's allocator sees it, and usually aborts. That it happened is kept, so that the
/// abort can be explained.
#[derive(Debug, Default)]
pub(super) struct MemoryAccount {
    limit: Option<u64>,
    used: u64,
    refused: bool,
}

impl MemoryAccount {
    /// The limit, when growth was refused because of it.
    pub(super) fn refused(&self) -> Option<u64> {
        self.limit.filter(|_| self.refused)
    }

    fn grow(&mut self, current: usize, desired: usize, unit: u64) -> bool {
        let more = (desired.saturating_sub(current) as u64).saturating_mul(unit);
        let used = self.used.saturating_add(more);
        if self.limit.is_some_and(|limit| used > limit) {
            self.refused = true;
            return false;
        }
        self.used = used;
        true
    }
}

impl ResourceLimiter for MemoryAccount {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(self.grow(current, desired, 1))
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(self.grow(current, desired, size_of::<usize>() as u64))
    }
}

/// A store for one run: arguments, variables, folders, fuel, memory limit and deadline set.
pub(super) fn store(
    engine: &Engine,
    options: &Options,
    arguments: &[String],
) -> Result<Store<Host>, Error> {
    let mut wasi = WasiCtxBuilder::new();
    wasi.inherit_stdio();
    let program = options.file.file_name().unwrap_or(options.file.as_os_str());
    wasi.arg(program.to_string_lossy());
    wasi.args(arguments);
    for (name, value) in environment(options) {
        wasi.env(name, value);
    }
    for mount in &options.mounts {
        let permissions = if mount.read_only {
            FsPerms::ReadOnly
        } else {
            FsPerms::ReadWrite
        };
        wasi.preopened_dir(&mount.host, &mount.guest, permissions)
            .map_err(|error| Error::Mount {
                host: mount.host.clone(),
                detail: super::chain(&error),
            })?;
    }

    let host = Host {
        wasi: wasi.build_p1(),
        memory: MemoryAccount {
            limit: options.limits.max_memory,
            ..MemoryAccount::default()
        },
    };
    let mut store = Store::new(engine, host);
    store.limiter(|host| &mut host.memory);
    if let Some(fuel) = options.limits.fuel {
        store
            .set_fuel(fuel)
            .map_err(|error| Error::Internal(super::chain(&error)))?;
    }
    if options.limits.timeout.is_some() {
        // The watchdog advances the epoch once, at the deadline.
        store.set_epoch_deadline(1);
        store.epoch_deadline_trap();
    }
    Ok(store)
}

/// The guest's variables, each name once; what was asked for by name wins over what is inherited.
fn environment(options: &Options) -> Vec<(String, String)> {
    let mut variables = std::collections::BTreeMap::new();
    let unicode = |text: std::ffi::OsString| text.into_string().ok();
    if options.inherit_env {
        variables.extend(
            std::env::vars_os().filter_map(|(name, value)| Some((unicode(name)?, unicode(value)?))),
        );
    }
    for variable in &options.env {
        let value = variable
            .value
            .clone()
            .or_else(|| std::env::var_os(&variable.name).and_then(unicode));
        if let Some(value) = value {
            variables.insert(variable.name.clone(), value);
        }
    }
    variables.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_counted_across_memories_and_tables() {
        let mut account = MemoryAccount {
            limit: Some(100),
            ..MemoryAccount::default()
        };
        assert!(account.grow(0, 60, 1));
        assert!(account.grow(0, 5, 8));
        assert_eq!(account.refused(), None);
        assert!(!account.grow(60, 61, 1));
        assert_eq!(account.refused(), Some(100));
        assert!(!account.grow(0, usize::MAX, 8));
        assert_eq!(account.used, 100);
    }

    #[test]
    fn no_limit_refuses_nothing() {
        let mut account = MemoryAccount::default();
        assert!(account.grow(0, usize::MAX, 8));
        assert_eq!(account.refused(), None);
    }
}
