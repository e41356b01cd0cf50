//! Objects: what the linker reads of them, and what the lifter makes of them again.

use codegen_cranelift::{Options, emit_module, emit_object};
use wasmir::{
    DataKind, FuncBody, Linkage, Module, layout, parse_module, print_module, verify_module,
};
use wasmparser::{KnownCustom, Linking, Parser, Payload, SymbolInfo};

const OBJECT: &str = r#"wasmir 1
relocatable
type type0 = func() -> (i32)
type type1 = func(i32) -> (i32)
type type2 = func() -> ()
comdat comdat0 "inline"
table %__indirect_function_table (ref null func) 0 undefined import "env" "__indirect_function_table"
memory %mem 0 import "env" "__linear_memory"
global %__stack_pointer mut i32 undefined import "env" "__stack_pointer"
func %elsewhere type1 undefined
func %maybe type1 undefined_weak
func %host type1 undefined import "js" "host"
func %start type2 {
  local l0: i32
b0:
  l0 = sym_addr data %table 0 @10
  i32.store %mem l0+0, l0 align 4 @11
  return @11
}
func %run type0 strong hidden {
  local l0, l1, l2: i32
  slot ss0: 16 align 8
b0:
  l0 = sym_addr data %table 4 @20
  l0 = i32.load %mem l0+0 align 4 @21
  l1 = sym_addr data %text 1 @22
  l1 = call indirect %__indirect_function_table type1 (l1, l0) @23
  l1 = call %elsewhere(l1) @24
  l2 = stack_addr ss0 0
  i32.store %mem l2+0, l1 align 4
  l1 = call %shared(l1) @25
  l1 = call %host(l1)
  l2 = i32.load %mem l2+0 align 4
  l1 = i32.add l1, l2
  l0 = sym_addr func %shared 0
  l1 = i32.add l1, l0
  return l1 @26
}
func %shared type1 weak comdat0 {
  param l0: i32
  local l1: i32
b0:
  l1 = i32.mul l0, l0 @30
  return l1 @31
}
data %text symbol ".rodata.text" align 1 size 4 strings "abc"
data %table strong used symbol ".data.table" align 8 size 16 "" relocs {
  4 table_index_i32 func %shared 0
  8 memory_addr_i32 data %text 2
}
data %outside undefined symbol "" align 1 size 0 undefined_data ""
export "entry" func %run
init 100 %start
file "src/a.rs"
line @10 0 1 1
line @20 0 5 9
line @25 0 6 2
line @30 0 9 1
"#;

fn module(text: &str) -> Module {
    let module = parse_module(text).unwrap_or_else(|e| panic!("{e}\n{text}"));
    verify_module(&module).unwrap_or_else(|errors| panic!("{errors:?}"));
    module
}

fn object(text: &str) -> Vec<u8> {
    emit_object(module(text), &Options::default()).expect("the object is emitted")
}

fn customs<'a>(bytes: &'a [u8]) -> Vec<wasmparser::CustomSectionReader<'a>> {
    Parser::new(0)
        .parse_all(bytes)
        .filter_map(|payload| match payload.expect("well formed") {
            Payload::CustomSection(section) => Some(section),
            _ => None,
        })
        .collect()
}

