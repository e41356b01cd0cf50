//! Relocatable objects, made by hand: symbols, aliases, segments of several symbols, relocations, damage.

mod support;

use support::targets;
use wasmir::{DataKind, FuncBody, Inst, Item, Linkage, Module, RelocTarget, verify_module};
use wasmir_lift::{LiftError, lift, lift_bodies};

fn leb(out: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn text(out: &mut Vec<u8>, text: &str) {
    leb(out, text.len() as u32);
    out.extend_from_slice(text.as_bytes());
}

/// A symbol of the table under construction.
#[derive(Clone, Copy)]
enum Sym<'a> {
    /// Flags, index, name.
    Func(u32, u32, Option<&'a str>),
    /// Flags, name, and for one that is defined segment, offset, size.
    Data(u32, &'a str, Option<[u32; 3]>),
}

/// An object under construction.
#[derive(Default)]
struct Object<'a> {
    symbols: Vec<Sym<'a>>,
    /// Names and alignments.
    segments: Vec<(&'a str, u32)>,
    inits: Vec<[u32; 2]>,
    /// Names with kind and index of each member.
    comdats: Vec<(&'a str, Vec<[u32; 2]>)>,
    /// Kind, offset, index, addend.
    code: Vec<(u8, u32, u32, Option<u32>)>,
    data: Vec<(u8, u32, u32, Option<u32>)>,
}

const LOCAL: u32 = 2;
const WEAK: u32 = 1;
const UNDEFINED: u32 = 0x10;

impl Object<'_> {
    fn linking(&self) -> Vec<u8> {
        let mut out = vec![2];
        let mut part = |id: u8, count: usize, contents: Vec<u8>| {
            let mut all = Vec::new();
            leb(&mut all, count as u32);
            all.extend(contents);
            out.push(id);
            leb(&mut out, all.len() as u32);
            out.extend(all);
        };
        let mut table = Vec::new();
        for symbol in &self.symbols {
            match *symbol {
                Sym::Func(flags, index, name) => {
                    table.push(0);
                    leb(&mut table, flags);
                    leb(&mut table, index);
                    name.into_iter().for_each(|name| text(&mut table, name));
                }
                Sym::Data(flags, name, defined) => {
                    table.push(1);
                    leb(&mut table, flags);
                    text(&mut table, name);
                    for n in defined.into_iter().flatten() {
                        leb(&mut table, n);
                    }
                }
            }
        }
        part(8, self.symbols.len(), table);
        let mut infos = Vec::new();
        for (name, align) in &self.segments {
            text(&mut infos, name);
            leb(&mut infos, *align);
            leb(&mut infos, 0);
        }
        part(5, self.segments.len(), infos);
        let mut inits = Vec::new();
        self.inits
            .iter()
            .flatten()
            .for_each(|n| leb(&mut inits, *n));
        part(6, self.inits.len(), inits);
        let mut groups = Vec::new();
        for (name, members) in &self.comdats {
            text(&mut groups, name);
            leb(&mut groups, 0);
            leb(&mut groups, members.len() as u32);
            members.iter().flatten().for_each(|n| leb(&mut groups, *n));
        }
        part(7, self.comdats.len(), groups);
        out
    }

    fn relocs(section: u32, list: &[(u8, u32, u32, Option<u32>)]) -> Vec<u8> {
        let mut out = Vec::new();
        leb(&mut out, section);
        leb(&mut out, list.len() as u32);
        for (kind, offset, index, addend) in list {
            out.push(*kind);
            leb(&mut out, *offset);
            leb(&mut out, *index);
            // Addends here are below 64: one byte signed.
            addend.iter().for_each(|addend| out.push(*addend as u8));
        }
        out
    }

    /// Appends the sections to a module.
    fn of(&self, mut module: Vec<u8>, code: u32, data: u32) -> Vec<u8> {
        let mut custom = |name: &str, contents: Vec<u8>| {
            let mut section = Vec::new();
            text(&mut section, name);
            section.extend(contents);
            module.push(0);
            leb(&mut module, section.len() as u32);
            module.extend(section);
        };
        custom("linking", self.linking());
        if !self.code.is_empty() {
            custom("reloc.CODE", Self::relocs(code, &self.code));
        }
        if !self.data.is_empty() {
            custom("reloc.DATA", Self::relocs(data, &self.data));
        }
        module
    }
}

/// One import; `one` calls the import and loads from an address; `two` returns the address of a function; `three` does
/// nothing. Indices and addresses are padded. Sections: type 0, import 1, function 2, code 3, data 4.
fn module() -> Vec<u8> {
    let mut out = b"\0asm\x01\0\0\0".to_vec();
    let mut section = |id: u8, contents: &[u8]| {
        out.push(id);
        leb(&mut out, contents.len() as u32);
        out.extend_from_slice(contents);
    };
    section(1, &[2, 0x60, 0, 1, 0x7f, 0x60, 0, 0]);
    let mut imports = vec![2];
    text(&mut imports, "env");
    text(&mut imports, "__linear_memory");
    imports.extend([2, 0, 0]);
    text(&mut imports, "env");
    text(&mut imports, "outside");
    imports.extend([0, 0]);
    section(2, &imports);
    section(3, &[3, 0, 0, 1]);
    // Bodies start at 2 and 28 of the section's contents.
    let one = [
        0, 0x10, 0x80, 0x80, 0x80, 0x80, 0, 0x1a, // call 0; drop
        0x41, 0x80, 0x80, 0x80, 0x80, 0, // i32.const 0
        0x28, 2, 0x80, 0x80, 0x80, 0x80, 0, 0x0b, // i32.load offset=0
    ];
    let two = [0, 0x41, 0x81, 0x80, 0x80, 0x80, 0, 0x0b];
    let mut code = vec![3, one.len() as u8];
    code.extend(one);
    code.push(two.len() as u8);
    code.extend(two);
    code.extend([2, 0, 0x0b]);
    section(10, &code);
    // Bytes start at 6 of the section's contents.
    let mut data = vec![1, 0, 0x41, 0, 0x0b, 16];
    data.extend(0..16);
    section(11, &data);
    out
}

fn base() -> Object<'static> {
    Object {
        symbols: vec![
            Sym::Func(UNDEFINED, 0, None),
            Sym::Func(0, 1, Some("one")),
            Sym::Func(LOCAL, 2, Some("two")),
            Sym::Data(0, "table", Some([0, 0, 8])),
            Sym::Data(LOCAL, "inside", Some([0, 4, 2])),
            Sym::Data(WEAK, "rest", Some([0, 8, 8])),
            Sym::Data(UNDEFINED, "far", None),
            Sym::Func(LOCAL, 3, Some("three")),
        ],
        segments: vec![(".data.all", 4)],
        inits: vec![[300, 7]],
        comdats: vec![("group", vec![[1, 2], [0, 0]])],
        code: vec![
            (0, 2 + 2, 0, None),
            (4, 2 + 9, 4, Some(1)),
            (3, 2 + 16, 6, Some(3)),
            (1, 25 + 2, 2, None),
        ],
        data: vec![(5, 6 + 4, 5, Some(2)), (2, 6 + 12, 1, None)],
    }
}

fn lifted(object: &Object<'_>) -> Module {
    let module = lift(&object.of(module(), 3, 4)).unwrap_or_else(|error| panic!("{error}"));
    verify_module(&module).unwrap_or_else(|errors| panic!("{errors:?}"));
    module
}

fn data<'m>(module: &'m Module, name: &str) -> &'m wasmir::DataData {
    let found = module
        .datas
        .values()
        .find(|data| data.symbol.name.as_deref() == Some(name));
    found.unwrap_or_else(|| panic!("no data `{name}`"))
}

