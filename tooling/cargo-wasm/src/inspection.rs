//! What a module or component consists of: imports, exports, WIT, and where its bytes are.
//!
//! One pass over the bytes. Sizes by section count payloads, of all core modules of a component together; functions get
//! their names from the name section, and a crate is charged with what its functions take in the code section.
//!
//! # Cost
//!
//! Linear in the size of the file; memory is one entry per function.

use crate::component;
use crate::error::{Error, Result};
use crate::report::human_size;
use anstyle::Style;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use wasmparser::{ComponentExternalKind, Encoding, KnownCustom, Name, Parser, Payload, TypeRef};

/// The whole report.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Inspection {
    pub(crate) file: String,
    pub(crate) component: bool,
    pub(crate) size: u64,
    pub(crate) imports: Vec<Extern>,
    pub(crate) exports: Vec<Extern>,
    pub(crate) wit: Option<String>,
    pub(crate) sections: Vec<Sized>,
    pub(crate) crates: Vec<Sized>,
    pub(crate) functions: Vec<Sized>,
}

/// An import or export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Extern {
    pub(crate) name: String,
    pub(crate) kind: &'static str,
}

/// A name with its share of the bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Sized {
    pub(crate) name: String,
    pub(crate) bytes: u64,
}

/// One core module while it is read.
#[derive(Default)]
struct Module {
    imported: u32,
    bodies: Vec<u64>,
    names: BTreeMap<u32, String>,
}

/// Reads `bytes`; validity is checked first, so the rest can rely on the structure.
pub(crate) fn inspect(bytes: &[u8], file: &Path) -> Result<Inspection> {
    component::validate(bytes, file)?;
    let malformed = |e: wasmparser::BinaryReaderError| {
        Error::user(format!("`{}` cannot be read", file.display())).cause(e)
    };
    let mut sections: BTreeMap<&'static str, u64> = BTreeMap::new();
    let (mut imports, mut exports) = (Vec::new(), Vec::new());
    let (mut stack, mut modules): (Vec<Module>, Vec<Module>) = (Vec::new(), Vec::new());
    let mut encodings = Vec::new();
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload.map_err(malformed)?;
        if let Some((name, range)) = section(&payload) {
            *sections.entry(name).or_default() += range.end - range.start;
        }
        // Only what stands at the outermost level is the file's own interface.
        let outermost = encodings.len() == 1;
        match payload {
            Payload::Version { encoding, .. } => {
                encodings.push(encoding);
                if encoding == Encoding::Module {
                    stack.push(Module::default());
                }
            }
            Payload::ImportSection(reader) => {
                for import in reader.into_imports() {
                    let import = import.map_err(malformed)?;
                    let function = matches!(import.ty, TypeRef::Func(_) | TypeRef::FuncExact(_));
                    if let Some(module) = stack.last_mut().filter(|_| function) {
                        module.imported += 1;
                    }
                    if outermost {
                        imports.push(Extern {
                            name: format!("{}.{}", import.module, import.name),
                            kind: kind_of(&import.ty),
                        });
                    }
                }
            }
            Payload::ExportSection(reader) if outermost => {
                for export in reader {
                    let export = export.map_err(malformed)?;
                    exports.push(Extern {
                        name: export.name.to_owned(),
                        kind: external_kind(export.kind),
                    });
                }
            }
            Payload::ComponentImportSection(reader) if outermost => {
                for import in reader {
                    let import = import.map_err(malformed)?;
                    imports.push(Extern {
                        name: import.name.name.to_owned(),
                        kind: component_kind(import.ty.kind()),
                    });
                }
            }
            Payload::ComponentExportSection(reader) if outermost => {
                for export in reader {
                    let export = export.map_err(malformed)?;
                    exports.push(Extern {
                        name: export.name.name.to_owned(),
                        kind: component_kind(export.kind),
                    });
                }
            }
            Payload::CodeSectionEntry(body) => {
                let range = body.range();
                if let Some(module) = stack.last_mut() {
                    module.bodies.push(range.end - range.start);
                }
            }
            Payload::CustomSection(reader) => {
                if let (KnownCustom::Name(names), Some(module)) =
                    (reader.as_known(), stack.last_mut())
                {
                    // The name section is outside validation: what cannot be read is left out.
                    for name in names.flatten() {
                        if let Name::Function(map) = name {
                            module.names.extend(
                                map.into_iter()
                                    .flatten()
                                    .map(|n| (n.index, n.name.to_owned())),
                            );
                        }
                    }
                }
            }
            Payload::End(_) => {
                let module = encodings.pop().filter(|e| *e == Encoding::Module);
                modules.extend(module.and_then(|_| stack.pop()));
            }
            _ => {}
        }
    }
    let is_component = Parser::is_component(bytes);
    let functions = functions(modules);
    let mut crates: BTreeMap<&str, u64> = BTreeMap::new();
    for function in &functions {
        *crates.entry(crate_of(&function.name)).or_default() += function.bytes;
    }
    Ok(Inspection {
        file: file.display().to_string(),
        component: is_component,
        size: bytes.len() as u64,
        imports,
        exports,
        wit: if is_component {
            Some(component::wit_of(bytes, file, false)?)
        } else {
            None
        },
        sections: by_size(
            sections
                .into_iter()
                .map(|(name, bytes)| (name.to_owned(), bytes)),
        ),
        crates: by_size(
            crates
                .into_iter()
                .map(|(name, bytes)| (name.to_owned(), bytes)),
        ),
        functions,
    })
}

