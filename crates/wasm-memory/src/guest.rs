//! The guest's half on `wasm32`: a controller over the global allocator, and what is exported of it.
//!
//! This module exists for `wasm32` only, and so do its examples.
//!
//! ```
//! wasm_memory::export_memory_abi!();
//! wasm_memory::export_message!(shout, json, |text: &[u8]| text.to_ascii_uppercase());
//! ```

use alloc::alloc::{alloc_zeroed, dealloc};
use core::alloc::Layout;
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicBool, Ordering};

use crate::message::pack;
use crate::{Backing, Ledger, MemoryError, Region, Result, Tracked};

/// The module's global allocator. Only [`controller`] makes one, so that no region is ever released or
/// reached that its [`Tracked`] did not check.
///
/// ```
/// use wasm_memory::Tracked;
/// use wasm_memory::guest::{GlobalHeap, controller};
///
/// let heap: Tracked<GlobalHeap> = controller();
/// assert_eq!(heap.live(), 0);
/// ```
#[derive(Debug)]
pub struct GlobalHeap(());

/// A controller over the global allocator for the module's own use. It knows only the regions that it
/// allocated itself; those of the host are reached through [`answer`] alone.
///
/// ```
/// use wasm_memory::MemoryController;
///
/// let mut heap = wasm_memory::guest::controller();
/// let ptr = heap.alloc(16, 8)?;
/// heap.mut_mem(ptr, 16).fill(1);
/// heap.free(ptr, 16)?;
/// # Ok::<(), wasm_memory::MemoryError>(())
/// ```
#[must_use]
pub fn controller() -> Tracked<GlobalHeap> {
    Tracked::new(GlobalHeap(()))
}

/// The layout of an allocation; a zero-length one takes a byte so that its pointer is unique.
fn layout(len: u32, align: u32) -> Option<Layout> {
    Layout::from_size_align(len.max(1) as usize, align as usize).ok()
}

impl Backing for GlobalHeap {
    fn allocate(&mut self, len: u32, align: u32) -> Option<u32> {
        let layout = layout(len, align)?;
        // SAFETY: the layout's size is at least 1.
        let ptr = unsafe { alloc_zeroed(layout) };
        (!ptr.is_null()).then_some(ptr as u32)
    }

    fn release(&mut self, ptr: u32, len: u32, align: u32) {
        if let Some(layout) = layout(len, align) {
            // SAFETY: the caller's ledger says that `allocate` answered `ptr` for this layout and that
            // it is still alive.
            unsafe { dealloc(ptr as *mut u8, layout) }
        }
    }

    fn bytes(&mut self, ptr: u32, len: u32) -> &mut [u8] {
        // SAFETY: the caller's ledger says that the region lies within one live allocation, which was
        // zeroed; the slice borrows the controller, the only way to it.
        unsafe { core::slice::from_raw_parts_mut(ptr as *mut u8, len as usize) }
    }
}

/// The regions that the host allocated, behind a lock that also holds in a module with threads.
struct Global {
    busy: AtomicBool,
    ledger: UnsafeCell<Ledger>,
}

// SAFETY: `with` gives out the ledger to one caller at a time.
unsafe impl Sync for Global {}

static GLOBAL: Global = Global {
    busy: AtomicBool::new(false),
    ledger: UnsafeCell::new(Ledger::new(crate::tracked::DEFAULT_LIMIT)),
};

fn with<R>(f: impl FnOnce(&mut Ledger) -> R) -> R {
    while GLOBAL.busy.swap(true, Ordering::Acquire) {
        core::hint::spin_loop();
    }
    // SAFETY: `busy` was ours to set, so no other reference exists until it is cleared below; `f` is
    // this module's own code and does not come back here.
    let result = f(unsafe { &mut *GLOBAL.ledger.get() });
    GLOBAL.busy.store(false, Ordering::Release);
    result
}

/// Allocates a region for the host and fills it before anybody else knows of it.
fn allocate(len: u32, align: u32, fill: impl FnOnce(&mut [u8])) -> Result<Region> {
    with(|ledger| ledger.admit(align))?;
    let mut heap = GlobalHeap(());
    let ptr = heap
        .allocate(len, align)
        .ok_or(MemoryError::OutOfMemory { len, align })?;
    fill(heap.bytes(ptr, len));
    let region = Region { ptr, len };
    with(|ledger| ledger.record(region, align))?;
    Ok(region)
}

