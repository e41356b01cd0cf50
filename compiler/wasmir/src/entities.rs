//! Entity references: small typed indices into the tables of a [`crate::Module`] or [`crate::Body`].
//!
//! Their `Display` is their spelling in the text form where an entity has no name of its own.

use cranelift_entity::entity_impl;

macro_rules! entity {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(u32);
        entity_impl!($name, $prefix);
    };
}

entity!(
    /// A function of a module.
    Func, "func"
);
entity!(
    /// A table of a module.
    Table, "table"
);
entity!(
    /// A memory of a module.
    Memory, "mem"
);
entity!(
    /// A global of a module.
    Global, "global"
);
entity!(
    /// An exception tag of a module.
    Tag, "tag"
);
entity!(
    /// A data segment or data symbol of a module.
    Data, "data"
);
entity!(
    /// An element segment of a module.
    Elem, "elem"
);
entity!(
    /// A type of a module's type section.
    TypeId, "type"
);
entity!(
    /// A group of symbols of which the linker keeps one copy.
    Comdat, "comdat"
);
entity!(
    /// A wasm file from which raw bodies of a module come.
    Unit, "unit"
);
entity!(
    /// A local of a body; the parameters come first.
    Local, "l"
);
entity!(
    /// A basic block of a body.
    Block, "b"
);
entity!(
    /// A stack slot of a body.
    StackSlot, "ss"
);
entity!(
    /// Immediates of an instruction of a body.
    ImmId, "imm"
);
entity!(
    /// A 128-bit constant of a body.
    WideId, "wide"
);
entity!(
    /// The exception handlers of an instruction of a body.
    HandlersId, "handlers"
);

/// Anything a relocation, an address or an export can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Item {
    /// A function; its address is its index in the indirect function table.
    Func(Func),
    /// A table.
    Table(Table),
    /// A memory.
    Memory(Memory),
    /// A global.
    Global(Global),
    /// An exception tag.
    Tag(Tag),
    /// A data symbol; its address is in linear memory.
    Data(Data),
}
