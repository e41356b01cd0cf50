//! Relocatable objects and line tables with the tools that made them famous: what rustc's LLVM emits is lifted and linked by
//! us, what we emit is linked by `rust-lld` with LLVM's objects and with wasi-libc, and each runs as `rust-lld`'s own link of the
//! originals does. A trap in a recompiled debug module names the line of the source.

use crate::support::{Output, root, set_up};
use codegen_cranelift::{Options, emit_module, emit_object};
use std::path::{Path, PathBuf};
use std::process::Command;
use wasm_toolchain::{Environment, Progress, Target, Toolchain, discover};
use wasmir::layout;
use wasmir::passes::pipeline;
use wasmtime::{Config, Engine, Instance, Linker, Module, Store, WasmBacktraceDetails};

/// rustc with std for the target, the linker, wasi-libc, and a folder for what they make.
struct Tools {
    rustc: PathBuf,
    linker: PathBuf,
    libc: PathBuf,
    folder: tempfile::TempDir,
}

impl Tools {
    fn new() -> Tools {
        set_up();
        let env = Environment::from_process();
        let targets = ["wasm32-unknown-unknown", "wasm32-wasip1"]
            .map(|triple| Target::from_triple(triple).expect("a target we know"));
        let toolchain =
            Toolchain::ready(&env, &targets, &Progress::new(true)).expect("it is set up");
        let linker = discover::find_linker(&env, Some(toolchain.rust())).expect("it is set up");
        let libc = discover::find_wasi_libc(&env).expect("it is set up");
        Tools {
            rustc: toolchain.rustc().to_owned(),
            linker: linker.path,
            libc: libc.path,
            folder: tempfile::tempdir().expect("a folder"),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Compiles a fixture with these flags to the file `name`.
    fn rustc(&self, fixture: &str, name: &str, flags: &[&str]) -> Vec<u8> {
        let out = self.path(name);
        let mut command = Command::new(&self.rustc);
        command
            .arg(root().join("tests/fixtures/objects").join(fixture))
            .args(["--edition=2024", "-Cpanic=abort", "-o"])
            .arg(&out)
            .args(flags);
        Output::of(&mut command).succeeded();
        std::fs::read(out).expect("rustc wrote it")
    }

    fn object(&self, fixture: &str, name: &str, target: &str, level: u32) -> Vec<u8> {
        let level = format!("-Copt-level={level}");
        // Without checks: what they call when they fail is in `core`, which is not linked.
        let checks = "-Cdebug-assertions=no";
        let emit = ["--emit=obj", "-g", checks, "--target", target, &level];
        self.rustc(fixture, name, &emit)
    }

    /// Links files by `rust-lld`.
    fn link(&self, name: &str, files: &[PathBuf], flags: &[&str]) -> Vec<u8> {
        let out = self.path(name);
        let mut command = Command::new(&self.linker);
        let is_rust_lld = self
            .linker
            .file_stem()
            .is_some_and(|stem| stem == "rust-lld");
        if is_rust_lld {
            command.args(["-flavor", "wasm"]);
        }
        command.args(files).args(flags).arg("-o").arg(&out);
        Output::of(&mut command).succeeded();
        let bytes = std::fs::read(out).expect("the linker wrote it");
        wasmparser::validate(&bytes).expect("what is linked is valid");
        bytes
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, bytes).expect("a file");
        path
    }
}

const EXPORTS: [&str; 5] = ["apply", "count", "name", "frame", "float"];

/// What a linked program answers to a list of calls, the states they leave behind included.
fn answers(wasm: &[u8]) -> Vec<String> {
    let engine = Engine::default();
    let module = Module::new(&engine, wasm).expect("the module is valid");
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).expect("nothing is imported");
    let mut out = Vec::new();
    for round in 0..12i32 {
        for name in ["apply", "name"] {
            let f = instance
                .get_typed_func::<(i32, i32), i32>(&mut store, name)
                .expect("it is exported");
            let answer = f.call(&mut store, (round, round * 31 - 100));
            out.push(format!("{name} {}", answer.expect("it returns")));
        }
        for name in ["count", "frame"] {
            let f = instance
                .get_typed_func::<i32, i32>(&mut store, name)
                .expect("it is exported");
            out.push(format!(
                "{name} {}",
                f.call(&mut store, round).expect("it returns")
            ));
        }
        let f = instance
            .get_typed_func::<f64, f64>(&mut store, "float")
            .expect("it is exported");
        let answer = f.call(&mut store, f64::from(round) * 1.75 - 4.0);
        out.push(format!("float {}", answer.expect("it returns")));
    }
    out
}

