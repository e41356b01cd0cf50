//! What WasmRust's compiler says to a user's mistakes: `linear`, `checker`, `lints`, `wit` and `program` of `tests/ui`, compiled by rustc-wasm.
//!
//! Each `NAME.rs` is compiled as a crate of its own for wasm32-wasip1, without code generation (`program`: to an object file), against the
//! library `wasm` and, if the folder has them, `aux/ledger.rs` and the WIT in `wit`; what the compiler says is compared with `NAME.stderr` (in
//! `linear`, which a plain rustc answers, too, `NAME.checker.stderr`). The name says whether it must compile:
//!
//! | name | |
//! |---|---|
//! | `ok-*`, `stricter-*` | compiles without a word |
//! | `lost-*`, `unseen-*` | is refused by the linear checker |
//! | `warns-*`, `denies-*` | a lint of `wasm_recognition` answers |
//! | any other | is answered before the checker runs: the test `ui` of the package `wasm` has it |
//!
//! After these, [`commands`] follows an answer through `cargo wasm`.
//!
//! [`run`] builds the compiler where it is not up to date; nothing is skipped.

mod commands;

use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::Mutex,
};

use anyhow::{Context, Result, ensure};
use wasm_toolchain::{Environment, Progress, Target, Toolchain, discover, rustc_wasm};

/// A folder of cases.
struct Folder {
    /// Relative to the root.
    path: &'static str,
    /// What follows a case's name in the name of what is expected.
    expected: &'static str,
    /// At least so many cases: a lost folder must not pass.
    least: usize,
    /// What is made of a case.
    made: Made,
}

/// What is made of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Made {
    /// A library, without code generation.
    Metadata,
    /// The object file of a component: some lints need to know what the program reaches.
    Program,
}

impl Made {
    fn arguments(self) -> [&'static str; 2] {
        match self {
            Made::Metadata => ["--crate-type=lib", "--emit=metadata"],
            Made::Program => ["--crate-type=cdylib", "--emit=obj"],
        }
    }
}

const FOLDERS: [Folder; 5] = [
    Folder {
        path: "tests/ui/linear",
        expected: "checker.stderr",
        least: 75,
        made: Made::Metadata,
    },
    Folder {
        path: "tests/ui/checker",
        expected: "stderr",
        least: 50,
        made: Made::Metadata,
    },
    Folder {
        path: "tests/ui/lints",
        expected: "stderr",
        least: 13,
        made: Made::Metadata,
    },
    Folder {
        path: "tests/ui/wit",
        expected: "stderr",
        least: 10,
        made: Made::Metadata,
    },
    Folder {
        path: "tests/ui/program",
        expected: "stderr",
        least: 3,
        made: Made::Program,
    },
];

const TARGET: &str = "wasm32-wasip1";

/// What the linear checker's errors begin with.
pub(crate) const LOST: &str = "error: a value of the linear type";

/// What to run.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Only cases whose name contains this.
    pub only: Option<String>,
    /// Write what is said as what is expected.
    pub bless: bool,
    /// The `cargo-wasm` to ask; built when none is given.
    pub cargo_wasm: Option<PathBuf>,
}

/// The outcome of all cases.
#[derive(Debug, Default)]
pub struct Report {
    /// How many were compiled.
    pub cases: usize,
    /// What is wrong, a message for each case, in order of their names.
    pub wrong: Vec<String>,
}

