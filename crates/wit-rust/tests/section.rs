//! Descriptions in, world out: random types must arrive as they were described, and damaged bytes must be refused without a panic.
//!
//! The writer here is independent of the `wasm` crate's: it follows the format's documentation. `wasm`'s own output is checked against the
//! same reader by the macros at the end.

use wasm_encoder::{CustomSection, Module};
use wit_parser::{Resolve, Type, TypeDefKind, TypeId, WorldItem};
use wit_rust::{Error, embed_world};

/// A type as the test describes it.
#[derive(Clone, Debug, PartialEq)]
enum Shape {
    Primitive(u8),
    List(Box<Shape>),
    Option(Box<Shape>),
    Result(Option<Box<Shape>>, Option<Box<Shape>>),
    Tuple(Vec<Shape>),
    Record(String, Vec<(String, Shape)>),
    Variant(String, Vec<(String, Option<Shape>)>),
    Enum(String, Vec<String>),
    Flags(String, Vec<String>),
}

/// A small generator of numbers (xorshift), so that a failure repeats.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    fn names(&mut self, prefix: &str) -> Vec<String> {
        (0..=self.below(4))
            .map(|i| format!("{prefix}{i}"))
            .collect()
    }

    fn maybe(&mut self, depth: u32, counter: &mut u32) -> Option<Shape> {
        (self.below(3) > 0).then(|| self.shape(depth, counter))
    }

    fn shape(&mut self, depth: u32, counter: &mut u32) -> Shape {
        if depth == 0 {
            return Shape::Primitive(self.below(13) as u8);
        }
        let depth = depth - 1;
        let mut name = |kind: &str| {
            *counter += 1;
            format!("{kind}-t{counter}")
        };
        match self.below(10) {
            0 => Shape::List(Box::new(self.shape(depth, counter))),
            1 => Shape::Option(Box::new(self.shape(depth, counter))),
            2 => Shape::Result(
                self.maybe(depth, counter).map(Box::new),
                self.maybe(depth, counter).map(Box::new),
            ),
            3 => Shape::Tuple(
                (0..=self.below(4))
                    .map(|_| self.shape(depth, counter))
                    .collect(),
            ),
            4 | 5 => {
                let name = name("record");
                Shape::Record(
                    name,
                    self.names("field")
                        .into_iter()
                        .map(|field| (field, self.shape(depth, counter)))
                        .collect(),
                )
            }
            6 | 7 => {
                let name = name("use");
                Shape::Variant(
                    name,
                    self.names("case")
                        .into_iter()
                        .map(|case| (case, self.maybe(depth, counter)))
                        .collect(),
                )
            }
            // Names that are keywords must survive.
            8 => Shape::Enum(
                name("enum"),
                vec!["string".into(), "interface".into(), "use".into()],
            ),
            _ => Shape::Flags(name("flags"), self.names("flag")),
        }
    }
}

#[derive(Default)]
struct Writer(Vec<u8>);

