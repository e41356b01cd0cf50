//! The engine-facing side: everything that names Wasmtime.
//!
//! [`run`] reads the program, sets the engine up for the options, and hands over to [`module`] or [`component`]; both return an
//! [`Outcome`]. The parts they share are the host's state ([`host`]), values as text ([`value`]) and the account of a stop ([`trap`]).
//!
//! # Time
//!
//! The guest runs as a future on one thread. A time limit has to hold in two situations, and each has its own mechanism: while the
//! guest computes, a watchdog thread advances the engine's epoch once, at the deadline, and the guest traps with a backtrace; while it
//! waits for the host (a sleep, a read of standard input), the future is pending and Tokio's timer drops it.

mod component;
mod host;
mod module;
mod signature;
mod trap;
mod value;

use std::{
    num::NonZeroUsize,
    path::Path,
    sync::mpsc::{RecvTimeoutError, Sender, channel},
    time::Duration,
};

use wasmtime::{Cache, CacheConfig, Config, Engine};

use crate::{
    cache,
    error::Error,
    options::Options,
    program::{self, Kind},
    report::{Stop, TrapReport},
};

/// How a guest that was not stopped ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A command ended with this exit code.
    Exited(i32),
    /// A function returned; these bytes are its printed result.
    Returned(Vec<u8>),
}

/// The stack a guest may use. Rust programs expect the eight megabytes that native main threads get.
const GUEST_STACK: usize = 8 << 20;
/// The rest of the fibre's stack, for the host functions the guest calls.
const HOST_STACK: usize = 2 << 20;
/// How many frames a backtrace keeps.
const MAX_FRAMES: NonZeroUsize = NonZeroUsize::new(128).unwrap();

/// Runs a program to its end.
///
/// The guest's standard streams are the process's. Blocks the calling thread, which must not be one of a Tokio runtime's.
pub fn run(options: &Options) -> Result<Outcome, Error> {
    let program = program::read(&options.file)?;
    let engine = engine(options)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::Internal(error.to_string()))?;
    let outcome = runtime.block_on(async {
        match program.kind {
            Kind::Module => module::run(&engine, &program.bytes, options).await,
            Kind::Component => component::run(&engine, &program.bytes, options).await,
        }
    });
    // Work the guest left behind on other threads (a read of a terminal, say) must not keep the process alive.
    runtime.shutdown_background();
    outcome
}

fn engine(options: &Options) -> Result<Engine, Error> {
    let mut config = Config::new();
    config
        .max_wasm_stack(GUEST_STACK)
        .async_stack_size(GUEST_STACK + HOST_STACK)
        .wasm_backtrace_max_frames(Some(MAX_FRAMES))
        .wasm_backtrace_details(wasmtime::WasmBacktraceDetails::Enable)
        // Both cost run time, so they are compiled in only when asked for.
        .consume_fuel(options.limits.fuel.is_some())
        .epoch_interruption(options.limits.timeout.is_some());
    if options.cache {
        config.cache(compiled_code());
    }
    Engine::new(&config).map_err(|error| Error::Internal(chain(&error)))
}

/// The cache of compiled code, when there is a place where it can be kept.
fn compiled_code() -> Option<Cache> {
    let mut config = CacheConfig::new();
    config.with_directory(cache::folder()?);
    // A user without a writable folder loses speed, not the program.
    Cache::new(config).ok()
}

/// An error and its causes on one line, innermost last.
fn chain(error: &wasmtime::Error) -> String {
    let mut causes: Vec<String> = error.chain().map(|cause| cause.to_string()).collect();
    causes.dedup();
    causes.join(": ")
}

/// Why a program was refused by the engine's validator or compiler.
fn invalid(path: &Path, error: &wasmtime::Error) -> Error {
    Error::Invalid {
        path: path.to_owned(),
        detail: chain(error),
    }
}

/// Advances an engine's epoch once, at the deadline; dropping it cancels that.
struct Watchdog {
    _cancel: Sender<()>,
}

impl Watchdog {
    fn new(engine: Engine, limit: Duration) -> Self {
        let (cancel, cancelled) = channel::<()>();
        std::thread::spawn(move || {
            if cancelled.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
                engine.increment_epoch();
            }
        });
        Watchdog { _cancel: cancel }
    }
}

/// Drives `guest` under the time limit of `options`.
async fn within_time_limit<T>(
    engine: &Engine,
    options: &Options,
    guest: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let Some(limit) = options.limits.timeout else {
        return guest.await;
    };
    let _watchdog = Watchdog::new(engine.clone(), limit);
    match tokio::time::timeout(limit, guest).await {
        Ok(result) => result,
        Err(_elapsed) => Err(Error::Stopped(Box::new(TrapReport {
            stop: Stop::TimedOut(limit),
            frames: Vec::new(),
            memory_refused: None,
        }))),
    }
}

/// Why a program could not be instantiated: its own start code ended it or trapped, or the engine refused it.
fn start_failed(
    error: &wasmtime::Error,
    store: &wasmtime::Store<host::Host>,
    options: &Options,
) -> Result<Outcome, Error> {
    let by_guest = error.is::<wasmtime_wasi::I32Exit>()
        || error.is::<wasmtime::Trap>()
        || error.is::<wasmtime::WasmBacktrace>();
    if by_guest {
        return trap::explain(error, store, options);
    }
    Err(Error::Start {
        path: options.file.clone(),
        detail: chain(error),
        memory_refused: store.data().memory.refused(),
    })
}
