//! Operators: their names, encodings, signatures and traits.
//!
//! [`Opcode`] is generated from the single list in `table.rs`; everything the rest of the compiler
//! wants to know about an operator is a lookup in [`Opcode::info`].
//!
//! ```
//! use wasmir::{ImmKind, OpClass, Opcode};
//! let op = Opcode::from_name("i32.load8_u").unwrap();
//! assert_eq!(op, Opcode::I32Load8U);
//! assert_eq!(op.info().class, OpClass::Load);
//! assert_eq!(op.info().imm, ImmKind::Memarg);
//! assert_eq!(Opcode::from_encoding(0, 0x2d), Some(op));
//! ```

mod table;

use crate::types::Type;
use rustc_hash::FxHashMap;
use std::fmt;
use std::sync::LazyLock;

/// How an operator appears in a [`crate::Body`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OpClass {
    /// An operator on local operands: [`crate::Inst::Unary`], [`crate::Inst::Binary`],
    /// [`crate::Inst::Ternary`] or [`crate::Inst::Op`].
    Plain,
    /// One address in, one value out, a memory argument: [`crate::Inst::Load`].
    Load,
    /// An address and a value in, a memory argument: [`crate::Inst::Store`].
    Store,
    /// Has a form of its own (control flow, calls, constants, locals, globals) and never appears
    /// as an operator of an instruction; listed so that raw bodies can be read.
    Form,
}

/// The immediates that follow an operator in the binary encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ImmKind {
    /// Nothing.
    None,
    /// Alignment, optional memory index, offset.
    Memarg,
    /// A memory argument and a lane index.
    MemargLane,
    /// A lane index.
    Lane,
    /// Sixteen lane indices.
    Shuffle,
    /// A memory.
    Memory,
    /// Two memories: destination, source.
    MemoryMemory,
    /// A data segment, a memory.
    DataMemory,
    /// A data segment.
    Data,
    /// A table.
    Table,
    /// Two tables: destination, source.
    TableTable,
    /// An element segment, a table.
    ElemTable,
    /// An element segment.
    Elem,
    /// A type.
    Ty,
    /// A struct type and a field.
    TyField,
    /// Two types: destination, source.
    TyTy,
    /// A type and a data segment.
    TyData,
    /// A type and an element segment.
    TyElem,
    /// A type and a count.
    TyCount,
    /// A type and a table (`call_indirect`).
    TyTable,
    /// A heap type.
    Heap,
    /// A function.
    Func,
    /// A global.
    Global,
    /// A local.
    Local,
    /// A tag.
    Tag,
    /// A branch label.
    Label,
    /// A vector of labels and a default.
    BrTable,
    /// Flags, a label and two heap types.
    BrCast,
    /// A block type.
    BlockType,
    /// A block type and a vector of catch clauses.
    TryTable,
    /// A vector of value types.
    ValTypes,
    /// A signed LEB128 of 32 bits.
    I32,
    /// A signed LEB128 of 64 bits.
    I64,
    /// Four bytes.
    F32,
    /// Eight bytes.
    F64,
    /// Sixteen bytes.
    V128,
    /// The ordering byte of `atomic.fence`.
    Fence,
}

/// The type of an operand or result of an operator; see the list's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OperandTy {
    /// This value type.
    Val(Type),
    /// Any type, the same at every such operand.
    Any,
    /// Any reference; the result's type follows from the immediates and operands.
    Ref,
    /// The index type of the memory or table in the immediates.
    Addr,
    /// The index type of the second memory or table in the immediates.
    Addr2,
    /// The smaller of [`OperandTy::Addr`] and [`OperandTy::Addr2`].
    AddrMin,
    /// The element type of the table in the immediates.
    Elem,
    /// The unpacked type of the struct field or array element in the immediates.
    Field,
    /// A list computed from the immediates (`struct.new`, `array.new_fixed`).
    Custom,
}

/// What an operator may do besides computing its results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Traits(u8);