#[test]
fn symbols_segments_and_groups() {
    let module = lifted(&base());
    assert!(module.relocatable);
    let funcs: Vec<_> = module
        .funcs
        .values()
        .map(|f| (f.symbol.name.as_deref().unwrap_or(""), f.symbol.linkage))
        .collect();
    assert_eq!(
        funcs,
        [
            ("outside", Linkage::Undefined),
            ("one", Linkage::Strong),
            ("two", Linkage::Local),
            ("three", Linkage::Local)
        ]
    );
    // The segment is cut where a symbol starts that is not inside another.
    let pieces: Vec<_> = module
        .datas
        .values()
        .map(|d| (d.symbol.name.as_deref().unwrap_or(""), d.bytes.to_vec()))
        .collect();
    assert_eq!(
        pieces,
        [
            ("far", vec![]),
            ("table", (0..8).collect()),
            ("rest", (8..16).collect())
        ]
    );
    let align = |name| match data(&module, name).kind {
        DataKind::Symbol { align_log2, .. } => align_log2,
        _ => panic!("no symbol"),
    };
    assert_eq!((align("table"), align("rest")), (4, 3));
    let (priority, init) = module.init_funcs[0];
    assert_eq!(priority, 300);
    assert_eq!(module.funcs[init].symbol.name.as_deref(), Some("three"));
    let two = module.funcs.values().nth(2).expect("there");
    assert!(two.symbol.comdat.is_some());
    assert_eq!(two.symbol.comdat, data(&module, "table").symbol.comdat);
}