/// Compiles the cases and compares.
///
/// # Errors
/// The compiler or the libraries cannot be built, or a case cannot be read.
pub fn run(options: &Options) -> Result<Report> {
    let environment = Environment::from_process();
    let rust = discover::find_rust(&environment)?;
    let progress = Progress::new(false);
    let front_end = rustc_wasm::make(&environment, &rust, &progress)?;
    let toolchain = Toolchain::complete(&environment, front_end, &[Target::WasiP1], &progress)?;
    let work = tempfile::tempdir().context("cannot make a folder to compile into")?;
    let target = crate::root().join("target/ui");
    let library = Library::build(&mut toolchain.cargo(&environment), &target)?;
    let mut report = Report::default();
    for folder in &FOLDERS {
        let path = crate::root().join(folder.path);
        let suite = Suite {
            folder,
            toolchain: &toolchain,
            library: &library,
            ledger: None,
            work: work.path(),
            bless: options.bless,
        };
        let suite = Suite {
            ledger: suite.helper(&path)?,
            ..suite
        };
        let all = cases(&path)?;
        ensure!(
            all.len() >= folder.least,
            "only {} cases in `{}`",
            all.len(),
            path.display()
        );
        let chosen: Vec<PathBuf> = all
            .into_iter()
            .filter(|case| {
                options
                    .only
                    .as_deref()
                    .is_none_or(|only| name(case).contains(only))
            })
            .collect();
        report.cases += chosen.len();
        report.wrong.extend(suite.run(&chosen)?);
    }
    let cargo_wasm = match &options.cargo_wasm {
        Some(program) => program.clone(),
        None => crate::bench::tool("cargo-wasm")?,
    };
    let (count, wrong) = commands::run(&cargo_wasm, options.only.as_deref())?;
    report.cases += count;
    report.wrong.extend(wrong);
    Ok(report)
}

/// The cases of a folder that the checker answers, sorted.
fn cases(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot read `{}`", folder.display()))?;
    let mut cases = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let is_case = path.extension().is_some_and(|extension| extension == "rs")
            && verdict(&name(&path)).is_some();
        if is_case {
            cases.push(path);
        }
    }
    cases.sort();
    Ok(cases)
}

fn name(case: &Path) -> String {
    case.file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// What must happen to a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// It compiles without a word.
    Accepted,
    /// The linear checker refuses it.
    Lost,
    /// It compiles, and a lint warns.
    Warned,
    /// A lint refuses it.
    Denied,
}

impl Verdict {
    /// Whether this is what has happened.
    fn fits(self, succeeded: bool, said: &str) -> bool {
        match self {
            Verdict::Accepted => succeeded && said.is_empty(),
            Verdict::Lost => !succeeded && said.contains(LOST),
            Verdict::Warned => succeeded && said.contains("`#[warn(wasm_"),
            Verdict::Denied => !succeeded && said.contains("`#[deny(wasm_"),
        }
    }
}

/// What must happen to a case of this name, if it is one.
fn verdict(name: &str) -> Option<Verdict> {
    match name.split_once('-')?.0 {
        "ok" | "stricter" => Some(Verdict::Accepted),
        "lost" | "unseen" => Some(Verdict::Lost),
        "warns" => Some(Verdict::Warned),
        "denies" => Some(Verdict::Denied),
        _ => None,
    }
}

/// The library `wasm`, compiled for the target.
pub(crate) struct Library {
    file: PathBuf,
    dependencies: Vec<PathBuf>,
}

