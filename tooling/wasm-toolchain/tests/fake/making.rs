//! Sysroots are made once, noticed when damaged, and made by one process at a time. The Cargo here is a script.

use crate::machine::{HOST, Machine};
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use wasm_toolchain::{Error, Progress, SetupOptions, State, Target, Toolchain, doctor, setup};

fn ready(machine: &Machine, targets: &[Target]) -> Result<Toolchain, Error> {
    Toolchain::ready(&machine.env(), targets, &Progress::new(true))
}

/// A made library's file.
fn library(toolchain: &Toolchain, target: Target) -> PathBuf {
    toolchain
        .sysroot()
        .join("lib/rustlib")
        .join(target.triple())
        .join("lib/libstd-0.rlib")
}

#[test]
fn a_library_is_built_once_per_target() {
    let machine = Machine::distribution();
    let toolchain = ready(&machine, &[Target::WasiP1]).unwrap();
    assert_eq!(
        fs::read_to_string(library(&toolchain, Target::WasiP1)).unwrap(),
        "std for wasm32-wasip1\n"
    );
    let contained = library(&toolchain, Target::WasiP1).with_file_name("self-contained");
    assert_eq!(
        fs::read(contained.join("crt1-reactor.o")).unwrap(),
        b"reactor"
    );
    ready(&machine, &[Target::WasiP1]).unwrap();
    ready(&machine, &Target::ALL).unwrap();
    assert_eq!(
        machine.builds(),
        ["wasm32-wasip1", "wasm32-unknown-unknown"]
    );
}

#[test]
fn damage_is_noticed_and_mended() {
    let machine = Machine::distribution();
    let file = library(
        &ready(&machine, &[Target::Unknown]).unwrap(),
        Target::Unknown,
    );
    let good = fs::read(&file).unwrap();
    let folder = file.parent().and_then(|p| p.parent()).unwrap().to_owned();
    // A file cut short, one that is gone, a stamp that is gone or unreadable: what an interruption or a full disk leaves.
    let damages: [&dyn Fn(); 4] = [
        &|| fs::write(&file, b"cut").unwrap(),
        &|| fs::remove_file(&file).unwrap(),
        &|| fs::remove_file(folder.join(".complete.json")).unwrap(),
        &|| fs::write(folder.join(".complete.json"), b"{").unwrap(),
    ];
    for (i, damage) in damages.iter().enumerate() {
        damage();
        let seen = doctor(&machine.env())
            .into_iter()
            .find(|f| f.name == "std for wasm32-unknown-unknown")
            .unwrap();
        assert_eq!(seen.state, State::Missing, "damage {i}");
        assert!(seen.problem.unwrap().starts_with("damaged: "));
        ready(&machine, &[Target::Unknown]).unwrap();
        assert_eq!(fs::read(&file).unwrap(), good);
        assert_eq!(machine.builds().len(), i + 2);
    }
    // The same size but other content escapes the quick check that precedes builds, not the one of set-up.
    fs::write(&file, good.iter().rev().copied().collect::<Vec<u8>>()).unwrap();
    setup(
        &machine.env(),
        SetupOptions::default(),
        &Progress::new(true),
    )
    .unwrap();
    assert_eq!(fs::read(&file).unwrap(), good);
}

#[test]
fn half_made_folders_are_never_used() {
    let machine = Machine::distribution();
    machine.cargo("usr", "echo 'error: no space left on device' >&2; exit 101");
    let error = ready(&machine, &[Target::Unknown]).unwrap_err();
    let Error::Failed { log, tail, .. } = &error else {
        panic!("{error}")
    };
    assert!(tail.contains("no space left on device"), "{tail}");
    assert!(
        fs::read_to_string(log).unwrap().contains("Compiling core"),
        "the log holds all of Cargo's output"
    );
    assert!(error.hint().is_some());
    // Nothing is left behind but the log and the launchers.
    let left: Vec<_> = fs::read_dir(machine.path("cache/sysroots"))
        .unwrap()
        .flatten()
        .filter(|e| e.file_name().to_string_lossy().starts_with('.'))
        .collect();
    assert!(left.is_empty(), "{left:?}");
    machine.cargo("usr", "");
    ready(&machine, &[Target::Unknown]).unwrap();
}

