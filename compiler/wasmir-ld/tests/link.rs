//! Whole links: objects and archives with WasmIR and without, by the `rust-lld` of the toolchain that runs the tests.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use wasmir::{Module, parse_module};

/// A folder with inputs, removed when the value is dropped.
struct Inputs(tempfile::TempDir);

fn linker() -> PathBuf {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let said = |args: &[&str]| {
        let output = Command::new(&rustc)
            .args(args)
            .output()
            .expect("rustc runs");
        String::from_utf8(output.stdout).expect("rustc prints UTF-8")
    };
    let host = said(&["-vV"]);
    let host = host.lines().find_map(|line| line.strip_prefix("host: "));
    Path::new(said(&["--print", "sysroot"]).trim())
        .join("lib/rustlib")
        .join(host.expect("rustc tells its host"))
        .join("bin")
        .join(format!("rust-lld{}", std::env::consts::EXE_SUFFIX))
}

fn parsed(text: &str) -> Module {
    let text = format!("wasmir 1\nrelocatable\n{text}");
    let module = parse_module(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    if let Err(errors) = wasmir::verify_module(&module) {
        panic!("{errors:?}");
    }
    module
}

/// An object that holds WasmIR.
fn wir(text: &str) -> Vec<u8> {
    wasmir_ld::envelope::seal(&wasmir::encode_module(&parsed(text)))
}

/// An object as any compiler makes it.
fn foreign(text: &str) -> Vec<u8> {
    codegen_cranelift::emit_object(parsed(text), &Default::default()).expect("it compiles")
}

fn archive(members: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut out = b"!<arch>\n".to_vec();
    for (name, contents) in members {
        let name = format!("{name}/");
        let head = format!(
            "{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n",
            0,
            0,
            0,
            644,
            contents.len()
        );
        out.extend(head.into_bytes());
        out.extend(contents);
        if contents.len() % 2 == 1 {
            out.push(b'\n');
        }
    }
    out
}

impl Inputs {
    fn new(files: &[(&str, Vec<u8>)]) -> Inputs {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, contents) in files {
            std::fs::write(folder.path().join(name), contents).expect("a file");
        }
        Inputs(folder)
    }

    fn run(&self, args: &[&str]) -> ExitCode {
        let place = |arg: &&str| -> OsString {
            match arg.ends_with(".o") || arg.ends_with(".a") {
                true => self.0.path().join(arg).into(),
                false => arg.into(),
            }
        };
        let mut all: Vec<OsString> = args.iter().map(place).collect();
        all.push(format!("--wasmir-linker={}", linker().display()).into());
        all.extend(["-flavor", "wasm", "--no-entry", "-o"].map(OsString::from));
        all.push(self.0.path().join("out.wasm").into());
        wasmir_ld::run(all)
    }

    /// The program, which must come about.
    fn linked(&self, args: &[&str]) -> Vec<u8> {
        assert_eq!(self.run(args), ExitCode::SUCCESS);
        assert!(
            !self.0.path().join("out.wasm.wasmir.o").exists(),
            "nothing is left behind"
        );
        std::fs::read(self.0.path().join("out.wasm")).expect("a program")
    }
}

fn holds(program: &[u8], name: &str) -> bool {
    program
        .windows(name.len())
        .any(|bytes| bytes == name.as_bytes())
}

const MAIN: &str = r#"
type type0 = func(i32) -> (i32)
func %helper type0 undefined
func %unneeded type0 undefined
func %run type0 strong {
  param l0: i32
  local l1: i32
b0:
  l1 = call %helper(l0)
  return l1
}
func %dead_code type0 strong {
  param l0: i32
  local l1: i32
b0:
  l1 = call %unneeded(l0)
  return l1
}
"#;

/// A function that is too heavy to be inlined and calls `callee`.
fn heavy(name: &str, linkage: &str, constant: u32) -> String {
    let mut text = format!(
        "type type0 = func(i32) -> (i32)\nfunc %{name} type0 {linkage} {{\n  param l0: i32\n  local l1: i32\nb0:\n"
    );
    for i in 0..900 {
        text += &format!(
            "  l1 = i32.const {}\n  l0 = i32.mul l0, l1\n  l0 = i32.xor l0, l1\n",
            constant + i
        );
    }
    text + "  return l0\n}\n"
}

