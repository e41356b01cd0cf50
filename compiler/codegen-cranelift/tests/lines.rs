//! Line tables of emitted modules: read again by the lifter and by the engine, they say where each instruction was
//! written.

use codegen_cranelift::{Options, emit_module};
use wasmir::{FuncBody, Module, parse_module, verify_module};

/// Three functions in two files; `inlined` ends up in `outer`, and `divide` traps in its second line.
const PROGRAM: &str = r#"wasmir 1
type type0 = func(i32, i32) -> (i32)
memory %mem 1
func %divide type0 {
  param l0, l1: i32
  local l2: i32
b0:
  i32.store %mem l0+0, l1 align 4 @10
  l2 = i32.div_s l0, l1 @11
  i32.store %mem l0+4, l2 align 4 @12
  return l2 @13
}
func %inlined type0 {
  param l0, l1: i32
  local l2: i32
b0:
  l2 = i32.load %mem l0+0 align 4 @30
  return l2 @31
}
func %outer type0 {
  param l0, l1: i32
  local l2, l3: i32
b0:
  l2 = call %inlined(l0, l1) @20
  l3 = call %divide(l2, l1) @21
  return l3 @22
}
export "outer" func %outer
export "divide" func %divide
file "/src/main.rs"
file "lib/deep/part.rs"
line @10 0 3 5
line @11 0 4 9
line @12 0 5 9
line @13 0 6 1
line @20 0 20 3
line @21 0 21 4
line @22 0 22 5
line @30 1 7 1
line @31 1 8 0
line @40 end
"#;

fn program() -> Module {
    let module = parse_module(PROGRAM).unwrap_or_else(|e| panic!("{e}"));
    verify_module(&module).unwrap_or_else(|errors| panic!("{errors:?}"));
    module
}

fn emit(module: &Module) -> Vec<u8> {
    emit_module(module, &Options::default()).expect("the module is emitted")
}

/// For each function the places of its instructions that store, divide, load, call or return, in order.
fn places(module: &Module) -> Vec<(String, Vec<String>)> {
    let mut module = module.clone();
    wasmir_lift::lift_bodies(&mut module).expect("bodies are lifted");
    let functions = module.funcs.values().filter_map(|func| {
        let FuncBody::Ir(body) = &func.body else {
            return None;
        };
        let mut places = Vec::new();
        for &block in &body.layout {
            let data = &body.blocks[block];
            for (inst, loc) in data.insts.iter().zip(&data.locs) {
                let interesting = match inst {
                    wasmir::Inst::Store { .. } => "store",
                    wasmir::Inst::Load { .. } => "load",
                    wasmir::Inst::Call { .. } => "call",
                    wasmir::Inst::Binary {
                        op: wasmir::Opcode::I32DivS,
                        ..
                    } => "div",
                    _ => continue,
                };
                let at = module.debug.lookup(*loc);
                let at = at.map(|(file, line, col)| format!("{file}:{line}:{col}"));
                places.push(format!("{interesting} {}", at.unwrap_or_default()));
            }
        }
        Some((func.symbol.name.clone().unwrap_or_default(), places))
    });
    functions.collect()
}

fn expected(inlined: bool) -> Vec<(String, Vec<String>)> {
    let list = |name: &str, places: &[&str]| {
        let places = places.iter().map(|p| (*p).to_owned()).collect();
        (name.to_owned(), places)
    };
    let divide = list(
        "divide",
        &[
            "store /src/main.rs:3:5",
            "div /src/main.rs:4:9",
            "store /src/main.rs:5:9",
        ],
    );
    if inlined {
        let outer = ["load lib/deep/part.rs:7:1", "call /src/main.rs:21:4"];
        vec![divide, list("outer", &outer)]
    } else {
        let outer = ["call /src/main.rs:20:3", "call /src/main.rs:21:4"];
        vec![
            divide,
            list("inlined", &["load lib/deep/part.rs:7:1"]),
            list("outer", &outer),
        ]
    }
}

#[test]
fn emitted_instructions_know_their_lines() {
    let lifted = wasmir_lift::lift(&emit(&program())).expect("the module is lifted");
    assert_eq!(places(&lifted), expected(false));
}

