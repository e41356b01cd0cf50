//! WIT types as constant data, and what the canonical ABI derives from them.
//!
//! Every Rust type that can cross a component boundary names its WIT type as a constant [`Type`] tree
//! ([`Wit::TYPE`](super::Wit::TYPE)). Size, alignment and flattening are `const fn`s over that tree, so a macro that only sees
//! the *name* of a type still gets its exact core signature: the compiler evaluates it.
//!
//! The rules are those of the Component Model's `CanonicalABI.md`: `alignment`, `elem_size`, `flatten_type` and
//! `join`. Pointers are `usize` wide: four bytes on wasm32, as the canonical ABI wants, and the host's width elsewhere, which
//! lets the same code run under ordinary unit tests.
//!
//! Cost: all of it happens at compile time, linear in the size of the type written out in full.

/// The WIT type of a Rust type.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Type {
    /// `bool`
    Bool,
    /// `u8`
    U8,
    /// `s8`
    S8,
    /// `u16`
    U16,
    /// `s16`
    S16,
    /// `u32`
    U32,
    /// `s32`
    S32,
    /// `u64`
    U64,
    /// `s64`
    S64,
    /// `f32`
    F32,
    /// `f64`
    F64,
    /// `char`
    Char,
    /// `string`
    String,
    /// Nothing: a function without result, or the missing half of a `result`.
    Unit,
    /// `list<T>`
    List(&'static Type),
    /// `option<T>`
    Option(&'static Type),
    /// `result<T, E>`
    Result(&'static Type, &'static Type),
    /// `tuple<A, B, …>`
    Tuple(&'static [&'static Type]),
    /// A type with a name: record, variant, enum or flags.
    Named(&'static Named),
    /// `own<R>`
    Own(&'static Resource),
    /// `borrow<R>`
    Borrow(&'static Resource),
}

/// What a named type is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// `record`: every member has a type.
    Record = 0,
    /// `variant`: a member's type is its payload.
    Variant = 1,
    /// `enum`: no member has a type.
    Enum = 2,
    /// `flags`: no member has a type.
    Flags = 3,
}

/// A record, variant, enum or flags type.
#[derive(Clone, Copy, Debug)]
pub struct Named {
    /// Which of the four it is.
    pub kind: Kind,
    /// Its WIT name.
    pub name: &'static str,
    /// The Rust module that defines it: with `name` and `args`, its identity.
    pub module: &'static str,
    /// Its documentation.
    pub docs: &'static str,
    /// The types a generic type is applied to.
    pub args: &'static [&'static Type],
    /// Fields, cases or flags.
    pub members: &'static [Member],
}

/// A field, case or flag.
#[derive(Clone, Copy, Debug)]
pub struct Member {
    /// Its WIT name.
    pub name: &'static str,
    /// Its documentation.
    pub docs: &'static str,
    /// The field's type or the case's payload.
    pub ty: Option<&'static Type>,
}

/// A resource type.
#[derive(Clone, Copy, Debug)]
pub struct Resource {
    /// Its WIT name.
    pub name: &'static str,
    /// The interface that defines it, as in `acme:shop/orders@1.0.0`.
    pub interface: &'static str,
    /// Whether this component implements it.
    pub exported: bool,
}

/// Size and alignment in linear memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Size in bytes, a multiple of `align`.
    pub size: usize,
    /// Alignment in bytes.
    pub align: usize,
}

const POINTER: usize = size_of::<usize>();

/// Rounds `offset` up to a multiple of `align`, a power of two.
#[must_use]
pub const fn align_to(offset: usize, align: usize) -> usize {
    (offset + align - 1) & !(align - 1)
}

/// The size of the number that tells `cases` cases apart.
#[must_use]
pub const fn discriminant_size(cases: usize) -> usize {
    if cases <= 1 << 8 {
        1
    } else if cases <= 1 << 16 {
        2
    } else {
        4
    }
}

impl Layout {
    const fn scalar(size: usize) -> Self {
        Self { size, align: size }
    }

    /// The layout of `self` followed by `next`, not yet padded at its end.
    const fn then(self, next: Self) -> Self {
        let align = if next.align > self.align {
            next.align
        } else {
            self.align
        };
        Self {
            size: align_to(self.size, next.align) + next.size,
            align,
        }
    }

    const fn padded(self) -> Self {
        Self {
            size: align_to(self.size, self.align),
            align: self.align,
        }
    }

    /// The layout that holds either.
    const fn or(self, other: Self) -> Self {
        Self {
            size: if other.size > self.size {
                other.size
            } else {
                self.size
            },
            align: if other.align > self.align {
                other.align
            } else {
                self.align
            },
        }
    }
}

const EMPTY: Layout = Layout { size: 0, align: 1 };

