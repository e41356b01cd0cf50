//! Code for several threads: modules with the target feature `atomics`, linked for shared memory, run by threads of Node.
//!
//! - `thread_locals` is compiled to an object and linked by the real linker, which makes the blocks of thread-local data and
//!   the passive segments. It does without the standard library.
//! - `std_threads` is a package of Cargo's, with the standard library compiled for threads too (`-Zbuild-std`): what is installed was not.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use super::{Answer, Case, Suite, Tier, Tools, Verdict, tools::compile};

/// What makes code one for threads.
const FEATURES: &str = "-Ctarget-feature=+atomics,+bulk-memory,+mutable-globals";

/// What the linker is told of memory.
const SHARED: [&str; 3] = [
    "--shared-memory",
    "--import-memory",
    "--max-memory=67108864",
];

/// What the linker makes for threads.
const MADE: [&str; 4] = [
    "__wasm_init_tls",
    "__tls_size",
    "__heap_base",
    "__stack_pointer",
];

/// A program, and the script that runs it.
struct Program {
    name: &'static str,
    script: &'static str,
    build: fn(&Tools, Tier, &Path) -> Result<Result<PathBuf, Answer>>,
}

const PROGRAMS: [Program; 2] = [
    Program {
        name: "thread_locals",
        script: include_str!("threads.mjs"),
        build: object,
    },
    Program {
        name: "std_threads",
        script: include_str!("std_threads.mjs"),
        build: package,
    },
];

pub(super) struct Threads;

impl Suite for Threads {
    fn name(&self) -> &'static str {
        "threads"
    }

    fn about(&self) -> &'static str {
        "The programs of `tests/threads` on shared memory, in threads of Node: thread-local statics by themselves, and the standard library \
         compiled for threads (locks, waiting, the allocator, thread-locals); output as written down."
    }

    fn is_own(&self) -> bool {
        true
    }

    fn cases(&self, _tools: &Tools) -> Result<Vec<Case>> {
        let case = |program: &Program| {
            let text = |extension| fs::read_to_string(file(program.name, extension));
            Ok(Case {
                name: program.name.to_owned(),
                version: String::new(),
                key: format!("{}{}{}", text("rs")?, text("out")?, program.script),
            })
        };
        PROGRAMS.iter().map(case).collect()
    }

    fn run(&self, case: &Case, tools: &Tools, tier: Tier) -> Result<Answer> {
        let program = PROGRAMS.iter().find(|program| program.name == case.name);
        let program = program.context("a case of another suite")?;
        let work = tools.work().join("threads");
        fs::create_dir_all(&work)?;
        let module = match (program.build)(tools, tier, &work)? {
            Ok(module) => module,
            Err(refused) => return Ok(refused),
        };
        let script = work.join(format!("{}.mjs", program.name));
        fs::write(&script, program.script)?;
        let output = Command::new("node")
            .arg(&script)
            .arg(&module)
            .output()
            .context("cannot start Node (`node`), in which programs are run")?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let said = text(&output.stdout) + &text(&output.stderr);
        fs::write(module.with_extension("out"), said.as_bytes())?;
        let expected = fs::read_to_string(file(program.name, "out"))?;
        let verdict = match said == expected {
            true => Verdict::Passed,
            false => Verdict::Failed,
        };
        Ok(Answer::Tests(BTreeMap::from([(
            "output".to_owned(),
            verdict,
        )])))
    }
}

/// Compiles `thread_locals` to an object and links it.
fn object(tools: &Tools, tier: Tier, work: &Path) -> Result<Result<PathBuf, Answer>> {
    let object = work.join(format!("thread_locals.{}.o", tier.name()));
    let mut rustc = tools.rustc(tier);
    rustc
        .args(["--crate-type", "lib", "--emit", "obj", "-Cpanic=abort"])
        .arg(FEATURES)
        .arg(file("thread_locals", "rs"))
        .arg("-o")
        .arg(&object);
    if let Err(refused) = compile(&mut rustc)? {
        return Ok(Err(refused));
    }
    let module = object.with_extension("wasm");
    let own = ["bump", "last", "wide", "shared"];
    let exports = own.iter().chain(&MADE);
    let mut linker = Command::new(tools.linker()?);
    linker
        .args(["-flavor", "wasm", "--no-entry"])
        .args(SHARED)
        .args(exports.map(|name| format!("--export={name}")))
        .arg(&object)
        .arg("-o")
        .arg(&module);
    Ok(compile(&mut linker)?.map(|_| module))
}

/// Lets Cargo compile `std_threads`, and the standard library for it.
fn package(tools: &Tools, tier: Tier, work: &Path) -> Result<Result<PathBuf, Answer>> {
    const MANIFEST: &str = "[package]\nname = \"std_threads\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
                            [lib]\ncrate-type = [\"cdylib\"]\n\n[workspace]\n";
    const TARGET: &str = "wasm32-unknown-unknown";
    let folder = work.join("std_threads");
    fs::create_dir_all(folder.join("src"))?;
    fs::write(folder.join("Cargo.toml"), MANIFEST)?;
    fs::copy(file("std_threads", "rs"), folder.join("src/lib.rs"))?;
    let exports = MADE.map(|name| format!("--export={name}"));
    let words = SHARED.into_iter().chain(exports.iter().map(String::as_str));
    let words = words.map(|word| format!("-Clink-arg={word}"));
    let flags: Vec<String> = std::iter::once(FEATURES.to_owned()).chain(words).collect();
    let target = folder.join(tier.name());
    let mut cargo = tools.cargo(tier);
    cargo
        .args(["build", "-Zbuild-std=std,panic_abort", "--target", TARGET])
        .current_dir(&folder)
        .env("CARGO_TARGET_DIR", &target)
        .env("RUSTFLAGS", flags.join(" "));
    let module = target.join(TARGET).join("debug/std_threads.wasm");
    Ok(compile(&mut cargo)?.map(|_| module))
}

fn file(name: &str, extension: &str) -> PathBuf {
    let path = crate::root().join("tests/threads").join(name);
    path.with_extension(extension)
}
