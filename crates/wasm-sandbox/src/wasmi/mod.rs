//! The wasmi backend: a pure-Rust interpreter for core modules.
//!
//! # How a call is bounded
//!
//! The interpreter always counts fuel. A call gets it in slices; between slices the runtime looks at
//! the deadline, at termination, at the instance's own fuel budget, and, in an asynchronous call, gives
//! the thread back to the executor. Nothing else interrupts the guest, so no second thread is needed
//! to stop it.
//!
//! A start function cannot be resumed: it gets one slice of [`START_FUEL`](instance::START_FUEL).

mod instance;
mod preview1;
mod runtime;

pub use instance::WasmiInstance;
pub use runtime::{WasmiModule, WasmiRuntime};