impl Traits {
    /// No effect: may be removed, duplicated and moved.
    pub const PURE: Traits = Traits(0);
    /// May trap for some operands.
    pub const TRAPS: Traits = Traits(1);
    /// Reads memory, a table, the GC heap or a size that others may change.
    pub const READS: Traits = Traits(2);
    /// Writes memory, a table, the GC heap or a size.
    pub const WRITES: Traits = Traits(4);
    /// Takes part in the order of atomic accesses.
    pub const ATOMIC: Traits = Traits(8);
    /// Makes a new GC object (each execution a different one).
    pub const ALLOCATES: Traits = Traits(16);
    /// Its two operands may be exchanged.
    pub const COMMUTES: Traits = Traits(32);

    /// Whether all of `other`'s bits are set.
    pub const fn contains(self, other: Traits) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both sets of traits.
    #[must_use]
    pub const fn union(self, other: Traits) -> Traits {
        Traits(self.0 | other.0)
    }

    /// The operator computes its results from its operands alone and cannot trap.
    pub const fn is_pure(self) -> bool {
        self.0 & !Traits::COMMUTES.0 == 0
    }

    /// An instruction whose results are unused can go: it neither writes nor traps.
    pub const fn removable_if_unused(self) -> bool {
        self.0 & (Traits::TRAPS.0 | Traits::WRITES.0 | Traits::ATOMIC.0) == 0
    }
}

/// One row of the list of operators.
#[derive(Clone, Copy, Debug)]
pub struct OpInfo {
    /// The name in the text form (wasm's own, except where one name has two encodings).
    pub name: &'static str,
    /// The prefix byte, 0 for none, [`WASMIR_PREFIX`] for WasmIR's own operators.
    pub prefix: u8,
    /// The code after the prefix.
    pub code: u32,
    /// How the operator appears in a body.
    pub class: OpClass,
    /// The immediates.
    pub imm: ImmKind,
    /// Operand types, first operand first.
    pub params: &'static [OperandTy],
    /// Result types.
    pub results: &'static [OperandTy],
    /// Effects.
    pub traits: Traits,
}

/// The prefix of operators that exist in WasmIR only.
pub const WASMIR_PREFIX: u8 = 0xff;

macro_rules! class {
    (plain) => {
        OpClass::Plain
    };
    (load) => {
        OpClass::Load
    };
    (store) => {
        OpClass::Store
    };
    (form) => {
        OpClass::Form
    };
}

macro_rules! imm {
    (none) => {
        ImmKind::None
    };
    (memarg) => {
        ImmKind::Memarg
    };
    (memarg_lane) => {
        ImmKind::MemargLane
    };
    (lane) => {
        ImmKind::Lane
    };
    (shuffle) => {
        ImmKind::Shuffle
    };
    (memory) => {
        ImmKind::Memory
    };
    (memory_memory) => {
        ImmKind::MemoryMemory
    };
    (data_memory) => {
        ImmKind::DataMemory
    };
    (data) => {
        ImmKind::Data
    };
    (table) => {
        ImmKind::Table
    };
    (table_table) => {
        ImmKind::TableTable
    };
    (elem_table) => {
        ImmKind::ElemTable
    };
    (elem) => {
        ImmKind::Elem
    };
    (ty) => {
        ImmKind::Ty
    };
    (ty_field) => {
        ImmKind::TyField
    };
    (ty_ty) => {
        ImmKind::TyTy
    };
    (ty_data) => {
        ImmKind::TyData
    };
    (ty_elem) => {
        ImmKind::TyElem
    };
    (ty_count) => {
        ImmKind::TyCount
    };
    (ty_table) => {
        ImmKind::TyTable
    };
    (heap) => {
        ImmKind::Heap
    };
    (func) => {
        ImmKind::Func
    };
    (global) => {
        ImmKind::Global
    };
    (local) => {
        ImmKind::Local
    };
    (tag) => {
        ImmKind::Tag
    };
    (label) => {
        ImmKind::Label
    };
    (br_table) => {
        ImmKind::BrTable
    };
    (br_cast) => {
        ImmKind::BrCast
    };
    (block_type) => {
        ImmKind::BlockType
    };
    (try_table) => {
        ImmKind::TryTable
    };
    (val_types) => {
        ImmKind::ValTypes
    };
    (i32) => {
        ImmKind::I32
    };
    (i64) => {
        ImmKind::I64
    };
    (f32) => {
        ImmKind::F32
    };
    (f64) => {
        ImmKind::F64
    };
    (v128) => {
        ImmKind::V128
    };
    (fence) => {
        ImmKind::Fence
    };
}

