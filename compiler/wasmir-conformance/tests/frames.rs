//! Random traffic between stack slots and memory, in all widths: what passes make of it answers as a model does that keeps
//! every byte in an array.

use std::fmt::Write as _;
use wasmir::passes::pipeline;
use wasmir_conformance::generate::Stream;
use wasmtime::{Engine, Instance, Module, Store};

/// The size of each slot, and of the bytes of memory that take part.
const SIZE: u32 = 32;
/// The slots; the area that follows them is memory that others may see.
const SLOTS: u32 = 3;
/// Where that memory is.
const MEMORY: u32 = 1024;

/// Bytes of an area.
#[derive(Clone, Copy, Debug)]
struct Place {
    area: u32,
    offset: u32,
}

#[derive(Clone, Debug)]
enum Step {
    /// The sum takes in what is loaded by this operator.
    Load(&'static str, Place),
    /// The sum is stored by this operator.
    Store(&'static str, Place),
    /// Pieces are loaded one after the other, then stored.
    Carry(Vec<(u32, Place, Place)>),
    Copy(Place, Place, u32),
    /// Sixteen bytes as a value of this type.
    Wide(&'static str, Place, Place),
    Fill(Place, u8, u32),
    /// The address of a place goes through a slot of its own to a load.
    Follow(Place, bool),
    /// A load that must stay as it is.
    Volatile(Place),
}

const LOADS: [(&str, u32); 11] = [
    ("i32.load", 4),
    ("i64.load", 8),
    ("i32.load8_u", 1),
    ("i32.load8_s", 1),
    ("i32.load16_u", 2),
    ("i32.load16_s", 2),
    ("i64.load32_u", 4),
    ("i64.load16_s", 2),
    ("i8.load", 1),
    ("i16.load", 2),
    ("f64.load", 8),
];
const STORES: [(&str, u32); 9] = [
    ("i32.store", 4),
    ("i64.store", 8),
    ("i32.store8", 1),
    ("i32.store16", 2),
    ("i64.store8", 1),
    ("i64.store32", 4),
    ("i8.store", 1),
    ("i16.store", 2),
    ("f64.store", 8),
];

struct Program {
    steps: Vec<Step>,
}

impl Program {
    fn new(seed: u64) -> Program {
        let mut stream = Stream::new(seed);
        let mut below = |n: u32| (stream.next_u64() % u64::from(n)) as u32;
        let volatile = below(4) == 0;
        let steps = (0..4 + below(16)).map(|_| {
            let mut place = |width: u32| {
                let area = below(SLOTS + 1);
                let step = match below(4) {
                    0 => 1,
                    _ => width.min(8).next_power_of_two(),
                };
                let offset = below((SIZE - width) / step + 1) * step;
                Place { area, offset }
            };
            let places = [place(8), place(8)];
            match below(if volatile { 8 } else { 7 }) {
                0 => {
                    let (op, width) = LOADS[below(11) as usize];
                    Step::Load(op, fit(places[0], width, below(5)))
                }
                1 => {
                    let (op, width) = STORES[below(9) as usize];
                    Step::Store(op, fit(places[0], width, below(5)))
                }
                2 => {
                    let pieces = (0..1 + below(3)).map(|i| {
                        let width = [8, 8, 4, 2, 1][below(5) as usize];
                        let at = |place: Place| Place {
                            offset: (place.offset + 8 * i).min(SIZE - 8),
                            ..place
                        };
                        (width, at(places[0]), at(places[1]))
                    });
                    Step::Carry(pieces.collect())
                }
                3 => {
                    let length = [3, 8, 12, 16, 24, 32][below(6) as usize];
                    let at = |place: Place| Place {
                        offset: place.offset.min(SIZE - length),
                        ..place
                    };
                    Step::Copy(at(places[0]), at(places[1]), length)
                }
                4 => {
                    let length = [1, 4, 7, 16][below(4) as usize];
                    let at = Place {
                        offset: places[0].offset.min(SIZE - length),
                        ..places[0]
                    };
                    Step::Fill(at, below(256) as u8, length)
                }
                5 => Step::Follow(places[0], below(2) == 0),
                6 => {
                    let at = |place: Place| Place {
                        offset: place.offset.min(SIZE - 16),
                        ..place
                    };
                    let ty = ["v128", "i128"][below(2) as usize];
                    Step::Wide(ty, at(places[0]), at(places[1]))
                }
                _ => Step::Volatile(places[0]),
            }
        });
        let steps = steps.collect();
        Program { steps }
    }

    /// As WasmIR: does all of it twice. `params` is how many parameters there are, of which the last is the argument. With
    /// two, the first is the address of memory for the result: that takes the place of the first slot, and at the end holds the sum.
    fn code(&self, params: usize) -> (String, Vec<&'static str>) {
        let mut body = String::new();
        let mut locals: Vec<&'static str> = Vec::new();
        let mut local = |ty: &'static str| {
            locals.push(ty);
            format!("l{}", params - 1 + locals.len())
        };
        // Of two parameters, the first behind them holds this distance from the first slot, and so on.
        let address = |local: &str, place: Place| match (params, place.area) {
            (2, 0) => format!("{local} = i32.add l0, l{}", params + place.offset as usize),
            _ => address(local, place),
        };
        for distance in (0..SIZE).filter(|_| params == 2) {
            let _ = writeln!(body, "  {} = i32.const {distance}", local("i32"));
        }
        let (sum, round, limit, more) = (local("i64"), local("i32"), local("i32"), local("i32"));
        let out = &mut body;
        let mut line = |text: String| {
            let _ = writeln!(out, "  {text}");
        };
        line(format!("{sum} = i64.extend_i32_u l{}", params - 1));
        line(format!("{limit} = i32.const 2"));
        let length = local("i32");
        line(format!("{length} = i32.const {SIZE}"));
        for area in 0..=SLOTS {
            let (to, byte) = (local("i32"), local("i32"));
            line(address(&to, Place { area, offset: 0 }));
            line(format!("{byte} = i32.const {}", 17 * (area + 1)));
            line(format!("memory.fill mem0 : {to}, {byte}, {length}"));
        }
        line("jump b1\nb1:".to_owned());
        for step in &self.steps {
            match step {
                Step::Load(op, at) => {
                    let (to, ty) = (local("i32"), kind(op));
                    let value = local(ty);
                    line(address(&to, *at));
                    line(format!("{value} = {op} mem0 {to}+0 align 1"));
                    let wide = widen(&mut line, &mut local, &value, ty);
                    let (factor, product) = (local("i64"), local("i64"));
                    line(format!("{factor} = i64.const 31"));
                    line(format!("{product} = i64.mul {sum}, {factor}"));
                    line(format!("{sum} = i64.add {product}, {wide}"));
                }
                Step::Store(op, at) => {
                    let to = local("i32");
                    line(address(&to, *at));
                    let value = match kind(op) {
                        "i64" => sum.clone(),
                        ty => {
                            let value = local(ty);
                            let how = match ty {
                                "f64" => "f64.reinterpret_i64".to_owned(),
                                _ => format!("{ty}.wrap_i64"),
                            };
                            line(format!("{value} = {how} {sum}"));
                            value
                        }
                    };
                    line(format!("{op} mem0 {to}+0, {value} align 1"));
                }
                Step::Carry(pieces) => {
                    let mut held = Vec::new();
                    for &(width, from, _) in pieces {
                        let (at, ty) = (local("i32"), integer(width));
                        let value = local(ty);
                        line(address(&at, from));
                        line(format!("{value} = {ty}.load mem0 {at}+0 align 1"));
                        held.push((value, ty));
                    }
                    for ((value, ty), &(_, _, to)) in held.iter().zip(pieces) {
                        let at = local("i32");
                        line(address(&at, to));
                        line(format!("{ty}.store mem0 {at}+0, {value} align 1"));
                    }
                }
                Step::Copy(to, from, length) => {
                    let (a, b, n) = (local("i32"), local("i32"), local("i32"));
                    line(address(&a, *to));
                    line(address(&b, *from));
                    line(format!("{n} = i32.const {length}"));
                    line(format!("memory.copy mem0 mem0 : {a}, {b}, {n}"));
                }
                Step::Wide(ty, to, from) => {
                    let (a, b, value) = (local("i32"), local("i32"), local(ty));
                    line(address(&a, *to));
                    line(address(&b, *from));
                    line(format!("{value} = {ty}.load mem0 {b}+0 align 1"));
                    line(format!("{ty}.store mem0 {a}+0, {value} align 1"));
                }
                Step::Fill(to, byte, length) => {
                    let (a, b, n) = (local("i32"), local("i32"), local("i32"));
                    line(address(&a, *to));
                    line(format!("{b} = i32.const {byte}"));
                    line(format!("{n} = i32.const {length}"));
                    line(format!("memory.fill mem0 : {a}, {b}, {n}"));
                }
                Step::Follow(at, carried) => {
                    let (p, holder, q) = (local("i32"), local("i32"), local("i32"));
                    line(address(&p, *at));
                    line(format!("{holder} = stack_addr ss{SLOTS} 0"));
                    line(format!("i32.store mem0 {holder}+4, {p} align 4"));
                    if *carried {
                        let (pair, other) = (local("i64"), local("i32"));
                        line(format!("{pair} = i64.load mem0 {holder}+0 align 8"));
                        line(format!("{other} = stack_addr ss{} 0", SLOTS + 1));
                        line(format!("i64.store mem0 {other}+0, {pair} align 8"));
                        line(format!("{q} = i32.load mem0 {other}+4 align 4"));
                    } else {
                        line(format!("{q} = i32.load mem0 {holder}+4 align 4"));
                    }
                    let value = local("i64");
                    line(format!("{value} = i64.load mem0 {q}+0 align 1"));
                    line(format!("{sum} = i64.xor {sum}, {value}"));
                }
                Step::Volatile(at) => {
                    let (to, value) = (local("i32"), local("i32"));
                    line(address(&to, *at));
                    line(format!("{value} = i32.load mem0 {to}+0 align 1 volatile"));
                }
            }
        }
        let (one, next) = (local("i32"), local("i32"));
        line(format!("{one} = i32.const 1"));
        line(format!("{next} = i32.add {round}, {one}"));
        line(format!("{round} = copy {next}"));
        line(format!("{more} = i32.lt_u {round}, {limit}"));
        line(format!("br_if {more}, b1, b2\nb2:"));
        if params == 2 {
            line(format!("i64.store mem0 l0+{}, {sum} align 8", SIZE - 8));
            line("return".to_owned());
        } else {
            line(format!("return {sum}"));
        }
        (body.replace("mem0", "%m"), locals)
    }

    /// `run(n)` does all of it twice, and answers with the sum and the bytes of memory.
    fn text(&self) -> String {
        let (body, locals) = self.code(1);
        let mut text = format!("{HEADER}func %run type0 {{\n  param l0: i32\n");
        declare(&mut text, 1, &locals);
        format!("{text}b0:\n{body}}}\n{EXPORTS}")
    }

    /// The same as a function that gives back the first slot through memory, twice; `run(n)` answers with a sum of that.
    fn struct_text(&self) -> String {
        let (body, locals) = self.code(2);
        let mut text = format!(
            "{HEADER}type type1 = func(i32, i32) -> ()\n\
             func %make type1 {{\n  param l0, l1: i32\n  result l0\n"
        );
        declare(&mut text, 2, &locals);
        let _ = write!(text, "b0:\n{body}}}\nfunc %run type0 {{\n  param l0: i32\n");
        let _ = writeln!(text, "  local l1: i32\n  local l2, l3, l4, l5: i64");
        let _ = writeln!(text, "  slot ss0: {SIZE} align 8\nb0:");
        let _ = writeln!(text, "  l1 = stack_addr ss0 0\n  call %make(l1, l1)");
        let _ = writeln!(text, "  call %make(l1, l0)\n  l3 = i64.const 31");
        for offset in (0..SIZE).step_by(8) {
            let _ = writeln!(text, "  l4 = i64.load %m l1+{offset} align 8");
            let _ = writeln!(text, "  l5 = i64.mul l2, l3\n  l2 = i64.add l5, l4");
        }
        format!("{text}  return l2\n}}\n{EXPORTS}")
    }

    /// What `run` of the latter answers, and the bytes of memory afterwards.
    fn struct_model(&self, argument: u32) -> (u64, Vec<u8>) {
        let (sum, mut areas) = self.areas(argument);
        areas[0][SIZE as usize - 8..].copy_from_slice(&sum.to_le_bytes());
        let words = areas[0]
            .as_chunks()
            .0
            .iter()
            .map(|&word| u64::from_le_bytes(word));
        let answer = words.fold(0u64, |sum, word| sum.wrapping_mul(31).wrapping_add(word));
        (answer, areas.pop().expect("the last area"))
    }

    /// What `run` answers, and the bytes of memory afterwards.
    fn model(&self, argument: u32) -> (u64, Vec<u8>) {
        let (sum, mut areas) = self.areas(argument);
        (sum, areas.pop().expect("the last area"))
    }

    /// The sum, and what the slots and memory hold in the end.
    fn areas(&self, argument: u32) -> (u64, Vec<Vec<u8>>) {
        let mut areas: Vec<Vec<u8>> = (0..=SLOTS)
            .map(|area| vec![17 * (area as u8 + 1); SIZE as usize])
            .collect();
        let mut sum = u64::from(argument);
        let read = |areas: &[Vec<u8>], at: Place, width: u32| {
            let bytes = &areas[at.area as usize][at.offset as usize..][..width as usize];
            let bytes = bytes.iter().rev();
            bytes.fold(0, |sum: u64, &byte| sum << 8 | u64::from(byte))
        };
        let write = |areas: &mut [Vec<u8>], at: Place, width: u32, value: u64| {
            let bytes = &mut areas[at.area as usize][at.offset as usize..][..width as usize];
            bytes.copy_from_slice(&value.to_le_bytes()[..width as usize]);
        };
        for _ in 0..2 {
            for step in &self.steps {
                match step {
                    Step::Load(op, at) => {
                        let width = LOADS.iter().find(|known| known.0 == *op).expect("known").1;
                        let mut value = read(&areas, *at, width);
                        if op.ends_with("_s") {
                            let unused = 64 - 8 * width;
                            value = ((value << unused) as i64 >> unused) as u64;
                            if op.starts_with("i32") {
                                value &= u64::from(u32::MAX);
                            }
                        }
                        sum = sum.wrapping_mul(31).wrapping_add(value);
                    }
                    Step::Store(op, at) => {
                        let width = STORES.iter().find(|known| known.0 == *op).expect("known").1;
                        write(&mut areas, *at, width, sum);
                    }
                    Step::Carry(pieces) => {
                        let held: Vec<u64> = pieces
                            .iter()
                            .map(|&(width, from, _)| read(&areas, from, width))
                            .collect();
                        for (value, &(width, _, to)) in held.into_iter().zip(pieces) {
                            write(&mut areas, to, width, value);
                        }
                    }
                    Step::Copy(to, from, _) | Step::Wide(_, to, from) => {
                        let length = match step {
                            Step::Copy(_, _, length) => *length as usize,
                            _ => 16,
                        };
                        let bytes = &areas[from.area as usize][from.offset as usize..][..length];
                        let bytes = bytes.to_vec();
                        areas[to.area as usize][to.offset as usize..][..length]
                            .copy_from_slice(&bytes);
                    }
                    Step::Fill(to, byte, length) => {
                        areas[to.area as usize][to.offset as usize..][..*length as usize]
                            .fill(*byte);
                    }
                    Step::Follow(at, _) => sum ^= read(&areas, *at, 8),
                    Step::Volatile(_) => {}
                }
            }
        }
        (sum, areas)
    }
}

const HEADER: &str = "wasmir 1\ntype type0 = func(i32) -> (i64)\nmemory %m 2\n\
                      global %__stack_pointer mut i32 = (i32.const 65536)\n";
const EXPORTS: &str = "export \"run\" func %run\nexport \"memory\" memory %m\n";

/// Writes the declarations of locals behind so many parameters, and of the slots.
fn declare(text: &mut String, params: usize, locals: &[&str]) {
    for (i, ty) in locals.iter().enumerate() {
        let _ = writeln!(text, "  local l{}: {ty}", params + i);
    }
    for slot in 0..SLOTS + 2 {
        let _ = writeln!(text, "  slot ss{slot}: {SIZE} align 8");
    }
}

/// The type that an operator loads or stores.
fn kind(op: &str) -> &'static str {
    let ty = op.split('.').next().unwrap_or_default();
    ["i8", "i16", "i32", "i64", "f64"]
        .into_iter()
        .find(|known| *known == ty)
        .expect("a type")
}

fn integer(width: u32) -> &'static str {
    ["i8", "i16", "i32", "i64"][width.trailing_zeros() as usize]
}

