//! Items into one world, written as WIT.
//!
//! # Where a named type goes
//!
//! A Rust type is one type, wherever it is used; in WIT it needs one home. The first rule that applies decides:
//!
//! 1. used by an imported interface of another package: that interface, for its package defines the type;
//! 2. used in one place only: there;
//! 3. defined in the Rust module of an exported interface and not used by imports or by the world itself: that interface;
//! 4. else the package's interface `types`.
//!
//! Everything else gets it by `use`. Cost: linear in items and types.

use crate::error::Error;
use crate::model::{
    Direction, Function, Item, Kind, Named, Place, Resource, ResourceName, Role, Ty,
};
use crate::section::Id;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::rc::Rc;

/// A place that holds definitions: an interface by its id, or the world by an empty one.
type Scope = String;

/// What tells named types apart.
type Key = (String, String);

/// Uses of a named type.
struct Use {
    named: Rc<Named>,
    places: Vec<Place>,
}

/// WIT text and the name of its world.
pub(crate) struct WorldText {
    pub(crate) text: String,
    pub(crate) world: String,
}

struct Builder<'a> {
    package: Id<'a>,
    package_id: String,
    world: String,
    /// Scopes with a direction, in the order of their first items.
    places: Vec<Place>,
    functions: Vec<&'a Function>,
    resources: Vec<&'a Resource>,
    docs: BTreeMap<Scope, &'a str>,
    uses: BTreeMap<Key, Use>,
    /// Named types in the order of their first use.
    order: Vec<Key>,
    homes: BTreeMap<Key, Scope>,
    types_interface: String,
}

/// The package whose world a module has: that of its first export, for linkers put the crate that is built before its
/// dependencies; without exports, that of its first import.
pub(crate) fn package_of(section: &[Item]) -> String {
    let places = || section.iter().map(Item::place);
    let first = places()
        .find(|place| place.direction == Direction::Export)
        .or_else(|| places().next());
    first.map_or_else(String::new, |place| place.package.clone())
}

/// The world of `items` in the order in which the WIT is to have them, as part of `package`.
pub(crate) fn build(items: &[Item], package: &str) -> Result<WorldText, Error> {
    let Some(package) = Id::parse(package) else {
        return Err(Error::World(format!("`{package}` is no package")));
    };
    let mut builder = Builder {
        package,
        package_id: package.package_id(),
        world: String::new(),
        places: Vec::new(),
        functions: Vec::new(),
        resources: Vec::new(),
        docs: BTreeMap::new(),
        uses: BTreeMap::new(),
        order: Vec::new(),
        homes: BTreeMap::new(),
        types_interface: String::new(),
    };
    builder.collect(items)?;
    builder.name_world();
    builder.assign_homes();
    builder.check_names()?;
    let text = builder.write()?;
    Ok(WorldText {
        text,
        world: builder.world,
    })
}

impl Item {
    fn place(&self) -> &Place {
        match self {
            Self::Function(function) => &function.place,
            Self::Resource(resource) => &resource.place,
            Self::Docs(place, _) => place,
        }
    }
}

fn key(named: &Named) -> Key {
    (named.module.clone(), named.name.clone())
}

/// Calls `visit` with every part of a type, inner parts first.
fn walk<'t>(ty: &'t Ty, visit: &mut dyn FnMut(&'t Ty)) {
    match ty {
        Ty::List(of) | Ty::Option(of) => walk(of, visit),
        Ty::Result(ok, err) => {
            walk(ok, visit);
            walk(err, visit);
        }
        Ty::Tuple(items) => items.iter().for_each(|item| walk(item, visit)),
        Ty::Primitive(_) | Ty::Unit | Ty::Named(_) | Ty::Own(_) | Ty::Borrow(_) => {}
    }
    visit(ty);
}

fn function_types(function: &Function) -> impl Iterator<Item = &Ty> {
    function
        .params
        .iter()
        .map(|(_, ty)| ty)
        .chain([&function.result])
}

