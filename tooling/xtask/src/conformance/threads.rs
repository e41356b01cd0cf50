//! Code for several threads: modules with the target feature `atomics`, linked for shared memory, run by threads of Node.
//!
//! Each program of `tests/threads` is compiled to an object and linked by the real linker, which makes the blocks of thread-local data and
//! the passive segments. They do without the standard library, which would have to be compiled with the feature too.

use std::{collections::BTreeMap, fs, path::PathBuf, process::Command};

use anyhow::{Context, Result};

use super::{Answer, Case, Suite, Tier, Tools, Verdict, tools::compile};

/// What a program exports for the script, besides what the linker adds for threads.
const EXPORTS: [&str; 4] = ["bump", "last", "wide", "shared"];
/// What the linker adds.
const LINKER: [&str; 3] = ["__wasm_init_tls", "__tls_size", "__heap_base"];

pub(super) struct Threads;

impl Suite for Threads {
    fn name(&self) -> &'static str {
        "threads"
    }

    fn about(&self) -> &'static str {
        "The programs of `tests/threads`: thread-local statics on shared memory, in three threads of Node; output as written down."
    }

    fn is_own(&self) -> bool {
        true
    }

    fn cases(&self, _tools: &Tools) -> Result<Vec<Case>> {
        let text = |extension: &str| fs::read_to_string(source().with_extension(extension));
        Ok(vec![Case {
            name: "thread_locals".to_owned(),
            version: String::new(),
            key: format!("{}{}", text("rs")?, text("out")?),
        }])
    }

    fn run(&self, case: &Case, tools: &Tools, tier: Tier) -> Result<Answer> {
        let work = tools.work().join("threads");
        fs::create_dir_all(&work)?;
        let object = work.join(format!("{}.{}.o", case.name, tier.name()));
        let mut rustc = tools.rustc(tier);
        rustc
            .args(["--crate-type", "lib", "--emit", "obj", "-Cpanic=abort"])
            .arg("-Ctarget-feature=+atomics,+bulk-memory,+mutable-globals")
            .arg(source())
            .arg("-o")
            .arg(&object);
        if let Err(refused) = compile(&mut rustc)? {
            return Ok(refused);
        }
        let module = object.with_extension("wasm");
        let mut linker = Command::new(tools.linker()?);
        linker
            .args(["-flavor", "wasm", "--no-entry", "--shared-memory"])
            .args(["--import-memory", "--max-memory=1048576"])
            .args(
                EXPORTS
                    .iter()
                    .chain(&LINKER)
                    .map(|name| format!("--export={name}")),
            )
            .arg(&object)
            .arg("-o")
            .arg(&module);
        if let Err(refused) = compile(&mut linker)? {
            return Ok(refused);
        }
        let script = work.join("threads.mjs");
        fs::write(&script, include_str!("threads.mjs"))?;
        let output = Command::new("node")
            .arg(&script)
            .arg(&module)
            .output()
            .context("cannot start Node (`node`), in which programs are run")?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let said = text(&output.stdout) + &text(&output.stderr);
        fs::write(module.with_extension("out"), said.as_bytes())?;
        let expected = fs::read_to_string(source().with_extension("out"))?;
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

fn source() -> PathBuf {
    crate::root().join("tests/threads/thread_locals.rs")
}
