//! Memory controllers: who owns which bytes of a WebAssembly linear memory.
//!
//! A host that hands bytes to a core module must ask the module for room, write there, call, read the
//! answer and give the room back. Each step can go wrong, and half of them are answered by code the
//! host does not trust. This crate is both halves of that conversation:
//!
//! - [`MemoryController`] is the guest's half: synchronous, `no_std`, over any [`Backing`]. On `wasm32`
//!   the module `guest` holds one over the global allocator and `export_memory_abi!` exports the ABI.
//! - `host::AsyncMemoryController` (feature `host`) is the host's half; `host::HostController`
//!   implements it over any running instance and believes nothing the guest says.
//!
//! # The memory ABI
//!
//! | export | type | meaning |
//! |---|---|---|
//! | `memory` | memory | the linear memory all pointers refer to |
//! | `__alloc` | `(len: i32, align: i32) -> i32` | room for `len` bytes at a multiple of `align`; 0 when there is none |
//! | `__free` | `(ptr: i32, len: i32) -> i32` | gives it back; 0, or a [status](MemoryError::status) that says what was wrong |
//!
//! A function that takes and returns whole messages has the type `(ptr: i32, len: i32) -> i64`, is
//! listed in the custom section [`message::SECTION`], and answers with [`message::pack`]ed pointer and
//! length of a message that the caller must free.
//!
//! # Example
//!
//! ```
//! use wasm_memory::{Arena, MemoryController, MemoryError, Tracked};
//!
//! let mut memory = Tracked::new(Arena::new(0x1000, 4096));
//! let ptr = memory.alloc(5, 8)?;
//! assert_eq!(ptr % 8, 0);
//! memory.mut_mem(ptr, 5).copy_from_slice(b"hello");
//! memory.free(ptr, 5)?;
//! assert_eq!(memory.free(ptr, 5), Err(MemoryError::DoubleFree { ptr }));
//! # Ok::<(), MemoryError>(())
//! ```
//!
//! # Invariants
//!
//! - No arithmetic on pointers wraps: a region is checked as 64-bit numbers before it is used.
//! - A pointer that was not handed out is never freed, read or written through a controller.
//! - Live allocations never overlap, whatever the allocator underneath claims.

#![cfg_attr(not(any(test, feature = "host")), no_std)]

extern crate alloc;

mod arena;
mod controller;
mod error;
#[cfg(target_arch = "wasm32")]
pub mod guest;
#[cfg(feature = "host")]
pub mod host;
mod ledger;
pub mod message;
mod tracked;

pub use arena::Arena;
pub use controller::{Allocation, MemoryController};
pub use error::{MemoryError, Result};
pub use ledger::{Ledger, Region};
pub use tracked::{Backing, Tracked};

/// The name of the exported allocation function.
///
/// ```
/// assert_eq!(wasm_memory::ALLOC_EXPORT, "__alloc");
/// ```
pub const ALLOC_EXPORT: &str = "__alloc";
/// The name of the exported release function.
///
/// ```
/// assert_eq!(wasm_memory::FREE_EXPORT, "__free");
/// ```
pub const FREE_EXPORT: &str = "__free";
/// The name of the exported linear memory.
///
/// ```
/// assert_eq!(wasm_memory::MEMORY_EXPORT, "memory");
/// ```
pub const MEMORY_EXPORT: &str = "memory";