impl Library {
    /// Builds it by `cargo`, below the folder `target`.
    pub(crate) fn build(cargo: &mut Command, target: &Path) -> Result<Library> {
        let output = cargo
            .args(["build", "--package", "wasm", "--target", TARGET])
            .args(["--message-format", "json-render-diagnostics"])
            .arg("--target-dir")
            .arg(target)
            .current_dir(crate::root())
            .env_remove("RUSTC_WRAPPER")
            .output()
            .context("cannot run Cargo")?;
        ensure!(
            output.status.success(),
            "the library does not compile:\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let messages = String::from_utf8(output.stdout).context("Cargo's messages")?;
        let mut file = None;
        for line in messages.lines() {
            let message: serde_json::Value = serde_json::from_str(line)?;
            if message["reason"] == "compiler-artifact" && message["target"]["name"] == "wasm" {
                let files = message["filenames"].as_array().into_iter().flatten();
                file = files
                    .filter_map(serde_json::Value::as_str)
                    .find(|file| file.ends_with(".rmeta"))
                    .map(|file| Path::new(file).with_extension("rlib"));
            }
        }
        let file = file.context("Cargo does not say where the library is")?;
        let dependencies = vec![
            target.join(TARGET).join("debug/deps"),
            target.join("debug/deps"),
        ];
        Ok(Library { file, dependencies })
    }

    /// Tells this library from another one.
    pub(crate) fn digest(&self) -> Result<u64> {
        let bytes = fs::read(&self.file)
            .with_context(|| format!("cannot read `{}`", self.file.display()))?;
        let mut hasher = DefaultHasher::new();
        bytes.hash(&mut hasher);
        Ok(hasher.finish())
    }

    /// What tells rustc of it; `how` stands before its name, as `force:`.
    pub(crate) fn arguments(&self, how: &str) -> Vec<String> {
        let file = self.file.display();
        let mut arguments = vec![format!("--extern={how}wasm={file}")];
        let folders = self.dependencies.iter();
        arguments.extend(folders.map(|folder| format!("-Ldependency={}", folder.display())));
        arguments
    }
}

struct Suite<'a> {
    folder: &'a Folder,
    toolchain: &'a Toolchain,
    library: &'a Library,
    /// A library that the folder's cases share.
    ledger: Option<PathBuf>,
    work: &'a Path,
    bless: bool,
}

impl Suite<'_> {
    fn rustc(&self, source: &Path) -> Command {
        let mut rustc = Command::new(self.toolchain.rustc());
        rustc
            .args(["--edition=2024", "--color=never", "--target", TARGET])
            .arg("--sysroot")
            .arg(self.toolchain.sysroot())
            .args(self.library.arguments(""))
            .env_remove("RUSTFLAGS");
        if let Some(ledger) = &self.ledger {
            rustc.arg(format!("--extern=ledger={}", ledger.display()));
        }
        // Relative, so that messages name nothing but the file. As Cargo does for a package in the folder.
        let folder = source.parent().unwrap_or(Path::new("."));
        rustc
            .arg(source.file_name().unwrap_or_default())
            .current_dir(folder)
            .env("CARGO_MANIFEST_DIR", folder);
        rustc
    }

    /// Compiles the library that the cases share, if the folder has one.
    fn helper(&self, folder: &Path) -> Result<Option<PathBuf>> {
        let source = folder.join("aux/ledger.rs");
        if !source.is_file() {
            return Ok(None);
        }
        let output = self
            .rustc(&source)
            .arg("--crate-type=lib")
            .arg("--out-dir")
            .arg(self.work)
            .output()?;
        ensure!(
            output.status.success(),
            "`{}` does not compile:\n{}",
            source.display(),
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(Some(self.work.join("libledger.rlib")))
    }

    /// What is wrong with the cases.
    fn run(&self, cases: &[PathBuf]) -> Result<Vec<String>> {
        let (next, wrong) = (Mutex::new(cases.iter()), Mutex::new(Vec::new()));
        let work = || -> Result<()> {
            loop {
                let case = next.lock().expect("no thread panics").next();
                let Some(case) = case else { return Ok(()) };
                if let Some(message) = self.check(case)? {
                    wrong.lock().expect("no thread panics").push(message);
                }
            }
        };
        std::thread::scope(|scope| {
            let threads = std::thread::available_parallelism().map_or(1, usize::from);
            let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            running
                .into_iter()
                .try_for_each(|thread| thread.join().expect("no thread panics"))
        })?;
        let mut wrong = wrong.into_inner().expect("no thread panics");
        wrong.sort();
        Ok(wrong)
    }

    fn check(&self, case: &Path) -> Result<Option<String>> {
        let name = name(case);
        let Output { status, stderr, .. } = self
            .rustc(case)
            .args(self.folder.made.arguments())
            .arg("-o")
            .arg(
                self.work
                    .join(format!("{}-{name}.out", self.folder.expected)),
            )
            .output()?;
        let said = normalised(&String::from_utf8_lossy(&stderr));
        let expected_file = case.with_extension(self.folder.expected);
        let Some(verdict) = verdict(&name) else {
            return Ok(None);
        };
        if !verdict.fits(status.success(), &said) {
            return Ok(Some(format!("--- {name}: not {verdict:?}:\n{said}\n")));
        }
        if verdict == Verdict::Accepted {
            return Ok(None);
        }
        if self.bless {
            fs::write(&expected_file, &said)
                .with_context(|| format!("cannot write `{}`", expected_file.display()))?;
            return Ok(None);
        }
        let expected = fs::read_to_string(&expected_file).unwrap_or_default();
        Ok((said != expected).then(|| {
            format!("--- {name}: expected\n{expected}\n--- but the compiler says\n{said}\n")
        }))
    }
}