impl Writer {
    fn number(&mut self, number: usize) {
        self.0.extend((number as u32).to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.number(text.len());
        self.0.extend(text.as_bytes());
    }

    fn optional(&mut self, shape: Option<&Shape>) {
        match shape {
            Some(shape) => self.shape(shape),
            None => self.0.push(13),
        }
    }

    fn named(&mut self, kind: u8, name: &str, members: Vec<(&String, Option<&Shape>)>) {
        self.0.extend([18, kind]);
        self.text(name);
        self.text("some::module");
        self.text("Documentation\nin lines.");
        self.number(0);
        self.number(members.len());
        for (name, ty) in members {
            self.text(name);
            self.text("");
            self.0.push(u8::from(ty.is_some()));
            if let Some(ty) = ty {
                self.shape(ty);
            }
        }
    }

    fn shape(&mut self, shape: &Shape) {
        match shape {
            Shape::Primitive(tag) => self.0.push(*tag),
            Shape::List(of) => {
                self.0.push(14);
                self.shape(of);
            }
            Shape::Option(of) => {
                self.0.push(15);
                self.shape(of);
            }
            Shape::Result(ok, err) => {
                self.0.push(16);
                self.optional(ok.as_deref());
                self.optional(err.as_deref());
            }
            Shape::Tuple(items) => {
                self.0.push(17);
                self.number(items.len());
                items.iter().for_each(|item| self.shape(item));
            }
            Shape::Record(name, fields) => self.named(
                0,
                name,
                fields.iter().map(|(name, ty)| (name, Some(ty))).collect(),
            ),
            Shape::Variant(name, cases) => self.named(
                1,
                name,
                cases.iter().map(|(name, ty)| (name, ty.as_ref())).collect(),
            ),
            Shape::Enum(name, cases) => {
                self.named(2, name, cases.iter().map(|name| (name, None)).collect())
            }
            Shape::Flags(name, flags) => {
                self.named(3, name, flags.iter().map(|name| (name, None)).collect())
            }
        }
    }
}

/// A record for an exported function `f` with one parameter.
fn record(interface: &str, name: &str, origin: &str, parameter: &Shape) -> Vec<u8> {
    record_of("test:pack@1.0.0", interface, name, origin, parameter)
}

fn record_of(
    package: &str,
    interface: &str,
    name: &str,
    origin: &str,
    parameter: &Shape,
) -> Vec<u8> {
    let mut item = Writer::default();
    item.0.extend([1, 1]);
    item.text(interface);
    item.text(package);
    item.0.push(0);
    item.text("");
    item.text(name);
    item.text("Does it.");
    item.text(origin);
    item.number(1);
    item.text("value");
    item.shape(parameter);
    item.0.push(13);
    let mut record = Writer::default();
    record.0.extend(b"WRS1");
    record.number(item.0.len());
    record.0.extend(item.0);
    record.0
}

fn module(section: &[u8]) -> Vec<u8> {
    let mut module = Module::new();
    module.section(&CustomSection {
        name: "wasmrust-wit".into(),
        data: section.into(),
    });
    module.finish()
}

/// What WIT says, as a shape.
fn shape_of(resolve: &Resolve, ty: &Type) -> Shape {
    match ty {
        Type::Id(id) => definition(resolve, *id),
        Type::Bool => Shape::Primitive(0),
        Type::U8 => Shape::Primitive(1),
        Type::S8 => Shape::Primitive(2),
        Type::U16 => Shape::Primitive(3),
        Type::S16 => Shape::Primitive(4),
        Type::U32 => Shape::Primitive(5),
        Type::S32 => Shape::Primitive(6),
        Type::U64 => Shape::Primitive(7),
        Type::S64 => Shape::Primitive(8),
        Type::F32 => Shape::Primitive(9),
        Type::F64 => Shape::Primitive(10),
        Type::Char => Shape::Primitive(11),
        Type::String => Shape::Primitive(12),
        Type::ErrorContext => panic!("no such type was described"),
    }
}

fn definition(resolve: &Resolve, id: TypeId) -> Shape {
    let definition = &resolve.types[id];
    let name = definition.name.clone().unwrap_or_default();
    let boxed = |ty: &Type| Box::new(shape_of(resolve, ty));
    match &definition.kind {
        TypeDefKind::List(of) => Shape::List(boxed(of)),
        TypeDefKind::Option(of) => Shape::Option(boxed(of)),
        TypeDefKind::Result(result) => Shape::Result(
            result.ok.as_ref().map(boxed),
            result.err.as_ref().map(boxed),
        ),
        TypeDefKind::Tuple(tuple) => {
            Shape::Tuple(tuple.types.iter().map(|ty| shape_of(resolve, ty)).collect())
        }
        TypeDefKind::Record(record) => Shape::Record(
            name,
            record
                .fields
                .iter()
                .map(|field| (field.name.clone(), shape_of(resolve, &field.ty)))
                .collect(),
        ),
        TypeDefKind::Variant(variant) => {
            let case = |case: &wit_parser::Case| {
                (
                    case.name.clone(),
                    case.ty.as_ref().map(|ty| shape_of(resolve, ty)),
                )
            };
            Shape::Variant(name, variant.cases.iter().map(case).collect())
        }
        TypeDefKind::Enum(cases) => Shape::Enum(
            name,
            cases.cases.iter().map(|case| case.name.clone()).collect(),
        ),
        TypeDefKind::Flags(flags) => Shape::Flags(
            name,
            flags.flags.iter().map(|flag| flag.name.clone()).collect(),
        ),
        TypeDefKind::Type(of) => shape_of(resolve, of),
        other => panic!("no {} was described", other.as_str()),
    }
}

/// The parameter of `f`, in the world itself or its only exported interface, read from the printed WIT.
fn parameter(wit: &str) -> Shape {
    let mut resolve = Resolve::new();
    let package = resolve
        .push_source("out.wit", wit)
        .unwrap_or_else(|error| panic!("{error:#}\n{wit}"));
    let world = resolve.select_world(&[package], None).unwrap();
    let function = resolve.worlds[world]
        .exports
        .values()
        .find_map(|item| match item {
            WorldItem::Function(function) => Some(function),
            WorldItem::Interface { id, .. } => resolve.interfaces[*id].functions.values().next(),
            WorldItem::Type { .. } => None,
        });
    shape_of(
        &resolve,
        &function.expect("an exported function").params[0].ty,
    )
}

#[test]
fn random_types_arrive_as_they_were_described() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for round in 0..400 {
        let shape = random.shape(round % 5, &mut 0);
        let interface = if round % 2 == 0 {
            ""
        } else {
            "test:pack/things@1.0.0"
        };
        let core = module(&record(interface, "f", "m::f (a.rs:1)", &shape));
        let embedded = embed_world(&core).unwrap_or_else(|error| panic!("{error}\n{shape:?}"));
        assert_eq!(parameter(&embedded.wit.unwrap()), shape, "round {round}");
        // The embedded form says the same as the text.
        let again = embed_world(&embedded.module).expect("the embedded world is read back");
        assert_eq!(parameter(&again.wit.unwrap()), shape, "round {round}");
    }
}