impl<'a> Builder<'a> {
    fn collect(&mut self, items: &'a [Item]) -> Result<(), Error> {
        for item in items {
            let place = item.place();
            if !self.places.contains(place) {
                self.places.push(place.clone());
            }
            match item {
                Item::Function(function) => {
                    self.functions.push(function);
                    for ty in function_types(function) {
                        self.note_uses(ty, place)?;
                    }
                    self.check_resources(function)?;
                }
                Item::Resource(resource) => self.resources.push(resource),
                Item::Docs(place, docs) => {
                    self.docs.insert(place.interface.clone(), docs);
                }
            }
        }
        Ok(())
    }

    fn note_uses(&mut self, ty: &Ty, place: &Place) -> Result<(), Error> {
        let mut found = Vec::new();
        walk(ty, &mut |part| {
            if let Ty::Named(named) = part {
                found.push(Rc::clone(named));
            }
        });
        for named in found {
            let key = key(&named);
            match self.uses.get_mut(&key) {
                Some(known) if *known.named != *named => {
                    return Err(Error::TwoDefinitions {
                        name: named.name.clone(),
                        module: named.module.clone(),
                    });
                }
                Some(known) if known.places.contains(place) => continue,
                Some(known) => known.places.push(place.clone()),
                None => {
                    self.order.push(key.clone());
                    self.uses.insert(
                        key,
                        Use {
                            named: Rc::clone(&named),
                            places: vec![place.clone()],
                        },
                    );
                }
            }
            for member in &named.members {
                if let Some(ty) = &member.ty {
                    self.note_uses(ty, place)?;
                }
            }
        }
        Ok(())
    }

    /// The world cannot name a resource that it exports: only its interface can.
    fn check_resources(&self, function: &Function) -> Result<(), Error> {
        if !function.place.interface.is_empty() {
            return Ok(());
        }
        let mut wrong = None;
        for ty in function_types(function) {
            walk(ty, &mut |part| {
                if let Ty::Own(resource) | Ty::Borrow(resource) = part
                    && resource.exported
                {
                    wrong = Some(resource.name.clone());
                }
            });
        }
        wrong.map_or(Ok(()), |resource| {
            Err(Error::ResourceOutsideInterface {
                function: function.name.clone(),
                origin: function.origin.clone(),
                resource,
            })
        })
    }

    /// Worlds and interfaces share a name space.
    fn name_world(&mut self) {
        let own: BTreeSet<&str> = self
            .places
            .iter()
            .filter_map(|place| self.own_interface(&place.interface))
            .collect();
        let name = self
            .package
            .package
            .split_once(':')
            .map_or("app", |(_, name)| name);
        let unused = |wanted: &str, suffix: &str| {
            let mut name = wanted.to_owned();
            while own.contains(name.as_str()) {
                name.push_str(suffix);
            }
            name
        };
        let world = unused(name, "-world");
        let types = unused("types", "-shared");
        self.types_interface = if types == world {
            format!("{types}-shared")
        } else {
            types
        };
        self.world = world;
    }