/// An object through WasmIR and back; its bodies through instructions and passes, or as they came.
fn again(object: &[u8], instructions: bool) -> Vec<u8> {
    let mut module = wasmir_lift::lift(object).unwrap_or_else(|error| panic!("{error}"));
    wasmir::verify_module(&module).unwrap_or_else(|errors| panic!("{errors:?}"));
    if instructions {
        wasmir_lift::lift_bodies(&mut module).unwrap_or_else(|(f, error)| panic!("{f}: {error}"));
        pipeline::run(&mut module, &pipeline::Options::default());
        wasmir::verify_module(&module).unwrap_or_else(|errors| panic!("{errors:?}"));
    }
    emit_object(module, &Options::default()).unwrap_or_else(|error| panic!("{error}"))
}

/// Links objects by WasmIR's linker and layout.
fn link_ours(objects: &[&[u8]], instructions: bool) -> Vec<u8> {
    let modules = objects.iter().map(|object| {
        let mut module = wasmir_lift::lift(object).unwrap_or_else(|error| panic!("{error}"));
        if instructions {
            wasmir_lift::lift_bodies(&mut module).unwrap_or_else(|(f, e)| panic!("{f}: {e}"));
        }
        module
    });
    let mut module = wasmir::link(modules.collect()).unwrap_or_else(|errors| panic!("{errors:?}"));
    let options = layout::Options {
        exports: EXPORTS.map(str::to_owned).into(),
        ..layout::Options::default()
    };
    layout::run(&mut module, &options).unwrap_or_else(|error| panic!("{error}"));
    wasmir::verify_module(&module).unwrap_or_else(|errors| panic!("{errors:?}"));
    emit_module(&module, &Options::default()).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn objects_of_llvm_and_ours_link_either_way() {
    let tools = Tools::new();
    let target = "wasm32-unknown-unknown";
    let mut flags = vec!["--no-entry", "--export=__stack_pointer"];
    let exports = EXPORTS.map(|name| format!("--export={name}"));
    flags.extend(exports.iter().map(String::as_str));
    for level in [0, 2] {
        let program = tools.object("program.rs", "program.o", target, level);
        let library = tools.object("library.rs", "library.o", target, level);
        let (a, b) = (tools.path("program.o"), tools.path("library.o"));
        let expected = answers(&tools.link("llvm.wasm", &[a.clone(), b.clone()], &flags));
        for instructions in [false, true] {
            let what = format!("-O{level}, instructions: {instructions}");
            let ours_a = tools.write("ours-program.o", &again(&program, instructions));
            let ours_b = tools.write("ours-library.o", &again(&library, instructions));
            let all = tools.link("ours.wasm", &[ours_a.clone(), ours_b], &flags);
            assert_eq!(answers(&all), expected, "both objects ours, {what}");
            let mixed = tools.link("mixed.wasm", &[ours_a, b.clone()], &flags);
            assert_eq!(answers(&mixed), expected, "one object ours, {what}");
            let linked = link_ours(&[&program, &library], instructions);
            assert_eq!(answers(&linked), expected, "linked by us, {what}");
        }
    }
}

/// What a WASI program writes to its standard output.
fn output(wasm: &[u8]) -> String {
    let engine = Engine::default();
    let module = Module::new(&engine, wasm).expect("the module is valid");
    let mut store = Store::new(&engine, Vec::<u8>::new());
    let mut linker = Linker::<Vec<u8>>::new(&engine);
    linker
        .func_wrap(
            "wasi_snapshot_preview1",
            "fd_write",
            |mut caller: wasmtime::Caller<'_, Vec<u8>>,
             _: i32,
             list: i32,
             count: i32,
             done: i32| {
                let memory = caller.get_export("memory").and_then(|e| e.into_memory());
                let memory = memory.expect("it is exported");
                let word = |data: &[u8], at: usize| {
                    let bytes = data[at..at + 4].try_into().expect("four bytes");
                    u32::from_le_bytes(bytes) as usize
                };
                let mut written = Vec::new();
                for i in 0..count as usize {
                    let data = memory.data(&caller);
                    let at = list as usize + 8 * i;
                    let (start, len) = (word(data, at), word(data, at + 4));
                    written.extend_from_slice(&data[start..start + len]);
                }
                let len = (written.len() as u32).to_le_bytes();
                memory.data_mut(&mut caller)[done as usize..][..4].copy_from_slice(&len);
                caller.data_mut().extend(written);
                0i32
            },
        )
        .expect("no such name yet");
    linker
        .func_wrap(
            "wasi_snapshot_preview1",
            "args_sizes_get",
            |mut caller: wasmtime::Caller<'_, Vec<u8>>, count: i32, size: i32| {
                let memory = caller.get_export("memory").and_then(|e| e.into_memory());
                let data = memory.expect("it is exported").data_mut(&mut caller);
                data[count as usize..][..4].fill(0);
                data[size as usize..][..4].fill(0);
                0i32
            },
        )
        .expect("no such name yet");
    // No arguments; standard output is no file that could be asked about or sought in.
    for (name, errno) in [("args_get", 0), ("fd_fdstat_get", 8)] {
        let defined = linker.func_wrap("wasi_snapshot_preview1", name, move |_: i32, _: i32| errno);
        defined.expect("no such name yet");
    }
    linker
        .func_wrap(
            "wasi_snapshot_preview1",
            "fd_seek",
            |_: i32, _: i64, _: i32, _: i32| 8i32,
        )
        .expect("no such name yet");
    linker
        .define_unknown_imports_as_traps(&module)
        .expect("functions only");
    let instance = linker
        .instantiate(&mut store, &module)
        .expect("everything is there");
    let start = instance
        .get_typed_func::<(), ()>(&mut store, "_start")
        .expect("it is exported");
    start.call(&mut store, ()).expect("it returns");
    String::from_utf8(store.into_data()).expect("text")
}