#[test]
fn damaged_sections_are_refused() {
    let mut random = Random(42);
    let mut refused = 0;
    for round in 0..3_000 {
        let shape = random.shape(4, &mut 0);
        let mut bytes = record("", "f", "m::f (a.rs:1)", &shape);
        match round % 3 {
            0 => bytes.truncate(random.below(bytes.len() as u64) as usize),
            1 => {
                let at = random.below(bytes.len() as u64) as usize;
                bytes[at] ^= 1 << random.below(8);
            }
            _ => {
                let at = random.below(bytes.len() as u64 - 3) as usize;
                let number = [u32::MAX, 1 << 31, 0x1000, 0][random.below(4) as usize];
                bytes[at..at + 4].copy_from_slice(&number.to_le_bytes());
            }
        }
        refused += usize::from(embed_world(&module(&bytes)).is_err());
    }
    assert!(refused > 1_500, "{refused} of 3,000 were refused");
}

#[test]
fn nesting_without_end_is_refused() {
    let mut item = record("", "f", "m::f (a.rs:1)", &Shape::Primitive(0));
    let at = item.len() - 2;
    item.splice(at..at, std::iter::repeat_n(14, 100_000));
    let len = (item.len() - 8) as u32;
    item[4..8].copy_from_slice(&len.to_le_bytes());
    let error = embed_world(&module(&item)).unwrap_err();
    assert!(error.to_string().contains("nested too deeply"), "{error}");
}

