//! A core module with descriptions in, the same module ready for a component encoder out.

use crate::error::Error;
use crate::model::Item;
use crate::print::print_world;
use crate::{section, world};
use wasm_encoder::{CustomSection, ExportKind, ExportSection, Module, RawSection};
use wasmparser::{Encoding, ExternalKind, Parser, Payload};
use wit_component::{StringEncoding, metadata};
use wit_parser::{CloneMaps, Resolve, WorldId};

/// The `wasm` crate's macros put it before the core names of what the world itself exports, so that an export named `read` is no
/// linker symbol of that name.
const WORLD_PREFIX: &str = "wasmrust#";
/// The section that component encoders look for; theirs begin the same way.
const COMPONENT_TYPE: &str = "component-type";

/// A module whose WIT is embedded the way component encoders expect.
#[derive(Clone, Debug)]
pub struct Embedded {
    /// The core module.
    pub module: Vec<u8>,
    /// The WIT of its world; `None` if the module describes none, as that of a plain program.
    pub wit: Option<String>,
}

struct Scan<'a> {
    items: Vec<Item>,
    /// Everything else, in order, with exports renamed.
    module: Module,
    foreign: Vec<&'a [u8]>,
}

/// Reads what `#[wasm::export]`, `#[wasm::import]` and `wasm::wit!` left in a linked core module, merges it into one world, and
/// embeds that as a `component-type` section.
///
/// # Errors
///
/// When `core` is not a module, its descriptions are damaged or contradict each other, or they make no valid WIT.
///
/// # Example
///
/// ```
/// // A module without descriptions comes back as it was.
/// let empty = b"\0asm\x01\0\0\0";
/// let embedded = wit_rust::embed_world(empty)?;
/// assert_eq!(embedded.module, empty);
/// assert!(embedded.wit.is_none());
/// # Ok::<(), wit_rust::Error>(())
/// ```
pub fn embed_world(core: &[u8]) -> Result<Embedded, Error> {
    let Scan {
        items,
        mut module,
        foreign,
    } = scan(core)?;
    let mut merged = None;
    if !items.is_empty() {
        let (resolve, world) = resolve_items(items)?;
        let data = metadata::encode(&resolve, world, StringEncoding::UTF8, None, false)
            .map_err(|error| Error::Merge(format!("{error:#}")))?;
        module.section(&CustomSection {
            name: "component-type:wasmrust".into(),
            data: data.into(),
        });
        merged = Some((resolve, world));
    }
    for data in foreign {
        merged = Some(merge(merged, data)?);
    }
    let wit = merged
        .map(|(resolve, world)| print_world(&resolve, world))
        .transpose()?;
    Ok(Embedded {
        module: module.finish(),
        wit,
    })
}

/// The world that `items` describe.
fn resolve_items(items: Vec<Item>) -> Result<(Resolve, WorldId), Error> {
    let package = world::package_of(&items);
    let built = world::build(&in_source_order(items), &package)?;
    let mut resolve = Resolve::new();
    let invalid = |resolve: &Resolve, error: &anyhow::Error| Error::Wit {
        message: resolve.render_error(error),
        text: Some(built.text.clone()),
    };
    let package = match resolve.push_source("generated.wit", &built.text) {
        Ok(package) => package,
        Err(error) => return Err(invalid(&resolve, &error)),
    };
    match resolve.select_world(&[package], Some(&built.world)) {
        Ok(world) => Ok((resolve, world)),
        Err(error) => Err(invalid(&resolve, &error)),
    }
}

/// The linker's order depends on how the compiler split the crate up; the source's order does not.
fn in_source_order(mut items: Vec<Item>) -> Vec<Item> {
    items.sort_by_cached_key(|item| {
        let origin = match item {
            Item::Function(function) => &function.origin,
            Item::Resource(resource) => &resource.origin,
            Item::Docs(..) => return (1, String::new(), 0),
        };
        let (file, line) = origin
            .rsplit_once(" (")
            .map_or(("", ""), |(_, at)| at.rsplit_once(':').unwrap_or((at, "")));
        (
            0,
            file.to_owned(),
            line.trim_end_matches(')').parse::<u32>().unwrap_or(0),
        )
    });
    items
}

/// Adds the world of one `component-type` section.
fn merge(merged: Option<(Resolve, WorldId)>, data: &[u8]) -> Result<(Resolve, WorldId), Error> {
    let failed = |error: anyhow::Error| Error::Merge(format!("{error:#}"));
    let (decoded, decoded_world) = wit_parser::decoding::decode_world(data).map_err(failed)?;
    let Some((mut resolve, world)) = merged else {
        return Ok((decoded, decoded_world));
    };
    let remap = resolve.merge(decoded).map_err(failed)?;
    let from = remap
        .map_world(decoded_world, wit_parser::Span::default())
        .map_err(|error| Error::Merge(error.to_string()))?;
    resolve
        .merge_worlds(from, world, &mut CloneMaps::default())
        .map_err(failed)?;
    // The merged world says all that this one said.
    if let Some(package) = resolve.worlds[from].package
        && from != world
    {
        let name = resolve.worlds[from].name.clone();
        resolve.packages[package].worlds.shift_remove(&name);
    }
    Ok((resolve, world))
}

fn scan(core: &[u8]) -> Result<Scan<'_>, Error> {
    let damaged = |error: wasmparser::BinaryReaderError| Error::Module(error.to_string());
    let mut scan = Scan {
        items: Vec::new(),
        module: Module::new(),
        foreign: Vec::new(),
    };
    for payload in Parser::new(0).parse_all(core) {
        match payload.map_err(damaged)? {
            Payload::Version {
                encoding: Encoding::Component,
                ..
            } => {
                return Err(Error::Module("it is a component already".to_owned()));
            }
            Payload::CustomSection(custom) if custom.name() == section::NAME => {
                scan.items.extend(section::read(custom.data())?);
            }
            Payload::CustomSection(custom) if custom.name().starts_with(COMPONENT_TYPE) => {
                scan.foreign.push(custom.data());
                scan.module.section(&RawSection {
                    id: 0,
                    data: &core[to_usize(custom.range())],
                });
            }
            Payload::ExportSection(exports) => {
                let mut renamed = ExportSection::new();
                for export in exports {
                    let export = export.map_err(damaged)?;
                    let kind = match export.kind {
                        ExternalKind::Func | ExternalKind::FuncExact => ExportKind::Func,
                        ExternalKind::Table => ExportKind::Table,
                        ExternalKind::Memory => ExportKind::Memory,
                        ExternalKind::Global => ExportKind::Global,
                        ExternalKind::Tag => ExportKind::Tag,
                    };
                    renamed.export(
                        export
                            .name
                            .strip_prefix(WORLD_PREFIX)
                            .unwrap_or(export.name),
                        kind,
                        export.index,
                    );
                }
                scan.module.section(&renamed);
            }
            payload => {
                if let Some((id, range)) = payload.as_section() {
                    scan.module.section(&RawSection {
                        id,
                        data: &core[to_usize(range)],
                    });
                }
            }
        }
    }
    Ok(scan)
}

/// Ranges that the parser returned lie within the slice it read.
fn to_usize(range: std::ops::Range<u64>) -> std::ops::Range<usize> {
    range.start as usize..range.end as usize
}