fn functions(modules: Vec<Module>) -> Vec<Sized> {
    let named = modules.into_iter().flat_map(|module| {
        let Module {
            imported,
            bodies,
            mut names,
        } = module;
        (imported..).zip(bodies).map(move |(index, bytes)| {
            let name = names
                .remove(&index)
                .unwrap_or_else(|| format!("function {index}"));
            (format!("{:#}", rustc_demangle::demangle(&name)), bytes)
        })
    });
    by_size(named)
}

/// Largest first; equals by name, so that the order is always the same.
fn by_size(items: impl Iterator<Item = (String, u64)>) -> Vec<Sized> {
    let mut items: Vec<Sized> = items.map(|(name, bytes)| Sized { name, bytes }).collect();
    items.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.name.cmp(&b.name)));
    items
}

/// The crate that a demangled function belongs to: that of its path, or for `<Type as Trait>::f` that of the type, or of the
/// trait where the type is built in.
pub(crate) fn crate_of(function: &str) -> &str {
    const OTHER: &str = "(not Rust)";
    if !function.contains("::") {
        return OTHER;
    }
    let Some(inner) = function.strip_prefix('<') else {
        return first_segment(function).unwrap_or(OTHER);
    };
    // `as` at this depth separates the type from the trait.
    let mut depth = 0usize;
    let mut of_trait = None;
    for (at, c) in inner.char_indices() {
        match c {
            '<' | '(' | '[' => depth += 1,
            '>' if inner[..at].ends_with('-') => {}
            '>' | ')' | ']' if depth == 0 => break,
            '>' | ')' | ']' => depth -= 1,
            ' ' if depth == 0 && inner[at..].starts_with(" as ") => {
                of_trait = Some(&inner[at + 4..]);
                break;
            }
            _ => {}
        }
    }
    let of_type = inner.trim_start_matches(|c: char| !(c.is_alphanumeric() || c == '_'));
    let of_type = ["dyn ", "mut ", "const ", "impl "]
        .iter()
        .fold(of_type, |t, word| t.strip_prefix(word).unwrap_or(t));
    first_segment(of_type)
        .or_else(|| of_trait.and_then(first_segment))
        .unwrap_or("core")
}

/// The identifier before the first `::`, when the text begins so.
fn first_segment(path: &str) -> Option<&str> {
    let end = path
        .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-'))
        .unwrap_or(path.len());
    (end > 0 && path[end..].starts_with("::")).then(|| &path[..end])
}

