//! Dev builds by `rustc-wasm`: who chooses it, what it says and leaves behind, that its output depends on its input alone, and that
//! nothing that can happen to a build leaves a broken artefact.
//!
//! The first of these tests sets the compiler up, by the command that a user runs and with its progress on standard error: some
//! twenty minutes on a machine where nobody has done it, a second where it is there, two minutes after a change of the compiler.
//! Where rustc's own source cannot be had, these tests say so on standard error and show nothing.

mod check;
mod choice;
mod damage;
mod forms;
mod repeat;
mod sample;
mod words;

use crate::support::{Project, cargo_wasm, set_up, validated};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use wasm_toolchain::{Environment, discover, rustc_wasm};

/// Whether the compiler is there; sets it up, once for all tests.
fn ready() -> bool {
    static READY: OnceLock<bool> = OnceLock::new();
    *READY.get_or_init(|| {
        set_up();
        let mut command = cargo_wasm();
        command.args(["setup", "--yes", "--rustc-wasm"]);
        // Its output is the test's: a wait of minutes has to explain itself.
        let status = command.status().expect("cargo-wasm starts");
        if status.success() {
            return true;
        }
        let env = Environment::from_process();
        let rust = discover::find_rust(&env).expect("a rustc: the set-up before this one found it");
        assert_eq!(
            rustc_wasm::compiler_source(&env, &rust),
            None,
            "the set-up failed, but not for want of rustc's source"
        );
        // Not by `eprintln!`, which the test harness keeps to itself.
        let _ = writeln!(
            std::io::stderr(),
            "rustc-wasm is not tested here: the source of rustc {}, which it is built from, is not installed, and neither a \
             package manager nor rustup brought it",
            rust.version.release
        );
        false
    })
}

const MAIN: &str = r#"
use std::collections::HashMap;

fn main() {
    let words = ["b", "a", "b", "c", "b"];
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for word in words {
        *counts.entry(word).or_default() += 1;
    }
    let mut list: Vec<_> = counts.into_iter().collect();
    list.sort();
    for (word, count) in list {
        println!("{word:>8}: {count} {:.3} {}", (count as f64).sqrt(), part::of(count as u64));
    }
    let shapes: Vec<Box<dyn part::Shape>> = vec![Box::new(part::Square(3)), Box::new(part::Circle(2))];
    println!("{}", shapes.iter().map(|shape| shape.name()).collect::<Vec<_>>().join(", "));
}
"#;

const PART: &str = r#"
pub trait Shape {
    fn name(&self) -> String;
}
pub struct Square(pub u32);
pub struct Circle(pub u32);
impl Shape for Square {
    fn name(&self) -> String {
        format!("a square of {}", self.0)
    }
}
impl Shape for Circle {
    fn name(&self) -> String {
        format!("a circle of {}", self.0)
    }
}
#[inline(never)]
pub fn of(n: u64) -> u64 {
    (1..=n).map(|i| i * i + 41).product()
}
"#;

const OUTPUT: &str = "       a: 1 1.000 42\n       b: 3 1.732 94500\n       c: 1 1.000 42\na square of 3, a circle of 2\n";

/// A program of two crates, and a folder for what is built.
struct Fixture {
    project: Project,
    target: tempfile::TempDir,
}

impl Fixture {
    /// The program `name`, when the compiler is there.
    fn new(name: &str) -> Option<Fixture> {
        if !ready() {
            return None;
        }
        let project = Project::new(
            name,
            "part = { path = \"part\" }",
            &[
                ("src/main.rs", MAIN),
                (
                    "part/Cargo.toml",
                    "[package]\nname = \"part\"\nversion = \"0.1.0\"\nedition = \"2024\"\n",
                ),
                ("part/src/lib.rs", PART),
            ],
        );
        let target = tempfile::tempdir().expect("a temporary folder");
        Some(Fixture { project, target })
    }

    fn target(&self) -> &Path {
        self.target.path()
    }

    /// `cargo wasm build` of it into `target`.
    fn build_into(&self, target: &Path) -> Command {
        let mut command =
            self.project
                .cargo_wasm(["build", "--emit", "core", "--frontend", "rustc-wasm"]);
        command.arg("--target-dir").arg(target);
        command
    }

    /// The same into its own folder.
    fn build(&self) -> Command {
        self.build_into(self.target())
    }

    fn name(&self) -> String {
        let manifest =
            fs::read_to_string(self.project.path().join("Cargo.toml")).expect("a manifest");
        let name = manifest.split('"').nth(1).expect("a name in quotes");
        name.to_owned()
    }

    /// Where the finished module goes.
    fn module_in(&self, target: &Path) -> PathBuf {
        target
            .join("wasm/debug")
            .join(format!("{}.core.wasm", self.name()))
    }

    /// The finished module, valid.
    fn bytes_in(&self, target: &Path) -> Vec<u8> {
        validated(&self.module_in(target))
    }

    /// The finished module in its own folder.
    fn bytes(&self) -> Vec<u8> {
        self.bytes_in(self.target())
    }

    /// Removes what the linker wrote and what was made of it, so that the next build links anew.
    fn unlink(&self) {
        let debug = self.target().join("wasm32-wasip1/debug");
        for folder in [
            &debug,
            &debug.join("deps"),
            &self.target().join("wasm/debug"),
        ] {
            for path in files(folder, "wasm") {
                fs::remove_file(path).expect("files can be removed");
            }
        }
    }

    /// Compiled crates of the dependency.
    fn rlibs(&self) -> Vec<PathBuf> {
        let mut rlibs = files(&self.target().join("wasm32-wasip1/debug/deps"), "rlib");
        rlibs.retain(|path| path.to_string_lossy().contains("libpart-"));
        assert!(!rlibs.is_empty(), "the dependency is compiled");
        rlibs
    }
}

/// The files of a folder with that extension, sorted; none when there is no folder.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| e == extension))
        .collect();
    files.sort();
    files
}
