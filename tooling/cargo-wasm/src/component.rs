//! Core module in, component out.
//!
//! What becomes of a module depends on what it says itself:
//!
//! | module | result |
//! |---|---|
//! | exports `_start` and imports WASI preview 1 | a `wasi:cli/command`, by the command adapter |
//! | carries a WIT world | a component of that world; the reactor adapter stands in for WASI preview 1 if it is imported |
//! | neither | stays a core module |
//! | is a component already | is kept |
//!
//! Everything that leaves here has been validated.

use crate::cli::AdapterChoice;
use crate::error::{Error, Result};
use std::path::Path;
use wasi_preview1_component_adapter_provider as adapters;
use wasmparser::{Parser, Payload, Validator, WasmFeatures};
use wit_component::{ComponentEncoder, WitPrinter};

/// What a module became.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Made {
    /// A component, with the WIT text that its author meant.
    Component {
        /// The component's bytes.
        bytes: Vec<u8>,
        /// The world as WIT, without what adapters add.
        wit: Option<String>,
    },
    /// A core module that exports no world.
    Core,
}

/// What can be learnt from a module's imports and exports.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Shape {
    /// It is a component, not a module.
    pub(crate) component: bool,
    /// It exports `_start`.
    pub(crate) command: bool,
    /// It imports WASI preview 1.
    pub(crate) preview1: bool,
    /// Other modules that it imports from.
    pub(crate) others: Vec<String>,
}

/// Reads imports and exports; `file` is for the error message.
pub(crate) fn shape(bytes: &[u8], file: &Path) -> Result<Shape> {
    let mut shape = Shape::default();
    let malformed = |e: wasmparser::BinaryReaderError| not_wasm(file, bytes, &e);
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(malformed)? {
            Payload::Version {
                encoding: wasmparser::Encoding::Component,
                ..
            } => {
                shape.component = true;
                return Ok(shape);
            }
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    let module = import.map_err(malformed)?.module;
                    if module == adapters::WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME {
                        shape.preview1 = true;
                    } else if !shape.others.iter().any(|m| m == module) {
                        shape.others.push(module.to_owned());
                    }
                }
            }
            Payload::ExportSection(exports) => {
                for export in exports {
                    shape.command |= export.map_err(malformed)?.name == "_start";
                }
            }
            // Nothing of interest follows.
            Payload::CodeSectionStart { .. } => break,
            _ => {}
        }
    }
    Ok(shape)
}

/// Encodes the core module `bytes`, read from `file`.
pub(crate) fn encode(bytes: &[u8], file: &Path, adapter: Option<AdapterChoice>) -> Result<Made> {
    let shape = shape(bytes, file)?;
    validate(bytes, file)?;
    if shape.component {
        return Ok(Made::Component {
            bytes: bytes.to_owned(),
            wit: None,
        });
    }
    let (module, wit) = embedded(bytes, file)?;
    let (_, bindgen) =
        wit_component::metadata::decode(&module).map_err(|e| wrong_world(file, &e))?;
    let world = &bindgen.resolve.worlds[bindgen.world];
    let has_world = !world.imports.is_empty() || !world.exports.is_empty();
    if !(has_world || (shape.command && shape.preview1) || adapter.is_some()) {
        return Ok(Made::Core);
    }
    let adapter = match adapter {
        Some(AdapterChoice::Command) => adapters::WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER,
        Some(AdapterChoice::Reactor) => adapters::WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
        None if shape.command => adapters::WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER,
        None => adapters::WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
    };
    let mut encoder = ComponentEncoder::default();
    let encoded = (|| {
        encoder.module(&module)?;
        if shape.preview1 {
            encoder.adapter(adapters::WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, adapter)?;
        }
        encoder.encode()
    })();
    let bytes = encoded.map_err(|e| {
        let mismatches = abi_mismatches(&module, &bindgen.resolve, bindgen.world);
        if mismatches.is_empty() {
            return wrong_world(file, &e);
        }
        let message = format!("`{}` cannot be made a component", file.display());
        let shown = mismatches
            .iter()
            .fold(Error::user(message), |shown, mismatch| {
                shown.cause(mismatch)
            });
        shown.hint("the code and the WIT were not made from each other; build both from one source")
    })?;
    Validator::new_with_features(WasmFeatures::all())
        .validate_all(&bytes)
        .map_err(|e| {
            Error::ours(format!(
                "the component made of `{}` is not valid",
                file.display()
            ))
            .cause(e)
        })?;
    Ok(Made::Component { bytes, wit })
}

/// The module with its world in the form that the encoder reads, and that world as text.
fn embedded(bytes: &[u8], file: &Path) -> Result<(Vec<u8>, Option<String>)> {
    let embedded = wit_rust::embed_world(bytes).map_err(|e| {
        Error::user(format!(
            "the WIT world of `{}` cannot be made",
            file.display()
        ))
        .because(&e)
    })?;
    Ok((embedded.module, embedded.wit))
}

