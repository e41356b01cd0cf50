//! Value types and the type section.
//!
//! Value types are wasm's plus Rust's integer widths `i8`, `i16` and `i128`, which the back end
//! legalises. The type section is wasm's own (recursion groups, subtyping, structs, arrays), so that
//! modules with garbage-collected types survive unchanged.

use crate::entities::TypeId;
use cranelift_entity::PrimaryMap;
use std::fmt;
use std::ops::Range;

/// The type of a local or operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Type {
    /// An 8-bit integer; in a field of a struct or array, wasm's packed `i8`.
    I8,
    /// A 16-bit integer; in a field of a struct or array, wasm's packed `i16`.
    I16,
    /// A 32-bit integer.
    I32,
    /// A 64-bit integer.
    I64,
    /// A 128-bit integer.
    I128,
    /// A 32-bit float.
    F32,
    /// A 64-bit float.
    F64,
    /// A 128-bit vector.
    V128,
    /// A reference.
    Ref(RefType),
}

impl Type {
    /// A nullable reference to any function.
    pub const FUNCREF: Type = Type::Ref(RefType::FUNCREF);
    /// A nullable reference to a host value.
    pub const EXTERNREF: Type = Type::Ref(RefType::EXTERNREF);

    /// Whether this is a reference.
    pub fn is_ref(self) -> bool {
        matches!(self, Type::Ref(_))
    }

    /// Whether this is an integer of any width.
    pub fn is_int(self) -> bool {
        matches!(
            self,
            Type::I8 | Type::I16 | Type::I32 | Type::I64 | Type::I128
        )
    }

    /// Whether a local of this type has a value before its first assignment (zero or null).
    pub fn is_defaultable(self) -> bool {
        match self {
            Type::Ref(r) => r.nullable,
            _ => true,
        }
    }

    /// Bytes a value takes in linear memory; references have none.
    pub fn bytes(self) -> Option<u32> {
        Some(match self {
            Type::I8 => 1,
            Type::I16 => 2,
            Type::I32 | Type::F32 => 4,
            Type::I64 | Type::F64 => 8,
            Type::I128 | Type::V128 => 16,
            Type::Ref(_) => return None,
        })
    }

    /// What an operand of a packed field looks like on the stack: `i8` and `i16` become `i32`.
    #[must_use]
    pub fn unpacked(self) -> Type {
        match self {
            Type::I8 | Type::I16 => Type::I32,
            other => other,
        }
    }
}

/// A reference type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RefType {
    /// Whether null is a value of the type.
    pub nullable: bool,
    /// What is referred to.
    pub heap: HeapType,
}

impl RefType {
    /// `funcref`
    pub const FUNCREF: RefType = RefType::abstract_null(AbstractHeap::Func);
    /// `externref`
    pub const EXTERNREF: RefType = RefType::abstract_null(AbstractHeap::Extern);
    /// `exnref`
    pub const EXNREF: RefType = RefType::abstract_null(AbstractHeap::Exn);

    const fn abstract_null(kind: AbstractHeap) -> RefType {
        RefType {
            nullable: true,
            heap: HeapType::Abstract {
                shared: false,
                kind,
            },
        }
    }
}

/// What a reference refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HeapType {
    /// One of wasm's abstract heap types.
    Abstract {
        /// Whether the objects may be shared between threads.
        shared: bool,
        /// Which.
        kind: AbstractHeap,
    },
    /// A type of the module.
    Concrete(TypeId),
}

macro_rules! abstract_heaps {
    ($($(#[$doc:meta])* $name:ident $text:literal $code:literal,)*) => {
        /// Wasm's abstract heap types.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum AbstractHeap {
            $($(#[$doc])* $name,)*
        }

        impl AbstractHeap {
            /// All of them.
            pub const ALL: &'static [AbstractHeap] = &[$(AbstractHeap::$name),*];

            /// The name in the text form.
            pub fn name(self) -> &'static str {
                match self { $(AbstractHeap::$name => $text,)* }
            }

            /// The byte that encodes the type in a wasm binary.
            pub fn code(self) -> u8 {
                match self { $(AbstractHeap::$name => $code,)* }
            }

            /// The type that `code` encodes.
            pub fn from_code(code: u8) -> Option<AbstractHeap> {
                match code { $($code => Some(AbstractHeap::$name),)* _ => None }
            }
        }
    };
}

abstract_heaps! {
    /// Any function.
    Func "func" 0x70,
    /// No function.
    NoFunc "nofunc" 0x73,
    /// Any host value.
    Extern "extern" 0x6f,
    /// No host value.
    NoExtern "noextern" 0x72,
    /// Any internal value.
    Any "any" 0x6e,
    /// Any value that can be compared.
    Eq "eq" 0x6d,
    /// A 31-bit integer.
    I31 "i31" 0x6c,
    /// Any struct.
    Struct "struct" 0x6b,
    /// Any array.
    Array "array" 0x6a,
    /// No internal value.
    None "none" 0x71,
    /// Any exception.
    Exn "exn" 0x69,
    /// No exception.
    NoExn "noexn" 0x74,
}

/// Parameters and results of a function.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct FuncType {
    /// Parameter types.
    pub params: Box<[Type]>,
    /// Result types.
    pub results: Box<[Type]>,
}

impl FuncType {
    /// A function type of these parameters and results.
    pub fn new(params: impl Into<Box<[Type]>>, results: impl Into<Box<[Type]>>) -> FuncType {
        FuncType {
            params: params.into(),
            results: results.into(),
        }
    }
}

/// A field of a struct or the element of an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FieldType {
    /// Its type; `i8` and `i16` are packed.
    pub ty: Type,
    /// Whether it can be assigned.
    pub mutable: bool,
}