#[test]
fn a_cargo_that_makes_nothing_is_a_failure() {
    let machine = Machine::distribution();
    machine.cargo(
        "usr",
        "mkdir -p \"$CARGO_TARGET_DIR/$target/custom_sysroot/deps\"; exit 0",
    );
    let error = ready(&machine, &[Target::Unknown]).unwrap_err();
    assert!(error.to_string().contains("no std was made"), "{error}");
}

#[test]
fn two_at_once_build_once() {
    let machine = Machine::distribution();
    machine.cargo("usr", "sleep 0.3");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| ready(&machine, &Target::ALL).unwrap());
        }
    });
    assert_eq!(machine.builds().len(), 2);
}

#[test]
fn launchers_add_the_sysroot_for_our_targets_only() {
    let machine = Machine::distribution();
    let toolchain = ready(&machine, &[Target::Unknown]).unwrap();
    machine.script("usr/bin/rustc", "for word; do echo \"[$word]\"; done");
    let seen = |arguments: &[&str]| {
        let output = Command::new(toolchain.rustc())
            .args(arguments)
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let ours = format!("[--sysroot]\n[{}]\n", toolchain.sysroot().display());
    assert_eq!(
        seen(&["--target", "wasm32-unknown-unknown", "a b.rs"]),
        format!("{ours}[--target]\n[wasm32-unknown-unknown]\n[a b.rs]\n")
    );
    assert_eq!(
        seen(&["--target=wasm32-wasip1"]),
        format!("{ours}[--target=wasm32-wasip1]\n")
    );
    assert_eq!(
        seen(&["--crate-name", "build_script_build"]),
        "[--crate-name]\n[build_script_build]\n"
    );
    assert_eq!(
        seen(&["--sysroot", "/mine", "--target", "wasm32-wasip1"]),
        "[--sysroot]\n[/mine]\n[--target]\n[wasm32-wasip1]\n"
    );
}

#[test]
fn programs_whose_panics_unwind_have_a_sysroot_of_their_own() {
    let machine = Machine::distribution();
    let env = machine.env();
    let rust = wasm_toolchain::discover::find_rust(&env).unwrap();
    let targets = [Target::Unknown];
    let toolchain = Toolchain::unwinding(&env, rust, &targets, &Progress::new(true)).unwrap();
    machine.script("usr/bin/rustc", "echo \"$2\"");
    let sysroot = |flags: &[&str]| {
        let mut rustc = Command::new(toolchain.rustc());
        let output = rustc
            .args(["--target", "wasm32-unknown-unknown"])
            .args(flags)
            .output();
        let words = String::from_utf8(output.unwrap().stdout).unwrap();
        std::path::PathBuf::from(words.trim())
    };
    let usual = sysroot(&[]);
    assert_eq!(toolchain.sysroot(), usual.join("unwind"));
    assert_eq!(sysroot(&["-Cpanic=abort"]), usual);
    for flags in [&["-Cpanic=unwind"][..], &["-C", "panic=unwind"]] {
        assert_eq!(sysroot(flags), usual.join("unwind"));
    }
    for folder in [&usual, &usual.join("unwind")] {
        let std = folder.join("lib/rustlib/wasm32-unknown-unknown/lib");
        assert!(std.is_dir(), "{}", std.display());
    }
}

#[test]
fn a_cache_folder_holds_no_link_to_a_folder_outside() {
    let machine = Machine::distribution();
    let toolchain = ready(&machine, &Target::ALL).unwrap();
    let mut folders = vec![toolchain.sysroot().to_owned()];
    let mut links = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_symlink() {
                links += 1;
                assert!(!entry.path().is_dir(), "{}", entry.path().display());
            }
        }
    }
    assert_eq!(links, 1, "the linker alone");
}

#[test]
fn a_cache_folder_that_cannot_be_written_is_named() {
    let machine = Machine::distribution();
    machine.write("taken", "a file");
    let env = machine.env_with(&[("WASMRUST_HOME", &machine.path("taken/home"))]);
    let error = Toolchain::ready(&env, &[Target::Unknown], &Progress::new(true)).unwrap_err();
    assert!(error.to_string().contains("taken/home"), "{error}");
}