    /// The name of an interface of the component's own package.
    fn own_interface<'t>(&self, interface: &'t str) -> Option<&'t str> {
        let id = Id::parse(interface)?;
        if id.package_id() == self.package_id {
            id.interface
        } else {
            None
        }
    }

    fn types_scope(&self) -> Scope {
        let version = self
            .package
            .version
            .map_or_else(String::new, |version| format!("@{version}"));
        format!("{}/{}{version}", self.package.package, self.types_interface)
    }

    fn assign_homes(&mut self) {
        for key in &self.order {
            let used = &self.uses[key];
            let is_foreign = |place: &&Place| {
                !place.interface.is_empty() && self.own_interface(&place.interface).is_none()
            };
            let foreign = used.places.iter().find(is_foreign);
            let last_module = used
                .named
                .module
                .rsplit("::")
                .next()
                .unwrap_or_default()
                .replace('_', "-");
            let module = used
                .places
                .iter()
                .find(|place| self.own_interface(&place.interface) == Some(&last_module));
            let only_exports = used
                .places
                .iter()
                .all(|place| place.direction == Direction::Export && !place.interface.is_empty());
            let home = match (foreign, used.places.as_slice(), module) {
                (Some(place), _, _) => place.interface.clone(),
                (None, [only], _) => only.interface.clone(),
                (None, _, Some(place)) if only_exports => place.interface.clone(),
                _ => self.types_scope(),
            };
            self.homes.insert(key.clone(), home);
        }
    }

    /// The scopes that hold definitions of their own package or of others, in order.
    fn scopes(&self) -> Vec<Scope> {
        let mut scopes: Vec<Scope> = Vec::new();
        let all = self
            .places
            .iter()
            .map(|place| &place.interface)
            .chain(self.order.iter().map(|key| &self.homes[key]));
        for scope in all {
            if !scope.is_empty() && !scopes.contains(scope) {
                scopes.push(scope.clone());
            }
        }
        scopes
    }

    fn check_names(&self) -> Result<(), Error> {
        let mut names: BTreeMap<(Scope, Option<Direction>, String), String> = BTreeMap::new();
        let mut claim =
            |scope: &str, direction: Option<Direction>, name: String, origin: String| {
                let shown = if scope.is_empty() {
                    "the world".to_owned()
                } else {
                    format!("`{scope}`")
                };
                match names.insert((scope.to_owned(), direction, name.clone()), origin.clone()) {
                    Some(earlier) if earlier != origin => Err(Error::NameClash {
                        name,
                        scope: shown,
                        origins: [earlier, origin],
                    }),
                    _ => Ok(()),
                }
            };
        for key in &self.order {
            let (module, name) = key;
            // In the world, types share the name space of imports.
            claim(
                &self.homes[key],
                Some(Direction::Import),
                name.clone(),
                format!("the type in {module}"),
            )?;
        }
        for resource in &self.resources {
            let Resource {
                place,
                name,
                origin,
                ..
            } = resource;
            claim(
                &place.interface,
                Some(Direction::Import),
                name.clone(),
                origin.clone(),
            )?;
        }
        for function in &self.functions {
            let Function {
                place,
                role,
                resource,
                name,
                origin,
                ..
            } = function;
            let direction = if place.interface.is_empty() {
                place.direction
            } else {
                Direction::Import
            };
            let name = match role {
                Role::Free => name.clone(),
                Role::Constructor => format!("{resource}.constructor"),
                Role::Method | Role::Static => format!("{resource}.{name}"),
            };
            claim(&place.interface, Some(direction), name, origin.clone())?;
        }
        Ok(())
    }

    fn write(&self) -> Result<String, Error> {
        let mut out = String::new();
        let _ = writeln!(out, "package {};\n", escape_package(&self.package_id));
        let mut foreign: BTreeMap<String, Vec<Scope>> = BTreeMap::new();
        for scope in self.scopes() {
            match self.own_interface(&scope) {
                Some(name) => self.write_interface(&mut out, name, &scope)?,
                None => {
                    let Some(id) = Id::parse(&scope) else {
                        continue;
                    };
                    foreign.entry(id.package_id()).or_default().push(scope);
                }
            }
        }
        self.write_world(&mut out);
        for (package, scopes) in foreign {
            let _ = writeln!(out, "package {} {{", escape_package(&package));
            for scope in scopes {
                if let Some(name) = Id::parse(&scope).and_then(|id| id.interface) {
                    self.write_interface(&mut out, name, &scope)?;
                }
            }
            out.push_str("}\n");
        }
        Ok(out)
    }

    fn write_interface(&self, out: &mut String, name: &str, scope: &str) -> Result<(), Error> {
        write_docs(out, self.docs.get(scope).copied().unwrap_or_default());
        let _ = writeln!(out, "interface %{name} {{");
        self.write_uses(out, scope);
        self.write_types(out, scope);
        let mut seen = BTreeSet::new();
        for resource in self
            .resources
            .iter()
            .filter(|resource| resource.place.interface == scope)
        {
            if seen.insert(&resource.name) {
                self.write_resource(out, resource);
            }
        }
        if let Some(orphan) = self.functions.iter().find(|function| {
            function.place.interface == scope
                && function.role != Role::Free
                && !seen.contains(&function.resource)
        }) {
            return Err(Error::Wit {
                message: format!(
                    "`{}` is a function of `{}`, which is no resource ({})",
                    orphan.name, orphan.resource, orphan.origin
                ),
                text: None,
            });
        }
        let mut seen = BTreeSet::new();
        for function in self
            .functions
            .iter()
            .filter(|function| function.place.interface == scope && function.role == Role::Free)
        {
            if seen.insert(&function.name) {
                write_docs(out, &function.docs);
                let _ = writeln!(out, "%{}: func{};", function.name, signature(function));
            }
        }
        out.push_str("}\n\n");
        Ok(())
    }

    fn write_resource(&self, out: &mut String, resource: &Resource) {
        write_docs(out, &resource.docs);
        let _ = writeln!(out, "resource %{} {{", resource.name);
        let mut seen = BTreeSet::new();
        for function in self.functions.iter().filter(|function| {
            function.place.interface == resource.place.interface
                && function.resource == resource.name
        }) {
            if !seen.insert((function.role == Role::Constructor, &function.name)) {
                continue;
            }
            let (name, signature) = (&function.name, signature(function));
            match function.role {
                Role::Free => continue,
                Role::Constructor => {
                    write_docs(out, &function.docs);
                    let parameters = signature.split(" ->").next().unwrap_or_default();
                    let _ = writeln!(out, "constructor{parameters};");
                }
                Role::Method => {
                    write_docs(out, &function.docs);
                    let _ = writeln!(out, "%{name}: func{signature};");
                }
                Role::Static => {
                    write_docs(out, &function.docs);
                    let _ = writeln!(out, "%{name}: static func{signature};");
                }
            }
        }
        out.push_str("}\n");
    }

    fn write_world(&self, out: &mut String) {
        let _ = writeln!(out, "world %{} {{", self.world);
        self.write_uses(out, "");
        self.write_types(out, "");
        for place in &self.places {
            let word = match place.direction {
                Direction::Import => "import",
                Direction::Export => "export",
            };
            if !place.interface.is_empty() {
                let _ = writeln!(out, "{word} {};", self.reference(&place.interface));
                continue;
            }
            for function in self
                .functions
                .iter()
                .filter(|function| function.place == *place)
            {
                write_docs(out, &function.docs);
                let _ = writeln!(
                    out,
                    "{word} %{}: func{};",
                    function.name,
                    signature(function)
                );
            }
        }
        out.push_str("}\n\n");
    }

    /// How an interface is named inside the package.
    fn reference(&self, scope: &str) -> String {
        match (self.own_interface(scope), Id::parse(scope)) {
            (Some(name), _) => format!("%{name}"),
            (
                None,
                Some(Id {
                    package,
                    interface: Some(interface),
                    version,
                }),
            ) => {
                let version = version.map_or_else(String::new, |version| format!("@{version}"));
                format!("{}/%{interface}{version}", escape_package(package))
            }
            _ => scope.to_owned(),
        }
    }

    /// The `use` lines of a scope: everything its functions and types mention that lives elsewhere.
    fn write_uses(&self, out: &mut String, scope: &str) {
        let mut uses: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        let homes = &self.homes;
        let note = |ty: &Ty| {
            let mut found: Vec<(Scope, String)> = Vec::new();
            walk(ty, &mut |part| match part {
                Ty::Named(named) => {
                    if let Some(home) = homes.get(&key(named)) {
                        found.push((home.clone(), named.name.clone()));
                    }
                }
                Ty::Own(ResourceName {
                    interface, name, ..
                })
                | Ty::Borrow(ResourceName {
                    interface, name, ..
                }) => {
                    found.push((interface.clone(), name.clone()));
                }
                _ => {}
            });
            found
        };
        let mut found: Vec<(Scope, String)> = Vec::new();
        for function in self
            .functions
            .iter()
            .filter(|function| function.place.interface == scope)
        {
            function_types(function).for_each(|ty| found.extend(note(ty)));
        }
        for key in self.order.iter().filter(|key| self.homes[*key] == scope) {
            self.uses[key]
                .named
                .members
                .iter()
                .filter_map(|member| member.ty.as_ref())
                .for_each(|ty| found.extend(note(ty)));
        }
        for (home, name) in &found {
            if home != scope && !home.is_empty() {
                uses.entry(home).or_default().insert(name);
            }
        }
        for (home, names) in uses {
            let names: Vec<String> = names.into_iter().map(|name| format!("%{name}")).collect();
            let _ = writeln!(
                out,
                "use {}.{{{}}};",
                self.reference(home),
                names.join(", ")
            );
        }
    }

    fn write_types(&self, out: &mut String, scope: &str) {
        for key in self.order.iter().filter(|key| self.homes[*key] == scope) {
            write_type(out, &self.uses[key].named);
        }
    }
}

