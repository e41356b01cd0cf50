//! Scalars: everything that is one core value and one word on the tape.

use wasmtime::component::__internal::InterfaceType;
use wasmtime::{Result, bail};

/// A scalar's shape in the guest: what the flat form and the form in memory have in common.
#[derive(Clone, Copy)]
pub(super) struct Scalar {
    /// Its size in memory, which is also its alignment.
    pub(super) size: usize,
    kind: Kind,
}

#[derive(Clone, Copy)]
enum Kind {
    /// Bits that are taken as they are, as many as it has in memory: unsigned integers and floats.
    Bits,
    Signed,
    Bool,
    Char,
}

impl Scalar {
    /// The shape of `ty`, if it is a scalar.
    #[inline]
    pub(super) fn of(ty: InterfaceType) -> Option<Self> {
        let (size, kind) = match ty {
            InterfaceType::Bool => (1, Kind::Bool),
            InterfaceType::S8 => (1, Kind::Signed),
            InterfaceType::U8 => (1, Kind::Bits),
            InterfaceType::S16 => (2, Kind::Signed),
            InterfaceType::U16 => (2, Kind::Bits),
            InterfaceType::S32 => (4, Kind::Signed),
            InterfaceType::U32 | InterfaceType::Float32 => (4, Kind::Bits),
            InterfaceType::S64 | InterfaceType::U64 | InterfaceType::Float64 => (8, Kind::Bits),
            InterfaceType::Char => (4, Kind::Char),
            _ => return None,
        };
        Some(Self { size, kind })
    }

    /// The core value that a word becomes: an `i32` or `f32` has its upper half zero.
    #[inline]
    pub(super) fn to_core(self, word: u64) -> u64 {
        match self.size {
            8 => word,
            _ => word & u64::from(u32::MAX),
        }
    }

    /// The word that a core value of its width, or its bytes in memory, becomes. What the guest wrote beside
    /// an integer's own bits is ignored, while any bit makes a `bool` true, as the canonical ABI says.
    #[inline]
    pub(super) fn to_word(self, raw: u64) -> Result<u64> {
        let unused = 64 - 8 * self.size as u32;
        let bits = raw << unused >> unused;
        Ok(match self.kind {
            Kind::Bits => bits,
            Kind::Signed => (raw.cast_signed() << unused >> unused).cast_unsigned(),
            Kind::Bool => (raw != 0).into(),
            Kind::Char => match char::from_u32(bits as u32) {
                Some(char) => char.into(),
                None => bail!("integer out of range for a char: {bits:#x}"),
            },
        })
    }
}