#[test]
fn only_what_is_reached_is_compiled() {
    let library = archive(&[
        ("helper.o", wir(&heavy("helper", "strong", 3))),
        ("unneeded.o", wir(&heavy("unneeded", "strong", 5))),
        ("stranger.o", wir(&heavy("stranger", "strong", 7))),
    ]);
    let inputs = Inputs::new(&[("main.o", wir(MAIN)), ("lib.a", library)]);
    let program = inputs.linked(&["--export", "run", "main.o", "lib.a"]);
    assert!(holds(&program, "helper"));
    for name in ["dead_code", "unneeded", "stranger"] {
        assert!(!holds(&program, name), "{name}");
    }
    let everything = inputs.linked(&["--export-all", "main.o", "lib.a"]);
    assert!(holds(&everything, "dead_code") && holds(&everything, "unneeded"));
    assert!(
        !holds(&everything, "stranger"),
        "a member that nobody needs is not loaded"
    );
}

#[test]
fn small_functions_of_other_units_are_inlined() {
    let small = "type type0 = func(i32) -> (i32)\nfunc %helper type0 strong {\n  param l0: i32\nb0:\n  l0 = i32.add l0, l0\n  return l0\n}\n";
    let inputs = Inputs::new(&[
        ("main.o", wir(MAIN)),
        ("helper.o", wir(small)),
        ("unneeded.o", wir(&heavy("unneeded", "strong", 5))),
    ]);
    let all = ["--export", "run", "main.o", "helper.o", "unneeded.o"];
    assert!(!holds(&inputs.linked(&all), "helper"));
    let mut plain = all.to_vec();
    plain.push("--wasmir-unoptimised");
    assert!(holds(&inputs.linked(&plain), "helper"));
}

#[test]
fn objects_of_other_origin_take_part() {
    // The foreign object calls back into WasmIR, and a weak definition of ours gives way to its strong one.
    let outside = "type type0 = func(i32) -> (i32)\nfunc %back type0 undefined\nfunc %helper type0 strong {\n  param l0: i32\nb0:\n  l0 = call %back(l0)\n  return l0\n}\n";
    let back = heavy("back", "strong", 11);
    let weak = heavy("helper", "weak", 13);
    let inputs = Inputs::new(&[
        ("main.o", wir(MAIN)),
        ("weak.o", wir(&weak)),
        ("outside.o", foreign(outside)),
        ("back.a", archive(&[("back.o", wir(&back))])),
        ("unneeded.o", wir(&heavy("unneeded", "strong", 5))),
    ]);
    let program = inputs.linked(&[
        "--export",
        "run",
        "main.o",
        "weak.o",
        "outside.o",
        "back.a",
        "unneeded.o",
    ]);
    assert!(
        holds(&program, "back"),
        "what the foreign object wants is compiled"
    );
    // The constant 13 + 899 of the weak body is the last it multiplies by; the body is gone with it.
    let marker: Vec<u8> = [0x41, 0x90, 0x07, 0x6c].to_vec();
    let has = |program: &[u8]| program.windows(4).any(|bytes| bytes == marker);
    assert!(!has(&program), "the strong definition stands");
    let alone = inputs.linked(&[
        "--export",
        "run",
        "main.o",
        "weak.o",
        "back.a",
        "unneeded.o",
    ]);
    assert!(has(&alone), "without it the weak one does");
}

#[test]
fn the_same_inputs_give_the_same_bytes() {
    let library: Vec<(String, Vec<u8>)> = (0..20)
        .map(|i| {
            (
                format!("m{i}.o"),
                wir(&heavy(&format!("f{i}"), "strong", i)),
            )
        })
        .collect();
    let members: Vec<(&str, Vec<u8>)> = library
        .iter()
        .map(|(n, b)| (n.as_str(), b.clone()))
        .collect();
    let inputs = Inputs::new(&[("lib.a", archive(&members))]);
    let cache = inputs.0.path().join("cache");
    let cache = format!("--wasmir-cache={}", cache.display());
    let mut args = vec!["lib.a"];
    let names: Vec<String> = (0..20).map(|i| format!("--export=f{i}")).collect();
    args.extend(names.iter().map(String::as_str));
    let plain = inputs.linked(&args);
    args.push(&cache);
    let threads = |n| {
        rayon::ThreadPoolBuilder::new()
            .num_threads(n)
            .build()
            .expect("threads")
    };
    for n in [1, 4, 2] {
        assert!(
            threads(n).install(|| inputs.linked(&args)) == plain,
            "{n} threads"
        );
    }
}

