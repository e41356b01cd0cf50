//! Kept results: a program that is edited at random and optimised with the results of all its earlier forms becomes, after each
//! edit, exactly what it becomes without.
//!
//! A program is a list of descriptions, so that an edit changes little of it while the numbers of nearly everything move. Its functions have
//! frames, hand out addresses in them, give back structs through memory, are small enough to be copied or too large, call one another in circles, are named in data, have lines or none, may be replaced.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Mutex;
use wasmir::passes::kept::{Key, Results};
use wasmir::passes::pipeline::{self, Options};
use wasmir::{parse_module, print_module, verify_module};

/// Results in memory.
#[derive(Default)]
struct Memory {
    map: Mutex<HashMap<Key, Vec<u8>>>,
    hits: Mutex<usize>,
    /// Hands out what was kept of something else: a planted fault.
    wrong: bool,
}

impl Results for Memory {
    fn get(&self, key: &Key) -> Option<Vec<u8>> {
        let map = self.map.lock().unwrap();
        let found = match self.wrong {
            false => map.get(key),
            true => map
                .iter()
                .filter(|(k, _)| *k != key)
                .map(|(_, v)| v)
                .min_by_key(|v| (v.len(), *v)),
        };
        *self.hits.lock().unwrap() += usize::from(found.is_some());
        found.cloned()
    }

    fn insert(&self, key: Key, contents: Vec<u8>) {
        self.map.lock().unwrap().insert(key, contents);
    }
}

struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(0x5851_f42d_4c95_7f2d)
            .wrapping_add(0x1405_7b7e_f767_814f);
        ((self.0 >> 33) % n as u64) as usize
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

/// What a function does, in terms that do not depend on numbers.
#[derive(Clone)]
enum Step {
    /// Stores the value in the frame and loads it again.
    Spill(usize),
    /// Calls a function, by its name, with the value or an address in the frame.
    Call { name: usize, address: Option<usize> },
    /// Takes the address of a function.
    Name(usize),
    /// Reads a data symbol.
    Data(usize),
    /// Reads or writes a global.
    Global(usize, bool),
    /// Calls through the table.
    Indirect,
    /// Adds a constant, branching around it.
    Add(i32, bool),
    /// A constant of 128 bits goes to the frame.
    Wide(u64),
    /// Calls with a handler.
    Guarded(usize),
    /// Calls what gives back two words through memory, and loads one of them.
    Struct(usize, usize),
}

#[derive(Clone)]
struct Function {
    name: usize,
    steps: Vec<Step>,
    weak: bool,
    exported: bool,
    /// A stack slot, or a frame below the stack pointer as LLVM makes it, or none.
    frame: usize,
    lines: bool,
    /// The same is there once more as a function that gives back a struct.
    structs: bool,
}

#[derive(Clone)]
struct Program {
    functions: Vec<Function>,
    globals: Vec<usize>,
    datas: Vec<usize>,
    lines: usize,
    next: usize,
}

const GLOBALS: usize = 4;
const DATAS: usize = 5;

fn step(random: &mut Random, names: usize) -> Step {
    match random.below(13) {
        0 => Step::Spill(random.below(4) * 4),
        1..=3 => Step::Call {
            name: random.below(names),
            address: (!random.one_in(3)).then(|| random.below(5) * 4),
        },
        4 => Step::Name(random.below(names)),
        5 => Step::Data(random.below(DATAS)),
        6 => Step::Global(random.below(GLOBALS), random.one_in(2)),
        7 => Step::Indirect,
        8 => Step::Add(random.below(9) as i32, random.one_in(2)),
        9 => Step::Wide(random.below(3) as u64),
        10 => Step::Guarded(random.below(names)),
        _ => Step::Struct(random.below(names), random.below(2) * 4),
    }
}

/// How many calls make a function too large to be copied; none for some.
fn padding(name: usize) -> usize {
    if name.is_multiple_of(3) { 0 } else { 20 }
}