macro_rules! operand {
    (i8) => {
        OperandTy::Val(Type::I8)
    };
    (i16) => {
        OperandTy::Val(Type::I16)
    };
    (i32) => {
        OperandTy::Val(Type::I32)
    };
    (i64) => {
        OperandTy::Val(Type::I64)
    };
    (i128) => {
        OperandTy::Val(Type::I128)
    };
    (f32) => {
        OperandTy::Val(Type::F32)
    };
    (f64) => {
        OperandTy::Val(Type::F64)
    };
    (v128) => {
        OperandTy::Val(Type::V128)
    };
    (t) => {
        OperandTy::Any
    };
    (r) => {
        OperandTy::Ref
    };
    (addr) => {
        OperandTy::Addr
    };
    (addr2) => {
        OperandTy::Addr2
    };
    (addrmin) => {
        OperandTy::AddrMin
    };
    (elem) => {
        OperandTy::Elem
    };
    (field) => {
        OperandTy::Field
    };
    (custom) => {
        OperandTy::Custom
    };
}

macro_rules! trait_bit {
    (traps) => {
        Traits::TRAPS
    };
    (reads) => {
        Traits::READS
    };
    (writes) => {
        Traits::WRITES
    };
    (atomic) => {
        Traits::ATOMIC
    };
    (allocates) => {
        Traits::ALLOCATES
    };
    (commutes) => {
        Traits::COMMUTES
    };
}

macro_rules! define_opcodes {
    ($($name:ident $text:literal $prefix:literal $code:literal $class:ident $imm:ident
        ($($sig:ident)* -> $($res:ident)*) [$($bit:ident)*];)*) => {
        /// An operator.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u16)]
        pub enum Opcode {
            $(
                #[doc = concat!("`", $text, "`")]
                $name,
            )*
        }

        static INFO: &[OpInfo] = &[
            $(OpInfo {
                name: $text,
                prefix: $prefix,
                code: $code,
                class: class!($class),
                imm: imm!($imm),
                params: &[$(operand!($sig)),*],
                results: &[$(operand!($res)),*],
                traits: Traits::PURE$(.union(trait_bit!($bit)))*,
            },)*
        ];

        impl Opcode {
            /// Every operator, in the order of the list.
            pub const ALL: &'static [Opcode] = &[$(Opcode::$name),*];
        }
    };
}

table::for_each_operator!(define_opcodes);

impl Opcode {
    /// All that is known about this operator.
    #[inline]
    pub fn info(self) -> &'static OpInfo {
        &INFO[self as usize]
    }

    /// The name in the text form.
    pub fn name(self) -> &'static str {
        self.info().name
    }

    /// The operator's traits.
    #[inline]
    pub fn traits(self) -> Traits {
        self.info().traits
    }

    /// The operator of this name.
    pub fn from_name(name: &str) -> Option<Opcode> {
        static NAMES: LazyLock<FxHashMap<&'static str, Opcode>> =
            LazyLock::new(|| Opcode::ALL.iter().map(|op| (op.name(), *op)).collect());
        NAMES.get(name).copied()
    }

    /// The operator encoded as `prefix` (0 for none) and `code`.
    #[inline]
    pub fn from_encoding(prefix: u8, code: u32) -> Option<Opcode> {
        const WIDTH: usize = 0x140;
        static CODES: LazyLock<Vec<[Option<Opcode>; WIDTH]>> = LazyLock::new(|| {
            let mut table = vec![[None; WIDTH]; 6];
            for &op in Opcode::ALL {
                let info = op.info();
                table[row(info.prefix).expect("known prefix")][info.code as usize] = Some(op);
            }
            table
        });
        fn row(prefix: u8) -> Option<usize> {
            match prefix {
                0 => Some(0),
                0xfb => Some(1),
                0xfc => Some(2),
                0xfd => Some(3),
                0xfe => Some(4),
                WASMIR_PREFIX => Some(5),
                _ => None,
            }
        }
        *CODES[row(prefix)?].get(code as usize)?
    }

    /// The width in bytes of the memory access of a load, store or other operator with a memory
    /// argument, which bounds its alignment; `None` for all other operators.
    #[inline]
    pub fn access_width(self) -> Option<u32> {
        static WIDTHS: LazyLock<Vec<u8>> = LazyLock::new(|| {
            let width = |op: &Opcode| op.info().access_width().unwrap_or(0);
            Opcode::ALL.iter().map(width).collect()
        });
        match WIDTHS[self as usize] {
            0 => None,
            width => Some(u32::from(width)),
        }
    }
}