#[test]
fn relocations_of_data_find_their_symbol() {
    let module = lifted(&base());
    let table = &data(&module, "table").relocs;
    assert_eq!((table[0].offset, table[0].addend), (4, 2));
    let RelocTarget::Item(Item::Data(rest)) = table[0].target else {
        panic!("{table:?}");
    };
    assert_eq!(module.datas[rest].symbol.name.as_deref(), Some("rest"));
    let rest = &data(&module, "rest").relocs;
    assert_eq!(rest[0].offset, 4);
    assert!(matches!(rest[0].target, RelocTarget::Item(Item::Func(_))));
}

#[test]
fn addresses_become_instructions() {
    let mut module = lifted(&base());
    lift_bodies(&mut module).unwrap_or_else(|(func, error)| panic!("{func}: {error}"));
    verify_module(&module).unwrap_or_else(|errors| panic!("{errors:?}"));
    let addresses = |module: &Module, name: &str| -> Vec<(String, i64)> {
        let func = module
            .funcs
            .values()
            .find(|f| f.symbol.name.as_deref() == Some(name));
        let Some(FuncBody::Ir(body)) = func.map(|f| &f.body) else {
            panic!("no instructions");
        };
        let insts = body.layout.iter().flat_map(|b| &body.blocks[*b].insts);
        insts
            .filter_map(|inst| match *inst {
                Inst::SymAddr { item, addend, .. } => Some((item, addend)),
                _ => None,
            })
            .map(|(item, addend)| {
                let symbol = match item {
                    Item::Data(d) => &module.datas[d].symbol,
                    Item::Func(f) => &module.funcs[f].symbol,
                    _ => panic!("an address of neither"),
                };
                (symbol.name.clone().unwrap_or_default(), addend)
            })
            .collect()
    };
    // `inside` is four bytes into `table`.
    assert_eq!(
        addresses(&module, "one"),
        [("table".to_owned(), 5), ("far".to_owned(), 3)]
    );
    assert_eq!(addresses(&module, "two"), [("two".to_owned(), 0)]);
}

/// What a linker writes at a relocation becomes part of the code.
#[test]
fn relocations_stand_on_what_they_are_of() {
    // In the padded index of the call: an address, another place in it, an index one byte too early.
    for (kind, offset) in [(4, 2 + 2), (0, 2 + 3), (0, 2 + 1), (3, 2 + 9)] {
        let mut object = base();
        let symbol = if kind == 0 { 0 } else { 4 };
        let addend = (kind != 0).then_some(0);
        object.code = vec![(kind, offset, symbol, addend)];
        let error = lift(&object.of(module(), 3, 4)).expect_err("the code would be another");
        assert!(
            error.to_string().contains("nothing of its kind"),
            "{kind} {offset}: {error}"
        );
    }
}

#[test]
fn a_call_relocated_to_a_function_of_another_type_is_refused() {
    let mut object = base();
    // `three` has no result, of which the code around the call disposes.
    object.symbols.push(Sym::Func(WEAK, 3, Some("alias")));
    object.code[0].2 = 8;
    let error = lift(&object.of(module(), 3, 4)).expect_err("it would not be valid code");
    assert!(error.to_string().contains("another type"), "{error}");
}

/// A second symbol of a function is a function of its own, which calls of that symbol reach.
#[test]
fn a_second_symbol_of_a_function_can_be_replaced() {
    let mut object = base();
    object.symbols.push(Sym::Func(WEAK, 1, Some("alias")));
    object.symbols.push(Sym::Func(LOCAL, 2, Some("second")));
    object.code[0].2 = 8;
    let mut module = lifted(&object);
    let alias = module
        .funcs
        .iter()
        .find(|(_, f)| f.symbol.name.as_deref() == Some("alias"))
        .map(|(id, _)| id)
        .expect("it is there");
    assert_eq!(module.funcs[alias].symbol.linkage, Linkage::Weak);
    lift_bodies(&mut module).unwrap_or_else(|(func, error)| panic!("{func}: {error}"));
    for name in ["one", "alias"] {
        let func = module
            .funcs
            .values()
            .find(|f| f.symbol.name.as_deref() == Some(name))
            .expect("it is there");
        let FuncBody::Ir(body) = &func.body else {
            panic!("no instructions");
        };
        let entry = body.entry().expect("a block");
        let Inst::Call { callee, .. } = body.blocks[entry].insts[0] else {
            panic!("no call");
        };
        assert_eq!(callee, wasmir::Callee::Direct(alias), "in `{name}`");
    }
}