/// Core functions that do not fit the world, told more exactly than the encoder does.
fn abi_mismatches(
    module: &[u8],
    resolve: &wit_parser::Resolve,
    world: wit_parser::WorldId,
) -> Vec<wasmir_verify::AbiMismatch> {
    let lifted = wasmir_lift::lift(module);
    lifted.map_or_else(
        |_| Vec::new(),
        |module| wasmir_verify::check_abi(&module, resolve, world),
    )
}

/// The core modules of a file, with their places in a component; those that only connect others are left out.
pub(crate) fn cores<'a>(bytes: &'a [u8], file: &Path) -> Result<Vec<(Option<String>, &'a [u8])>> {
    if !shape(bytes, file)?.component {
        return Ok(vec![(None, bytes)]);
    }
    let mut found = Vec::new();
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload.map_err(|e| not_wasm(file, bytes, &e))?;
        if let Payload::ModuleSection {
            unchecked_range, ..
        } = payload
        {
            let core = bytes.get(unchecked_range.start as usize..unchecked_range.end as usize);
            found.extend(core);
        }
    }
    let named = found.into_iter().enumerate().filter_map(|(i, core)| {
        let name = module_name(core);
        let connects = name.is_some_and(|name| name.starts_with("wit-component:"));
        let shown = name.map_or_else(|| format!("module {i}"), |name| format!("module {name}"));
        (!connects).then_some((Some(shown), core))
    });
    Ok(named.collect())
}

/// The names of the interfaces and functions that a component imports.
pub(crate) fn imports(component: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    // What is nested has imports of its own, which the component provides.
    let mut depth = 0usize;
    let payloads = Parser::new(0).parse_all(component);
    for payload in payloads.map_while(std::result::Result::ok) {
        match payload {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 0 => {
                let imports = section.into_iter().map_while(std::result::Result::ok);
                names.extend(imports.map(|import| import.name.name.to_owned()));
            }
            _ => {}
        }
    }
    names
}

/// The name that a core module gives itself.
fn module_name(core: &[u8]) -> Option<&str> {
    let payloads = Parser::new(0).parse_all(core);
    for payload in payloads.map_while(std::result::Result::ok) {
        if let Payload::CustomSection(section) = payload
            && let wasmparser::KnownCustom::Name(names) = section.as_known()
        {
            for subsection in names.map_while(std::result::Result::ok) {
                if let wasmparser::Name::Module { name, .. } = subsection {
                    return Some(name);
                }
            }
        }
    }
    None
}

/// Checks that `bytes` are a valid module or component.
pub(crate) fn validate(bytes: &[u8], file: &Path) -> Result<()> {
    Validator::new_with_features(WasmFeatures::all())
        .validate_all(bytes)
        .map(drop)
        .map_err(|e| not_wasm(file, bytes, &e).into())
}

fn not_wasm(file: &Path, bytes: &[u8], error: &wasmparser::BinaryReaderError) -> Error {
    let name = file.display();
    if bytes.starts_with(b"\0asm") {
        Error::user(format!("`{name}` is not a valid WebAssembly file"))
            .cause(error)
            .hint("it may be cut short or damaged; build it again")
    } else {
        Error::user(format!("`{name}` is not a WebAssembly file"))
            .cause("it does not start with the bytes `\\0asm`")
            .hint("give a .wasm file in binary form")
    }
}

fn wrong_world(file: &Path, error: &anyhow::Error) -> Error {
    let mut shown = Error::user(format!("`{}` cannot be made a component", file.display()));
    for cause in error.chain() {
        shown = shown.cause(cause);
    }
    let text = format!("{error:#}");
    if text.contains("import") && text.contains("not") {
        shown = shown.hint("a component imports by WIT: declare what the host provides with `#[wasm::import]` or `wasm::wit!`");
    }
    shown
}

/// The world of a component as WIT text, followed by the packages it names; those of WASI, which everybody knows and which are
/// long, only with `wasi`.
pub(crate) fn wit_of(component: &[u8], file: &Path, wasi: bool) -> Result<String> {
    let printed = (|| {
        let decoded = wit_component::decode(component)?;
        let main = decoded.package();
        let resolve = decoded.resolve();
        let nested: Vec<_> = resolve
            .packages
            .iter()
            .filter(|(id, package)| *id != main && (wasi || package.name.namespace != "wasi"))
            .map(|(id, _)| id)
            .collect();
        let mut printer = WitPrinter::default();
        printer.print(resolve, main, &nested)?;
        anyhow::Ok(String::from(printer.output))
    })();
    printed.map_err(|e| {
        Error::user(format!("the WIT of `{}` cannot be read", file.display()))
            .cause(format!("{e:#}"))
            .into()
    })
}

/// A module or component as text.
pub(crate) fn wat_of(bytes: &[u8], file: &Path) -> Result<String> {
    wasmprinter::print_bytes(bytes).map_err(|e| {
        Error::user(format!("`{}` cannot be printed as text", file.display()))
            .cause(format!("{e:#}"))
            .into()
    })
}