fn section(payload: &Payload<'_>) -> Option<(&'static str, std::ops::Range<u64>)> {
    Some(match payload {
        Payload::TypeSection(r) => ("type", r.range()),
        Payload::ImportSection(r) => ("import", r.range()),
        Payload::FunctionSection(r) => ("function", r.range()),
        Payload::TableSection(r) => ("table", r.range()),
        Payload::MemorySection(r) => ("memory", r.range()),
        Payload::GlobalSection(r) => ("global", r.range()),
        Payload::ExportSection(r) => ("export", r.range()),
        Payload::ElementSection(r) => ("element", r.range()),
        Payload::DataSection(r) => ("data", r.range()),
        Payload::TagSection(r) => ("tag", r.range()),
        Payload::CodeSectionStart {
            unchecked_range, ..
        } => ("code", unchecked_range.clone()),
        Payload::CustomSection(r) => {
            let group = match r.name() {
                "name" => "custom: name",
                "producers" | "target_features" => "custom: producers",
                name if name.starts_with(".debug_") => "custom: debug information",
                _ => "custom: other",
            };
            (group, r.range())
        }
        Payload::ComponentTypeSection(r) => ("component types and glue", r.range()),
        Payload::ComponentInstanceSection(r) => ("component types and glue", r.range()),
        Payload::ComponentAliasSection(r) => ("component types and glue", r.range()),
        Payload::ComponentCanonicalSection(r) => ("component types and glue", r.range()),
        Payload::ComponentImportSection(r) => ("component types and glue", r.range()),
        Payload::ComponentExportSection(r) => ("component types and glue", r.range()),
        Payload::InstanceSection(r) => ("component types and glue", r.range()),
        _ => return None,
    })
}

fn kind_of(ty: &TypeRef) -> &'static str {
    match ty {
        TypeRef::Func(_) | TypeRef::FuncExact(_) => "function",
        TypeRef::Table(_) => "table",
        TypeRef::Memory(_) => "memory",
        TypeRef::Global(_) => "global",
        TypeRef::Tag(_) => "tag",
    }
}

fn external_kind(kind: wasmparser::ExternalKind) -> &'static str {
    use wasmparser::ExternalKind as K;
    match kind {
        K::Func | K::FuncExact => "function",
        K::Table => "table",
        K::Memory => "memory",
        K::Global => "global",
        K::Tag => "tag",
    }
}

fn component_kind(kind: ComponentExternalKind) -> &'static str {
    match kind {
        ComponentExternalKind::Module => "module",
        ComponentExternalKind::Func => "function",
        ComponentExternalKind::Value => "value",
        ComponentExternalKind::Type => "type",
        ComponentExternalKind::Instance => "interface",
        ComponentExternalKind::Component => "component",
    }
}