#[test]
fn our_objects_link_with_wasi_libc() {
    let tools = Tools::new();
    let object = tools.object("hello.rs", "hello.o", "wasm32-wasip1", 0);
    let libc = [tools.libc.join("crt1-command.o"), tools.libc.join("libc.a")];
    let link = |name: &str, object: PathBuf| {
        let files = [libc[0].clone(), object, libc[1].clone()];
        output(&tools.link(name, &files, &[]))
    };
    let expected = "hello 4950 2.500\n";
    assert_eq!(link("llvm.wasm", tools.path("hello.o")), expected);
    for instructions in [false, true] {
        let ours = tools.write("ours.o", &again(&object, instructions));
        assert_eq!(
            link("ours.wasm", ours),
            expected,
            "instructions: {instructions}"
        );
    }
    // The start code is LLVM's object, too, and goes the same way.
    let crt = std::fs::read(&libc[0]).expect("it is set up");
    let crt = tools.write("crt.o", &again(&crt, true));
    let files = [crt, tools.path("hello.o"), libc[1].clone()];
    assert_eq!(output(&tools.link("crt.wasm", &files, &[])), expected);
}

/// All of a C library, and the program on top of it.
#[test]
fn wasi_libc_goes_through_wasmir() {
    let tools = Tools::new();
    let hello = tools.object("hello.rs", "hello.o", "wasm32-wasip1", 2);
    let crt = std::fs::read(tools.libc.join("crt1-command.o")).expect("it is set up");
    let libc = std::fs::read(tools.libc.join("libc.a")).expect("it is set up");
    let mut files = vec![
        tools.write("crt.o", &again(&crt, true)),
        tools.write("ours.o", &again(&hello, true)),
        PathBuf::from("--start-lib"),
    ];
    let members = wasmir_lift::archive_members(&libc).expect("an archive");
    for (i, member) in members.iter().enumerate() {
        files.push(tools.write(&format!("{i:04}.o"), &again(member.bytes, true)));
    }
    assert!(members.len() > 500, "{}", members.len());
    files.push(PathBuf::from("--end-lib"));
    assert_eq!(
        output(&tools.link("all.wasm", &files, &[])),
        "hello 4950 2.500\n"
    );
}