#[test]
fn an_edited_program_is_the_same_with_results_of_earlier_links() {
    let small = |by: u32| {
        format!(
            "type type0 = func(i32) -> (i32)\nfunc %helper type0 strong {{\n  param l0: i32\n  local l1: i32\nb0:\n  \
             l1 = i32.const {by}\n  l0 = i32.mul l0, l1\n  return l0\n}}\n"
        )
    };
    // Another function, and a global in front, move the numbers of all others.
    let more = "global %more mut i32 = (i32.const 1)\n";
    let tail = "func %again type0 strong {\n  param l0: i32\n  local l1, l2: i32\nb0:\n  l1 = call %helper(l0)\n  \
                l2 = global.get %more\n  l1 = i32.add l1, l2\n  return l1\n}\n";
    let forms = [
        (MAIN.to_owned(), small(3)),
        (format!("{MAIN}{more}{tail}"), small(3)),
        (format!("{MAIN}{more}{tail}"), small(4)),
        (MAIN.to_owned(), heavy("helper", "strong", 9)),
        (MAIN.to_owned(), small(3)),
    ];
    let inputs = Inputs::new(&[("unneeded.o", wir(&heavy("unneeded", "strong", 5)))]);
    let cache = inputs.0.path().join("cache");
    let cache = format!("--wasmir-cache={}", cache.display());
    let mut made = Vec::new();
    for (main, helper) in &forms {
        for (name, text) in [("main.o", main), ("helper.o", helper)] {
            std::fs::write(inputs.0.path().join(name), wir(text)).expect("an object");
        }
        let mut args = vec!["--export-all", "main.o", "helper.o", "unneeded.o"];
        let plain = inputs.linked(&args);
        args.push(&cache);
        assert!(inputs.linked(&args) == plain, "form {}", made.len());
        assert!(inputs.linked(&args) == plain, "form {} again", made.len());
        made.push(plain);
    }
    assert!(made[1] != made[2] && made[0] == made[4]);
}

#[test]
fn errors_leave_nothing_behind() {
    let twice = wir(&heavy("helper", "strong", 1));
    let inputs = Inputs::new(&[
        ("main.o", wir(MAIN)),
        ("a.o", twice.clone()),
        ("b.o", twice),
    ]);
    assert_eq!(
        inputs.run(&["--export", "run", "main.o", "a.o", "b.o"]),
        ExitCode::FAILURE
    );
    assert_eq!(
        inputs.run(&["--export", "run", "missing.o"]),
        ExitCode::FAILURE
    );
    let mut damaged = wir(MAIN);
    let middle = damaged.len() / 2;
    damaged[middle..].fill(0xff);
    std::fs::write(inputs.0.path().join("main.o"), damaged).expect("a file");
    assert_eq!(
        inputs.run(&["--export", "run", "main.o", "a.o"]),
        ExitCode::FAILURE
    );
    assert!(!inputs.0.path().join("out.wasm").exists());
}

/// The code of the function `name`, by the section of names.
fn code_of<'a>(program: &'a [u8], name: &str) -> &'a [u8] {
    use wasmparser::{KnownCustom, Name, Parser, Payload};
    let (mut imported, mut number, mut bodies) = (0, None, Vec::new());
    for payload in Parser::new(0).parse_all(program) {
        match payload.expect("a module") {
            Payload::ImportSection(imports) => imported = imports.count(),
            Payload::CodeSectionEntry(body) => bodies.push(body.as_bytes()),
            Payload::CustomSection(section) => {
                if let KnownCustom::Name(names) = section.as_known() {
                    for names in names {
                        if let Ok(Name::Function(map)) = names {
                            let mut map = map.into_iter().flatten();
                            number = map.find(|n| n.name == name).map(|n| n.index);
                        }
                    }
                }
            }
            _ => {}
        }
    }
    let number = number.expect("the function has a name");
    bodies[(number - imported) as usize]
}