fn function(random: &mut Random, name: usize, names: usize) -> Function {
    let most = if random.one_in(3) { 9 } else { 3 };
    Function {
        name,
        steps: (0..random.below(most))
            .map(|_| step(random, names))
            .collect(),
        weak: random.one_in(12),
        exported: random.one_in(8),
        frame: random.below(3),
        lines: !random.one_in(3),
        structs: random.one_in(2),
    }
}

impl Program {
    fn new(random: &mut Random) -> Program {
        let count = 30 + random.below(30);
        Program {
            functions: (0..count)
                .map(|name| function(random, name, count))
                .collect(),
            globals: (0..GLOBALS).collect(),
            datas: (0..DATAS).collect(),
            lines: 100,
            next: count,
        }
    }

    fn edit(&mut self, random: &mut Random) {
        let at = random.below(self.functions.len());
        let names = self.next;
        match random.below(10) {
            0 => {
                let new = function(random, names, names + 1);
                self.functions.insert(at, new);
                self.next += 1;
            }
            // Whoever calls it gets a declaration.
            1 if self.functions.len() > 20 => drop(self.functions.remove(at)),
            2 => {
                let other = random.below(self.functions.len());
                self.functions.swap(at, other);
            }
            3 => self.globals.rotate_left(1),
            4 => self.datas.rotate_right(1),
            // Every position moves.
            5 => self.lines += 1 + random.below(5),
            6 => self.functions[at] = function(random, self.functions[at].name, names),
            // The same code about something else.
            7 => {
                for step in &mut self.functions[at].steps {
                    match step {
                        Step::Global(global, _) => *global = (*global + 1) % GLOBALS,
                        Step::Data(data) => *data = (*data + 1) % DATAS,
                        Step::Name(name) => *name = (*name + 1) % names,
                        _ => {}
                    }
                }
            }
            8 => {
                let of = &mut self.functions[at];
                match random.below(5) {
                    0 => of.weak = !of.weak,
                    1 => of.exported = !of.exported,
                    2 => of.lines = !of.lines,
                    3 => of.structs = !of.structs,
                    _ => of.frame = random.below(3),
                }
            }
            _ => {
                let new = step(random, names);
                let steps = &mut self.functions[at].steps;
                let place = random.below(steps.len() + 1);
                match place < steps.len() && random.one_in(2) {
                    true => drop(steps.remove(place)),
                    false => steps.insert(place, new),
                }
            }
        }
    }

    fn text(&self) -> String {
        let mut out = String::from(
            "wasmir 1\nrelocatable\ntype type0 = func(i32) -> (i32)\ntype type1 = func(i32) -> ()\n\
             type type2 = func(i32, i32) -> ()\n\
             memory %memory 1\ntable %table (ref null func) 9\ntag %tag type1\n",
        );
        for global in &self.globals {
            writeln!(out, "global %g{global} mut i32 = (i32.const {global})").unwrap();
        }
        out += "global %__stack_pointer mut i32 = (i32.const 65536)\n";
        let defined: Vec<usize> = self.functions.iter().map(|f| f.name).collect();
        for name in (0..self.next).filter(|name| !defined.contains(name)) {
            writeln!(out, "func %f{name} type0 undefined").unwrap();
        }
        let structs = |name: &usize| self.functions.iter().any(|f| f.name == *name && f.structs);
        for name in (0..self.next).filter(|name| !structs(name)) {
            writeln!(out, "func %s{name} type2 undefined").unwrap();
        }
        let mut line = self.lines;
        for function in &self.functions {
            function.write(&mut out, &mut line, false);
            if function.structs {
                function.write(&mut out, &mut line, true);
            }
        }
        for data in &self.datas {
            writeln!(
                out,
                "data %d{data} symbol \".data.d{data}\" align 4 size 4 \"abcd\""
            )
            .unwrap();
        }
        out += "file \"a.rs\"\n";
        for at in self.lines..=line {
            // One in five positions has no line.
            let number = if at % 5 == 0 { 0 } else { at - self.lines + 1 };
            writeln!(out, "line @{at} 0 {number} 1").unwrap();
        }
        writeln!(out, "line @{} end", line + 1).unwrap();
        out
    }
}