#[test]
fn nothing_is_installed_without_being_told() {
    let machine = Machine::new();
    machine.rust("usr", "1.96.0");
    machine.script(
        "path/apt-get",
        &format!("echo \"$@\" >> '{}'", machine.path("apt").display()),
    );
    let error = setup(
        &machine.env(),
        SetupOptions::default(),
        &Progress::new(true),
    )
    .unwrap_err();
    assert!(
        error
            .hint()
            .unwrap()
            .contains("apt-get install -y rustc-web cargo-web rust-web-src wasi-libc"),
        "{:?}",
        error.hint()
    );
    assert!(!machine.path("apt").exists());
    // When told, the package manager is run; here it brings nothing, and that is said.
    let install = SetupOptions {
        install: true,
        ..SetupOptions::default()
    };
    assert!(setup(&machine.env(), install, &Progress::new(true)).is_err());
    let ran = fs::read_to_string(machine.path("apt")).unwrap();
    assert!(ran.starts_with("update\ninstall -y"), "{ran}");
    // Debian's compiler comes without its Cargo.
    assert!(ran.contains("rustc-web cargo-web"), "{ran}");
}

#[test]
fn rustcs_own_source_is_missed_only_where_it_is_asked_for() {
    let machine = Machine::distribution();
    machine.script(
        "path/rustup",
        "echo \"$@\" >> \"$(dirname \"$0\")/../rustup-ran\"",
    );
    let asked = SetupOptions {
        rustc_source: true,
        ..SetupOptions::default()
    };
    let error = setup(&machine.env(), asked, &Progress::new(true)).unwrap_err();
    assert!(
        error.to_string().contains("the source of rustc 1.96.0"),
        "{error}"
    );
    assert!(
        error.hint().unwrap().contains("-c rustc-dev"),
        "{:?}",
        error.hint()
    );
    let install = SetupOptions {
        install: true,
        ..asked
    };
    // Brings nothing here; std is made all the same, as nothing of it was missing.
    setup(&machine.env(), install, &Progress::new(true)).unwrap();
    let ran = fs::read_to_string(machine.path("rustup-ran")).unwrap();
    assert!(ran.contains("1.96.0") && ran.contains("rustc-dev"), "{ran}");
    setup(
        &machine.env(),
        SetupOptions::default(),
        &Progress::new(true),
    )
    .unwrap();
}

#[test]
fn rustups_toolchain_is_completed_by_rustup() {
    let machine = Machine::new();
    let at = format!("rustup/toolchains/1.96.0-{HOST}");
    machine.rust(&at, "1.96.0");
    machine.linker(&at);
    for target in Target::ALL {
        machine.target(&at, target.triple());
    }
    for program in ["rustup", "apt-get"] {
        machine.script(
            &format!("path/{program}"),
            &format!("echo {program} \"$@\" >> \"$(dirname \"$0\")/../ran\""),
        );
    }
    let options = SetupOptions {
        install: true,
        rustc_source: true,
        ..SetupOptions::default()
    };
    setup(&machine.env(), options, &Progress::new(true)).unwrap();
    let ran = fs::read_to_string(machine.path("ran")).unwrap();
    assert!(ran.starts_with("rustup toolchain install 1.96.0"), "{ran}");
    assert!(ran.contains("rustc-dev") && !ran.contains("apt"), "{ran}");
    // Where rustup cannot, the distribution is asked.
    machine.script("path/rustup", "exit 1");
    setup(&machine.env(), options, &Progress::new(true)).unwrap();
    let ran = fs::read_to_string(machine.path("ran")).unwrap();
    assert!(ran.contains("apt-get install"), "{ran}");
}

#[test]
fn a_package_manager_that_fails_leaves_its_words_in_a_log() {
    let machine = Machine::new();
    machine.script(
        "path/apt-get",
        "echo 'E: Unable to locate package rustc-web'; exit 100",
    );
    let install = SetupOptions {
        install: true,
        ..SetupOptions::default()
    };
    let error = setup(&machine.env(), install, &Progress::new(true)).unwrap_err();
    let Error::Failed { log, tail, .. } = &error else {
        panic!("{error}")
    };
    assert!(tail.contains("Unable to locate") && log.is_file());
}