/// A chain of types, each of which holds the one before it twice: short to write, and endless to write out.
#[test]
fn types_that_share_parts_cost_no_more_than_their_bytes() {
    let chain = |length: usize, last: &str| {
        let mut item = Writer::default();
        item.0.extend([1, 1]);
        ["", "test:pack@1.0.0"]
            .iter()
            .for_each(|text| item.text(text));
        item.0.push(0);
        ["", last, "", "m::f (a.rs:1)"]
            .iter()
            .for_each(|text| item.text(text));
        item.number(1);
        item.text("value");
        item.0.push(17);
        item.number(length);
        for i in 0..length {
            item.0.extend([18, 0]);
            [format!("r{i}").as_str(), "m", ""]
                .iter()
                .for_each(|text| item.text(text));
            item.number(0);
            item.number(2);
            for field in ["left", "right"] {
                item.text(field);
                item.text("");
                item.0.push(1);
                match i.checked_sub(1) {
                    None => item.0.push(0),
                    Some(before) => {
                        item.0.push(19);
                        item.number(before);
                    }
                }
            }
        }
        item.0.push(13);
        let mut record = Writer::default();
        record.0.extend(b"WRS1");
        record.number(item.0.len());
        record.0.extend(item.0);
        record.0
    };
    // Read twice, so that equal definitions are compared.
    let mut section = chain(50, "f");
    section.extend(chain(50, "g"));
    assert!(embed_world(&module(&section)).is_ok());
    let error = embed_world(&module(&chain(100_000, "f"))).unwrap_err();
    assert!(error.to_string().contains("nested too deeply"), "{error}");
}

#[test]
fn two_functions_of_one_name_are_named_with_their_places() {
    let mut section = record("", "same", "a::same (a.rs:1)", &Shape::Primitive(0));
    section.extend(record("", "same", "b::same (b.rs:2)", &Shape::Primitive(0)));
    let error = embed_world(&module(&section)).unwrap_err();
    assert!(matches!(error, Error::NameClash { .. }), "{error}");
    let text = error.to_string();
    assert!(
        text.contains("a::same (a.rs:1)") && text.contains("b::same (b.rs:2)"),
        "{text}"
    );
}

#[test]
fn one_path_with_two_definitions_is_refused() {
    let flags = |flag: &str| Shape::Flags("modes".into(), vec![flag.into()]);
    let mut section = record("", "f", "m::f (a.rs:1)", &flags("read"));
    section.extend(record("", "g", "m::g (a.rs:2)", &flags("write")));
    assert!(matches!(
        embed_world(&module(&section)),
        Err(Error::TwoDefinitions { .. })
    ));
}

#[test]
fn a_type_of_two_interfaces_moves_to_a_shared_one() {
    let flags = Shape::Flags("modes".into(), vec!["read".into()]);
    let mut section = record("test:pack/a@1.0.0", "f", "m::f (a.rs:1)", &flags);
    section.extend(record("test:pack/b@1.0.0", "f", "n::f (a.rs:2)", &flags));
    let wit = embed_world(&module(&section)).unwrap().wit.unwrap();
    assert!(
        wit.contains("interface types {") && wit.matches("flags modes").count() == 1,
        "{wit}"
    );
    assert_eq!(wit.matches("use types.{modes};").count(), 2, "{wit}");
}

/// Source files are sorted, packages are not: the crate that is built comes first in the section.
#[test]
fn the_world_is_that_of_the_crate_which_is_built() {
    let number = Shape::Primitive(1);
    let mut section = record_of(
        "test:app@1.0.0",
        "",
        "mine",
        "app::mine (src/lib.rs:9)",
        &number,
    );
    let library = ("test:library@2.0.0", "test:library/things@2.0.0");
    section.extend(record_of(
        library.0,
        library.1,
        "late",
        "library::late (/a/lib.rs:10)",
        &number,
    ));
    section.extend(record_of(
        library.0,
        library.1,
        "early",
        "library::early (/a/lib.rs:9)",
        &number,
    ));
    let wit = embed_world(&module(&section)).unwrap().wit.unwrap();
    assert!(wit.starts_with("package test:app@1.0.0;"), "{wit}");
    assert!(
        wit.contains("export mine: func") && wit.contains("export test:library/things@2.0.0;"),
        "{wit}"
    );
    assert!(wit.find("early: func") < wit.find("late: func"), "{wit}");
}