impl Type {
    /// Size and alignment in linear memory.
    #[must_use]
    pub const fn layout(&self) -> Layout {
        match self {
            Self::Unit => EMPTY,
            Self::Bool | Self::U8 | Self::S8 => Layout::scalar(1),
            Self::U16 | Self::S16 => Layout::scalar(2),
            Self::U32 | Self::S32 | Self::F32 | Self::Char | Self::Own(_) | Self::Borrow(_) => {
                Layout::scalar(4)
            }
            Self::U64 | Self::S64 | Self::F64 => Layout::scalar(8),
            Self::String | Self::List(_) => Layout {
                size: 2 * POINTER,
                align: POINTER,
            },
            Self::Option(some) => Layout::scalar(1)
                .then(pad_before(some.layout(), EMPTY))
                .padded(),
            Self::Result(ok, err) => Layout::scalar(1)
                .then(pad_before(ok.layout(), err.layout()))
                .padded(),
            Self::Tuple(items) => tuple_layout(items),
            Self::Named(named) => named.layout(),
        }
    }

    /// Where the payload of a variant-like type starts.
    #[must_use]
    pub const fn payload_offset(&self) -> usize {
        let (tag, payload) = match self {
            Self::Option(some) => (1, some.layout()),
            Self::Result(ok, err) => (1, ok.layout().or(err.layout())),
            Self::Named(named) => (
                discriminant_size(named.members.len()),
                named.payload_layout(),
            ),
            _ => (0, EMPTY),
        };
        align_to(tag, payload.align)
    }

    /// How many core values it flattens to.
    #[must_use]
    pub const fn flat_count(&self) -> usize {
        let mut flat = FlatTypes::new();
        flat.add(self);
        flat.len
    }
}

/// The payload part of a variant: as large as the larger of two.
const fn pad_before(a: Layout, b: Layout) -> Layout {
    a.or(b)
}

