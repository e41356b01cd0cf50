//! What a function's surroundings tell the emitter: callees, symbols, side operators, signatures.
//!
//! CLIF names things by `UserExternalName { namespace, index }`. The namespaces below fix what an index means;
//! an [`Environment`] answers for them. Side operators are how an operator that CLIF cannot say crosses the
//! mid-end: as an ordered call of a pseudo function whose index is the operator's place in a table.

use crate::ops::Effects;
use wasm_encoder::ValType;

/// Namespace of real functions: `index` is the function's index or symbol.
pub const NS_FUNC: u32 = 0;
/// Namespace of side operators: `index` is a place in [`Environment::side_op`]'s table.
pub const NS_SIDE: u32 = 1;
/// Namespace of wasm globals: a load or store through such a `symbol_value` is `global.get` / `global.set`.
pub const NS_GLOBAL: u32 = 2;
/// Namespace of data symbols: their `symbol_value` is an address.
pub const NS_DATA: u32 = 3;
/// Namespace of hidden constants, made by [`crate::optimize`]; never seen by an environment.
pub(crate) const NS_CONST: u32 = 0x7fff_0000;

/// What a relocation refers to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub enum RelocKind {
    /// Function index, unsigned LEB.
    Func,
    /// A function's slot in the indirect function table, signed LEB.
    TableSlot,
    /// A function's slot in an indirect function table of 64-bit indices, signed LEB.
    TableSlot64,
    /// Type index, unsigned LEB.
    Type,
    /// Global index, unsigned LEB.
    Global,
    /// Table number, unsigned LEB.
    Table,
    /// Tag index, unsigned LEB.
    Tag,
    /// Address of a data symbol in an `i32.const`, signed LEB.
    MemAddrSleb,
    /// Address of a data symbol in an `i64.const`, signed LEB.
    MemAddrSleb64,
    /// Address of a data symbol in a load's or store's offset, unsigned LEB.
    MemAddrLeb,
    /// Distance of a thread-local data symbol from `__tls_base` in an `i32.const`, signed LEB.
    MemAddrTlsSleb,
}

/// A place in emitted code that names an entity; the bytes there are padded so that a linker can patch them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reloc {
    /// Byte offset of the patched field, from the start of the body.
    pub offset: u32,
    /// Which field and which index space.
    pub kind: RelocKind,
    /// The entity: index (final modules) or symbol (objects), as the environment named it.
    pub target: u32,
    /// Added to a data symbol's address.
    pub addend: i64,
}

/// What a called name stands for.
#[derive(Clone, Copy, Debug)]
pub enum Callee {
    /// A function; `target` goes into the `call`.
    Func(u32),
    /// A side operator of the table.
    Side(u32),
}

/// One operand of a side operator, in stack order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SideOperand {
    /// The next CLIF argument.
    Arg,
    /// A pinned local (reference types never become CLIF values).
    Pinned(u32),
}

/// A place in a side operator's code that reads or writes a pinned local.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PinnedUse {
    /// Where in the code the `local.get` or `local.set` goes.
    pub offset: u32,
    /// The pinned local.
    pub pinned: u32,
    /// Written rather than read.
    pub write: bool,
}

/// An operator given by its bytes.
#[derive(Clone, Debug)]
pub struct SideOp {
    /// Operator and immediates, ready to be copied.
    pub code: Vec<u8>,
    /// Relocated fields within `code` (offsets from its start).
    pub relocs: Vec<Reloc>,
    /// Pinned locals that the code itself reads and writes, by ascending offset.
    pub locals: Vec<PinnedUse>,
    /// What it may do.
    pub effects: Effects,
    /// Operands in stack order.
    pub operands: Vec<SideOperand>,
    /// For each result in stack order: a pinned local to write, or `None` for a CLIF result.
    pub results: Vec<Option<u32>>,
    /// True when control never comes back (tail calls, `throw`).
    pub diverges: bool,
}

/// The surroundings of the functions being emitted. Shared by threads, hence `&self` and `Sync`.
pub trait Environment: Sync {
    /// Pointer type: true for 64-bit addresses of `memory`.
    fn memory64(&self, memory: u32) -> bool {
        let _ = memory;
        false
    }
    /// The side operator `index`.
    fn side_op(&self, index: u32) -> Option<&SideOp>;
    /// The type index for an indirect call, or `None` when the module has no such type.
    fn type_index(&self, params: &[ValType], results: &[ValType]) -> Option<u32>;
    /// True when indices must be emitted as relocatable fields.
    fn relocatable(&self) -> bool {
        false
    }
    /// The place of a function in table 0, for final modules (`func_addr`).
    fn table_slot(&self, func: u32) -> Option<u32> {
        let _ = func;
        None
    }
    /// The address of a data symbol, for final modules.
    fn data_address(&self, symbol: u32) -> Option<i64> {
        let _ = symbol;
        None
    }
    /// The global that holds the shadow stack's pointer, for CLIF stack slots.
    fn stack_pointer(&self) -> Option<u32> {
        None
    }
}

/// An environment with nothing in it but indirect-call types: enough for self-contained functions.
#[derive(Default, Debug)]
pub struct Standalone {
    /// Signatures by type index.
    pub types: Vec<(Vec<ValType>, Vec<ValType>)>,
    /// Side operators.
    pub side_ops: Vec<SideOp>,
    /// Global that holds the stack pointer.
    pub stack_pointer: Option<u32>,
}

impl Environment for Standalone {
    fn side_op(&self, index: u32) -> Option<&SideOp> {
        self.side_ops.get(index as usize)
    }
    fn type_index(&self, params: &[ValType], results: &[ValType]) -> Option<u32> {
        let found = self
            .types
            .iter()
            .position(|(p, r)| p == params && r == results);
        found.map(|i| i as u32)
    }
    fn stack_pointer(&self) -> Option<u32> {
        self.stack_pointer
    }
}