/// The symbol table, one line each.
fn symbols(bytes: &[u8]) -> Vec<String> {
    let mut out = Vec::new();
    for section in customs(bytes) {
        let KnownCustom::Linking(linking) = section.as_known() else {
            continue;
        };
        for part in linking {
            match part.expect("well formed") {
                Linking::SymbolTable(map) => {
                    for symbol in map {
                        out.push(match symbol.expect("well formed") {
                            SymbolInfo::Func { flags, name, .. } => {
                                format!("func {:?} {:#x}", name.unwrap_or("-"), flags.bits())
                            }
                            SymbolInfo::Data {
                                flags,
                                name,
                                symbol,
                            } => format!(
                                "data {name:?} {:#x} {:?}",
                                flags.bits(),
                                symbol.map(|s| (s.index, s.offset, s.size))
                            ),
                            SymbolInfo::Global { flags, .. } => {
                                format!("global {:#x}", flags.bits())
                            }
                            SymbolInfo::Table { flags, .. } => format!("table {:#x}", flags.bits()),
                            SymbolInfo::Event { flags, .. } => format!("tag {:#x}", flags.bits()),
                            SymbolInfo::Section { .. } => "section".to_owned(),
                        });
                    }
                }
                Linking::SegmentInfo(map) => out.extend(map.into_iter().map(|segment| {
                    let s = segment.expect("well formed");
                    format!("segment {:?} {} {}", s.name, s.alignment, s.flags.bits())
                })),
                Linking::InitFuncs(map) => out.extend(map.into_iter().map(|init| {
                    let init = init.expect("well formed");
                    format!("init {} {}", init.priority, init.symbol_index)
                })),
                Linking::ComdatInfo(map) => {
                    for group in map {
                        let group = group.expect("well formed");
                        let members: Vec<_> = group
                            .symbols
                            .into_iter()
                            .map(|member| member.expect("well formed").index)
                            .collect();
                        out.push(format!("comdat {:?} {members:?}", group.name));
                    }
                }
                Linking::TargetArch(_) | Linking::Unknown { .. } => panic!("an unknown part"),
            }
        }
    }
    out
}

#[test]
fn the_symbol_table_says_what_the_module_says() {
    let expected = [
        r#"func "-" 0x10"#,
        r#"func "-" 0x11"#,
        r#"func "host" 0x50"#,
        r#"func "start" 0x2"#,
        r#"func "run" 0x24"#,
        r#"func "shared" 0x1"#,
        r#"data "text" 0x2 Some((0, 0, 4))"#,
        r#"data "table" 0x80 Some((1, 0, 16))"#,
        r#"data "outside" 0x10 None"#,
        "global 0x10",
        "table 0x90",
        "section",
        "section",
        "section",
        "section",
        "section",
        r#"segment ".rodata.text" 0 1"#,
        r#"segment ".data.table" 3 4"#,
        "init 100 3",
        r#"comdat "inline" [5]"#,
    ];
    assert_eq!(symbols(&object(OBJECT)), expected);
}

/// Relocations point at padded fields, of the kind they say, and are in order.
#[test]
fn relocations_point_at_padded_fields() {
    let bytes = object(OBJECT);
    let mut sections: Vec<&[u8]> = Vec::new();
    for payload in Parser::new(0).parse_all(&bytes) {
        let payload = payload.expect("well formed");
        if let Payload::CustomSection(section) = &payload {
            sections.push(section.data());
        } else if let Some((_, range)) = payload.as_section() {
            sections.push(&bytes[range.start as usize..range.end as usize]);
        }
    }
    let mut seen = Vec::new();
    for section in customs(&bytes) {
        let KnownCustom::Reloc(relocs) = section.as_known() else {
            continue;
        };
        let target = sections[relocs.section_index() as usize];
        let mut last = 0;
        for entry in relocs.entries() {
            let entry = entry.expect("well formed");
            let range = entry.relocation_range().expect("in bounds");
            assert!(entry.offset >= last, "{}: {entry:?}", section.name());
            last = entry.offset;
            let field = &target[range];
            if field.len() == 5 {
                let more: Vec<bool> = field.iter().map(|byte| byte & 0x80 != 0).collect();
                assert_eq!(more, [true, true, true, true, false], "{entry:?}");
            } else if section.name() == "reloc.DATA" {
                assert_eq!(field, [0; 4], "{entry:?}");
            }
            seen.push(format!(
                "{} {:?} {} {}",
                section.name(),
                entry.ty,
                entry.index,
                entry.addend
            ));
        }
    }
    for expected in [
        "reloc.CODE MemoryAddrSleb 7 4",
        "reloc.CODE MemoryAddrSleb 6 1",
        "reloc.CODE TypeIndexLeb 1 0",
        "reloc.CODE TableNumberLeb 10 0",
        "reloc.CODE FunctionIndexLeb 0 0",
        "reloc.CODE FunctionIndexLeb 2 0",
        "reloc.CODE FunctionIndexLeb 5 0",
        "reloc.CODE TableIndexSleb 5 0",
        "reloc.CODE GlobalIndexLeb 9 0",
        "reloc.DATA TableIndexI32 5 0",
        "reloc.DATA MemoryAddrI32 6 2",
        "reloc..debug_line FunctionOffsetI32 4 0",
        "reloc..debug_info FunctionOffsetI32 5 0",
    ] {
        assert!(
            seen.iter().any(|line| line == expected),
            "{expected} is missing in {seen:#?}"
        );
    }
}