impl Function {
    fn write(&self, out: &mut String, line: &mut usize, structs: bool) {
        let params = 1 + usize::from(structs);
        let mut code = Code {
            text: String::new(),
            locals: params + 1,
            wides: Vec::new(),
            blocks: 1,
            frame: params,
            value: params - 1,
            line: self.lines.then_some(line),
        };
        let frame = code.frame;
        match self.frame {
            0 => code.inst(&format!("l{frame} = i32.const 1024")),
            1 => code.inst(&format!("l{frame} = stack_addr ss0 0")),
            _ => {
                let (top, size) = (code.local(), code.local());
                code.inst(&format!("l{top} = global.get %__stack_pointer"));
                code.inst(&format!("l{size} = i32.const 32"));
                code.inst(&format!("l{frame} = i32.sub l{top}, l{size}"));
                code.inst(&format!("global.set %__stack_pointer, l{frame}"));
            }
        }
        self.steps.iter().for_each(|step| code.step(step));
        if self.frame == 2 {
            let (size, top) = (code.local(), code.local());
            code.inst(&format!("l{size} = i32.const 32"));
            code.inst(&format!("l{top} = i32.add l{frame}, l{size}"));
            code.inst(&format!("global.set %__stack_pointer, l{top}"));
        }
        let value = code.value;
        if structs {
            // Most are too large to be copied as a whole.
            for _ in 0..padding(self.name) {
                code.step(&Step::Indirect);
            }
            code.inst(&format!("i32.store %memory l0+0, l{value} align 4"));
            let (end, more) = (code.block(), code.block());
            code.inst(&format!("br_if l{value}, b{more}, b{end}"));
            writeln!(code.text, "b{more}:").unwrap();
            code.inst(&format!("i32.store8 %memory l0+4, l{value} align 1"));
            code.inst(&format!("jump b{end}"));
            writeln!(code.text, "b{end}:").unwrap();
            code.inst("return");
        } else {
            code.inst(&format!("return l{value}"));
        }
        let linkage = match (self.weak, self.exported) {
            (true, _) => " weak",
            (false, true) => " strong",
            (false, false) => "",
        };
        let (kind, ty) = match structs {
            true => ('s', "type2"),
            false => ('f', "type0"),
        };
        writeln!(out, "func %{kind}{} {ty}{linkage} {{", self.name).unwrap();
        for param in 0..params {
            writeln!(out, "  param l{param}: i32").unwrap();
        }
        if structs {
            out.push_str("  result l0\n");
        }
        for local in params..code.locals {
            let ty = if code.wides.contains(&local) {
                "v128"
            } else {
                "i32"
            };
            writeln!(out, "  local l{local}: {ty}").unwrap();
        }
        if self.frame == 1 {
            out.push_str("  slot ss0: 32 align 8\n");
        }
        write!(out, "b0:\n{}}}\n", code.text).unwrap();
    }
}

/// The code of a function while it is written.
struct Code<'a> {
    text: String,
    locals: usize,
    wides: Vec<usize>,
    blocks: usize,
    /// The local that holds the address of the frame.
    frame: usize,
    /// The local that holds what was computed last.
    value: usize,
    /// The last position, if the code has any.
    line: Option<&'a mut usize>,
}

