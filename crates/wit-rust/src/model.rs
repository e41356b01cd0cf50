//! Items as the `wasm` crate's macros describe them, read back into memory.

use std::rc::Rc;

/// Which way a call goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Direction {
    Import,
    Export,
}

/// What a function is to its resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Free,
    Constructor,
    Method,
    Static,
}

/// Where an item belongs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    pub(crate) direction: Direction,
    /// The interface's full id; empty for the world.
    pub(crate) interface: String,
    /// The id of the package whose world it is.
    pub(crate) package: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Record,
    Variant,
    Enum,
    Flags,
}

/// A type.
///
/// Named types are equal when their identities are: their members are compared on their own, once, so that types which share parts
/// take no exponential time.
#[derive(Clone, Debug)]
pub(crate) enum Ty {
    /// A primitive, by its WIT name.
    Primitive(&'static str),
    Unit,
    List(Box<Ty>),
    Option(Box<Ty>),
    Result(Box<Ty>, Box<Ty>),
    Tuple(Vec<Ty>),
    Named(Rc<Named>),
    Own(ResourceName),
    Borrow(ResourceName),
}

/// A resource, named from outside its interface.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ResourceName {
    pub(crate) interface: String,
    pub(crate) name: String,
    pub(crate) exported: bool,
}

/// A record, variant, enum or flags type.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Named {
    /// How deeply its parts are nested, through other named types as well.
    pub(crate) depth: usize,
    pub(crate) kind: Kind,
    /// The WIT name, made unique for generic types by their arguments.
    pub(crate) name: String,
    /// The Rust module.
    pub(crate) module: String,
    pub(crate) docs: String,
    pub(crate) members: Vec<Member>,
}

/// A field, case or flag.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) docs: String,
    pub(crate) ty: Option<Ty>,
}

#[derive(Clone, Debug)]
pub(crate) struct Function {
    pub(crate) place: Place,
    pub(crate) role: Role,
    pub(crate) resource: String,
    pub(crate) name: String,
    pub(crate) docs: String,
    pub(crate) origin: String,
    pub(crate) params: Vec<(String, Ty)>,
    pub(crate) result: Ty,
}

#[derive(Clone, Debug)]
pub(crate) struct Resource {
    pub(crate) place: Place,
    pub(crate) name: String,
    pub(crate) docs: String,
    pub(crate) origin: String,
}

/// One record of the section.
#[derive(Clone, Debug)]
pub(crate) enum Item {
    Function(Function),
    Resource(Resource),
    /// The documentation of an interface.
    Docs(Place, String),
}

impl PartialEq for Ty {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Primitive(a), Self::Primitive(b)) => a == b,
            (Self::Unit, Self::Unit) => true,
            (Self::List(a), Self::List(b)) | (Self::Option(a), Self::Option(b)) => a == b,
            (Self::Result(a, b), Self::Result(c, d)) => a == c && b == d,
            (Self::Tuple(a), Self::Tuple(b)) => a == b,
            (Self::Named(a), Self::Named(b)) => a.name == b.name && a.module == b.module,
            (Self::Own(a), Self::Own(b)) | (Self::Borrow(a), Self::Borrow(b)) => a == b,
            _ => false,
        }
    }
}

impl Ty {
    /// How deeply the type is nested.
    pub(crate) fn depth(&self) -> usize {
        match self {
            Self::Primitive(_) | Self::Unit | Self::Own(_) | Self::Borrow(_) => 1,
            Self::List(of) | Self::Option(of) => 1 + of.depth(),
            Self::Result(ok, err) => 1 + ok.depth().max(err.depth()),
            Self::Tuple(items) => 1 + items.iter().map(Self::depth).max().unwrap_or_default(),
            Self::Named(named) => named.depth,
        }
    }

    /// A name for the type, as part of the name of a generic type applied to it.
    pub(crate) fn label(&self) -> String {
        match self {
            Self::Primitive(name) => (*name).to_owned(),
            Self::Unit => "unit".to_owned(),
            Self::List(of) => format!("list-{}", of.label()),
            Self::Option(of) => format!("option-{}", of.label()),
            Self::Result(ok, err) => format!("result-{}-{}", ok.label(), err.label()),
            Self::Tuple(items) => items.iter().fold("tuple".to_owned(), |name, item| {
                format!("{name}-{}", item.label())
            }),
            Self::Named(named) => named.name.clone(),
            Self::Own(resource) | Self::Borrow(resource) => resource.name.clone(),
        }
    }
}
