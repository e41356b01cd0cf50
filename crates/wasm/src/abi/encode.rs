//! The component's WIT as bytes in a custom section of the core module.
//!
//! Each exported or imported item describes itself in one record, evaluated at compile time and placed in the section
//! [`SECTION`] by the macros. The linker concatenates them; `wit_rust::embed_world` reads them back, merges them into one world and
//! takes the section out again.
//!
//! # Format
//!
//! ```text
//! section  = record*
//! record   = "WRS1" length:u32 item                     (length of the item; all numbers little-endian)
//! item     = 1 direction interface package role resource:str name:str docs:str origin:str n:u32 (name:str type)*n type
//!          | 2 direction interface package name:str docs:str origin:str      resource
//!          | 3 direction interface package docs:str                          interface documentation
//! direction= 0 import | 1 export
//! interface, package = str                               (interface empty: the world itself)
//! role     = 0 free | 1 constructor | 2 method | 3 static
//! type     = 0..=13 primitives and unit, in the order of `Type` | 14 type list | 15 type option | 16 type type result
//!          | 17 n:u32 type*n tuple | 18 kind name:str module:str docs:str n:u32 type*n m:u32 member*m named
//!          | 19 index:u32 named type seen before in this item | 20 exported:u8 interface:str name:str own | 21 … borrow
//! member   = name:str docs:str has:u8 type?
//! str      = length:u32 bytes (UTF-8)
//! ```
//!
//! A named type without arguments is written out once per item and referred to by `19` afterwards, counted in the order in which the
//! definitions end, so that types which share parts stay small. Cost: linear in the bytes written plus named types squared.

use super::types::{Member, Named, Resource, Type};

/// The custom section's name; the macros repeat it, for attributes take literals only.
pub const SECTION: &str = "wasmrust-wit";

/// Which way a call goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Direction {
    /// This component calls.
    Import = 0,
    /// This component is called.
    Export = 1,
}

/// What a function is to its resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Role {
    /// It belongs to none.
    Free = 0,
    /// It makes one.
    Constructor = 1,
    /// Its first parameter is `borrow<resource>`, not listed.
    Method = 2,
    /// It only lives in the resource's name space.
    Static = 3,
}

/// Where an item belongs.
#[derive(Clone, Copy, Debug)]
pub struct Interface {
    /// Import or export.
    pub direction: Direction,
    /// The interface, as in `acme:shop/orders@1.0.0`; empty for the world itself.
    pub name: &'static str,
    /// The package whose world this is, as in `acme:shop@1.0.0`.
    pub package: &'static str,
}

/// A named parameter.
#[derive(Clone, Copy, Debug)]
pub struct Param {
    /// Its WIT name.
    pub name: &'static str,
    /// Its type.
    pub ty: &'static Type,
}

/// A function.
#[derive(Clone, Copy, Debug)]
pub struct Function {
    /// Where it belongs.
    pub interface: Interface,
    /// What it is to its resource.
    pub role: Role,
    /// The resource's WIT name, or empty.
    pub resource: &'static str,
    /// Its WIT name.
    pub name: &'static str,
    /// Its documentation.
    pub docs: &'static str,
    /// Where it stands in Rust, for error messages.
    pub origin: &'static str,
    /// Its parameters, without a method's `self`.
    pub params: &'static [Param],
    /// Its result; [`Type::Unit`] when it has none.
    pub result: &'static Type,
}

/// A resource type.
#[derive(Clone, Copy, Debug)]
pub struct ResourceItem {
    /// Where it belongs.
    pub interface: Interface,
    /// Its WIT name.
    pub name: &'static str,
    /// Its documentation.
    pub docs: &'static str,
    /// Where it stands in Rust, for error messages.
    pub origin: &'static str,
}

/// One record of the section.
#[derive(Clone, Copy, Debug)]
pub enum Item {
    /// A function.
    Function(Function),
    /// A resource type.
    Resource(ResourceItem),
    /// The documentation of an interface.
    Interface(Interface, &'static str),
}

const MAX_SHARED: usize = 64;
const HEADER: usize = 8;

struct Writer<const N: usize> {
    bytes: [u8; N],
    len: usize,
    shared: [(&'static str, &'static str); MAX_SHARED],
    shared_len: usize,
}

impl<const N: usize> Writer<N> {
    const fn byte(&mut self, byte: u8) {
        if self.len < N {
            self.bytes[self.len] = byte;
        }
        self.len += 1;
    }

    const fn raw(&mut self, bytes: &[u8]) {
        let end = self.len + bytes.len();
        if end <= N {
            let (_, rest) = self.bytes.split_at_mut(self.len);
            let (to, _) = rest.split_at_mut(bytes.len());
            to.copy_from_slice(bytes);
        }
        self.len = end;
    }

    const fn number(&mut self, number: usize) {
        assert!(
            number <= u32::MAX as usize,
            "an interface description is too large"
        );
        self.raw(&(number as u32).to_le_bytes());
    }

    const fn str(&mut self, text: &str) {
        self.number(text.len());
        self.raw(text.as_bytes());
    }

    const fn interface(&mut self, interface: &Interface) {
        self.byte(interface.direction as u8);
        self.str(interface.name);
        self.str(interface.package);
    }

    const fn resource(&mut self, tag: u8, resource: &Resource) {
        self.byte(tag);
        self.byte(resource.exported as u8);
        self.str(resource.interface);
        self.str(resource.name);
    }