#[test]
fn what_is_no_module_is_refused() {
    for bytes in [
        &b""[..],
        b"\0asm",
        b"hello",
        b"\0asm\x0d\0\x01\0",
        b"\0asm\x01\0\0\0\x07",
    ] {
        assert!(
            matches!(embed_world(bytes), Err(Error::Module(_))),
            "{bytes:?}"
        );
    }
}

#[test]
fn exports_of_the_world_lose_their_prefix() {
    let mut module = Module::new();
    let mut exports = wasm_encoder::ExportSection::new();
    let mut memories = wasm_encoder::MemorySection::new();
    memories.memory(wasm_encoder::MemoryType {
        minimum: 1,
        maximum: None,
        memory64: false,
        shared: false,
        page_size_log2: None,
    });
    exports.export("wasmrust#read", wasm_encoder::ExportKind::Memory, 0);
    exports.export("a:b/c#read", wasm_encoder::ExportKind::Memory, 0);
    module.section(&memories).section(&exports);
    let embedded = embed_world(&module.finish()).unwrap();
    let names: Vec<String> = wasmparser::Parser::new(0)
        .parse_all(&embedded.module)
        .filter_map(|payload| match payload.unwrap() {
            wasmparser::Payload::ExportSection(exports) => Some(exports),
            _ => None,
        })
        .flat_map(|exports| {
            exports
                .into_iter()
                .map(|export| export.unwrap().name.to_owned())
        })
        .collect();
    assert_eq!(names, ["read", "a:b/c#read"]);
}

/// What the macros write, the reader reads.
mod macros {
    use super::*;
    use wasm::abi::{Direction, Function, Interface, Item, Param, Role, Wit, encode, encoded_len};

    /// A pair.
    #[derive(wasm::Record)]
    struct Pair<T> {
        left: T,
        right: Option<T>,
    }

    #[derive(wasm::Variant)]
    enum Choice {
        Nothing,
        Both(Pair<u8>, Pair<String>),
    }

    const ITEM: Item = Item::Function(Function {
        interface: Interface {
            direction: Direction::Export,
            name: "",
            package: "test:pack@1.0.0",
        },
        role: Role::Free,
        resource: "",
        name: "f",
        docs: "Chooses.",
        origin: "m::f (a.rs:1)",
        params: &[Param {
            name: "value",
            ty: &<Vec<(Choice, Choice)>>::TYPE,
        }],
        result: &<Result<(), Choice>>::TYPE,
    });
    const LEN: usize = encoded_len(&ITEM);
    static RECORD: [u8; LEN] = encode(&ITEM);

    #[test]
    fn descriptions_of_the_macros_are_read() {
        let wit = embed_world(&module(&RECORD)).unwrap().wit.unwrap();
        let pair = |name: &str, tag| {
            let fields = vec![
                ("left".to_owned(), Shape::Primitive(tag)),
                (
                    "right".to_owned(),
                    Shape::Option(Box::new(Shape::Primitive(tag))),
                ),
            ];
            Shape::Record(name.to_owned(), fields)
        };
        let both = Shape::Tuple(vec![pair("pair-u8", 1), pair("pair-string", 12)]);
        let choice = Shape::Variant(
            "choice".to_owned(),
            vec![
                ("nothing".to_owned(), None),
                ("both".to_owned(), Some(both)),
            ],
        );
        assert_eq!(
            parameter(&wit),
            Shape::List(Box::new(Shape::Tuple(vec![choice.clone(), choice])))
        );
        assert!(
            wit.contains("/// A pair.") && wit.contains("/// Chooses."),
            "{wit}"
        );
        assert!(wit.contains("-> result<_, choice>"), "{wit}");
    }
}