/// What an object says of its symbols, in the form of the linker's input.
fn essence(module: &Module) -> Vec<String> {
    let mut out = Vec::new();
    let linkage = |symbol: &wasmir::Symbol| {
        format!(
            "{:?} {:?} hidden={} used={}",
            symbol.name, symbol.linkage, symbol.hidden, symbol.used
        )
    };
    for func in module.funcs.values() {
        let comdat = func.symbol.comdat.map(|c| &module.comdats[c]);
        out.push(format!(
            "func {} {:?} {comdat:?}",
            linkage(&func.symbol),
            module.types.func(func.ty)
        ));
    }
    let mut datas = Vec::new();
    for data in module.datas.values() {
        let relocs = data.relocs.iter().map(|r| (r.offset, r.kind, r.addend));
        let relocs: Vec<_> = relocs.collect();
        // Numbers of data may differ; names do not.
        let kind = match data.kind {
            DataKind::Alias { of, offset, size } => {
                let of = &module.datas[of].symbol.name;
                format!("alias of {of:?} {offset} {size}")
            }
            ref kind => format!("{kind:?}"),
        };
        let linkage = linkage(&data.symbol);
        datas.push(format!("data {linkage} {kind} {relocs:?}"));
    }
    // What is undefined comes first or where it was declared.
    datas.sort();
    out.extend(datas);
    out.extend(module.exports.iter().map(|e| format!("export {:?}", e)));
    out.extend(module.init_funcs.iter().map(|i| format!("init {i:?}")));
    out
}

#[test]
fn what_is_lifted_from_an_object_is_what_was_emitted() {
    let original = module(OBJECT);
    let bytes = object(OBJECT);
    let mut lifted = wasmir_lift::lift(&bytes).expect("the object is lifted");
    verify_module(&lifted).unwrap_or_else(|errors| panic!("{errors:?}"));
    assert_eq!(essence(&lifted), essence(&original));
    assert!(lifted.relocatable);
    // Copied through, and through instructions: the same object to the linker.
    let copied = emit_object(lifted.clone(), &Options::default()).expect("bodies are copied");
    let copied = wasmir_lift::lift(&copied).expect("the object is lifted");
    assert_eq!(essence(&copied), essence(&original));
    wasmir_lift::lift_bodies(&mut lifted).expect("bodies are lifted");
    verify_module(&lifted).unwrap_or_else(|errors| panic!("{errors:?}"));
    let again = emit_object(lifted, &Options::default()).expect("the object is emitted");
    let again = wasmir_lift::lift(&again).expect("the object is lifted");
    assert_eq!(essence(&again), essence(&original));
}

/// Several symbols of the same data name parts of one segment, and are that again when they are read.
#[test]
fn further_symbols_of_data_go_through_objects() {
    let text = "wasmir 1
relocatable
data %outside undefined symbol \"\" align 1 size 0 undefined_data \"\"
data %whole symbol \".data.whole\" align 4 size 12 \"\\01\\02\"
data %front strong alias %whole 0 size 8 \"\"
data %back weak hidden alias %whole 8 size 4 \"\"
data %other strong symbol \".data.other\" align 4 size 4 \"\" relocs {
  0 memory_addr_i32 data %back 2
}
";
    let bytes = object(text);
    let expected = [
        r#"data "outside" 0x10 None"#,
        r#"data "whole" 0x2 Some((0, 0, 12))"#,
        r#"data "front" 0x0 Some((0, 0, 8))"#,
        r#"data "back" 0x5 Some((0, 8, 4))"#,
        r#"data "other" 0x0 Some((1, 0, 4))"#,
    ];
    assert_eq!(symbols(&bytes)[..expected.len()], expected);
    let lifted = wasmir_lift::lift(&bytes).expect("the object is lifted");
    assert_eq!(essence(&lifted), essence(&module(text)));
    let again = emit_object(lifted, &Options::default()).expect("the object is emitted");
    assert_eq!(symbols(&again)[..expected.len()], expected);
}