/// What is said, without places in other crates, which change with them.
fn normalised(said: &str) -> String {
    let mut out = String::new();
    for line in said.lines() {
        match line.split_once("--> ") {
            Some((arrow, place)) if place.contains("/library/") => {
                out += &format!("{arrow}--> $RUST\n");
            }
            Some((arrow, place)) if place.contains('/') => {
                let file = place.split(':').next().unwrap_or(place);
                let file = file.rsplit('/').next().unwrap_or(file);
                out += &format!("{arrow}--> $OTHER/{file}\n");
            }
            _ => out += &format!("{line}\n"),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_must_happen() {
        assert_eq!(verdict("ok-loops"), Some(Verdict::Accepted));
        assert_eq!(verdict("stricter-drain"), Some(Verdict::Accepted));
        assert_eq!(verdict("lost-by-drop"), Some(Verdict::Lost));
        assert_eq!(verdict("unseen-forgotten"), Some(Verdict::Lost));
        assert_eq!(verdict("warns-abi"), Some(Verdict::Warned));
        assert_eq!(verdict("clone-derived"), None);
        assert_eq!(verdict("union"), None);
    }

    #[test]
    fn every_case_has_its_answer_and_no_answer_is_left_over() {
        for folder in &FOLDERS {
            let path = crate::root().join(folder.path);
            let cases = cases(&path).expect("a readable folder");
            assert!(cases.len() >= folder.least, "{}", folder.path);
            for case in &cases {
                let answered = case.with_extension(folder.expected).is_file();
                let expected = verdict(&name(case)) != Some(Verdict::Accepted);
                assert_eq!(answered, expected, "{}", case.display());
            }
        }
    }

    #[test]
    fn the_cases_that_the_table_of_rules_names_exist() {
        let page = fs::read_to_string(crate::root().join("tests/ui/ReadMe.md")).expect("the page");
        let (_, table) = page
            .split_once("## Which rule has which case")
            .expect("the table");
        let rows: Vec<&str> = table
            .lines()
            .filter(|line| line.starts_with("| "))
            .collect();
        assert!(rows.len() > 20, "{} rules", rows.len());
        for row in rows {
            let cells = row.split('|').skip(2);
            for case in cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)) {
                let there = |folder| {
                    let file = format!("tests/ui/{folder}/{case}.rs");
                    crate::root().join(file).is_file()
                };
                assert!(
                    ["linear", "checker"].into_iter().any(there),
                    "no case `{case}`"
                );
            }
        }
    }

    #[test]
    fn places_elsewhere_are_left_out() {
        let said = "note: x\n --> /rustc/abc/library/core/src/mem.rs:1:2\n  --> case.rs:3:4\n --> /home/a/ledger.rs:5:6\n";
        let expected = "note: x\n --> $RUST\n  --> case.rs:3:4\n --> $OTHER/ledger.rs\n";
        assert_eq!(normalised(said), expected);
    }
}