/// Links objects, and what they need of archives, by WasmIR's linker and layout.
fn link_program(objects: &[Vec<u8>], archives: &[Vec<u8>], instructions: bool) -> Vec<u8> {
    let lifted = |object: &[u8]| {
        let mut module = wasmir_lift::lift(object).unwrap_or_else(|error| panic!("{error}"));
        if instructions {
            wasmir_lift::lift_bodies(&mut module).unwrap_or_else(|(f, e)| panic!("{f}: {e}"));
        }
        module
    };
    let mut modules: Vec<wasmir::Module> = objects.iter().map(|object| lifted(object)).collect();
    let archives = archives.iter();
    let members = archives.flat_map(|a| wasmir_lift::archive_members(a).expect("an archive"));
    let library: Vec<wasmir::Module> = members.map(|member| lifted(member.bytes)).collect();
    let needed = wasmir::needed_of_library(&modules, &library, &["_start"]);
    assert!(needed.len() < library.len());
    modules.extend(needed.into_iter().map(|number| library[number].clone()));
    let mut module = wasmir::link(modules).unwrap_or_else(|errors| panic!("{errors:?}"));
    let options = layout::Options::default();
    layout::run(&mut module, &options).unwrap_or_else(|error| panic!("{error}"));
    if instructions {
        pipeline::run(&mut module, &pipeline::Options::default());
    }
    wasmir::verify_module(&module).unwrap_or_else(|errors| panic!("{errors:?}"));
    emit_module(&module, &Options::default()).unwrap_or_else(|error| panic!("{error}"))
}

/// WasmIR's linker takes from an archive what is needed, and lays out a program that runs as `rust-lld`'s does.
#[test]
fn wasi_libc_is_linked_by_us() {
    let tools = Tools::new();
    let hello = tools.object("hello.rs", "hello.o", "wasm32-wasip1", 2);
    let read = |name: &str| std::fs::read(tools.libc.join(name)).expect("it is set up");
    let (crt, libc) = (read("crt1-command.o"), read("libc.a"));
    for instructions in [false, true] {
        let program = link_program(
            &[crt.clone(), hello.clone()],
            std::slice::from_ref(&libc),
            instructions,
        );
        assert_eq!(output(&program), "hello 4950 2.500\n", "{instructions}");
    }
}

