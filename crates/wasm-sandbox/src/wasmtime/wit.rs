//! Exported functions with their types as text.
//!
//! Component types are structural: a record knows its fields but not its name. The names come from the
//! types that an interface exports beside its functions; a type without a name is written out.
//!
//! # Cost
//!
//! Made when asked for. A text ends at [`MAX_LENGTH`] and its nesting at [`MAX_DEPTH`], since types of
//! hostile components may be exponentially large when expanded.

use wasmtime::component::types::{ComponentFunc, ComponentItem};
use wasmtime::component::{Component, ResourceType, Type};
use wasmtime::{ExternType, Module};

use crate::host::import_name;
use crate::value::{WitFunction, WitType};

/// The exported functions of a core module.
pub(super) fn core_exports(module: &Module) -> Vec<WitFunction> {
    module
        .exports()
        .filter_map(|export| match export.ty() {
            ExternType::Func(ty) => Some(WitFunction {
                name: export.name().into(),
                param_names: ty.params().map(|_| "".into()).collect(),
                params: ty
                    .params()
                    .map(|ty| WitType::plain(ty.to_string()))
                    .collect(),
                results: ty
                    .results()
                    .map(|ty| WitType::plain(ty.to_string()))
                    .collect(),
            }),
            _ => None,
        })
        .collect()
}

/// The exported functions of a component.
pub(super) fn component_exports(component: &Component) -> Vec<WitFunction> {
    let engine = component.engine();
    let ty = component.component_type();
    let root: Vec<_> = ty
        .exports(engine)
        .map(|(name, item)| (name, item.ty))
        .collect();
    let names = Names::of(&root);
    let mut functions = Vec::new();
    for (name, item) in &root {
        match item {
            ComponentItem::ComponentFunc(func) => {
                functions.push(names.function((*name).to_owned(), func));
            }
            ComponentItem::ComponentInstance(instance) => {
                let items: Vec<_> = instance
                    .exports(engine)
                    .map(|(name, item)| (name, item.ty))
                    .collect();
                let names = Names::of(&items);
                for (inner, item) in &items {
                    if let ComponentItem::ComponentFunc(func) = item {
                        functions.push(names.function(import_name(name, inner), func));
                    }
                }
            }
            _ => {}
        }
    }
    functions
}

/// Names of the types an interface exports.
#[derive(Default)]
struct Names {
    types: Vec<(Type, String)>,
    resources: Vec<(ResourceType, String)>,
}

/// How deep a type is written out; deeper parts become `…`. Types of hostile components may be exponentially large when expanded.
const MAX_DEPTH: usize = 8;
/// The longest text of a type.
const MAX_LENGTH: usize = 2000;

impl Names {
    fn of(items: &[(&str, ComponentItem)]) -> Self {
        let mut names = Self::default();
        for (name, item) in items {
            match item {
                ComponentItem::Type(ty) => names.types.push((ty.clone(), (*name).to_owned())),
                ComponentItem::Resource(ty) => names.resources.push((*ty, (*name).to_owned())),
                _ => {}
            }
        }
        names
    }

    fn function(&self, name: String, func: &ComponentFunc) -> WitFunction {
        WitFunction {
            name: name.into(),
            param_names: func.params().map(|(name, _)| name.into()).collect(),
            params: func.params().map(|(_, ty)| self.text(&ty)).collect(),
            results: func.results().map(|ty| self.text(&ty)).collect(),
        }
    }

    fn text(&self, ty: &Type) -> WitType {
        let (mut name, mut definition) = (String::new(), String::new());
        self.write(ty, 0, &mut name);
        self.write_out(ty, 0, &mut definition);
        WitType { name, definition }
    }

    fn name_of(&self, ty: &Type) -> Option<&str> {
        let named = matches!(
            ty,
            Type::Record(_) | Type::Variant(_) | Type::Enum(_) | Type::Flags(_)
        );
        let found = self.types.iter().find(|(other, _)| named && other == ty);
        found.map(|(_, name)| name.as_str())
    }

    fn resource(&self, ty: &ResourceType) -> &str {
        let found = self.resources.iter().find(|(other, _)| other == ty);
        found.map_or("resource", |(_, name)| name.as_str())
    }