impl OpInfo {
    /// The width of the memory access, which the name tells.
    fn access_width(&self) -> Option<u8> {
        if !matches!(self.imm, ImmKind::Memarg | ImmKind::MemargLane) {
            return None;
        }
        let (prefix, op) = self.name.split_once('.')?;
        // `v128.load32x2_s` reads eight bytes whatever its lanes; `load32_splat` four.
        if op.contains("8x8") || op.contains("16x4") || op.contains("32x2") {
            return Some(8);
        }
        for (bits, bytes) in [("128", 16), ("64", 8), ("32", 4), ("16", 2), ("8", 1)] {
            if op.contains(bits) {
                return Some(bytes);
            }
        }
        Some(match prefix {
            "i8" => 1,
            "i16" => 2,
            "i64" | "f64" => 8,
            "v128" | "i128" => 16,
            _ => 4,
        })
    }
}

impl fmt::Display for Opcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Debug for Opcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_encodings_are_unique_and_found_again() {
        for &op in Opcode::ALL {
            let info = op.info();
            assert_eq!(Opcode::from_name(info.name), Some(op));
            assert_eq!(
                Opcode::from_encoding(info.prefix, info.code),
                Some(op),
                "{op}"
            );
        }
        assert_eq!(Opcode::from_encoding(0, 0x16), None);
        assert_eq!(Opcode::from_encoding(0xfa, 0), None);
        assert_eq!(Opcode::from_encoding(0xfd, u32::MAX), None);
    }

    #[test]
    fn classes_match_signatures() {
        for &op in Opcode::ALL {
            let info = op.info();
            match info.class {
                OpClass::Load => {
                    assert_eq!(info.params, [OperandTy::Addr], "{op}");
                    assert_eq!(info.results.len(), 1, "{op}");
                    assert_eq!(info.imm, ImmKind::Memarg, "{op}");
                }
                OpClass::Store => {
                    assert_eq!(info.params.len(), 2, "{op}");
                    assert!(info.results.is_empty(), "{op}");
                    assert_eq!(info.imm, ImmKind::Memarg, "{op}");
                }
                OpClass::Plain | OpClass::Form => {}
            }
        }
    }

    #[test]
    fn access_widths() {
        for (op, width) in [
            (Opcode::I32Load, 4),
            (Opcode::I64Load32S, 4),
            (Opcode::I64Store16, 2),
            (Opcode::V128Load, 16),
            (Opcode::V128Load8x8S, 8),
            (Opcode::V128Load32Zero, 4),
            (Opcode::V128Load64Lane, 8),
            (Opcode::I64AtomicRmw8CmpxchgU, 1),
            (Opcode::I64AtomicRmwAdd, 8),
            (Opcode::MemoryAtomicWait64, 8),
            (Opcode::MemoryAtomicNotify, 4),
            (Opcode::I128Load, 16),
            (Opcode::F64Store, 8),
        ] {
            assert_eq!(op.access_width(), Some(width), "{op}");
        }
        assert_eq!(Opcode::I32Add.access_width(), None);
    }
}