impl Code<'_> {
    fn local(&mut self) -> usize {
        self.locals += 1;
        self.locals - 1
    }

    fn block(&mut self) -> usize {
        self.blocks += 1;
        self.blocks - 1
    }

    fn inst(&mut self, text: &str) {
        let at = self.line.as_mut().map(|line| {
            **line += 1;
            format!(" @{line}")
        });
        writeln!(self.text, "  {text}{}", at.unwrap_or_default()).unwrap();
    }

    fn step(&mut self, step: &Step) {
        let (value, new, frame) = (self.value, self.local(), self.frame);
        self.value = new;
        match *step {
            Step::Spill(at) => {
                self.inst(&format!(
                    "i32.store %memory l{frame}+{at}, l{value} align 4"
                ));
                self.inst(&format!("l{new} = i32.load %memory l{frame}+{at} align 4"));
            }
            Step::Call { name, address } => {
                let passed = match address {
                    None => value,
                    Some(at) => {
                        let (by, address) = (self.local(), self.local());
                        self.inst(&format!("l{by} = i32.const {at}"));
                        self.inst(&format!("l{address} = i32.add l{frame}, l{by}"));
                        address
                    }
                };
                self.inst(&format!("l{new} = call %f{name}(l{passed})"));
            }
            Step::Name(name) => self.inst(&format!("l{new} = sym_addr func %f{name} 0")),
            Step::Data(data) => {
                let address = self.local();
                self.inst(&format!("l{address} = sym_addr data %d{data} 0"));
                self.inst(&format!("l{new} = i32.load %memory l{address}+0 align 4"));
            }
            Step::Global(global, write) => {
                self.inst(&format!("l{new} = global.get %g{global}"));
                if write {
                    self.inst(&format!("global.set %g{global}, l{value}"));
                }
            }
            Step::Indirect => {
                self.inst(&format!(
                    "l{new} = call indirect %table type0 (l{value}, l{value})"
                ));
            }
            Step::Add(by, branch) => {
                let (constant, sum) = (self.local(), self.local());
                self.inst(&format!("l{constant} = i32.const {by}"));
                self.inst(&format!("l{new} = copy l{value}"));
                self.inst(&format!("l{sum} = i32.add l{value}, l{constant}"));
                if branch {
                    let (then, after) = (self.block(), self.block());
                    self.inst(&format!("br_if l{value}, b{then}, b{after}"));
                    writeln!(self.text, "b{then}:").unwrap();
                    self.inst(&format!("l{new} = copy l{sum}"));
                    self.inst(&format!("jump b{after}"));
                    writeln!(self.text, "b{after}:").unwrap();
                } else {
                    self.inst(&format!("l{new} = copy l{sum}"));
                }
            }
            Step::Wide(number) => {
                self.wides.push(new);
                self.inst(&format!("l{new} = v128.const {number}"));
                self.inst(&format!("v128.store %memory l{frame}+0, l{new} align 1"));
                self.value = value;
            }
            Step::Struct(name, at) => {
                self.inst(&format!("call %s{name}(l{frame}, l{value})"));
                self.inst(&format!("l{new} = i32.load %memory l{frame}+{at} align 4"));
            }
            Step::Guarded(name) => {
                let (normal, caught, payload) = (self.block(), self.block(), self.local());
                self.inst(&format!(
                    "l{new} = invoke %f{name}(l{value}) b{normal} handlers [catch %tag (l{payload}) b{caught}]"
                ));
                writeln!(self.text, "b{caught}:").unwrap();
                self.inst(&format!("l{new} = copy l{payload}"));
                self.inst(&format!("jump b{normal}"));
                writeln!(self.text, "b{normal}:").unwrap();
            }
        }
    }
}