fn write_type(out: &mut String, named: &Named) {
    write_docs(out, &named.docs);
    let word = match named.kind {
        Kind::Record => "record",
        Kind::Variant => "variant",
        Kind::Enum => "enum",
        Kind::Flags => "flags",
    };
    let _ = writeln!(out, "{word} %{} {{", named.name);
    for member in &named.members {
        write_docs(out, &member.docs);
        let _ = match (&member.ty, named.kind) {
            (None, _) => writeln!(out, "%{},", member.name),
            (Some(ty), Kind::Record) => writeln!(out, "%{}: {},", member.name, spell(ty)),
            (Some(ty), _) => writeln!(out, "%{}({}),", member.name, spell(ty)),
        };
    }
    out.push_str("}\n");
}

fn write_docs(out: &mut String, docs: &str) {
    for line in docs.lines() {
        let _ = writeln!(out, "/// {}", line.trim_end());
    }
}

fn signature(function: &Function) -> String {
    let parameters: Vec<String> = function
        .params
        .iter()
        .map(|(name, ty)| format!("%{name}: {}", spell(ty)))
        .collect();
    let result = match &function.result {
        Ty::Unit => String::new(),
        ty => format!(" -> {}", spell(ty)),
    };
    format!("({}){result}", parameters.join(", "))
}

/// A type in WIT's syntax.
fn spell(ty: &Ty) -> String {
    match ty {
        Ty::Primitive(name) => (*name).to_owned(),
        Ty::Unit => "_".to_owned(),
        Ty::List(of) => format!("list<{}>", spell(of)),
        Ty::Option(of) => format!("option<{}>", spell(of)),
        Ty::Result(ok, err) => match (&**ok, &**err) {
            (Ty::Unit, Ty::Unit) => "result".to_owned(),
            (ok, Ty::Unit) => format!("result<{}>", spell(ok)),
            (ok, err) => format!("result<{}, {}>", spell(ok), spell(err)),
        },
        Ty::Tuple(items) => format!(
            "tuple<{}>",
            items.iter().map(spell).collect::<Vec<_>>().join(", ")
        ),
        Ty::Named(named) => format!("%{}", named.name),
        Ty::Own(resource) => format!("%{}", resource.name),
        Ty::Borrow(resource) => format!("borrow<%{}>", resource.name),
    }
}

/// A package's id with both words escaped, for either may be a keyword.
fn escape_package(id: &str) -> String {
    match id.split_once(':') {
        Some((namespace, name)) => format!("%{namespace}:%{name}"),
        None => id.to_owned(),
    }
}