/// What `__alloc` does.
///
/// ```
/// use wasm_memory::guest::{alloc, free};
///
/// let ptr = alloc(16, 8);
/// assert!(ptr != 0 && ptr.is_multiple_of(8));
/// assert_eq!(free(ptr, 16), 0);
/// ```
#[must_use]
pub fn alloc(len: u32, align: u32) -> u32 {
    allocate(len, align, |_| {}).map_or(0, |region| region.ptr)
}

/// What `__free` does.
///
/// ```
/// use wasm_memory::MemoryError;
/// use wasm_memory::guest::{alloc, free};
///
/// let ptr = alloc(16, 8);
/// assert_eq!(free(ptr, 16), 0);
/// assert_eq!(free(ptr, 16), MemoryError::DoubleFree { ptr }.status());
/// ```
#[must_use]
pub fn free(ptr: u32, len: u32) -> i32 {
    match with(|ledger| ledger.forget(Region { ptr, len })) {
        Ok(align) => {
            GlobalHeap(()).release(ptr, len, align);
            0
        }
        Err(error) => error.status(),
    }
}

/// What an exported message function does: hands the caller's bytes to `handler` and packs the answer.
///
/// A region that the caller did not allocate is answered with an empty message at address 0, which
/// the host reports as a foreign pointer.
///
/// ```
/// use wasm_memory::guest::{alloc, answer};
/// use wasm_memory::message::unpack;
///
/// // What a host does, and the function it calls.
/// let request = alloc(3, 1);
/// let region = unpack(answer(request, 3, |message| message.repeat(2)));
/// assert_eq!(region.len, 6);
/// assert_eq!(answer(1, 1000, |message| message.to_vec()), 0, "the host did not allocate it");
/// ```
pub fn answer(ptr: u32, len: u32, handler: impl FnOnce(&[u8]) -> alloc::vec::Vec<u8>) -> u64 {
    let message = Region { ptr, len };
    // While the handler reads the region nobody may free it: it is off the books until then.
    let Ok(align) = with(|ledger| ledger.forget(message)) else {
        return 0;
    };
    let answer = handler(GlobalHeap(()).bytes(ptr, len));
    if with(|ledger| ledger.record(message, align)).is_err() {
        return 0;
    }
    let Ok(len) = u32::try_from(answer.len()) else {
        return 0;
    };
    allocate(len, 1, |bytes| bytes.copy_from_slice(&answer)).map_or(0, pack)
}

/// Exports `__alloc` and `__free`; write it once, in the crate that becomes the module.
///
/// ```
/// // Once in the crate that becomes the module.
/// wasm_memory::export_memory_abi!();
/// ```
#[macro_export]
macro_rules! export_memory_abi {
    () => {
        const _: () = {
            #[unsafe(export_name = "__alloc")]
            extern "C" fn alloc(len: u32, align: u32) -> u32 {
                $crate::guest::alloc(len, align)
            }
            #[unsafe(export_name = "__free")]
            extern "C" fn free(ptr: u32, len: u32) -> i32 {
                $crate::guest::free(ptr, len)
            }
        };
    };
}

/// Exports a function that takes and returns messages, and lists it in the custom section.
///
/// The handler takes `&[u8]` and returns `Vec<u8>`; the codec is `json`, `msgpack` or `raw`.
///
/// ```
/// wasm_memory::export_message!(shout, raw, |text: &[u8]| text.to_ascii_uppercase());
/// ```
#[macro_export]
macro_rules! export_message {
    ($name:ident, $codec:ident, $handler:expr) => {
        const _: () = {
            #[unsafe(export_name = stringify!($name))]
            extern "C" fn call(ptr: u32, len: u32) -> u64 {
                $crate::guest::answer(ptr, len, $handler)
            }
            const LINE: &str = concat!(stringify!($name), "=", stringify!($codec), "\n");
            #[unsafe(link_section = "wasm-memory.messages")]
            #[used]
            static ENTRY: [u8; LINE.len()] = {
                let mut bytes = [0; LINE.len()];
                let mut at = 0;
                while at < bytes.len() {
                    bytes[at] = LINE.as_bytes()[at];
                    at += 1;
                }
                bytes
            };
        };
    };
}
