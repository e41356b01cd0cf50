//! What users read when they go wrong, word by word. Each case is a command line in an empty folder (or one with the files it needs) on
//! a machine without tools; what it prints is kept in `tests/messages/NAME.txt`. `BLESS=1` writes those files anew.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A command line, the files it finds, and its exit code.
struct Case {
    name: &'static str,
    arguments: &'static [&'static str],
    files: &'static [(&'static str, &'static [u8])],
    code: i32,
}

const MANIFEST: &[u8] = b"[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2024\"\n";

const CASES: &[Case] = &[
    Case {
        name: "no-command",
        arguments: &[],
        files: &[],
        code: 2,
    },
    Case {
        name: "unknown-command",
        arguments: &["biuld"],
        files: &[],
        code: 2,
    },
    Case {
        name: "unknown-option",
        arguments: &["build", "--relaese"],
        files: &[],
        code: 2,
    },
    Case {
        name: "unknown-form",
        arguments: &["build", "--emit", "wasm"],
        files: &[],
        code: 2,
    },
    Case {
        name: "release-and-profile",
        arguments: &["build", "--release", "--profile", "dev"],
        files: &[],
        code: 2,
    },
    Case {
        name: "no-manifest",
        arguments: &["build"],
        files: &[],
        code: 1,
    },
    Case {
        name: "manifest-path-to-nothing",
        arguments: &["build", "--manifest-path", "x/Cargo.toml"],
        files: &[],
        code: 1,
    },
    Case {
        name: "folder-that-is-no-package",
        arguments: &["run", "nowhere"],
        files: &[],
        code: 1,
    },
    Case {
        name: "folder-and-manifest-path",
        arguments: &["check", ".", "--manifest-path", "Cargo.toml"],
        files: &[("Cargo.toml", MANIFEST)],
        code: 2,
    },
    Case {
        name: "two-test-names",
        arguments: &["test", "one", "two"],
        files: &[("Cargo.toml", MANIFEST)],
        code: 2,
    },
    Case {
        name: "no-compiler",
        arguments: &["build"],
        files: &[("Cargo.toml", MANIFEST)],
        code: 1,
    },
    Case {
        name: "no-compiler-setup",
        arguments: &["setup"],
        files: &[],
        code: 1,
    },
    Case {
        name: "target-dir-below-a-file",
        arguments: &["build", "--target-dir", "taken/target"],
        files: &[("Cargo.toml", MANIFEST), ("taken", b"")],
        code: 1,
    },
    Case {
        name: "inspect-nothing",
        arguments: &["inspect", "gone.wasm"],
        files: &[],
        code: 1,
    },
    Case {
        name: "inspect-text",
        arguments: &["inspect", "a.wasm"],
        files: &[("a.wasm", b"hello")],
        code: 1,
    },
    Case {
        name: "inspect-cut-short",
        arguments: &["inspect", "a.wasm"],
        files: &[("a.wasm", b"\0asm\x01\0\0\0\x07")],
        code: 1,
    },
    Case {
        name: "componentize-text",
        arguments: &["componentize", "a.wasm"],
        files: &[("a.wasm", b"hello")],
        code: 1,
    },
    Case {
        name: "componentize-without-world",
        arguments: &["componentize", "a.wasm"],
        files: &[("a.wasm", b"\0asm\x01\0\0\0")],
        code: 1,
    },
    Case {
        name: "invoke-without-call",
        arguments: &["run", "a.wasm", "--", "--invoke"],
        files: &[("a.wasm", b"\0asm\x01\0\0\0")],
        code: 2,
    },
];

