//! What the generic MIR lowering of `rustc_codegen_ssa` passes around: types, signatures and values.
//!
//! A [`Value`] is either known when compiling (a constant, an address the linker fills in, the address of a stack slot)
//! or lives in a WasmIR local. Constants become instructions only where they are used, so folding costs nothing and
//! the address of a field stays a base and an offset until a load or store swallows both.

use wasmir::{Item, Local, StackSlot};

/// A type of which one value fits a WasmIR local.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Scalar {
    /// A truth value: an `i32` that is 0 or 1; one byte in memory.
    Bool,
    /// An integer of 1 to 64 or 128 bits. Widths other than 8, 16, 32, 64, 128 occur only where the Rust ABI passes a
    /// small aggregate as an integer; the bits above the width are then unspecified.
    Int(u8),
    /// `f16`
    F16,
    /// `f32`
    F32,
    /// `f64`
    F64,
    /// `f128`
    F128,
    /// An address in linear memory or in the function table.
    Ptr,
}

impl Scalar {
    /// Bytes in memory.
    pub(crate) fn bytes(self) -> u64 {
        match self {
            Scalar::Bool => 1,
            Scalar::Int(bits) => u64::from(bits).div_ceil(8),
            Scalar::F16 => 2,
            Scalar::F32 | Scalar::Ptr => 4,
            Scalar::F64 => 8,
            Scalar::F128 => 16,
        }
    }

    /// Bits of an integer or pointer.
    pub(crate) fn bits(self) -> u32 {
        match self {
            Scalar::Bool => 1,
            Scalar::Int(bits) => u32::from(bits),
            other => other.bytes() as u32 * 8,
        }
    }

    /// The type of the WasmIR local that holds a value. 16- and 128-bit floats are moved about by their bits.
    pub(crate) fn wir(self) -> wasmir::Type {
        match self {
            Scalar::Bool | Scalar::Ptr => wasmir::Type::I32,
            Scalar::Int(bits) => match bits {
                0..=8 => wasmir::Type::I8,
                9..=16 => wasmir::Type::I16,
                17..=32 => wasmir::Type::I32,
                33..=64 => wasmir::Type::I64,
                _ => wasmir::Type::I128,
            },
            Scalar::F16 => wasmir::Type::I16,
            Scalar::F32 => wasmir::Type::F32,
            Scalar::F64 => wasmir::Type::F64,
            Scalar::F128 => wasmir::Type::I128,
        }
    }

    /// Whether this is one of the integer types of Rust, a pointer or a truth value.
    pub(crate) fn is_int(self) -> bool {
        matches!(self, Scalar::Bool | Scalar::Int(_) | Scalar::Ptr)
    }

    /// The bits that a value of the type can have.
    pub(crate) fn mask(self) -> u128 {
        match self.bits() {
            128 => u128::MAX,
            bits => (1 << bits) - 1,
        }
    }
}

/// A backend type.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Type {
    /// No value.
    Void,
    /// One local.
    Scalar(Scalar),
    /// Two locals that travel together (the immediate form of a scalar pair).
    Pair(Scalar, Scalar),
    /// A SIMD vector of `count` elements.
    Vector(Scalar, u32),
    /// Anything that only lives in memory, by its size: what address arithmetic needs to know.
    Blob(u64),
}

impl Type {
    pub(crate) const BOOL: Type = Type::Scalar(Scalar::Bool);
    pub(crate) const I8: Type = Type::Scalar(Scalar::Int(8));
    pub(crate) const I32: Type = Type::Scalar(Scalar::Int(32));
    pub(crate) const I64: Type = Type::Scalar(Scalar::Int(64));
    pub(crate) const I128: Type = Type::Scalar(Scalar::Int(128));
    pub(crate) const PTR: Type = Type::Scalar(Scalar::Ptr);

    /// Bytes from one array element to the next.
    pub(crate) fn stride(self) -> u64 {
        match self {
            Type::Void => 0,
            Type::Scalar(scalar) => scalar.bytes(),
            Type::Pair(a, b) => {
                let align = a.bytes().max(b.bytes());
                (pair_offset(a, b) + b.bytes()).next_multiple_of(align)
            }
            Type::Vector(elem, count) => elem.bytes() * u64::from(count),
            Type::Blob(size) => size,
        }
    }
}

/// Where the second half of a returned pair stands behind the first.
pub(crate) fn pair_offset(a: Scalar, b: Scalar) -> u64 {
    a.bytes().next_multiple_of(b.bytes())
}

/// A signature as `rustc_codegen_ssa` sees it: an index into the context's table.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct SigId(pub(crate) u32);

/// Parameters and result of a function, before lowering to wasm's types.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Sig {
    /// Parameters; narrow integers and `i128` still whole.
    pub(crate) params: Vec<Param>,
    /// The result.
    pub(crate) ret: Type,
    /// Whether the first parameter is the address of memory for the result.
    pub(crate) ret_in_first: bool,
    /// Whether the caller extends a narrow result with its sign.
    pub(crate) ret_signed: bool,
    /// Whether more arguments may follow, passed through a buffer.
    pub(crate) variadic: bool,
}

/// A parameter.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Param {
    /// Its type.
    pub(crate) ty: Type,
    /// Whether a narrow integer is passed sign-extended.
    pub(crate) signed: bool,
}

impl Param {
    pub(crate) fn new(ty: Type) -> Param {
        Param { ty, signed: false }
    }
}

/// A value.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Value {
    /// The result of something that has none.
    Void,
    /// Any value of the type.
    Undef(Type),
    /// A constant by its bits.
    Const(Scalar, u128),
    /// The address of a symbol, as a pointer or as an integer of the same size.
    Addr(Scalar, Item, i64),
    /// The address of a stack slot plus an offset.
    Slot(StackSlot, i32),
    /// A local.
    Local(Type, Local),
    /// A pointer in a local plus an offset that stays inside the object, so that the sum cannot wrap.
    Offset(Local, u32),
    /// Two values; an index into the context's table.
    Pair(Scalar, Scalar, u32),
    /// A vector by its lanes: their type, their number, an index into the context's table.
    Lanes(Scalar, u32, u32),
}