/// The same for a program on Rust's standard library, with all that rustc passes to the linker.
#[test]
fn the_standard_library_is_linked_by_us() {
    let tools = Tools::new();
    let source = "use std::collections::BTreeMap;
        fn main() {
            let mut words = BTreeMap::<String, usize>::new();
            for word in \"the quick brown fox jumps over the lazy dog\".split(' ') {
                *words.entry(word.to_uppercase()).or_default() += 1;
            }
            println!(\"{words:?} {:.3}\", 2.5f64.sqrt());
        }";
    let source = tools.write("words.rs", source.as_bytes());
    let mut command = Command::new(&tools.rustc);
    command
        .arg(&source)
        .current_dir(tools.folder.path())
        .args(["--edition=2024", "-Copt-level=1", "-Cpanic=abort"])
        .args(["--target=wasm32-wasip1", "-Clink-self-contained=no"])
        .args(["-Csave-temps", "--print=link-args", "-Clink-arg=-lc"])
        .arg(format!("-Clinker={}", tools.linker.display()))
        .arg(format!("-Lnative={}", tools.libc.display()))
        .arg(format!(
            "-Clink-arg={}",
            tools.libc.join("crt1-command.o").display()
        ));
    let said = Output::of(&mut command).succeeded();
    // rustc prints the command with each argument in quotes.
    let files = |end: &str| -> Vec<Vec<u8>> {
        let arguments = said.stdout.split('"').filter(|text| text.ends_with(end));
        let read = |name: &str| std::fs::read(tools.path(name));
        arguments
            .map(|name| read(name).unwrap_or_else(|error| panic!("{name}: {error}")))
            .collect()
    };
    let mut archives = files(".rlib");
    archives.push(std::fs::read(tools.libc.join("libc.a")).expect("it is set up"));
    let program = link_program(&files(".o"), &archives, true);
    let expected = output(&std::fs::read(tools.path("words.wasm")).expect("rustc linked it"));
    assert!(
        expected.contains("\"THE\": 2") && expected.ends_with("1.581\n"),
        "{expected}"
    );
    assert_eq!(output(&program), expected);
}

/// The line of the fixture that ends in this comment.
fn line(fixture: &Path, comment: &str) -> String {
    let text = std::fs::read_to_string(fixture).expect("a fixture");
    let found = text.lines().position(|line| line.ends_with(comment));
    let number = found.unwrap_or_else(|| panic!("no line ends in `{comment}`")) + 1;
    format!("trap.rs:{number}:")
}

/// The backtrace of the trap in `trap.rs`.
fn trace(wasm: &[u8]) -> String {
    let mut config = Config::new();
    config.wasm_backtrace_details(WasmBacktraceDetails::Enable);
    let engine = Engine::new(&config).expect("an engine");
    let module = Module::new(&engine, wasm).expect("the module is valid");
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).expect("nothing is imported");
    let outer = instance
        .get_typed_func::<i32, i32>(&mut store, "outer")
        .expect("it is exported");
    format!("{:?}", outer.call(&mut store, 6).expect_err("it traps"))
}

#[test]
fn a_trap_in_recompiled_code_names_its_line() {
    let tools = Tools::new();
    let fixture = root().join("tests/fixtures/objects/trap.rs");
    let linker = format!("-Clinker={}", tools.linker.display());
    let flags = ["-g", "--target", "wasm32-unknown-unknown", &linker];
    let original = tools.rustc("trap.rs", "trap.wasm", &flags);
    let places = ["// traps", "// middle calls", "// outer calls"].map(|c| line(&fixture, c));
    let check = |wasm: &[u8], what: &str| {
        wasmparser::validate(wasm).expect("the module is valid");
        let trace = trace(wasm);
        let mut rest = trace.as_str();
        for place in &places {
            let at = rest.find(place.as_str());
            rest = &rest[at.unwrap_or_else(|| panic!("{what}: no `{place}` in {trace}"))..];
        }
    };
    check(&original, "as rustc linked it");
    let mut module = wasmir_lift::lift(&original).expect("the module is lifted");
    wasmir::reach::run(&mut module).expect("bodies can be read");
    let emit = |module: &wasmir::Module| {
        emit_module(module, &Options::default()).unwrap_or_else(|error| panic!("{error}"))
    };
    check(&emit(&module), "reduced and copied");
    wasmir_lift::lift_bodies(&mut module).expect("bodies are lifted");
    check(&emit(&module), "recompiled");
    let stats = pipeline::run(&mut module, &pipeline::Options::default());
    assert!(stats.calls > 0, "{stats:?}");
    // Calls that were inlined are no frames any more; where it traps is still known.
    let inlined = trace(&emit(&module));
    assert!(inlined.contains(&places[0]), "{inlined}");
}