/// The shape of a type.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CompositeType {
    /// A function.
    Func(FuncType),
    /// A struct of these fields.
    Struct(Box<[FieldType]>),
    /// An array of this element.
    Array(FieldType),
}

/// An entry of the type section.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TypeDef {
    /// Whether the type may not be extended.
    pub is_final: bool,
    /// Whether its objects may be shared between threads.
    pub shared: bool,
    /// The type it extends.
    pub supertype: Option<TypeId>,
    /// Its shape.
    pub composite: CompositeType,
}

impl TypeDef {
    /// A plain final function type.
    pub fn func(ty: FuncType) -> TypeDef {
        TypeDef {
            is_final: true,
            shared: false,
            supertype: None,
            composite: CompositeType::Func(ty),
        }
    }
}

/// The type section: definitions and the recursion groups they form.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Types {
    defs: PrimaryMap<TypeId, TypeDef>,
    /// The end of each recursion group, ascending; every definition is in exactly one group.
    group_ends: Vec<u32>,
    /// The first plain function type of each shape.
    by_shape: rustc_hash::FxHashMap<FuncType, TypeId>,
}

impl Types {
    /// Adds a recursion group and returns the id of its first type.
    pub fn push_group(&mut self, defs: impl IntoIterator<Item = TypeDef>) -> TypeId {
        let first = self.defs.next_key();
        let mut count = 0;
        for def in defs {
            let id = self.defs.push(def);
            count += 1;
            if count == 1 {
                continue;
            }
            debug_assert!(id > first);
        }
        self.group_ends.push(self.defs.len() as u32);
        if count == 1 {
            let def = &self.defs[first];
            if let (true, false, None, CompositeType::Func(f)) =
                (def.is_final, def.shared, def.supertype, &def.composite)
            {
                self.by_shape.entry(f.clone()).or_insert(first);
            }
        }
        first
    }

    /// The plain function type of this shape, added if the module has none.
    pub fn intern_func(&mut self, ty: FuncType) -> TypeId {
        match self.by_shape.get(&ty) {
            Some(id) => *id,
            None => self.push_group([TypeDef::func(ty)]),
        }
    }

    /// The definition of `id`.
    pub fn get(&self, id: TypeId) -> Option<&TypeDef> {
        self.defs.get(id)
    }

    /// The function type `id`, unless it is something else.
    pub fn func(&self, id: TypeId) -> Option<&FuncType> {
        match &self.defs.get(id)?.composite {
            CompositeType::Func(f) => Some(f),
            _ => None,
        }
    }

    /// Every type with its id.
    pub fn iter(&self) -> impl Iterator<Item = (TypeId, &TypeDef)> {
        self.defs.iter()
    }

    /// The recursion groups as ranges of indices.
    pub fn groups(&self) -> impl Iterator<Item = Range<u32>> + '_ {
        let mut start = 0;
        self.group_ends
            .iter()
            .map(move |&end| std::mem::replace(&mut start, end)..end)
    }

    /// The number of types.
    pub fn len(&self) -> usize {
        self.defs.len()
    }

    /// Whether there are no types.
    pub fn is_empty(&self) -> bool {
        self.defs.is_empty()
    }
}

impl std::ops::Index<TypeId> for Types {
    type Output = TypeDef;
    fn index(&self, id: TypeId) -> &TypeDef {
        &self.defs[id]
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Type::I8 => "i8",
            Type::I16 => "i16",
            Type::I32 => "i32",
            Type::I64 => "i64",
            Type::I128 => "i128",
            Type::F32 => "f32",
            Type::F64 => "f64",
            Type::V128 => "v128",
            Type::Ref(r) => return r.fmt(f),
        })
    }
}

impl fmt::Display for RefType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let null = if self.nullable { "null " } else { "" };
        write!(f, "(ref {null}{})", self.heap)
    }
}

impl fmt::Display for HeapType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HeapType::Abstract {
                shared: false,
                kind,
            } => f.write_str(kind.name()),
            HeapType::Abstract { shared: true, kind } => write!(f, "(shared {})", kind.name()),
            HeapType::Concrete(id) => id.fmt(f),
        }
    }
}