fn fit(place: Place, width: u32, shift: u32) -> Place {
    Place {
        offset: (place.offset + shift * width).min(SIZE - width),
        ..place
    }
}

fn address(local: &str, place: Place) -> String {
    match place.area {
        SLOTS => format!("{local} = i32.const {}", MEMORY + place.offset),
        slot => format!("{local} = stack_addr ss{slot} {}", place.offset),
    }
}

/// The value as an `i64`.
fn widen(
    line: &mut impl FnMut(String),
    local: &mut impl FnMut(&'static str) -> String,
    value: &str,
    ty: &str,
) -> String {
    let how = match ty {
        "i64" => return value.to_owned(),
        "f64" => "i64.reinterpret_f64".to_owned(),
        ty => format!("i64.extend_{ty}_u"),
    };
    let wide = local("i64");
    line(format!("{wide} = {how} {value}"));
    wide
}

/// What a module answers, and its memory.
fn run(engine: &Engine, wasm: &[u8], argument: u32) -> (u64, Vec<u8>) {
    let module = Module::new(engine, wasm).expect("the engine takes it");
    let mut store = Store::new(engine, ());
    let instance = Instance::new(&mut store, &module, &[]).expect("it imports nothing");
    let run = instance
        .get_typed_func::<u32, u64>(&mut store, "run")
        .expect("it is exported");
    let answer = run.call(&mut store, argument).expect("nothing traps");
    let memory = instance
        .get_memory(&mut store, "memory")
        .expect("it is exported");
    (
        answer,
        memory.data(&store)[MEMORY as usize..][..SIZE as usize].to_vec(),
    )
}

/// Optimises and runs a program, which has to answer as its model does; what was done to it.
fn check(
    engine: &Engine,
    seed: u64,
    (program, text): (&Program, &str),
    model: impl Fn(&Program, u32) -> (u64, Vec<u8>),
) -> pipeline::Stats {
    let mut module = wasmir::parse_module(text).unwrap_or_else(|e| panic!("{e}\n{text}"));
    let verified = |module: &wasmir::Module| {
        if let Err(errors) = wasmir::verify_module(module) {
            panic!("seed {seed}: {}\n{text}", errors[0]);
        }
    };
    verified(&module);
    let stats = pipeline::run(&mut module, &pipeline::Options::FRONT_END);
    verified(&module);
    let wasm = codegen_cranelift::emit_module(&module, &Default::default())
        .unwrap_or_else(|e| panic!("seed {seed}: {e}"));
    let argument = seed as u32 ^ 0x9e37_79b9;
    let (answer, expected) = (run(engine, &wasm, argument), model(program, argument));
    assert_eq!(answer, expected, "seed {seed}: {:?}\n{text}", program.steps);
    stats
}

#[test]
fn slots_in_all_widths_answer_as_bytes_do() {
    let engine = Engine::default();
    let mut promoted = 0;
    for seed in 0..400 {
        let program = Program::new(seed);
        let text = program.text();
        let stats = check(&engine, seed, (&program, &text), Program::model);
        promoted += stats.frames.slots;
    }
    assert!(promoted > 1_000, "{promoted} slots became locals");
}

#[test]
fn structs_that_are_given_back_answer_as_bytes_do() {
    let engine = Engine::default();
    let mut splits = 0;
    for seed in 0..400 {
        let mut program = Program::new(seed);
        // Of a result that is cut into many parts a function would return too many values.
        program.steps.truncate(1 + seed as usize % 9);
        let text = program.struct_text();
        let stats = check(&engine, seed, (&program, &text), Program::struct_model);
        splits += stats.splits;
    }
    assert!(splits > 60, "{splits} functions return fields");
}
