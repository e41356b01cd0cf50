//! The code of functions on disk: only what changed is compiled and added, whatever moved; and what is damaged, or cannot be
//! written, costs time alone.

use std::fs;
use std::path::{Path, PathBuf};

use wasm_sandbox::{Backend, Error, RuntimeConfig, create_runtime};

use crate::fixtures::{COMPONENT, config, instance, runtime_with};

/// Thirty functions of some size that call each other, the first one last; `first` stands before all of them.
fn program(first: &str, constant: u32) -> String {
    let mut text = format!("(module {first} (func $f0 (result i32) i32.const {constant})");
    for i in 1..30 {
        text += &format!("(func $f{i} (result i32) call $f{}", i - 1);
        for _ in 0..10 {
            text += &format!(" i32.const 3 i32.mul i32.const {i} i32.add");
        }
        text += ")";
    }
    text + "(func (export \"f\") (result i32) call $f29 i32.const 255 i32.and))"
}

/// Loads a program with the cache in `folder`, and calls it.
fn run(folder: &Path, text: &str, name: &str, arguments: &[i32]) -> i32 {
    let config = RuntimeConfig {
        function_cache: Some(folder.to_owned()),
        ..config(Backend::Wasmtime)
    };
    let runtime = runtime_with(&config);
    let answer = instance(&*runtime, text).call_simple_function(name, arguments);
    answer.expect("it returns")
}

fn packs(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder).expect("the folder was made");
    let mut files: Vec<_> = files.map(|file| file.expect("a file").path()).collect();
    files.sort();
    files
}

fn size(folder: &Path) -> u64 {
    let sizes = packs(folder).into_iter();
    sizes
        .map(|file| fs::metadata(file).expect("a file").len())
        .sum()
}

#[test]
fn only_what_changed_is_compiled() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path().join("functions");
    let before = run(&folder, &program("", 7), "f", &[]);
    let all = (packs(&folder), size(&folder));
    assert_eq!(run(&folder, &program("", 7), "f", &[]), before);
    assert_eq!((packs(&folder), size(&folder)), all);
    // A constant: one function.
    let after = run(&folder, &program("", 8), "f", &[]);
    assert_ne!(after, before);
    let added = size(&folder) - all.1;
    assert!(added > 0 && added < all.1 / 10, "{added} of {}", all.1);
    // A new function before all others, of a type that was there: all numbers change, no code but its own.
    let moved = program("(func (result i32) i32.const 41 i32.const 1 i32.add)", 8);
    let before = size(&folder);
    assert_eq!(run(&folder, &moved, "f", &[]), after);
    let added = size(&folder) - before;
    assert!(added > 0 && added < all.1 / 10, "{added} of {}", all.1);
}

/// Cranelift's hash of a function depends a little on what the same thread compiled before, so not everything is found.
#[test]
fn components_share_the_cache() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path().join("functions");
    assert_eq!(run(&folder, COMPONENT, "add", &[2, 3]), 5);
    let all = size(&folder);
    assert_eq!(run(&folder, COMPONENT, "add", &[2, 3]), 5);
    let added = size(&folder) - all;
    assert!(added < all / 2, "{added} of {all}");
}

#[test]
fn the_folders_are_kept_apart() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = RuntimeConfig {
        code_cache: Some(folder.path().to_owned()),
        function_cache: Some(folder.path().join("functions")),
        ..config(Backend::Wasmtime)
    };
    let refused = create_runtime(&config).err();
    assert!(
        matches!(refused, Some(Error::InvalidConfig { .. })),
        "{refused:?}"
    );
}

#[test]
fn damage_is_compiled_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let answer = run(folder, &program("", 7), "f", &[]);
    let pack = packs(folder).remove(0);
    let whole = fs::read(&pack).expect("a file");
    for from in [0, 50, 100, whole.len() / 2, whole.len() - 1] {
        for old in packs(folder) {
            fs::remove_file(old).expect("a file");
        }
        let mut bytes = whole.clone();
        bytes[from..].iter_mut().for_each(|byte| *byte ^= 0x10);
        fs::write(&pack, bytes).expect("a file");
        assert_eq!(
            run(folder, &program("", 7), "f", &[]),
            answer,
            "from {from}"
        );
        // What was not found was made and added.
        assert!(
            packs(folder).iter().any(|file| *file != pack),
            "from {from}"
        );
    }
}

#[test]
fn without_a_folder_everything_is_compiled() {
    let folder = tempfile::tempdir().expect("a folder");
    let answer = run(folder.path(), &program("", 7), "f", &[]);
    let file = folder.path().join("file");
    fs::write(&file, "mine").expect("a file");
    for _ in 0..2 {
        assert_eq!(run(&file, &program("", 7), "f", &[]), answer);
    }
    assert_eq!(fs::read(&file).expect("a file"), b"mine");
}

/// Runners at the same time, of programs that have most functions in common.
#[test]
fn a_folder_may_have_company() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    std::thread::scope(|scope| {
        for part in 0..3 {
            scope.spawn(move || {
                for round in 0..4 {
                    let text = program("", part + round);
                    let alone = tempfile::tempdir().expect("a folder");
                    let answer = run(alone.path(), &text, "f", &[]);
                    assert_eq!(run(folder, &text, "f", &[]), answer);
                }
            });
        }
    });
}