/// What a library's code names stays where it is when the program's own data and functions come and go, so that an engine that
/// keeps functions by their content finds it again.
#[test]
fn an_edit_of_the_program_leaves_library_code_as_it_is() {
    let table = "table %__indirect_function_table (ref null func) 0 undefined import \"env\" \"__indirect_function_table\"\n";
    // Read-only, writable and zero data, and a function in the table.
    let mut library = heavy("helper", "strong", 3).replace(
        "b0:\n",
        "b0:\n  l1 = sym_addr data %fixed 0\n  l0 = i32.xor l0, l1\n  l1 = sym_addr data %changing 0\n  l0 = i32.xor l0, l1\n  \
         l1 = sym_addr data %empty 0\n  l0 = i32.xor l0, l1\n  l1 = sym_addr func %indirect 0\n  \
         l0 = call indirect %__indirect_function_table type0 (l0, l1)\n",
    );
    library += "data %fixed symbol \".rodata.fixed\" align 1 size 3 \"abc\"\n\
                data %changing symbol \".data.changing\" align 4 size 4 \"\\01\\02\\03\\04\"\n\
                data %empty symbol \".bss.empty\" align 4 size 4 \"\"\n";
    library += table;
    library += "func %indirect type0 strong {\n  param l0: i32\nb0:\n  return l0\n}\n";
    let program = |own: u32| {
        let mut text = MAIN.replace(
            "b0:\n  l1 = call %helper(l0)\n",
            "b0:\n  l1 = call %helper(l0)\n  l0 = sym_addr data %own 0\n  l1 = i32.xor l1, l0\n  l0 = sym_addr data %mine 0\n  \
             l1 = i32.xor l1, l0\n  l0 = sym_addr func %dead_code 0\n  l1 = i32.xor l1, l0\n",
        );
        let bytes = "x".repeat(own as usize);
        text += &format!(
            "data %own symbol \".rodata.own\" align 1 size {own} \"{bytes}\"\n\
             data %mine symbol \".data.mine\" align 1 size {own} \"{bytes}\"\n"
        );
        let inputs = Inputs::new(&[
            ("main.o", wir(&text)),
            ("lib.a", archive(&[("helper.o", wir(&library))])),
            ("unneeded.o", wir(&heavy("unneeded", "strong", 5))),
        ]);
        inputs.linked(&["--export", "run", "main.o", "unneeded.o", "lib.a"])
    };
    let (small, large) = (program(10), program(300));
    assert!(small != large);
    assert!(code_of(&small, "helper") == code_of(&large, "helper"));
}

/// An address that only goes elsewhere, through which nobody calls, needs the table all the same.
#[test]
fn an_address_is_taken_that_nobody_calls() {
    let main = "type type0 = func(i32) -> (i32)\nfunc %run type0 strong {\n  param l0: i32\nb0:\n  l0 = sym_addr func %run 0\n  return l0\n}\n";
    let inputs = Inputs::new(&[("main.o", wir(main))]);
    let program = inputs.linked(&["--export", "run", "main.o"]);
    assert!(wasmparser::validate(&program).is_ok());
    let data = "type type0 = func(i32) -> (i32)\nfunc %run type0 strong {\n  param l0: i32\nb0:\n  l0 = sym_addr data %pointer 0\n  \
                return l0\n}\ndata %pointer symbol \".rodata.pointer\" align 4 size 4 \"\\00\\00\\00\\00\" relocs {\n  \
                0 table_index_i32 func %run 0\n}\n";
    let inputs = Inputs::new(&[("main.o", wir(data))]);
    let program = inputs.linked(&["--export", "run", "main.o"]);
    assert!(wasmparser::validate(&program).is_ok());
}

#[test]
fn a_program_is_for_threads_if_all_of_its_units_are() {
    let unit = |name: &str, memory: &str| {
        wir(&format!(
            "type type0 = func(i32) -> (i32)\nmemory %mem {memory} import \"env\" \"__linear_memory\"\n\
             func %{name} type0 strong {{\n  param l0: i32\nb0:\n  l0 = i32.load %mem l0+0 align 4\n  return l0\n}}\n"
        ))
    };
    let (threads, one) = ("shared 0 max 65536", "0");
    let inputs = Inputs::new(&[
        ("a.o", unit("a", threads)),
        ("b.o", unit("b", threads)),
        ("c.o", unit("c", one)),
    ]);
    let shared = ["--shared-memory", "--max-memory=1048576", "--import-memory"];
    let link = |files: &[&str], options: &[&str]| {
        inputs.run(&[&["--export-all"][..], files, options].concat())
    };
    assert_eq!(link(&["a.o", "b.o"], &shared), ExitCode::SUCCESS);
    assert_eq!(link(&["a.o", "c.o"], &[]), ExitCode::SUCCESS);
    assert_eq!(link(&["a.o", "c.o"], &shared), ExitCode::FAILURE);
}