/// Further names of data are aliases of data without a name, so that each of them can be replaced.
#[test]
fn further_symbols_of_data_can_be_replaced() {
    let mut object = base();
    object
        .symbols
        .push(Sym::Data(WEAK, "again", Some([0, 0, 8])));
    object.symbols.push(Sym::Data(0, "part", Some([0, 4, 2])));
    // `one` takes the address of `part`.
    object.code[1].2 = 9;
    let mut module = lifted(&object);
    let (base, _) = module
        .datas
        .iter()
        .find(|(_, d)| d.bytes.as_slice() == [0, 1, 2, 3, 4, 5, 6, 7])
        .expect("the bytes are there once");
    assert_eq!(module.datas[base].symbol.name, None);
    assert_eq!(module.datas[base].symbol.linkage, Linkage::Local);
    for (name, linkage, offset, size) in [
        ("table", Linkage::Strong, 0, 8),
        ("again", Linkage::Weak, 0, 8),
        ("part", Linkage::Strong, 4, 2),
    ] {
        let alias = data(&module, name);
        let of = base;
        assert_eq!(alias.kind, DataKind::Alias { of, offset, size }, "{name}");
        assert_eq!(alias.symbol.linkage, linkage, "{name}");
        assert_eq!(
            alias.symbol.comdat, module.datas[base].symbol.comdat,
            "{name}"
        );
    }
    lift_bodies(&mut module).unwrap_or_else(|(func, error)| panic!("{func}: {error}"));
    verify_module(&module).unwrap_or_else(|errors| panic!("{errors:?}"));
    let text = wasmir::print_module(&module).to_string();
    assert!(text.contains("sym_addr data %part"), "{text}");
}

#[test]
fn what_makes_no_sense_is_refused() {
    let error = |change: &dyn Fn(&mut Object<'static>)| -> LiftError {
        let mut object = base();
        change(&mut object);
        lift(&object.of(module(), 3, 4)).expect_err("it is refused")
    };
    let message = |change: &dyn Fn(&mut Object<'static>)| error(change).to_string();
    type Change<'a> = &'a dyn Fn(&mut Object<'static>);
    let changes: [(Change<'_>, &str); 12] = [
        (
            &|o| o.symbols.push(Sym::Func(0, 99, Some("x"))),
            "a symbol of no function",
        ),
        (
            &|o| o.symbols.push(Sym::Data(0, "x", Some([0, 12, 5]))),
            "a symbol outside its segment",
        ),
        (
            &|o| o.symbols.push(Sym::Data(0, "x", Some([3, 0, 1]))),
            "a symbol of no segment",
        ),
        (&|o| o.segments.clear(), "a segment without information"),
        (&|o| o.segments[0].1 = 32, "an alignment out of range"),
        (
            &|o| o.inits[0][1] = 1,
            "an init function with parameters or results",
        ),
        (
            &|o| o.inits[0][1] = 4,
            "an init function that is no function",
        ),
        (
            &|o| o.comdats[0].1[0][1] = 77,
            "a group member that is missing",
        ),
        (&|o| o.code[0].2 = 50, "a symbol that does not exist"),
        (
            &|o| o.code[3].1 = 25 + 6,
            "a relocation outside what it belongs to",
        ),
        (
            &|o| o.data[1].1 = 6 + 14,
            "a relocation outside what it belongs to",
        ),
        (
            &|o| o.symbols[1] = Sym::Func(UNDEFINED, 1, None),
            "both defined and imported",
        ),
    ];
    for (change, expected) in changes {
        let found = message(change);
        assert!(found.contains(expected), "`{found}` for `{expected}`");
    }
    let misplaced = base().of(module(), 1, 4);
    let found = lift(&misplaced).expect_err("it is refused").to_string();
    assert!(found.contains("a section that takes none"), "{found}");
}

#[test]
fn any_damage_is_borne() {
    let object = base().of(module(), 3, 4);
    targets::bytes(&object);
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = |bound: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % bound as u64) as usize
    };
    for _ in 0..6000 {
        let mut bytes = object.clone();
        for _ in 0..=random(3) {
            let at = 8 + random(bytes.len() - 8);
            match random(5) {
                0 => bytes.truncate(at.max(9)),
                1 => bytes[at] ^= 1 << random(8),
                2 => bytes[at] = bytes[at].wrapping_add(1),
                3 => bytes[at] = random(256) as u8,
                _ => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][random(5)],
            }
        }
        targets::bytes(&bytes);
    }
}