/// Line tables of objects are read again, whichever way the bodies went.
#[test]
fn positions_survive_objects() {
    let lines = |module: &Module| -> Vec<(String, u32)> {
        let mut module = module.clone();
        wasmir_lift::lift_bodies(&mut module).expect("bodies are lifted");
        let mut out = Vec::new();
        for func in module.funcs.values() {
            let FuncBody::Ir(body) = &func.body else {
                continue;
            };
            for block in body.layout.iter().map(|b| &body.blocks[*b]) {
                for (inst, loc) in block.insts.iter().zip(&block.locs) {
                    if matches!(inst, wasmir::Inst::Call { .. }) {
                        let (file, line, _) = module.debug.lookup(*loc).unwrap_or_default();
                        out.push((file.to_owned(), line));
                    }
                }
            }
        }
        out
    };
    // Two calls in line 5 of the file, two in line 6.
    let expected: Vec<(String, u32)> = [5, 5, 6, 6].map(|n| ("src/a.rs".to_owned(), n)).into();
    let mut module = module(OBJECT);
    for _ in 0..3 {
        let bytes = emit_object(module, &Options::default()).expect("the object is emitted");
        module = wasmir_lift::lift(&bytes).expect("the object is lifted");
        assert_eq!(lines(&module), expected);
    }
    wasmir_lift::lift_bodies(&mut module).expect("bodies are lifted");
    let bytes = emit_object(module, &Options::default()).expect("the object is emitted");
    module = wasmir_lift::lift(&bytes).expect("the object is lifted");
    assert_eq!(lines(&module), expected);
}

const LIBRARY: &str = r#"wasmir 1
relocatable
type type0 = func(i32) -> (i32)
comdat comdat0 "inline"
memory %mem 0 import "env" "__linear_memory"
func %elsewhere type0 strong {
  param l0: i32
  local l1, l2: i32
b0:
  l1 = sym_addr data %outside 0
  l1 = i32.load8_u %mem l1+0 align 1
  l2 = i32.add l0, l1
  return l2
}
func %shared type0 weak comdat0 {
  param l0: i32
b0:
  unreachable
}
data %outside strong symbol ".rodata.outside" align 1 size 1 "\07"
"#;

/// What the linked program answers.
fn answer(mut modules: Vec<Module>, lift: bool) -> i32 {
    if lift {
        for module in &mut modules {
            wasmir_lift::lift_bodies(module).expect("bodies are lifted");
        }
    }
    let mut linked = wasmir::link(modules).expect("the objects fit together");
    layout::run(&mut linked, &layout::Options::default()).expect("the program is laid out");
    verify_module(&linked).unwrap_or_else(|e| panic!("{e:?}\n{}", print_module(&linked)));
    let wasm = emit_module(&linked, &Options::default()).expect("the module is emitted");
    let engine = wasmtime::Engine::default();
    let module = wasmtime::Module::new(&engine, &wasm).expect("the module is valid");
    let mut store = wasmtime::Store::new(&engine, ());
    let mut linker = wasmtime::Linker::new(&engine);
    linker
        .func_wrap("js", "host", |x: i32| x + 1)
        .expect("no such name yet");
    let instance = linker
        .instantiate(&mut store, &module)
        .expect("everything is there");
    let entry = instance
        .get_typed_func::<(), i32>(&mut store, "entry")
        .expect("it is exported");
    entry.call(&mut store, ()).expect("it returns")
}

/// Emitted, lifted (as they came or into instructions), linked, laid out: always the same answer.
#[test]
fn lifted_objects_link_and_run() {
    let originals = || vec![module(OBJECT), module(LIBRARY)];
    let expected = answer(originals(), false);
    let objects = || -> Vec<Module> {
        originals()
            .into_iter()
            .map(|module| {
                let bytes = emit_object(module, &Options::default()).expect("it is emitted");
                wasmir_lift::lift(&bytes).expect("it is lifted")
            })
            .collect()
    };
    assert_eq!(answer(objects(), false), expected);
    assert_eq!(answer(objects(), true), expected);
    // By hand: `shared` squares the address of `text` plus one plus seven... `host` adds one.
    let text = 1 << 20;
    let squared = |x: i32| x.wrapping_mul(x);
    let called = squared(text + 1).wrapping_add(7);
    let by_hand = squared(called).wrapping_add(1).wrapping_add(called);
    assert_eq!(expected, by_hand.wrapping_add(1));
}