#[test]
fn inlined_instructions_keep_their_lines() {
    let mut module = program();
    let FuncBody::Ir(inlined) = module.funcs.values().nth(1).expect("there").body.clone() else {
        panic!("instructions");
    };
    // As the inliner does it: the callee's instructions, with their positions, in place of the call.
    let outer = module.funcs.values_mut().nth(2).expect("there");
    let FuncBody::Ir(body) = &mut outer.body else {
        panic!("instructions");
    };
    let entry = body.entry().expect("a block");
    let callee = &inlined.blocks[inlined.entry().expect("a block")];
    let block = &mut body.blocks[entry];
    block.insts[0] = callee.insts[0];
    block.locs[0] = callee.locs[0];
    wasmir::reach::run(&mut module).expect("bodies can be read");
    let lifted = wasmir_lift::lift(&emit(&module)).expect("the module is lifted");
    assert_eq!(places(&lifted), expected(true));
}

/// Bodies that are copied while others move: their rows move with them, also where an index takes more bytes.
#[test]
fn copied_bodies_keep_their_lines_when_they_move() {
    let bytes = emit(&program());
    let mut lifted = wasmir_lift::lift(&bytes).expect("the module is lifted");
    let ty = lifted.funcs.values().next().expect("there").ty;
    // 200 imports in front: every call's index grows to two bytes.
    for i in 0..200 {
        lifted.funcs.push(wasmir::FuncData {
            ty,
            import: Some(wasmir::Import {
                module: "env".into(),
                name: format!("f{i}"),
            }),
            symbol: wasmir::Symbol::local(format!("f{i}")),
            body: FuncBody::None,
        });
    }
    let moved = emit(&lifted);
    assert_ne!(moved.len(), bytes.len());
    let again = wasmir_lift::lift(&moved).expect("the module is lifted");
    assert_eq!(places(&again), expected(false));
}

#[test]
fn what_stays_keeps_its_sections_and_what_moves_loses_stale_ones() {
    let bytes = emit(&program());
    let lifted = wasmir_lift::lift(&bytes).expect("the module is lifted");
    let sections = |bytes: &[u8]| -> Vec<(String, Vec<u8>)> {
        let lifted = wasmir_lift::lift(bytes).expect("the module is lifted");
        let customs = lifted.customs.iter();
        let debug = customs.filter(|c| c.name.starts_with(".debug_"));
        debug.map(|c| (c.name.clone(), c.bytes.to_vec())).collect()
    };
    assert!(!sections(&bytes).is_empty());
    assert_eq!(sections(&emit(&lifted)), sections(&bytes));

    let mut foreign = lifted.clone();
    foreign.customs.push(wasmir::CustomSection {
        name: ".debug_loc".into(),
        bytes: vec![1, 2, 3].into(),
        place: wasmir::SectionPlace::Data,
        relocs: Vec::new(),
    });
    wasmir_lift::lift_bodies(&mut foreign).expect("bodies are lifted");
    let names: Vec<String> = sections(&emit(&foreign)).into_iter().map(|s| s.0).collect();
    assert!(!names.iter().any(|name| name == ".debug_loc"), "{names:?}");
    assert!(names.iter().any(|name| name == ".debug_line"), "{names:?}");

    let options = Options {
        debug: false,
        ..Options::default()
    };
    let without = emit_module(&program(), &options).expect("the module is emitted");
    assert_eq!(sections(&without), []);
}

#[test]
fn the_engine_names_function_file_and_line_of_a_trap() {
    let mut config = wasmtime::Config::new();
    config.wasm_backtrace_details(wasmtime::WasmBacktraceDetails::Enable);
    let engine = wasmtime::Engine::new(&config).expect("an engine");
    let module = wasmtime::Module::new(&engine, emit(&program())).expect("the module is valid");
    let mut store = wasmtime::Store::new(&engine, ());
    let instance = wasmtime::Instance::new(&mut store, &module, &[]).expect("nothing is imported");
    let outer = instance
        .get_typed_func::<(i32, i32), i32>(&mut store, "outer")
        .expect("it is exported");
    let error = outer
        .call(&mut store, (64, 0))
        .expect_err("division by zero");
    let trace = format!("{error:?}");
    let lines = [
        "- divide",
        "/src/main.rs:4:9",
        "- outer",
        "/src/main.rs:21:4",
    ];
    let mut rest = trace.as_str();
    for line in lines {
        let at = rest
            .find(line)
            .unwrap_or_else(|| panic!("{line} in {trace}"));
        rest = &rest[at..];
    }
}

