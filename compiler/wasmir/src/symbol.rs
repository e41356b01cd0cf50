//! What the linker knows about an entity, and relocations.

use crate::entities::{Comdat, Item, TypeId};

/// How a symbol takes part in linking.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Linkage {
    /// Seen in its own module only; names need not be unique.
    #[default]
    Local,
    /// Defined here; a strong definition elsewhere takes its place.
    Weak,
    /// Defined here and nowhere else.
    Strong,
    /// Defined elsewhere; an import that nothing defines stays an import.
    Undefined,
    /// Defined elsewhere or nowhere; then its address is zero and a call to it traps.
    UndefinedWeak,
}

/// The symbol of an entity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Symbol {
    /// Its name, unique among symbols that are not local.
    pub name: Option<String>,
    /// How it links.
    pub linkage: Linkage,
    /// Not visible outside the final module.
    pub hidden: bool,
    /// Kept although nothing refers to it.
    pub used: bool,
    /// Thread-local data.
    pub tls: bool,
    /// The group it belongs to.
    pub comdat: Option<Comdat>,
}

impl Symbol {
    /// A local symbol of this name.
    pub fn local(name: impl Into<String>) -> Symbol {
        Symbol {
            name: Some(name.into()),
            ..Symbol::default()
        }
    }
}

/// Where an imported entity comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Import {
    /// The module name.
    pub module: String,
    /// The field name.
    pub name: String,
}

macro_rules! reloc_kinds {
    ($($(#[$doc:meta])* $name:ident $text:literal $code:literal,)*) => {
        /// How a relocated place is filled in; the kinds of wasm's object format.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum RelocKind {
            $($(#[$doc])* $name,)*
        }

        impl RelocKind {
            /// All kinds.
            pub const ALL: &'static [RelocKind] = &[$(RelocKind::$name),*];

            /// The name in the text form.
            pub fn name(self) -> &'static str {
                match self { $(RelocKind::$name => $text,)* }
            }

            /// The number in wasm's object format.
            pub fn code(self) -> u8 {
                match self { $(RelocKind::$name => $code,)* }
            }

            /// The kind of a number.
            pub fn from_code(code: u8) -> Option<RelocKind> {
                match code { $($code => Some(RelocKind::$name),)* _ => None }
            }
        }
    };
}

reloc_kinds! {
    /// A function's index.
    FunctionIndexLeb "function_index_leb" 0,
    /// A function's place in the table, signed LEB128.
    TableIndexSleb "table_index_sleb" 1,
    /// A function's place in the table, four bytes.
    TableIndexI32 "table_index_i32" 2,
    /// An address, unsigned LEB128.
    MemoryAddrLeb "memory_addr_leb" 3,
    /// An address, signed LEB128.
    MemoryAddrSleb "memory_addr_sleb" 4,
    /// An address, four bytes.
    MemoryAddrI32 "memory_addr_i32" 5,
    /// A type's index.
    TypeIndexLeb "type_index_leb" 6,
    /// A global's index.
    GlobalIndexLeb "global_index_leb" 7,
    /// A place in the code section, four bytes.
    FunctionOffsetI32 "function_offset_i32" 8,
    /// A place in a custom section, four bytes.
    SectionOffsetI32 "section_offset_i32" 9,
    /// A tag's index.
    TagIndexLeb "tag_index_leb" 10,
    /// An address relative to `__memory_base`.
    MemoryAddrRelSleb "memory_addr_rel_sleb" 11,
    /// A place in the table relative to `__table_base`.
    TableIndexRelSleb "table_index_rel_sleb" 12,
    /// A global's index, four bytes.
    GlobalIndexI32 "global_index_i32" 13,
    /// An address of 64 bits, unsigned LEB128.
    MemoryAddrLeb64 "memory_addr_leb64" 14,
    /// An address of 64 bits, signed LEB128.
    MemoryAddrSleb64 "memory_addr_sleb64" 15,
    /// An address, eight bytes.
    MemoryAddrI64 "memory_addr_i64" 16,
    /// An address of 64 bits relative to `__memory_base`.
    MemoryAddrRelSleb64 "memory_addr_rel_sleb64" 17,
    /// A function's place in a 64-bit table, signed LEB128.
    TableIndexSleb64 "table_index_sleb64" 18,
    /// A function's place in a table, eight bytes.
    TableIndexI64 "table_index_i64" 19,
    /// A table's index.
    TableNumberLeb "table_number_leb" 20,
    /// An address relative to the thread's data.
    MemoryAddrTlsSleb "memory_addr_tls_sleb" 21,
    /// A place in the code section, eight bytes.
    FunctionOffsetI64 "function_offset_i64" 22,
    /// An address relative to the place of the relocation.
    MemoryAddrLocrelI32 "memory_addr_locrel_i32" 23,
    /// A place in a 64-bit table relative to `__table_base`.
    TableIndexRelSleb64 "table_index_rel_sleb64" 24,
    /// An address of 64 bits relative to the thread's data.
    MemoryAddrTlsSleb64 "memory_addr_tls_sleb64" 25,
    /// A function's index, four bytes.
    FunctionIndexI32 "function_index_i32" 26,
}

/// What a relocation refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RelocTarget {
    /// An entity.
    Item(Item),
    /// A type, for [`RelocKind::TypeIndexLeb`].
    Type(TypeId),
    /// A custom section by its position in [`crate::Module::customs`].
    Section(u32),
}

/// A place in a raw body, data or custom section that the linker fills in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Reloc {
    /// The place, in bytes from the start of what contains it.
    pub offset: u32,
    /// How to fill it in.
    pub kind: RelocKind,
    /// With what.
    pub target: RelocTarget,
    /// Added to an address.
    pub addend: i64,
}