    fn write(&self, ty: &Type, depth: usize, out: &mut String) {
        if depth > MAX_DEPTH || out.len() > MAX_LENGTH {
            out.push('…');
            return;
        }
        match self.name_of(ty) {
            Some(name) => out.push_str(name),
            None => self.write_out(ty, depth, out),
        }
    }

    fn write_out(&self, ty: &Type, depth: usize, out: &mut String) {
        let deeper = depth + 1;
        match ty {
            Type::Bool => out.push_str("bool"),
            Type::S8 => out.push_str("s8"),
            Type::U8 => out.push_str("u8"),
            Type::S16 => out.push_str("s16"),
            Type::U16 => out.push_str("u16"),
            Type::S32 => out.push_str("s32"),
            Type::U32 => out.push_str("u32"),
            Type::S64 => out.push_str("s64"),
            Type::U64 => out.push_str("u64"),
            Type::Float32 => out.push_str("f32"),
            Type::Float64 => out.push_str("f64"),
            Type::Char => out.push_str("char"),
            Type::String => out.push_str("string"),
            Type::List(list) => self.generic("list", [Some(list.ty())], deeper, out),
            Type::FixedLengthList(list) => {
                out.push_str("list<");
                self.write(&list.ty(), deeper, out);
                out.push_str(&format!(", {}>", list.len()));
            }
            Type::Map(map) => {
                self.generic("map", [Some(map.key()), Some(map.value())], deeper, out)
            }
            Type::Option(option) => self.generic("option", [Some(option.ty())], deeper, out),
            Type::Tuple(tuple) => self.generic("tuple", tuple.types().map(Some), deeper, out),
            Type::Future(future) => self.generic("future", [future.ty()], deeper, out),
            Type::Stream(stream) => self.generic("stream", [stream.ty()], deeper, out),
            Type::ErrorContext => out.push_str("error-context"),
            Type::Result(result) => match (result.ok(), result.err()) {
                (None, None) => out.push_str("result"),
                (Some(ok), None) => self.generic("result", [Some(ok)], deeper, out),
                (ok, err) => {
                    out.push_str("result<");
                    self.optional(ok, deeper, out);
                    out.push_str(", ");
                    self.optional(err, deeper, out);
                    out.push('>');
                }
            },
            Type::Record(record) => {
                let fields = record.fields().map(|field| (field.name, Some(field.ty)));
                self.braced("record", fields, deeper, out);
            }
            Type::Variant(variant) => {
                out.push_str("variant { ");
                for (index, case) in variant.cases().enumerate() {
                    out.push_str(if index > 0 { ", " } else { "" });
                    out.push_str(case.name);
                    if let Some(ty) = case.ty {
                        out.push('(');
                        self.write(&ty, deeper, out);
                        out.push(')');
                    }
                }
                out.push_str(" }");
            }
            Type::Enum(cases) => {
                self.braced("enum", cases.names().map(|name| (name, None)), deeper, out)
            }
            Type::Flags(flags) => {
                self.braced("flags", flags.names().map(|name| (name, None)), deeper, out)
            }
            Type::Own(resource) => out.push_str(self.resource(resource)),
            Type::Borrow(resource) => {
                out.push_str("borrow<");
                out.push_str(self.resource(resource));
                out.push('>');
            }
        }
    }

    fn generic(
        &self,
        name: &str,
        types: impl IntoIterator<Item = Option<Type>>,
        depth: usize,
        out: &mut String,
    ) {
        out.push_str(name);
        let mut open = false;
        for ty in types.into_iter().flatten() {
            out.push_str(if open { ", " } else { "<" });
            open = true;
            self.write(&ty, depth, out);
        }
        out.push_str(if open { ">" } else { "" });
    }

    fn optional(&self, ty: Option<Type>, depth: usize, out: &mut String) {
        match ty {
            Some(ty) => self.write(&ty, depth, out),
            None => out.push('_'),
        }
    }

    fn braced<'a>(
        &self,
        keyword: &str,
        parts: impl Iterator<Item = (&'a str, Option<Type>)>,
        depth: usize,
        out: &mut String,
    ) {
        out.push_str(keyword);
        out.push_str(" { ");
        for (index, (name, ty)) in parts.enumerate() {
            out.push_str(if index > 0 { ", " } else { "" });
            out.push_str(name);
            if let Some(ty) = ty {
                out.push_str(": ");
                self.write(&ty, depth, out);
            }
        }
        out.push_str(" }");
    }
}