/// The layout of values stored one after the other.
#[must_use]
pub const fn tuple_layout(items: &[&'static Type]) -> Layout {
    let mut layout = EMPTY;
    let mut i = 0;
    while i < items.len() {
        layout = layout.then(items[i].layout());
        i += 1;
    }
    layout.padded()
}

impl Named {
    const fn payload_layout(&self) -> Layout {
        let mut layout = EMPTY;
        let mut i = 0;
        while i < self.members.len() {
            if let Some(ty) = self.members[i].ty {
                layout = layout.or(ty.layout());
            }
            i += 1;
        }
        layout
    }

    const fn layout(&self) -> Layout {
        match self.kind {
            Kind::Record => {
                let mut layout = EMPTY;
                let mut i = 0;
                while i < self.members.len() {
                    if let Some(ty) = self.members[i].ty {
                        layout = layout.then(ty.layout());
                    }
                    i += 1;
                }
                layout.padded()
            }
            Kind::Variant | Kind::Enum => {
                let tag = Layout::scalar(discriminant_size(self.members.len()));
                tag.then(self.payload_layout()).padded()
            }
            Kind::Flags => Layout::scalar(match self.members.len() {
                0..=8 => 1,
                9..=16 => 2,
                _ => 4,
            }),
        }
    }
}

/// A core value type, or the absence of a value.
pub mod core_kind {
    /// No value.
    pub const NONE: u8 = 0;
    /// `i32`
    pub const I32: u8 = 1;
    /// `i64`
    pub const I64: u8 = 2;
    /// `f32`
    pub const F32: u8 = 3;
    /// `f64`
    pub const F64: u8 = 4;
}
use core_kind::{F32, F64, I32, I64, NONE};

/// Parameters up to this number are passed as core values, more through memory.
pub const MAX_FLAT_PARAMS: usize = 16;
/// One more than the parameters: room for the pointer an import returns its result through.
pub const MAX_SLOTS: usize = MAX_FLAT_PARAMS + 1;

/// The core types that WIT types flatten to.
#[derive(Clone, Copy, Debug)]
pub struct FlatTypes {
    /// The kinds of the first [`MAX_SLOTS`] values.
    pub kinds: [u8; MAX_SLOTS],
    /// How many there are in all, which may be more than `kinds` has room for.
    pub len: usize,
}

impl FlatTypes {
    const fn new() -> Self {
        Self {
            kinds: [NONE; MAX_SLOTS],
            len: 0,
        }
    }

    const fn push(&mut self, kind: u8) {
        if self.len < MAX_SLOTS {
            self.kinds[self.len] = kind;
        }
        self.len += 1;
    }

    const fn add(&mut self, ty: &Type) {
        match ty {
            Type::Unit => {}
            Type::U64 | Type::S64 => self.push(I64),
            Type::F32 => self.push(F32),
            Type::F64 => self.push(F64),
            Type::String | Type::List(_) => {
                self.push(I32);
                self.push(I32);
            }
            Type::Option(some) => {
                self.push(I32);
                self.add(some);
            }
            Type::Result(ok, err) => {
                self.push(I32);
                let start = self.len;
                self.join(start, ok);
                self.join(start, err);
            }
            Type::Tuple(items) => {
                let mut i = 0;
                while i < items.len() {
                    self.add(items[i]);
                    i += 1;
                }
            }
            Type::Named(named) => self.add_named(named),
            _ => self.push(I32),
        }
    }

    const fn add_named(&mut self, named: &Named) {
        let is_record = matches!(named.kind, Kind::Record);
        if !is_record {
            self.push(I32);
        }
        let start = self.len;
        let mut i = 0;
        while i < named.members.len() {
            if let Some(ty) = named.members[i].ty {
                if is_record {
                    self.add(ty);
                } else {
                    self.join(start, ty);
                }
            }
            i += 1;
        }
    }

    /// Overlays the flattening of `ty` on what stands from `start` on.
    const fn join(&mut self, start: usize, ty: &Type) {
        let mut case = Self::new();
        case.add(ty);
        let mut i = 0;
        while i < case.len {
            let kind = if i < MAX_SLOTS { case.kinds[i] } else { NONE };
            let at = start + i;
            if at >= self.len {
                self.push(kind);
            } else if at < MAX_SLOTS {
                self.kinds[at] = join_kinds(self.kinds[at], kind);
            }
            i += 1;
        }
    }
}

const fn join_kinds(a: u8, b: u8) -> u8 {
    if a == b {
        a
    } else if (a == I32 && b == F32) || (a == F32 && b == I32) {
        I32
    } else {
        I64
    }
}

/// The core signature of a function.
#[derive(Clone, Copy, Debug)]
pub struct Signature {
    /// The kind of every core parameter; [`core_kind::NONE`] past the last.
    pub params: [u8; MAX_SLOTS],
    /// The kind of the core result.
    pub result: u8,
    /// Layout of the parameters in memory when they do not fit in core parameters.
    pub spilled: Option<Layout>,
    /// Eight-byte words needed for a result that is returned through memory; 0 when it is a core value.
    pub area: usize,
}

impl Signature {
    /// The signature of a function that this component exports.
    #[must_use]
    pub const fn export(params: &[&'static Type], result: &Type) -> Self {
        Self::new(params, result, true)
    }

    /// The signature of a function that this component imports.
    #[must_use]
    pub const fn import(params: &[&'static Type], result: &Type) -> Self {
        Self::new(params, result, false)
    }

    const fn new(params: &[&'static Type], result: &Type, export: bool) -> Self {
        let mut flat = FlatTypes::new();
        let mut i = 0;
        while i < params.len() {
            flat.add(params[i]);
            i += 1;
        }
        let mut spilled = None;
        if flat.len > MAX_FLAT_PARAMS {
            spilled = Some(tuple_layout(params));
            flat = FlatTypes::new();
            flat.push(I32);
        }
        let mut returned = FlatTypes::new();
        returned.add(result);
        let mut area = 0;
        let result = if returned.len <= 1 {
            returned.kinds[0]
        } else {
            area = result.layout().size.div_ceil(8);
            if export {
                I32
            } else {
                flat.push(I32);
                NONE
            }
        };
        Self {
            params: flat.kinds,
            result,
            spilled,
            area,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESULT: Type = Type::Result(&Type::F64, &Type::String);

    #[test]
    fn joins_follow_the_canonical_abi() {
        let mut flat = FlatTypes::new();
        flat.add(&RESULT);
        // f64 over a pointer needs an i64; the string's length stays an i32.
        assert_eq!(&flat.kinds[..flat.len], &[I32, I64, I32]);
        let mut flat = FlatTypes::new();
        flat.add(&Type::Result(&Type::F32, &Type::U32));
        assert_eq!(&flat.kinds[..flat.len], &[I32, I32]);
    }

    #[test]
    fn layouts_pad_like_c() {
        let tuple = tuple_layout(&[&Type::U8, &Type::U64, &Type::U16]);
        assert_eq!(tuple, Layout { size: 24, align: 8 });
        assert_eq!(
            Type::Option(&Type::U16).layout(),
            Layout { size: 4, align: 2 }
        );
        assert_eq!(Type::Option(&Type::U64).payload_offset(), 8);
        assert_eq!(
            Type::Result(&Type::Unit, &Type::Unit).layout(),
            Layout { size: 1, align: 1 }
        );
        assert_eq!(discriminant_size(256), 1);
        assert_eq!(discriminant_size(257), 2);
    }

    #[test]
    fn seventeen_parameters_go_through_memory() {
        let seventeen = [&Type::U32; 17];
        let signature = Signature::export(&seventeen, &Type::Unit);
        assert_eq!(signature.params[..2], [I32, NONE]);
        assert_eq!(signature.spilled, Some(Layout { size: 68, align: 4 }));
        let signature = Signature::import(&seventeen[..16], &Type::String);
        assert_eq!(
            signature.params[16], I32,
            "the seventeenth core parameter is the return pointer"
        );
        assert_eq!(signature.result, NONE);
        assert!(signature.spilled.is_none());
    }

    #[test]
    fn a_huge_record_is_counted_but_not_stored() {
        static ITEMS: [&Type; 100] = [&Type::U64; 100];
        static WIDE: Type = Type::Tuple(&ITEMS);
        assert_eq!(WIDE.flat_count(), 100);
        assert_eq!(Type::Result(&WIDE, &Type::Unit).flat_count(), 101);
    }
}