impl Inspection {
    /// The report as text, with the `top` largest crates and functions.
    pub(crate) fn text(&self, top: usize) -> String {
        let head = Style::new().bold();
        let what = if self.component {
            "component"
        } else {
            "core module"
        };
        let mut text = format!(
            "{head}{}{head:#}: {what}, {}\n",
            self.file,
            human_size(self.size)
        );
        for (title, externs) in [("imports", &self.imports), ("exports", &self.exports)] {
            let _ = writeln!(text, "\n{head}{title}{head:#}");
            if externs.is_empty() {
                let _ = writeln!(text, "  none");
            }
            for item in externs {
                let _ = writeln!(text, "  {:<10} {}", item.kind, item.name);
            }
        }
        if let Some(wit) = &self.wit {
            let _ = writeln!(
                text,
                "\n{head}wit{head:#}\n  {}",
                wit.trim_end().replace('\n', "\n  ")
            );
        }
        let code: u64 = self.functions.iter().map(|f| f.bytes).sum();
        for (title, items, whole, limit) in [
            ("sections", &self.sections, self.size, usize::MAX),
            ("crates, by code", &self.crates, code, top),
            ("functions", &self.functions, code, top),
        ] {
            let _ = writeln!(text, "\n{head}{title}{head:#}");
            for item in items.iter().take(limit) {
                let share = 100.0 * item.bytes as f64 / whole.max(1) as f64;
                let _ = writeln!(
                    text,
                    "  {:>11} {share:>5.1} %  {}",
                    human_size(item.bytes),
                    item.name.replace('\n', " ")
                );
            }
            if items.len() > limit {
                let rest: u64 = items[limit..].iter().map(|i| i.bytes).sum();
                let _ = writeln!(
                    text,
                    "  {:>11}          in {} more",
                    human_size(rest),
                    items.len() - limit
                );
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_belong_to_crates() {
        for (function, expected) in [
            ("core::fmt::Formatter::pad", "core"),
            ("<std::io::Stdout as std::io::Write>::write", "std"),
            (
                "<&mut alloc::vec::Vec<u8> as std::io::Write>::write",
                "alloc",
            ),
            ("<u32 as core::fmt::Display>::fmt", "core"),
            ("<[A] as my_crate::Trait<B>>::f", "my_crate"),
            ("<(u8, other::T) as third::Trait>::f", "third"),
            ("<dyn regex::Matcher as core::any::Any>::type_id", "regex"),
            ("<fn(u8) -> other::X as mine::Call>::call", "mine"),
            ("malloc", "(not Rust)"),
            ("function 7", "(not Rust)"),
            ("<", "(not Rust)"),
            ("<::", "core"),
        ] {
            assert_eq!(crate_of(function), expected, "{function}");
        }
    }

    #[test]
    fn a_modules_parts_are_counted() {
        let wat = r#"(module
            (import "env" "log" (func $log (param i32)))
            (memory (export "memory") 1)
            (func $_ZN5mine45large17h0123456789abcdefE (export "large") (call $log (i32.const 1)) (call $log (i32.const 2)))
            (func $_ZN4mine5large17h0123456789abcdefE (call $log (i32.const 3)))
            (data (i32.const 0) "hello"))"#;
        let bytes = wat::parse_str(wat).unwrap();
        let seen = inspect(&bytes, Path::new("m.wasm")).unwrap();
        assert!(!seen.component && seen.wit.is_none());
        assert_eq!(
            seen.imports,
            [Extern {
                name: "env.log".into(),
                kind: "function"
            }]
        );
        assert_eq!(
            seen.exports
                .iter()
                .map(|e| e.name.as_str())
                .collect::<Vec<_>>(),
            ["memory", "large"]
        );
        assert_eq!(seen.functions.len(), 2);
        assert!(
            seen.crates.iter().any(|c| c.name == "mine"),
            "{:?}",
            seen.crates
        );
        assert!(
            seen.sections
                .iter()
                .any(|s| s.name == "data" && s.bytes > 5)
        );
        assert!(seen.text(1).contains("in 1 more"));
    }

    #[test]
    fn a_components_own_interface_is_shown_not_its_modules() {
        let wat = r#"(component
            (import "host" (func $host))
            (core module $m (import "a" "b" (func)) (func (export "inner")))
            (core func $lowered (canon lower (func $host)))
            (core instance $a (export "b" (func $lowered)))
            (core instance $i (instantiate $m (with "a" (instance $a))))
            (func (export "outer") (canon lift (core func $i "inner"))))"#;
        let bytes = wat::parse_str(wat).unwrap();
        let seen = inspect(&bytes, Path::new("c.wasm")).unwrap();
        assert!(seen.component);
        assert_eq!(
            seen.imports,
            [Extern {
                name: "host".into(),
                kind: "function"
            }]
        );
        assert_eq!(
            seen.exports,
            [Extern {
                name: "outer".into(),
                kind: "function"
            }]
        );
        assert!(seen.wit.unwrap().contains("export outer: func();"));
        assert_eq!(seen.functions.len(), 1);
    }
}