/// An `unreachable` that a condition guards traps in its own line, not in that of the branch, however many there are.
#[test]
fn guarded_traps_keep_their_lines() {
    let mut text = String::from(
        "wasmir 1\ntype type0 = func(i32) -> ()\nfunc %f type0 {\n  param l0: i32\n  local l1, l2: i32\n",
    );
    for i in 0..6 {
        text += &format!(
            "b{a}:\n  l1 = i32.const {i} @{p}\n  l2 = i32.eq l0, l1 @{p}\n  br_if l2, b{b}, b{c} @{p}\nb{b}:\n  unreachable @{q}\n",
            a = 2 * i,
            b = 2 * i + 1,
            c = 2 * i + 2,
            p = 10 * i + 1,
            q = 10 * i + 5,
        );
    }
    text += "b12:\n  return\n}\nexport \"f\" func %f\nfile \"/t.rs\"\n";
    for i in 0..6 {
        text += &format!(
            "line @{} 0 {} 1\nline @{} 0 {} 2\n",
            10 * i + 1,
            100 + i,
            10 * i + 5,
            200 + i
        );
    }
    let module = parse_module(&text).unwrap_or_else(|e| panic!("{e}\n{text}"));
    verify_module(&module).unwrap_or_else(|errors| panic!("{errors:?}"));
    let mut config = wasmtime::Config::new();
    config.wasm_backtrace_details(wasmtime::WasmBacktraceDetails::Enable);
    // The engine's own optimiser moves such traps to the branch.
    config.cranelift_opt_level(wasmtime::OptLevel::None);
    let engine = wasmtime::Engine::new(&config).expect("an engine");
    let module = wasmtime::Module::new(&engine, emit(&module)).expect("the module is valid");
    let mut store = wasmtime::Store::new(&engine, ());
    let instance = wasmtime::Instance::new(&mut store, &module, &[]).expect("nothing is imported");
    let f = instance
        .get_typed_func::<i32, ()>(&mut store, "f")
        .expect("it is exported");
    for i in 0..6 {
        let trace = format!("{:?}", f.call(&mut store, i).expect_err("it traps"));
        assert!(
            trace.contains(&format!("/t.rs:{}:2", 200 + i)),
            "{i}: {trace}"
        );
    }
    f.call(&mut store, 6).expect("it returns");
}

/// Rows may lie anywhere, in the middle of an operator, too.
#[test]
fn rows_in_strange_places_do_no_harm() {
    let lifted = wasmir_lift::lift(&emit(&program())).expect("the module is lifted");
    for step in 1..4 {
        let mut module = lifted.clone();
        module.debug.rows = (0..300)
            .step_by(step)
            .map(|at| wasmir::LineRow {
                start: wasmir::SrcLoc(at),
                file: (at % 7 != 0).then_some(0),
                line: at,
                col: u32::MAX - at,
            })
            .collect();
        // Indices that were padded become short, so that rows inside them meet those behind.
        for func in module.funcs.values_mut() {
            if let FuncBody::Raw(raw) = &mut func.body {
                let mut padded = Vec::new();
                let mut done = 0;
                let calls = raw.bytes.windows(2).enumerate();
                for (i, pair) in calls.filter(|(_, pair)| pair[0] == 0x10 && pair[1] < 3) {
                    padded.extend_from_slice(&raw.bytes[done..=i]);
                    padded.extend([pair[1] | 0x80, 0x80, 0x80, 0x80, 0]);
                    done = i + 2;
                }
                padded.extend_from_slice(&raw.bytes[done..]);
                raw.bytes = padded.into();
            }
        }
        let first = module.funcs.keys().next().expect("there");
        let extra = module.funcs[first].clone();
        let mut moved = wasmir::entity::PrimaryMap::new();
        moved.push(extra);
        for (_, func) in module.funcs.clone() {
            moved.push(func);
        }
        module.funcs = moved;
        for unit in module.units.values_mut() {
            for func in &mut unit.funcs {
                *func = func
                    .expand()
                    .map(|f| wasmir::Func::from_u32(f.as_u32() + 1))
                    .into();
            }
        }
        wasmir_lift::lift(&emit(&module)).expect("the module is lifted");
    }
}

/// File names may be anything.
#[test]
fn strange_file_names_are_written() {
    for name in ["", "/", "a/", "//x", "a\\b", "nul\0inside", "/only"] {
        let mut module = program();
        module.debug.files = vec![name.to_owned(), name.to_owned()];
        let lifted = wasmir_lift::lift(&emit(&module)).expect("the module is lifted");
        assert_eq!(
            lifted.debug.files.len(),
            1,
            "{name:?}: {:?}",
            lifted.debug.files
        );
    }
}
