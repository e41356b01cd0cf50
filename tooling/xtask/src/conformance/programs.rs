//! The programs of `tests/programs`: each shows one part of the language, and prints what it has to print.
//!
//! The first lines of a program may say more:
//!
//! * `//@ flags: …`: flags for rustc;
//! * `//@ c: FILE…`: C sources beside the program, compiled by clang for wasm32 and linked; where no clang is installed, the program
//!   is left out;
//! * `//@ unwind`: panics unwind (`-Cpanic=unwind`).
//!
//! `NAME.out` holds what a program has to print on standard output and standard error, and its exit code as the last line; it is
//! what LLVM's program prints.

use std::{collections::BTreeMap, fs, path::PathBuf, process::Command, time::Duration};

use anyhow::{Context, Result};

use super::{
    Answer, Case, Suite, Tier, Tools, Verdict,
    program::{Ended, Engine, Program},
    tools::compile,
};

/// For how long a program may print nothing.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) struct Programs;

impl Suite for Programs {
    fn name(&self) -> &'static str {
        "programs"
    }

    fn about(&self) -> &'static str {
        "The programs of `tests/programs`, each about one part of the language: output and exit code as written down."
    }

    fn is_own(&self) -> bool {
        true
    }

    fn cases(&self, _tools: &Tools) -> Result<Vec<Case>> {
        let folder = folder();
        let mut cases = Vec::new();
        for entry in
            fs::read_dir(&folder).with_context(|| format!("cannot read `{}`", folder.display()))?
        {
            let path = entry?.path();
            if path.extension().is_none_or(|extension| extension != "rs") {
                continue;
            }
            let name = path
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            let text = fs::read_to_string(&path)?;
            let mut c_code = String::new();
            for c in directive(&text, "c") {
                c_code += &fs::read_to_string(folder.join(c))
                    .with_context(|| format!("cannot read `{c}`"))?;
            }
            if !c_code.is_empty() && clang().is_none() {
                eprintln!("programs: no clang for wasm32 is installed, so `{name}` is left out");
                continue;
            }
            let expected = fs::read_to_string(path.with_extension("out")).unwrap_or_default();
            cases.push(Case {
                name,
                version: String::new(),
                key: format!("{text}\n{c_code}\n{expected}"),
            });
        }
        cases.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(cases)
    }

    fn run(&self, case: &Case, tools: &Tools, tier: Tier) -> Result<Answer> {
        let source = folder().join(&case.name).with_extension("rs");
        let text = fs::read_to_string(&source)?;
        let work = tools.work().join("programs");
        fs::create_dir_all(&work)?;
        let module = work.join(format!("{}.{}.wasm", case.name, tier.name()));
        let mut objects = Vec::new();
        for c in directive(&text, "c") {
            let object = work.join(c).with_extension("o");
            let mut clang = Command::new(clang().context("clang was there before")?);
            clang
                .args(["--target=wasm32-wasip1", "-O1", "-c"])
                .arg(folder().join(c))
                .arg("-o")
                .arg(&object);
            if let Err(refused) = compile(&mut clang)? {
                return Ok(refused);
            }
            objects.push(object);
        }
        let unwinds = text.lines().any(|line| line == "//@ unwind");
        let mut rustc = match unwinds {
            true => tools.unwinding_rustc(tier)?,
            false => tools.rustc(tier),
        };
        rustc
            .args(directive(&text, "flags"))
            .args(
                objects
                    .iter()
                    .map(|object| format!("-Clink-arg={}", object.display())),
            )
            .arg(format!(
                "--remap-path-prefix={}=programs",
                folder().display()
            ))
            .arg(&source)
            .arg("-o")
            .arg(&module);
        if let Err(refused) = compile(&mut rustc)? {
            return Ok(refused);
        }
        let program = Program {
            engine: match unwinds {
                true => Engine::unwinding(tier),
                false => tools.engine(),
            },
            tools,
            module: &module,
            folder: &work,
            patience: PATIENCE,
        };
        let said = transcript(program.run([""; 0])?);
        let expected = source.with_extension("out");
        if tools.bless() && tier == Tier::Llvm {
            fs::write(&expected, &said)
                .with_context(|| format!("cannot write `{}`", expected.display()))?;
        }
        fs::write(module.with_extension("out"), &said)?;
        let expected = fs::read_to_string(&expected)
            .with_context(|| format!("cannot read `{}`", expected.display()))?;
        let verdict = if said == expected {
            Verdict::Passed
        } else {
            Verdict::Failed
        };
        Ok(Answer::Tests(BTreeMap::from([(
            "output".to_owned(),
            verdict,
        )])))
    }
}

/// A clang that compiles for wasm32: `clang`, or one with its version in the name, the newest first.
fn clang() -> Option<String> {
    let named = (14..=30).rev().map(|version| format!("clang-{version}"));
    let can = |name: &String| {
        let output = Command::new(name).arg("--print-targets").output();
        output.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("wasm32"))
    };
    std::iter::once("clang".to_owned()).chain(named).find(can)
}

/// Where the programs are.
fn folder() -> PathBuf {
    crate::root().join("tests/programs")
}

/// The words after `//@ NAME: ` of a program.
fn directive<'a>(text: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let lines = text.lines().filter_map(move |line| {
        line.strip_prefix("//@ ")?
            .strip_prefix(name)?
            .strip_prefix(": ")
    });
    lines
        .flat_map(str::split_whitespace)
        .collect::<Vec<_>>()
        .into_iter()
}

/// What a program did, as text.
fn transcript(ended: Ended) -> String {
    let code = match ended.code {
        Some(code) => format!("exit code {code}\n"),
        None => "did not end\n".to_owned(),
    };
    ended.output + &ended.errors + &code
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_are_read() {
        let text = "//! A program.\n//@ flags: -Copt-level=1 -g\n//@ flags: -O\nfn main() {}\n";
        assert_eq!(
            directive(text, "flags").collect::<Vec<_>>(),
            ["-Copt-level=1", "-g", "-O"]
        );
        assert_eq!(directive(text, "c").count(), 0);
    }

    #[test]
    fn every_program_has_its_output() {
        for entry in fs::read_dir(folder()).unwrap() {
            let path = entry.unwrap().path();
            let other = |extension: &str| path.with_extension(extension).is_file();
            assert!(
                other("rs") || other("c"),
                "{} belongs to no program",
                path.display()
            );
            assert!(other("out"), "{} has no expected output", path.display());
        }
    }
}
