//! Damaged files and a full disk: a correct build or an error that says what to do, never a broken module.

use super::{Fixture, files, ready};
use crate::support::{Output, Project};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What it is called, and what it does to a file's bytes.
type Damage = (&'static str, fn(&mut Vec<u8>));

/// Ways to damage a file.
const DAMAGE: [Damage; 5] = [
    ("cut to half", |bytes| bytes.truncate(bytes.len() / 2)),
    ("emptied", Vec::clear),
    ("one bit flipped in the middle", |bytes| {
        let middle = bytes.len() / 2;
        if let Some(byte) = bytes.get_mut(middle) {
            *byte ^= 4;
        }
    }),
    ("every hundredth byte changed", |bytes| {
        bytes
            .iter_mut()
            .step_by(100)
            .for_each(|byte| *byte = byte.wrapping_add(1));
    }),
    ("replaced by text", |bytes| {
        *bytes = b"this is no pack of bodies\n".repeat(50)
    }),
];

#[test]
fn damaged_bodies_of_the_cache_are_not_used() {
    let Some(fixture) = Fixture::new("bodies") else {
        return;
    };
    Output::of(&mut fixture.build()).succeeded();
    let expected = fixture.bytes();
    for (how, damage) in DAMAGE {
        let packs = bodies(fixture.target());
        assert!(!packs.is_empty(), "bodies are kept");
        for pack in packs {
            let mut bytes = fs::read(&pack).expect("a pack can be read");
            damage(&mut bytes);
            fs::write(&pack, bytes).expect("and written");
        }
        fixture.unlink();
        Output::of(&mut fixture.build()).succeeded();
        assert!(
            fixture.bytes() == expected,
            "bodies {how} show in the module"
        );
    }
}

/// The files of finished bodies.
fn bodies(target: &Path) -> Vec<PathBuf> {
    let folder = target.join("wasm32-wasip1/debug/incremental/wasmir-bodies");
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .filter(|path| path.is_file())
        .collect()
}

#[test]
fn a_damaged_library_is_an_error_that_says_what_to_do() {
    let Some(fixture) = Fixture::new("library") else {
        return;
    };
    Output::of(&mut fixture.build()).succeeded();
    let expected = fixture.bytes();
    let [rlib] = fixture.rlibs().try_into().expect("one library");
    let whole = fs::read(&rlib).expect("a library can be read");
    let name = b".wasmir";
    let section = whole.windows(name.len()).position(|window| window == name);
    let start = section.expect("the library holds WasmIR") + name.len();
    // The checksum, what comes after it, and places all over the rest of the unit.
    for at in [start, start + 9, start + 40, start + 200, start + 400] {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x10;
        fs::write(&rlib, &damaged).expect("a library can be written");
        fixture.unlink();
        let output = Output::of(&mut fixture.build());
        let output = output
            .exited(1)
            .says(&["libpart-", "is damaged", "help:", "cargo clean"]);
        assert!(!output.stderr.contains("panicked"), "{}", output.stderr);
        assert!(!fixture.module_in(fixture.target()).exists(), "byte {at}");
    }
    fs::write(&rlib, &whole[..whole.len() - 40]).expect("a library can be written");
    fixture.unlink();
    Output::of(&mut fixture.build()).exited(1);
    assert!(!fixture.module_in(fixture.target()).exists());
    // Without it Cargo compiles the library again.
    fs::remove_file(&rlib).expect("a library can be removed");
    Output::of(&mut fixture.build()).succeeded();
    assert!(fixture.bytes() == expected);
}

#[test]
fn what_is_left_of_an_interrupted_link_does_no_harm() {
    let Some(fixture) = Fixture::new("left") else {
        return;
    };
    Output::of(&mut fixture.build()).succeeded();
    let expected = fixture.bytes();
    fixture.unlink();
    // The linker's object and the module itself, as a killed linker might leave them.
    let deps = fixture.target().join("wasm32-wasip1/debug/deps");
    for unit in files(&deps, "d") {
        for end in ["wasm", "wasm.wasmir.o", "wasmir.o"] {
            fs::write(unit.with_extension(end), b"\0asm\x01\0\0\0\x7f")
                .expect("files can be written");
        }
    }
    fixture
        .project
        .write("src/main.rs", &format!("{}\n", super::MAIN));
    Output::of(&mut fixture.build()).succeeded();
    // Only line numbers that nothing prints have changed.
    assert!(fixture.bytes() == expected);
}

#[test]
fn a_full_disk_is_an_error_and_the_next_build_is_whole() {
    let Some(fixture) = Fixture::new("full") else {
        return;
    };
    let reference = fixture.target().join("reference");
    Output::of(&mut fixture.build_into(&reference)).succeeded();
    let expected = fixture.bytes_in(&reference);
    let target = fixture.target().join("full");
    let largest = expected.len() as u64 / 1024;
    let mut failures = 0;
    // Files are limited in size, in KiB: what a full disk does, without one. From hardly anything to almost enough.
    for limit in [4, 40, largest / 4, largest - 1] {
        let mut command = Command::new("bash");
        let script = format!("trap '' XFSZ; ulimit -f {limit}; exec \"$@\"");
        command
            .args(["-c", &script, "bash"])
            .arg(env!("CARGO_BIN_EXE_cargo-wasm"));
        command
            .args([
                "build",
                "--emit",
                "core",
                "--frontend",
                "rustc-wasm",
                "--target-dir",
            ])
            .arg(&target);
        command
            .current_dir(fixture.project.path())
            .env("NO_COLOR", "1")
            .env_remove("CARGO_TARGET_DIR")
            .env_remove("RUSTFLAGS");
        let output = Output::of(&mut command);
        if output.code != Some(0) {
            failures += 1;
            output.says(&["error"]);
        }
        if fixture.module_in(&target).exists() {
            assert!(
                fixture.bytes_in(&target) == expected,
                "half a module, limit {limit} KiB"
            );
        }
    }
    assert!(failures >= 3, "{failures} of the builds met the limit");
    Output::of(&mut fixture.build_into(&target)).succeeded();
    assert!(
        fixture.bytes_in(&target) == expected,
        "what the failed builds left shows"
    );
}

#[test]
fn without_its_standard_library_the_compiler_makes_one() {
    if !ready() {
        return;
    }
    let env = wasm_toolchain::Environment::from_process();
    let home = env.wasmrust_home().expect("a cache folder");
    let other = tempfile::tempdir().expect("a temporary folder");
    // The compiler of the machine in a cache folder without sysroots.
    let link = std::os::unix::fs::symlink(home.join("rustc-wasm"), other.path().join("rustc-wasm"));
    link.expect("links can be made");
    let source = "fn main() {\n    println!(\"{}\", [1, 2, 39].iter().sum::<i32>());\n}\n";
    let project = Project::new("bare", "", &[("src/main.rs", source)]);
    let mut command = project.cargo_wasm(["run", "--frontend", "rustc-wasm"]);
    command.env("WASMRUST_HOME", other.path());
    let output = Output::of(&mut command)
        .succeeded()
        .says(&["building std for wasm32-wasip1"]);
    assert_eq!(output.stdout, "42\n");
}
