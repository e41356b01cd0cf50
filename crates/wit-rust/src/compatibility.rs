//! Whether a new version of a component can take the place of an old one.
//!
//! Two worlds are compared item by item. Types are compared by structure, as the canonical ABI does, with names of fields, cases and
//! flags; resources by name. Interfaces are matched without their versions.
//!
//! | change | why | compatible |
//! |---|---|---|
//! | an export was added | nobody used it | yes |
//! | an export was removed or changed | someone may use it | no |
//! | an import was added | the host does not supply it | no |
//! | an import was removed | nobody is asked for it | yes |
//! | an import was changed | the host supplies the old one | no |
//! | an import has types only, or a type was added | nothing has to be supplied | yes |
//! | the version of an interface moved within its semver range | engines accept it | yes |
//!
//! Cost: linear in both worlds; each pair of types is compared once.

use crate::error::Error;
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use wit_parser::{
    Function, Handle, Interface, InterfaceId, PackageName, Resolve, Type, TypeDefKind, TypeId,
    World, WorldId, WorldItem, WorldKey,
};

/// Which side of a world an item is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// The component needs it.
    Import,
    /// The component offers it.
    Export,
}

/// What happened to an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// Only the new world has it.
    Added,
    /// Only the old world has it.
    Removed,
    /// Both have it, and they differ so.
    Changed(String),
}

/// A difference between two worlds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Where it is.
    pub side: Side,
    /// The item, as in `acme:shop/orders#cancel`.
    pub path: String,
    /// What happened to it.
    pub what: What,
    /// Whether it keeps the new component from taking the old one's place.
    pub is_breaking: bool,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.is_breaking {
            "breaking"
        } else {
            "compatible"
        };
        let side = match self.side {
            Side::Import => "import",
            Side::Export => "export",
        };
        match &self.what {
            What::Added => write!(f, "{mark}: {side} `{}` was added", self.path),
            What::Removed => write!(f, "{mark}: {side} `{}` was removed", self.path),
            What::Changed(how) => write!(f, "{mark}: {side} `{}` was changed: {how}", self.path),
        }
    }
}

/// The differences between two worlds, in the order of their paths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// All differences.
    pub changes: Vec<Change>,
}

impl Report {
    /// Whether the new component can take the old one's place.
    #[must_use]
    pub fn is_compatible(&self) -> bool {
        !self.changes.iter().any(|change| change.is_breaking)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for change in &self.changes {
            writeln!(f, "{change}")?;
        }
        write!(
            f,
            "{}",
            if self.is_compatible() {
                "compatible"
            } else {
                "not compatible"
            }
        )
    }
}

/// Compares two WIT texts, each with one world, or with a world of the given name.
///
/// # Errors
///
/// When a text is not valid WIT or has no such world.
///
/// # Example
///
/// ```
/// let old = "package a:b@1.0.0; world w { export f: func(x: u32) -> u32; }";
/// let new = "package a:b@1.1.0; world w { export f: func(x: u64) -> u32; export g: func(); }";
/// let report = wit_rust::compare(old, new, None)?;
/// assert!(!report.is_compatible());
/// assert_eq!(
///     report.to_string(),
///     "breaking: export `f` was changed: parameter `x` was `u32` and is `u64`\n\
///      compatible: export `g` was added\n\
///      not compatible"
/// );
/// # Ok::<(), wit_rust::Error>(())
/// ```
pub fn compare(old: &str, new: &str, world: Option<&str>) -> Result<Report, Error> {
    let (old, old_world) = parse(old, world)?;
    let (new, new_world) = parse(new, world)?;
    Ok(compare_worlds((&old, old_world), (&new, new_world)))
}

fn parse(text: &str, world: Option<&str>) -> Result<(Resolve, WorldId), Error> {
    let mut resolve = Resolve::new();
    match resolve.push_source("world.wit", text) {
        Ok(package) => {
            let world = resolve
                .select_world(&[package], world)
                .map_err(|error| Error::World(format!("{error:#}")))?;
            Ok((resolve, world))
        }
        Err(error) => Err(Error::Wit {
            message: resolve.render_error(&error),
            text: None,
        }),
    }
}

/// Compares two worlds of parsed WIT.
#[must_use]
pub fn compare_worlds(old: (&Resolve, WorldId), new: (&Resolve, WorldId)) -> Report {
    let mut comparison = Comparison {
        old: old.0,
        new: new.0,
        compared: HashMap::new(),
        report: Report::default(),
    };
    let (old, new) = (&old.0.worlds[old.1], &new.0.worlds[new.1]);
    comparison.side(Side::Import, old, new);
    comparison.side(Side::Export, old, new);
    let order = |change: &Change| (change.side, change.path.clone());
    comparison.report.changes.sort_by_key(order);
    comparison.report
}