    const fn types(&mut self, types: &[&'static Type]) {
        self.number(types.len());
        let mut i = 0;
        while i < types.len() {
            self.ty(types[i]);
            i += 1;
        }
    }

    const fn ty(&mut self, ty: &Type) {
        match ty {
            Type::Bool => self.byte(0),
            Type::U8 => self.byte(1),
            Type::S8 => self.byte(2),
            Type::U16 => self.byte(3),
            Type::S16 => self.byte(4),
            Type::U32 => self.byte(5),
            Type::S32 => self.byte(6),
            Type::U64 => self.byte(7),
            Type::S64 => self.byte(8),
            Type::F32 => self.byte(9),
            Type::F64 => self.byte(10),
            Type::Char => self.byte(11),
            Type::String => self.byte(12),
            Type::Unit => self.byte(13),
            Type::List(of) => {
                self.byte(14);
                self.ty(of);
            }
            Type::Option(of) => {
                self.byte(15);
                self.ty(of);
            }
            Type::Result(ok, err) => {
                self.byte(16);
                self.ty(ok);
                self.ty(err);
            }
            Type::Tuple(items) => {
                self.byte(17);
                self.types(items);
            }
            Type::Named(named) => self.named(named),
            Type::Own(resource) => self.resource(20, resource),
            Type::Borrow(resource) => self.resource(21, resource),
        }
    }

    const fn named(&mut self, named: &Named) {
        let is_shared = named.args.is_empty();
        let mut i = 0;
        while is_shared && i < self.shared_len {
            if same(self.shared[i].0, named.name) && same(self.shared[i].1, named.module) {
                self.byte(19);
                self.number(i);
                return;
            }
            i += 1;
        }
        self.byte(18);
        self.byte(named.kind as u8);
        self.str(named.name);
        self.str(named.module);
        self.str(named.docs);
        self.types(named.args);
        self.number(named.members.len());
        let mut i = 0;
        while i < named.members.len() {
            self.member(&named.members[i]);
            i += 1;
        }
        if is_shared && self.shared_len < MAX_SHARED {
            self.shared[self.shared_len] = (named.name, named.module);
            self.shared_len += 1;
        }
    }

    const fn member(&mut self, member: &Member) {
        self.str(member.name);
        self.str(member.docs);
        self.byte(member.ty.is_some() as u8);
        if let Some(ty) = member.ty {
            assert!(
                !matches!(ty, Type::Unit),
                "`()` has no WIT type of its own: leave the field or payload out"
            );
            self.ty(ty);
        }
    }

    const fn item(&mut self, item: &Item) {
        match item {
            Item::Function(f) => {
                self.byte(1);
                self.interface(&f.interface);
                self.byte(f.role as u8);
                self.str(f.resource);
                self.str(f.name);
                self.str(f.docs);
                self.str(f.origin);
                self.number(f.params.len());
                let mut i = 0;
                while i < f.params.len() {
                    self.str(f.params[i].name);
                    self.ty(f.params[i].ty);
                    i += 1;
                }
                self.ty(f.result);
            }
            Item::Resource(r) => {
                self.byte(2);
                self.interface(&r.interface);
                self.str(r.name);
                self.str(r.docs);
                self.str(r.origin);
            }
            Item::Interface(interface, docs) => {
                self.byte(3);
                self.interface(interface);
                self.str(docs);
            }
        }
    }
}

const fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    let mut i = 0;
    while i < a.len() {
        if a[i] != b[i] {
            return false;
        }
        i += 1;
    }
    true
}

const fn write<const N: usize>(item: &Item, len: usize) -> Writer<N> {
    let mut writer = Writer {
        bytes: [0; N],
        len: 0,
        shared: [("", ""); MAX_SHARED],
        shared_len: 0,
    };
    writer.raw(b"WRS1");
    writer.number(len);
    writer.item(item);
    writer
}

/// The length of an item's record.
#[must_use]
pub const fn encoded_len(item: &Item) -> usize {
    write::<0>(item, 0).len
}

/// An item's record, `N` being [`encoded_len`].
///
/// # Panics
///
/// When `N` is not the record's length.
#[must_use]
pub const fn encode<const N: usize>(item: &Item) -> [u8; N] {
    let writer = write::<N>(item, N - HEADER);
    assert!(writer.len == N, "the length of a record");
    writer.bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::types::Kind;

    static NAMED: Named = Named {
        kind: Kind::Flags,
        name: "f",
        module: "m",
        docs: "",
        args: &[],
        members: &[Member {
            name: "a",
            docs: "",
            ty: None,
        }],
    };
    static ITEM: Item = Item::Function(Function {
        interface: Interface {
            direction: Direction::Export,
            name: "",
            package: "a:b",
        },
        role: Role::Free,
        resource: "",
        name: "x",
        docs: "",
        origin: "",
        params: &[Param {
            name: "p",
            ty: &Type::Named(&NAMED),
        }],
        result: &Type::Named(&NAMED),
    });

    #[test]
    fn the_second_use_of_a_named_type_is_a_reference() {
        const LEN: usize = encoded_len(&ITEM);
        let bytes = encode::<LEN>(&ITEM);
        assert_eq!(&bytes[..4], b"WRS1");
        assert_eq!(
            u32::from_le_bytes(bytes[4..8].try_into().unwrap()) as usize,
            LEN - 8
        );
        assert_eq!(bytes[LEN - 5..], [19, 0, 0, 0, 0]);
    }
}