/// The program after the passes, as text.
fn optimised(program: &Program, results: Option<&dyn Results>) -> String {
    let text = program.text();
    let mut module = parse_module(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    verify_module(&module).unwrap_or_else(|errors| panic!("{errors:?}\n{text}"));
    pipeline::run_kept(&mut module, &Options::FRONT_END, results);
    verify_module(&module).unwrap_or_else(|errors| panic!("{errors:?}"));
    print_module(&module).to_string()
}

#[test]
fn edited_programs_become_the_same_with_kept_results() {
    let (mut hits, mut misses, mut splits) = (0, 0, 0);
    for seed in 0..8 {
        let mut random = Random(seed);
        let mut program = Program::new(&mut random);
        let kept = Memory::default();
        for edit in 0..30 {
            for _ in 0..random.below(3) {
                program.edit(&mut random);
            }
            let with = optimised(&program, Some(&kept));
            let without = optimised(&program, None);
            splits += usize::from(without.contains("-> (i32, i32)"));
            assert!(
                with == without,
                "seed {seed}, edit {edit}: {}",
                difference(&with, &without)
            );
        }
        hits += *kept.hits.lock().unwrap();
        misses += kept.map.lock().unwrap().len();
    }
    assert!(splits > 150, "workers in {splits} of 240 programs");
    // An edit touches a function and those that see it.
    assert!(hits > 3 * misses, "{hits} hits, {misses} results");
}

/// The first line that differs.
fn difference(a: &str, b: &str) -> String {
    let pair = a.lines().zip(b.lines()).find(|(a, b)| a != b);
    pair.map_or_else(|| "length".into(), |(a, b)| format!("`{a}` and `{b}`"))
}

#[test]
fn a_program_is_found_as_a_whole_under_other_numbers() {
    for seed in 0..6 {
        let mut random = Random(seed);
        let mut program = Program::new(&mut random);
        let kept = Memory::default();
        optimised(&program, Some(&kept));
        let made = kept.map.lock().unwrap().len();
        // Entities are listed otherwise, and positions begin elsewhere.
        program.globals.reverse();
        program.datas.reverse();
        program.lines += 5;
        optimised(&program, Some(&kept));
        assert_eq!(kept.map.lock().unwrap().len(), made, "seed {seed}");
        assert!(
            *kept.hits.lock().unwrap() >= program.functions.len(),
            "seed {seed}"
        );
    }
}

#[test]
fn the_comparison_notices_wrong_results() {
    let mut random = Random(1);
    let program = Program::new(&mut random);
    let mut kept = Memory::default();
    let right = optimised(&program, Some(&kept));
    kept.wrong = true;
    let mut module = parse_module(&program.text()).expect("a program");
    pipeline::run_kept(&mut module, &Options::default(), Some(&kept));
    assert!(print_module(&module).to_string() != right);
}

#[test]
fn what_cannot_be_read_is_made_anew() {
    let mut random = Random(3);
    let program = Program::new(&mut random);
    let kept = Memory::default();
    let right = optimised(&program, Some(&kept));
    let whole: Vec<(Key, Vec<u8>)> = kept.map.lock().unwrap().drain().collect();
    for cut in [0, 1, 7, 40] {
        for (key, contents) in &whole {
            // Cut off, and with something behind the end.
            let mut damaged = contents[..contents.len().min(cut)].to_vec();
            if cut == 7 {
                damaged = [&contents[..], b"x"].concat();
            }
            kept.insert(*key, damaged);
        }
        assert!(
            optimised(&program, Some(&kept)) == right,
            "cut after {cut} bytes"
        );
    }
}

#[test]
fn a_copy_that_mentions_what_its_caller_mentions_is_another_than_one_that_does_not() {
    let text = |global: &str| {
        format!(
            "wasmir 1\ntype type0 = func(i32) -> (i32)\n\
             global %a mut i32 = (i32.const 1)\nglobal %b mut i32 = (i32.const 2)\n\
             func %callee type0 {{\n  param l0: i32\n  local l1: i32\nb0:\n  l1 = global.get %{global}\n  return l1\n}}\n\
             func %caller type0 {{\n  param l0: i32\n  local l1, l2, l3: i32\nb0:\n  l1 = global.get %a\n  \
             l2 = call %callee(l0)\n  l3 = i32.add l1, l2\n  return l3\n}}\nexport \"f\" func %caller\n"
        )
    };
    let kept = Memory::default();
    for global in ["a", "b", "a"] {
        let made = |results: Option<&dyn Results>| {
            let mut module = parse_module(&text(global)).expect("a module");
            pipeline::run_kept(&mut module, &Options::default(), results);
            print_module(&module).to_string()
        };
        let with = made(Some(&kept));
        assert_eq!(with, made(None));
        let caller = &with[with.find("func %caller").expect("it is there")..];
        assert!(
            !caller.contains("call %") && caller.contains(&format!("global.get %{global}")),
            "{caller}"
        );
    }
    assert_eq!(
        *kept.hits.lock().unwrap(),
        3,
        "the callee under another name, and all of the last"
    );
}