#[test]
fn what_objects_cannot_hold_is_refused() {
    for (text, what) in [
        (
            "wasmir 1\nrelocatable\nmemory %m 1\ndata %d active %m (i32.const 0) \"a\"\n",
            "a segment that is not a symbol in an object",
        ),
        (
            "wasmir 1\nrelocatable\ntype type0 = func() -> ()\nfunc %f type0 {\nb0:\n  return\n}\nstart %f\n",
            "a start function in an object",
        ),
        (
            "wasmir 1\nrelocatable\ndata %d symbol \".bss\" align 1 size 1073741825 \"\"\n",
            "1 GiB of data in an object",
        ),
    ] {
        let error = emit_object(module(text), &Options::default()).expect_err(what);
        assert!(error.to_string().contains(what), "{error}");
    }
}

/// Objects with random damage are lifted or refused, and what is lifted can be emitted or is refused.
#[test]
fn damaged_objects_do_no_harm() {
    let object = object(OBJECT);
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |bound: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % bound as u64) as usize
    };
    let linking = object
        .windows(7)
        .position(|name| name == b"linking")
        .expect("it is there");
    let mut lifted = 0;
    for round in 0..2000 {
        let mut bytes = object.clone();
        for _ in 0..=random(3) {
            // Mostly in the sections that only objects have.
            let from = if round % 4 == 0 { 8 } else { linking };
            let at = from + random(bytes.len() - from);
            bytes[at] = match random(3) {
                0 => bytes[at] ^ 1 << random(8),
                1 => bytes[at].wrapping_add(1),
                _ => random(256) as u8,
            };
        }
        let Ok(mut module) = wasmir_lift::lift(&bytes) else {
            continue;
        };
        lifted += 1;
        if verify_module(&module).is_err() {
            continue;
        }
        let _ = emit_object(module.clone(), &Options::default());
        let bodies = wasmir_lift::lift_bodies(&mut module);
        if bodies.is_ok()
            && verify_module(&module).is_ok()
            && let Ok(mut linked) = wasmir::link(vec![module])
        {
            let _ = layout::run(&mut linked, &layout::Options::default());
        }
    }
    assert!(lifted > 250, "{lifted}");
}

#[test]
fn raw_and_weak_bodies_are_distinguished() {
    let lifted = wasmir_lift::lift(&object(OBJECT)).expect("the object is lifted");
    let weak = lifted
        .funcs
        .values()
        .find(|f| f.symbol.linkage == Linkage::UndefinedWeak)
        .expect("there is one");
    assert_eq!(weak.symbol.name.as_deref(), Some("maybe"));
    assert!(matches!(weak.body, FuncBody::None));
}

#[test]
fn thread_local_data_is_reached_from_the_thread_s_own_block() {
    let bytes = object(
        r#"wasmir 1
relocatable
type type0 = func() -> (i32)
memory %mem shared 0 max 65536 import "env" "__linear_memory"
global %__tls_base mut i32 undefined import "env" "__tls_base"
func %get type0 strong {
  local l0, l1: i32
b0:
  l0 = global.get %__tls_base
  l1 = sym_addr data %counter 4
  l0 = i32.add l0, l1
  l0 = i32.load %mem l0+8 align 4
  return l0
}
data %counter strong tls symbol ".tdata.counter" align 4 size 16 "\07"
"#,
    );
    let mut seen = Vec::new();
    for section in customs(&bytes) {
        match section.as_known() {
            KnownCustom::Reloc(relocs) if section.name() == "reloc.CODE" => {
                for entry in relocs.entries() {
                    let entry = entry.expect("well formed");
                    seen.push(format!("{:?} {}", entry.ty, entry.addend));
                }
            }
            _ if section.name() == "target_features" => {
                let features = String::from_utf8_lossy(section.data());
                assert!(features.contains("atomics"), "{features}");
            }
            _ => {}
        }
    }
    seen.sort();
    // Were the address folded into the load's offset, no relocation could say that it counts from `__tls_base`.
    assert_eq!(seen, ["GlobalIndexLeb 0", "MemoryAddrTlsSleb 4"]);
}
