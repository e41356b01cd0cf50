//! What an instance may use up.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::control::Control;
use crate::host::import_name;
use crate::{Capabilities, Error, HostGrant, ImportInfo, Limit, Result, RuntimeConfig};

/// The budgets of one instance. Every field is enforced; a limit that a runtime cannot enforce is
/// refused when the instance is created.
///
/// ```
/// use std::time::Duration;
/// use wasm_sandbox::ResourceLimits;
///
/// let limits = ResourceLimits {
///     memory_bytes: 1 << 20,
///     deadline: Some(Duration::from_millis(50)),
///     ..ResourceLimits::default()
/// };
/// assert!(limits.fuel.is_none());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceLimits {
    /// Bytes of linear memory, all memories of the instance together. Default 64 MiB.
    pub memory_bytes: usize,
    /// Elements of all tables together. Default 20,000.
    pub table_elements: usize,
    /// Instructions, over the instance's life; [`None`] is without measure. Needs
    /// [`RuntimeConfig::fuel_metering`](crate::RuntimeConfig::fuel_metering).
    pub fuel: Option<u64>,
    /// Wall-clock time of one call, and of instantiation. Default 10 seconds. Kept within two of the
    /// runtime's [ticks](crate::RuntimeConfig::tick).
    pub deadline: Option<Duration>,
    /// The guest's stack. The runtime fixes one size for all its instances
    /// ([`RuntimeConfig::stack_bytes`](crate::RuntimeConfig::stack_bytes)); a smaller limit is refused.
    pub stack_bytes: Option<usize>,
    /// Bytes of captured standard output and error, each. Default 1 MiB.
    pub output_bytes: usize,
    /// Calls of host functions over the instance's life, those of WASI included. For a module that has
    /// WASI, wasmtime also counts the engine's own functions that may fail, such as growing a memory and
    /// canonical built-ins, and may let one call of WASI through that is beyond the budget.
    pub host_calls: Option<u64>,
    /// Bytes that one call may hand from the guest to the host: its result, or a host function's
    /// arguments. Default 16 MiB.
    pub value_bytes: usize,
    /// Resource handles that the host may hold at a time. Default 1,024.
    pub resources: usize,
}

impl Default for ResourceLimits {
    fn default() -> Self {
        Self {
            memory_bytes: 64 << 20,
            table_elements: 20_000,
            fuel: None,
            deadline: Some(Duration::from_secs(10)),
            stack_bytes: None,
            output_bytes: 1 << 20,
            host_calls: None,
            value_bytes: 16 << 20,
            resources: 1024,
        }
    }
}

/// Refuses what no runtime of this configuration can keep: the one gate that every backend's instances
/// pass before anything is allocated for them.
///
/// What only some backends can grant (directories, network) they refuse themselves, after this.
/// `interruptible` says whether the runtime can stop a guest that executes.
///
/// # Errors
///
/// [`Error::LimitUnsupported`] and [`Error::InvalidCapability`].
pub(crate) fn admit(
    runtime: &'static str,
    config: &RuntimeConfig,
    interruptible: bool,
    imports: &[ImportInfo],
    limits: &ResourceLimits,
    capabilities: &Capabilities,
) -> Result<()> {
    let refuse = |limit, help| {
        Err(Error::LimitUnsupported {
            runtime,
            limit,
            help,
        })
    };
    if limits.deadline.is_some() {
        refuse_deadline(runtime, interruptible)?;
    }
    if limits.fuel.is_some() && !config.fuel_metering {
        return refuse(Limit::Fuel, "create it with `RuntimeConfig::fuel_metering`");
    }
    if limits
        .stack_bytes
        .is_some_and(|bytes| bytes < config.stack_bytes)
    {
        return refuse(
            Limit::Stack,
            "create it with a smaller `RuntimeConfig::stack_bytes`",
        );
    }
    if limits.memory_bytes > config.max_memory_bytes {
        return refuse(
            Limit::Memory,
            "create it with a larger `RuntimeConfig::max_memory_bytes`",
        );
    }
    capabilities.validate()?;
    if let HostGrant::Only(granted) = &capabilities.host_functions {
        for import in imports {
            let name = import_name(&import.interface, &import.name);
            if !granted.contains(&name) {
                return Err(Error::InvalidCapability {
                    capability: format!("host function `{name}`"),
                    reason: "the module imports it, but it is not granted".into(),
                });
            }
        }
    }
    Ok(())
}

/// Refuses a deadline in a runtime that cannot stop a guest.
pub(crate) fn refuse_deadline(runtime: &'static str, interruptible: bool) -> Result<()> {
    if interruptible {
        return Ok(());
    }
    Err(Error::LimitUnsupported {
        runtime,
        limit: Limit::Deadline,
        help: "create it with `RuntimeConfig::interruption`, or give its instances no deadline",
    })
}

/// The memories and tables that an instance has, counted together, and what of them it may have.
#[derive(Debug)]
pub(crate) struct Growth {
    control: Arc<Control>,
    memory_bytes: usize,
    table_elements: usize,
    tables_used: usize,
    /// The limit that refused last.
    pub(crate) refused: Option<Limit>,
}

impl Growth {
    pub(crate) fn new(limits: &ResourceLimits, control: Arc<Control>) -> Self {
        Self {
            control,
            memory_bytes: limits.memory_bytes,
            table_elements: limits.table_elements,
            tables_used: 0,
            refused: None,
        }
    }

    /// One memory from `current` to `desired` bytes. `Ok(false)` beyond the memory's own maximum, which is the guest's affair.
    pub(crate) fn memory(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> Result<bool, Limit> {
        let used = self.control.memory_bytes.load(Ordering::Relaxed);
        let total = used.saturating_sub(current).saturating_add(desired);
        if total > self.memory_bytes {
            return self.refuse(Limit::Memory);
        }
        let fits = maximum.is_none_or(|maximum| desired <= maximum);
        if fits {
            self.control.memory_bytes.store(total, Ordering::Relaxed);
        }
        Ok(fits)
    }

    /// One table from `current` to `desired` elements, as [`Growth::memory`].
    pub(crate) fn table(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> Result<bool, Limit> {
        let used = self.tables_used.saturating_sub(current);
        let total = used.saturating_add(desired);
        if total > self.table_elements {
            return self.refuse(Limit::Tables);
        }
        let fits = maximum.is_none_or(|maximum| desired <= maximum);
        if fits {
            self.tables_used = total;
        }
        Ok(fits)
    }

    fn refuse(&mut self, limit: Limit) -> Result<bool, Limit> {
        self.refused = Some(limit);
        Err(limit)
    }
}