struct Comparison<'a> {
    old: &'a Resolve,
    new: &'a Resolve,
    /// Pairs of types that were compared, with the first difference.
    compared: HashMap<(TypeId, TypeId), Option<String>>,
    report: Report,
}

/// The name of a world's item without its version.
fn key_name(resolve: &Resolve, key: &WorldKey) -> String {
    match key {
        WorldKey::Name(name) => name.clone(),
        WorldKey::Interface(id) => interface_name(resolve, *id),
    }
}

fn interface_name(resolve: &Resolve, id: InterfaceId) -> String {
    let interface = &resolve.interfaces[id];
    let name = interface.name.as_deref().unwrap_or("interface");
    match package_name(resolve, interface) {
        Some(package) => format!("{}:{}/{name}", package.namespace, package.name),
        None => name.to_owned(),
    }
}

fn package_name<'r>(resolve: &'r Resolve, interface: &Interface) -> Option<&'r PackageName> {
    interface
        .package
        .map(|package| &resolve.packages[package].name)
}

fn items(world: &World, side: Side) -> impl Iterator<Item = (&WorldKey, &WorldItem)> {
    match side {
        Side::Import => world.imports.iter(),
        Side::Export => world.exports.iter(),
    }
}

impl Comparison<'_> {
    fn note(&mut self, side: Side, path: String, what: What, is_breaking: bool) {
        self.report.changes.push(Change {
            side,
            path,
            what,
            is_breaking,
        });
    }

    fn side(&mut self, side: Side, old: &World, new: &World) {
        let (old_resolve, new_resolve) = (self.old, self.new);
        let find = |resolve: &Resolve, world: &'_ World, name: &str| {
            items(world, side).position(|(key, _)| key_name(resolve, key) == name)
        };
        for (key, item) in items(old, side) {
            let name = key_name(old_resolve, key);
            match find(new_resolve, new, &name).and_then(|index| items(new, side).nth(index)) {
                Some((_, other)) => self.item(side, &name, item, other),
                None => {
                    let is_breaking = side == Side::Export;
                    self.note(side, name, What::Removed, is_breaking);
                }
            }
        }
        for (key, item) in items(new, side) {
            let name = key_name(new_resolve, key);
            if find(old_resolve, old, &name).is_none() {
                let is_breaking = side == Side::Import && self.has_functions(item);
                self.note(side, name, What::Added, is_breaking);
            }
        }
    }

    /// Whether a new import asks the host for anything.
    fn has_functions(&self, item: &WorldItem) -> bool {
        match item {
            WorldItem::Function(_) => true,
            WorldItem::Type { .. } => false,
            WorldItem::Interface { id, .. } => {
                let interface = &self.new.interfaces[*id];
                let is_resource =
                    |id: &TypeId| matches!(self.new.types[*id].kind, TypeDefKind::Resource);
                !interface.functions.is_empty() || interface.types.values().any(is_resource)
            }
        }
    }

    fn item(&mut self, side: Side, name: &str, old: &WorldItem, new: &WorldItem) {
        match (old, new) {
            (WorldItem::Function(old), WorldItem::Function(new)) => {
                self.function(side, name, old, new)
            }
            (WorldItem::Type { id: old, .. }, WorldItem::Type { id: new, .. }) => {
                self.ty(side, name, *old, *new)
            }
            (WorldItem::Interface { id: old, .. }, WorldItem::Interface { id: new, .. }) => {
                self.interface(side, name, *old, *new);
            }
            _ => self.note(
                side,
                name.to_owned(),
                What::Changed("it is another kind of item".to_owned()),
                true,
            ),
        }
    }

    fn interface(&mut self, side: Side, name: &str, old: InterfaceId, new: InterfaceId) {
        let (old_resolve, new_resolve) = (self.old, self.new);
        let (old, new) = (&old_resolve.interfaces[old], &new_resolve.interfaces[new]);
        let version = |resolve, interface| {
            package_name(resolve, interface).and_then(|name| name.version.clone())
        };
        let versions = (version(old_resolve, old), version(new_resolve, new));
        if let (Some(before), Some(after)) = &versions
            && PackageName::version_compat_track(before).0
                != PackageName::version_compat_track(after).0
        {
            let how = format!("its version was {before} and is {after}");
            self.note(side, name.to_owned(), What::Changed(how), true);
        }
        for (function, old) in &old.functions {
            let path = format!("{name}#{function}");
            match new.functions.get(function) {
                Some(new) => self.function(side, &path, old, new),
                None => self.note(side, path, What::Removed, side == Side::Export),
            }
        }
        for function in new
            .functions
            .keys()
            .filter(|function| !old.functions.contains_key(*function))
        {
            self.note(
                side,
                format!("{name}#{function}"),
                What::Added,
                side == Side::Import,
            );
        }
        for (ty, old) in &old.types {
            let path = format!("{name}#{ty}");
            match new.types.get(ty) {
                Some(new) => self.ty(side, &path, *old, *new),
                None => self.note(side, path, What::Removed, side == Side::Export),
            }
        }
        for (ty, id) in new
            .types
            .iter()
            .filter(|(ty, _)| !old.types.contains_key(*ty))
        {
            let is_resource = matches!(new_resolve.types[*id].kind, TypeDefKind::Resource);
            self.note(
                side,
                format!("{name}#{ty}"),
                What::Added,
                side == Side::Import && is_resource,
            );
        }
    }

    fn function(&mut self, side: Side, path: &str, old: &Function, new: &Function) {
        if let Some(how) = self.signatures(old, new) {
            self.note(side, path.to_owned(), What::Changed(how), true);
        }
    }

    fn signatures(&mut self, old: &Function, new: &Function) -> Option<String> {
        if std::mem::discriminant(&old.kind) != std::mem::discriminant(&new.kind) {
            return Some("it is another kind of function".to_owned());
        }
        if old.params.len() != new.params.len() {
            return Some(format!(
                "it had {} parameters and has {}",
                old.params.len(),
                new.params.len()
            ));
        }
        for (old, new) in old.params.iter().zip(&new.params) {
            if old.name != new.name {
                return Some(format!("parameter `{}` is named `{}`", old.name, new.name));
            }
            if let Some(how) = self.types(&old.ty, &new.ty) {
                return Some(format!("parameter `{}` {how}", old.name));
            }
        }
        match (&old.result, &new.result) {
            (None, None) => None,
            (Some(old), Some(new)) => self.types(old, new).map(|how| format!("its result {how}")),
            (None, Some(_)) => Some("it had no result and has one".to_owned()),
            (Some(_), None) => Some("it had a result and has none".to_owned()),
        }
    }

    fn ty(&mut self, side: Side, path: &str, old: TypeId, new: TypeId) {
        if let Some(how) = self.types(&Type::Id(old), &Type::Id(new)) {
            self.note(
                side,
                path.to_owned(),
                What::Changed(format!("it {how}")),
                true,
            );
        }
    }

    /// How two types differ, as what one says of their owner: "was `u32` and is `u64`".
    fn types(&mut self, old: &Type, new: &Type) -> Option<String> {
        match (old, new) {
            (Type::Id(old), Type::Id(new)) => {
                let pair = (*old, *new);
                if let Some(known) = self.compared.get(&pair) {
                    return known.clone();
                }
                let difference = self.definitions(*old, *new);
                self.compared.insert(pair, difference.clone());
                difference
            }
            (Type::Id(id), new) if self.alias(self.old, *id).is_some() => {
                let old = self.alias(self.old, *id)?;
                self.types(&old, new)
            }
            (old, Type::Id(id)) if self.alias(self.new, *id).is_some() => {
                let new = self.alias(self.new, *id)?;
                self.types(old, &new)
            }
            (old, new) if old == new => None,
            (old, new) => Some(was_is(&spell(self.old, old), &spell(self.new, new))),
        }
    }

    fn alias(&self, resolve: &Resolve, id: TypeId) -> Option<Type> {
        match resolve.types[id].kind {
            TypeDefKind::Type(ty) => Some(ty),
            _ => None,
        }
    }

    fn optional(&mut self, old: Option<&Type>, new: Option<&Type>) -> Option<String> {
        match (old, new) {
            (None, None) => None,
            (Some(old), Some(new)) => self.types(old, new),
            (None, Some(_)) => Some("had no payload and has one".to_owned()),
            (Some(_), None) => Some("had a payload and has none".to_owned()),
        }
    }

    fn definitions(&mut self, old_id: TypeId, new_id: TypeId) -> Option<String> {
        let (old_resolve, new_resolve) = (self.old, self.new);
        let (old, new) = (&old_resolve.types[old_id], &new_resolve.types[new_id]);
        match (&old.kind, &new.kind) {
            (TypeDefKind::Type(old), _) => self.types(old, &Type::Id(new_id)),
            (_, TypeDefKind::Type(new)) => self.types(&Type::Id(old_id), new),
            (TypeDefKind::Record(old), TypeDefKind::Record(new)) => {
                let names = |fields: &[wit_parser::Field]| {
                    fields
                        .iter()
                        .map(|field| field.name.clone())
                        .collect::<Vec<_>>()
                };
                member_difference("field", &names(&old.fields), &names(&new.fields)).or_else(|| {
                    old.fields.iter().zip(&new.fields).find_map(|(old, new)| {
                        self.types(&old.ty, &new.ty)
                            .map(|how| format!("has a field `{}` that {how}", old.name))
                    })
                })
            }
            (TypeDefKind::Variant(old), TypeDefKind::Variant(new)) => {
                let names = |cases: &[wit_parser::Case]| {
                    cases
                        .iter()
                        .map(|case| case.name.clone())
                        .collect::<Vec<_>>()
                };
                member_difference("case", &names(&old.cases), &names(&new.cases)).or_else(|| {
                    old.cases.iter().zip(&new.cases).find_map(|(old, new)| {
                        let how = self.optional(old.ty.as_ref(), new.ty.as_ref())?;
                        Some(format!("has a case `{}` that {how}", old.name))
                    })
                })
            }
            (TypeDefKind::Enum(old), TypeDefKind::Enum(new)) => {
                let names = |cases: &[wit_parser::EnumCase]| {
                    cases
                        .iter()
                        .map(|case| case.name.clone())
                        .collect::<Vec<_>>()
                };
                member_difference("case", &names(&old.cases), &names(&new.cases))
            }
            (TypeDefKind::Flags(old), TypeDefKind::Flags(new)) => {
                let names = |flags: &[wit_parser::Flag]| {
                    flags
                        .iter()
                        .map(|flag| flag.name.clone())
                        .collect::<Vec<_>>()
                };
                member_difference("flag", &names(&old.flags), &names(&new.flags))
            }
            (TypeDefKind::Tuple(old), TypeDefKind::Tuple(new))
                if old.types.len() == new.types.len() =>
            {
                old.types.iter().zip(&new.types).find_map(|(old, new)| {
                    self.types(old, new)
                        .map(|how| format!("has a part that {how}"))
                })
            }
            (TypeDefKind::Option(old), TypeDefKind::Option(new)) => self
                .types(old, new)
                .map(|how| format!("has a value that {how}")),
            (TypeDefKind::List(old), TypeDefKind::List(new)) => self
                .types(old, new)
                .map(|how| format!("has elements of a type that {how}")),
            (TypeDefKind::FixedLengthList(old, a), TypeDefKind::FixedLengthList(new, b))
                if a == b =>
            {
                self.types(old, new)
            }
            (TypeDefKind::Map(a, b), TypeDefKind::Map(c, d)) => {
                self.types(a, c).or_else(|| self.types(b, d))
            }
            (TypeDefKind::Future(old), TypeDefKind::Future(new))
            | (TypeDefKind::Stream(old), TypeDefKind::Stream(new)) => {
                self.optional(old.as_ref(), new.as_ref())
            }
            (TypeDefKind::Result(old), TypeDefKind::Result(new)) => {
                let ok = self
                    .optional(old.ok.as_ref(), new.ok.as_ref())
                    .map(|how| format!("has an `ok` that {how}"));
                ok.or_else(|| {
                    self.optional(old.err.as_ref(), new.err.as_ref())
                        .map(|how| format!("has an `err` that {how}"))
                })
            }
            (TypeDefKind::Handle(Handle::Own(a)), TypeDefKind::Handle(Handle::Own(b)))
            | (TypeDefKind::Handle(Handle::Borrow(a)), TypeDefKind::Handle(Handle::Borrow(b))) => {
                self.types(&Type::Id(*a), &Type::Id(*b))
            }
            (TypeDefKind::Resource, TypeDefKind::Resource) if old.name == new.name => None,
            _ => Some(was_is(
                &spell(old_resolve, &Type::Id(old_id)),
                &spell(new_resolve, &Type::Id(new_id)),
            )),
        }
    }
}

