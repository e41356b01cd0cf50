//! Types and signatures as WIT text, for lists of exports and for errors.
//!
//! Component types are structural: a record knows its fields but not its name. The names come from the types an interface exports
//! beside its functions; a type without a name is written out.

use wasmtime::component::{ResourceType, Type, types::ComponentFunc};

/// Names of the types an interface exports.
#[derive(Default)]
pub(super) struct Names {
    pub(super) types: Vec<(Type, String)>,
    pub(super) resources: Vec<(ResourceType, String)>,
}

/// How deep a type is written out; deeper parts become `…`. Types of hostile components may be exponentially large when expanded.
const MAX_DEPTH: usize = 8;
/// The longest text of a type.
const MAX_LENGTH: usize = 2000;

impl Names {
    /// `(name: type, …) -> type`
    pub(super) fn signature(&self, func: &ComponentFunc, method: bool) -> String {
        let parameters: Vec<String> = func
            .params()
            .skip(usize::from(method))
            .map(|(name, ty)| format!("{name}: {}", self.text(&ty)))
            .collect();
        let mut out = format!("({})", parameters.join(", "));
        for result in func.results() {
            out.push_str(" -> ");
            out.push_str(&self.text(&result));
        }
        out
    }

    /// A type, by its name when it has one.
    pub(super) fn text(&self, ty: &Type) -> String {
        let mut out = String::new();
        self.write(ty, 0, &mut out);
        out
    }

    /// A type written out, its parts by their names.
    pub(super) fn definition(&self, ty: &Type) -> String {
        let mut out = String::new();
        self.write_out(ty, 0, &mut out);
        out
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
