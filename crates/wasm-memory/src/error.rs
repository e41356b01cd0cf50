//! What can go wrong between a host, a guest and the guest's memory.

use alloc::string::String;
use core::fmt;

/// The result of a memory operation.
///
/// ```
/// fn aligned(ptr: u32, align: u32) -> wasm_memory::Result<u32> {
///     match ptr.is_multiple_of(align) {
///         true => Ok(ptr),
///         false => Err(wasm_memory::MemoryError::Misaligned { ptr, align }),
///     }
/// }
/// assert!(aligned(6, 4).is_err());
/// ```
pub type Result<T, E = MemoryError> = core::result::Result<T, E>;

/// Why a memory operation was refused.
///
/// The variants up to [`BadMessage`](Self::BadMessage) are mistakes of the caller; the last group
/// says that the guest's allocator lied or failed.
///
/// ```
/// use wasm_memory::MemoryError;
///
/// let error = MemoryError::BadAlignment { align: 3 };
/// // A status crosses the border as a number and comes back as the error.
/// assert_eq!(MemoryError::from_status(error.status(), 0).map(|error| error.status()), Some(error.status()));
/// assert_eq!(MemoryError::from_status(0, 0), None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MemoryError {
    /// The alignment is zero or not a power of two.
    BadAlignment {
        /// The alignment asked for.
        align: u32,
    },
    /// There is no room.
    OutOfMemory {
        /// The length asked for.
        len: u32,
        /// The alignment asked for.
        align: u32,
    },
    /// The region does not lie within the memory, or not within one allocation.
    OutOfBounds {
        /// The first byte of the region.
        ptr: u32,
        /// Its length.
        len: u32,
        /// The number of bytes there are from address 0 (or from the allocation's start).
        size: u64,
    },
    /// The pointer was never handed out.
    ForeignPointer {
        /// The pointer.
        ptr: u32,
    },
    /// The pointer was freed before.
    DoubleFree {
        /// The pointer.
        ptr: u32,
    },
    /// The pointer was handed out with another length.
    LengthMismatch {
        /// The pointer.
        ptr: u32,
        /// The length it was allocated with.
        allocated: u32,
        /// The length given now.
        given: u32,
    },
    /// More allocations are alive than the controller is willing to remember.
    TooManyAllocations {
        /// The limit.
        limit: usize,
    },
    /// The `wasm-memory.messages` section cannot be read.
    BadMessage {
        /// The byte offset within the section.
        offset: usize,
        /// What was found there.
        reason: &'static str,
    },

    /// The guest handed out a pointer that is not aligned as asked.
    Misaligned {
        /// The pointer.
        ptr: u32,
        /// The alignment asked for.
        align: u32,
    },
    /// The guest handed out memory that is still in use.
    Overlap {
        /// The new region's pointer.
        ptr: u32,
        /// The new region's length.
        len: u32,
        /// The live region it overlaps.
        with: u32,
    },
    /// The guest answered with a status that the ABI does not know, or refused what it must accept.
    GuestRefused {
        /// The status.
        status: i32,
    },
    /// The guest lacks an export of the memory ABI, or has it with another type.
    MissingExport {
        /// The export's name.
        name: &'static str,
    },
    /// The guest trapped, or was stopped, while it answered.
    GuestFailed {
        /// What the engine reported.
        reason: String,
    },
}

impl MemoryError {
    /// The number by which `__free` reports this error across the ABI (0 is success).
    #[must_use]
    pub fn status(&self) -> i32 {
        match self {
            Self::ForeignPointer { .. } => 1,
            Self::DoubleFree { .. } => 2,
            Self::LengthMismatch { .. } => 3,
            _ => 4,
        }
    }

    /// The error a guest reports by `status` for `__free(ptr, len)`; `None` for success.
    #[must_use]
    pub fn from_status(status: i32, ptr: u32) -> Option<Self> {
        match status {
            0 => None,
            1 => Some(Self::ForeignPointer { ptr }),
            2 => Some(Self::DoubleFree { ptr }),
            _ => Some(Self::GuestRefused { status }),
        }
    }
}

impl fmt::Display for MemoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadAlignment { align } => write!(f, "alignment {align} is not a power of two"),
            Self::OutOfMemory { len, align } => {
                write!(f, "no room for {len} bytes aligned to {align}")
            }
            Self::OutOfBounds { ptr, len, size } => {
                write!(
                    f,
                    "region {ptr:#x}+{len} leaves the {size} bytes it must lie in"
                )
            }
            Self::ForeignPointer { ptr } => write!(f, "pointer {ptr:#x} was never allocated"),
            Self::DoubleFree { ptr } => write!(f, "pointer {ptr:#x} was already freed"),
            Self::LengthMismatch {
                ptr,
                allocated,
                given,
            } => {
                write!(
                    f,
                    "pointer {ptr:#x} was allocated with {allocated} bytes, not {given}"
                )
            }
            Self::TooManyAllocations { limit } => {
                write!(f, "more than {limit} allocations are alive")
            }
            Self::BadMessage { offset, reason } => {
                write!(
                    f,
                    "malformed section `{}` at byte {offset}: {reason}",
                    crate::message::SECTION
                )
            }
            Self::Misaligned { ptr, align } => {
                write!(
                    f,
                    "the guest answered an allocation with {ptr:#x}, which is not aligned to {align}"
                )
            }
            Self::Overlap { ptr, len, with } => {
                write!(
                    f,
                    "the guest handed out {ptr:#x}+{len}, which overlaps the live allocation at {with:#x}"
                )
            }
            Self::GuestRefused { status } => {
                write!(f, "the guest refused to free memory with status {status}")
            }
            Self::MissingExport { name } => {
                write!(
                    f,
                    "the module has no export `{name}` of the memory ABI's type"
                )
            }
            Self::GuestFailed { reason } => write!(f, "the guest failed: {reason}"),
        }
    }
}

impl core::error::Error for MemoryError {}