fn was_is(old: &str, new: &str) -> String {
    if old == new {
        format!("is another `{new}`")
    } else {
        format!("was `{old}` and is `{new}`")
    }
}

fn member_difference(kind: &str, old: &[String], new: &[String]) -> Option<String> {
    let (before, after): (BTreeSet<_>, BTreeSet<_>) = (old.iter().collect(), new.iter().collect());
    if let Some(gone) = old.iter().find(|name| !after.contains(name)) {
        return Some(format!("lost its {kind} `{gone}`"));
    }
    if let Some(added) = new.iter().find(|name| !before.contains(name)) {
        return Some(format!("has a new {kind} `{added}`"));
    }
    (old != new).then(|| format!("has its {kind}s in another order"))
}

/// A type by its name, or by its kind when it has none.
fn spell(resolve: &Resolve, ty: &Type) -> String {
    match ty {
        Type::Bool => "bool".to_owned(),
        Type::U8 => "u8".to_owned(),
        Type::U16 => "u16".to_owned(),
        Type::U32 => "u32".to_owned(),
        Type::U64 => "u64".to_owned(),
        Type::S8 => "s8".to_owned(),
        Type::S16 => "s16".to_owned(),
        Type::S32 => "s32".to_owned(),
        Type::S64 => "s64".to_owned(),
        Type::F32 => "f32".to_owned(),
        Type::F64 => "f64".to_owned(),
        Type::Char => "char".to_owned(),
        Type::String => "string".to_owned(),
        Type::ErrorContext => "error-context".to_owned(),
        Type::Id(id) => {
            let definition = &resolve.types[*id];
            definition
                .name
                .clone()
                .unwrap_or_else(|| definition.kind.as_str().to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(old: &str, new: &str) -> String {
        let wrap = |text: &str| format!("package a:b@1.0.0;\n{text}");
        compare(&wrap(old), &wrap(new), None).unwrap().to_string()
    }

    #[test]
    fn a_world_is_compatible_with_itself() {
        let text = "interface i { resource r { constructor(); m: func(x: borrow<r>) -> list<option<r>>; } record p { x: u8 } \
                    f: func(a: p, b: result<p, string>) -> tuple<u8, p>; } world w { import i; export i; }";
        assert_eq!(report(text, text), "compatible");
    }

    #[test]
    fn exports_may_grow_and_imports_may_shrink() {
        assert_eq!(
            report(
                "world w { import f: func(); export g: func(); }",
                "world w { export g: func(); export h: func(); }"
            ),
            "compatible: import `f` was removed\ncompatible: export `h` was added\ncompatible"
        );
        assert_eq!(
            report(
                "world w { export g: func(); export h: func(); }",
                "world w { import f: func(); export g: func(); }"
            ),
            "breaking: import `f` was added\nbreaking: export `h` was removed\nnot compatible"
        );
    }

    #[test]
    fn the_innermost_difference_of_types_is_named() {
        let world = |field: &str| {
            format!(
                "interface i {{ record p {{ {field} }} f: func(x: list<p>); }} world w {{ export i; }}"
            )
        };
        assert_eq!(
            report(&world("x: u8"), &world("x: u8, y: u8")),
            "breaking: export `a:b/i#f` was changed: parameter `x` has elements of a type that has a new field `y`\n\
             breaking: export `a:b/i#p` was changed: it has a new field `y`\nnot compatible"
        );
        assert_eq!(
            report(&world("x: u8"), &world("x: option<u8>")),
            "breaking: export `a:b/i#f` was changed: parameter `x` has elements of a type that has a field `x` that was `u8` and is `option`\n\
             breaking: export `a:b/i#p` was changed: it has a field `x` that was `u8` and is `option`\nnot compatible"
        );
    }

    #[test]
    fn an_alias_is_the_type_it_names() {
        assert_eq!(
            report(
                "world w { export f: func(x: list<u8>); }",
                "interface i { type bytes = list<u8>; } world w { use i.{bytes}; export f: func(x: bytes); }"
            ),
            "compatible: import `a:b/i` was added\ncompatible: import `bytes` was added\ncompatible"
        );
    }

    #[test]
    fn versions_move_within_their_range() {
        let old = "package a:b@1.0.0; interface i { f: func(); } world w { export i; }";
        let next = |version: &str| old.replace("1.0.0", version);
        assert!(compare(old, &next("1.9.0"), None).unwrap().is_compatible());
        let report = compare(old, &next("2.0.0"), None).unwrap();
        assert_eq!(
            report.changes[0].to_string(),
            "breaking: export `a:b/i` was changed: its version was 1.0.0 and is 2.0.0"
        );
    }

    #[test]
    fn bad_wit_and_missing_worlds_are_errors() {
        let fine = "package a:b; world w {}";
        assert!(matches!(
            compare("nonsense", fine, None),
            Err(Error::Wit { .. })
        ));
        assert!(matches!(
            compare(fine, fine, Some("other")),
            Err(Error::World(_))
        ));
        assert!(matches!(
            compare("package a:b;", fine, None),
            Err(Error::World(_))
        ));
    }
}