/// Runs a case and describes all that it did, with the folder's name left out.
fn outcome(case: &Case) -> String {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (path, bytes) in case.files {
        fs::write(folder.path().join(path), bytes).expect("files can be written");
    }
    let bare = folder.path().join("bare");
    fs::create_dir(&bare).expect("folders can be made");
    let output = Command::new(env!("CARGO_BIN_EXE_cargo-wasm"))
        .args(case.arguments)
        .current_dir(folder.path())
        .env_clear()
        .envs([
            ("NO_COLOR", "1"),
            ("COLUMNS", "100"),
            ("WASMRUST_FRONTEND", "stock"),
        ])
        .envs(
            [
                "PATH",
                "HOME",
                "RUSTUP_HOME",
                "CARGO_HOME",
                "WASMRUST_HOME",
                "WASMRUST_SEARCH_ROOT",
            ]
            .map(|name| (name, &bare)),
        )
        .stdin(Stdio::null())
        .output()
        .expect("the command starts");
    assert_eq!(
        output.status.code(),
        Some(case.code),
        "{}: {}",
        case.name,
        String::from_utf8_lossy(&output.stderr)
    );
    // No half-made artefact stays behind.
    let left: Vec<PathBuf> = fs::read_dir(folder.path())
        .expect("readable")
        .flatten()
        .map(|e| e.path())
        .collect();
    assert!(
        left.iter().all(|p| is_given(case, p) || p == &bare),
        "{}: {left:?}",
        case.name
    );
    let real = folder.path().canonicalize().expect("it exists");
    let text = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes).replace(&real.display().to_string(), "[FOLDER]");
        text.replace(&folder.path().display().to_string(), "[FOLDER]")
    };
    assert!(
        !text(&output.stderr).contains('\u{1b}'),
        "{}: no colour without a terminal",
        case.name
    );
    format!(
        "$ cargo wasm {}\n{}{}",
        case.arguments.join(" "),
        text(&output.stdout),
        text(&output.stderr)
    )
}

fn is_given(case: &Case, path: &Path) -> bool {
    case.files.iter().any(|(name, _)| path.ends_with(name))
}

#[test]
fn messages_are_as_recorded() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/messages");
    let bless = std::env::var_os("BLESS").is_some();
    let mut wrong = Vec::new();
    for case in CASES {
        let file = folder.join(format!("{}.txt", case.name));
        let seen = outcome(case);
        if bless {
            fs::write(&file, &seen).expect("expectations can be written");
        } else if fs::read_to_string(&file).ok().as_deref() != Some(&seen) {
            wrong.push(format!("--- {} (BLESS=1 accepts)\n{seen}", file.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // A file without its case tests nothing.
    let files = fs::read_dir(&folder).expect("readable").count();
    assert_eq!(
        files,
        CASES.len(),
        "cases and files in {}",
        folder.display()
    );
}

#[test]
fn a_reader_that_leaves_early_is_no_error() {
    for arguments in [&["completions", "zsh"][..], &["--help"]] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_cargo-wasm"))
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the command starts");
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("it ends");
        assert!(
            output.stderr.is_empty(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert_eq!(output.status.code(), Some(0));
    }
}

#[test]
fn colours_follow_the_conventions() {
    let run = |variables: &[(&str, &str)], arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cargo-wasm"));
        command
            .args(arguments)
            .env_remove("NO_COLOR")
            .env_remove("CLICOLOR_FORCE")
            .envs(variables.iter().copied());
        let output = command
            .stdin(Stdio::null())
            .output()
            .expect("the command starts");
        output.stderr.contains(&0x1b)
    };
    let wrong = ["inspect", "no-such-file.wasm"];
    assert!(!run(&[], &wrong), "a pipe is no terminal");
    assert!(run(&[("CLICOLOR_FORCE", "1")], &wrong));
    assert!(!run(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], &wrong));
}

#[test]
fn as_cargos_subcommand_and_by_itself_it_is_the_same() {
    let version = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_cargo-wasm"))
            .args(arguments)
            .output()
            .expect("the command starts");
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    assert_eq!(version(&["wasm", "--version"]), version(&["--version"]));
    assert!(version(&["--version"]).contains(env!("CARGO_PKG_VERSION")));
}
