//! The MIR front end is built once per rustc and version of our sources, goes on where it stopped, and is never half there.
//! Cargo is a script here: the real build takes minutes.

use crate::machine::Machine;
use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::fs;
use std::path::{Path, PathBuf};
use wasm_toolchain::rustc_wasm::Standing;
use wasm_toolchain::{Environment, Error, Progress, Target, Unused, discover, rustc_wasm};

/// What the fake Cargo does when it is to build the front end; `more` runs first.
fn cargo(machine: &Machine, more: &str) {
    cargo_at(machine, "usr", more);
}

fn cargo_at(machine: &Machine, toolchain: &str, more: &str) {
    let body = format!(
        "case \" $* \" in *' json-render-diagnostics '*)\n{more}\n\
         echo '{{\"reason\":\"compiler-artifact\",\"target\":{{\"name\":\"rustc_middle\"}},\"fresh\":false}}'\n\
         env > '{}'; pwd >> '{}'\n\
         mkdir -p \"$CARGO_TARGET_DIR/debug\"; cd \"$CARGO_TARGET_DIR/debug\"\n\
         echo program > rustc-wasm; echo linker > wasmir-ld; exit 0;; esac",
        machine.path("seen").display(),
        machine.path("folders").display(),
    );
    machine.cargo(toolchain, &body);
}

/// A distribution with rustc's own source.
fn machine() -> Machine {
    let machine = Machine::distribution();
    let source = "usr/lib/rustlib/src/rust";
    machine.write(&format!("{source}/Cargo.toml"), "[workspace]\n");
    machine.write(&format!("{source}/src/version"), "1.96.0\n");
    machine.write(
        &format!("{source}/compiler/rustc_driver_impl/Cargo.toml"),
        "",
    );
    cargo(&machine, "");
    machine
}

fn make(env: &Environment) -> Result<PathBuf, Error> {
    let rust = discover::find_rust(env).unwrap();
    Ok(rustc_wasm::make(env, &rust, &Progress::new(true))?.rustc)
}

fn standing(env: &Environment) -> Standing {
    let rust = discover::find_rust(env).unwrap();
    rustc_wasm::standing(env, &rust, false).unwrap()
}

fn find(env: &Environment) -> Option<PathBuf> {
    match standing(env) {
        Standing::Ready(made) => Some(made.rustc),
        other => {
            assert!(other.obstacle().is_some());
            None
        }
    }
}

fn builds(machine: &Machine) -> usize {
    machine
        .builds()
        .iter()
        .filter(|line| *line == "json-render-diagnostics")
        .count()
}

#[test]
fn it_is_built_once_and_knows_its_rustc() {
    let machine = machine();
    assert!(matches!(standing(&machine.env()), Standing::Absent));
    let program = make(&machine.env()).unwrap();
    assert_eq!(fs::read_to_string(&program).unwrap(), "program\n");
    let host = program.with_file_name("host-rustc");
    let host = fs::read_to_string(host).unwrap();
    let mut lines = host.lines();
    let rustc = lines.next().map(Path::new);
    assert_eq!(rustc, Some(&*machine.path("usr/bin/rustc")));
    let size = fs::metadata(machine.path("usr/bin/rustc")).unwrap().len();
    assert!(lines.next().unwrap().starts_with(&format!("{size} ")));
    assert!(lines.next().unwrap().starts_with("rustc 1.96.0 ("));
    assert_eq!(find(&machine.env()), Some(program.clone()));
    assert_eq!(make(&machine.env()).unwrap(), program);
    assert_eq!(builds(&machine), 1);
}

#[test]
fn cargo_is_told_what_rustcs_crates_ask_for_and_nothing_of_the_users() {
    let machine = machine();
    let own = [
        ("CARGO_TARGET_DIR", Path::new("/mine")),
        ("CARGO_PROFILE_DEV_OPT_LEVEL", Path::new("3")),
    ];
    make(&machine.env_with(&own)).unwrap();
    let seen = fs::read_to_string(machine.path("seen")).unwrap();
    for line in [
        "CFG_VERSION=1.96.0 (0123456 2026-05-25)",
        "CFG_RELEASE=1.96.0",
        "CFG_VER_HASH=0123456",
        "CFG_VER_DATE=2026-05-25",
        "RUSTC_BOOTSTRAP=1",
    ] {
        assert!(seen.lines().any(|l| l == line), "{line} in\n{seen}");
    }
    assert!(!seen.contains("CARGO_TARGET_DIR=/mine"), "{seen}");
    let folder = fs::read_to_string(machine.path("folders")).unwrap();
    let folder = Path::new(folder.trim());
    assert!(folder.join("src/main.rs").is_file());
    assert!(folder.join("../wasmir/src/lib.rs").is_file());
    assert!(
        folder
            .join("rustc-src/compiler/rustc_driver_impl/Cargo.toml")
            .is_file()
    );
    assert!(folder.join("rustc-src/library").is_dir());
}

#[test]
fn a_failed_build_is_told_with_its_first_error_and_goes_on_later() {
    let machine = machine();
    cargo(
        &machine,
        "mkdir -p \"$CARGO_TARGET_DIR\"; touch \"$CARGO_TARGET_DIR/half\"\n\
         echo 'error: no space left on device' >&2; echo 'error: could not compile' >&2; exit 101",
    );
    let error = make(&machine.env()).unwrap_err();
    let Error::Failed { log, tail, .. } = &error else {
        panic!("{error}")
    };
    assert!(tail.starts_with("error: no space left on device"), "{tail}");
    assert!(fs::read_to_string(log).unwrap().contains("no space left"));
    assert!(error.hint().unwrap().contains("--rustc-wasm"));
    assert!(matches!(standing(&machine.env()), Standing::Unfinished));
    // What was done is still there when the build is repeated.
    cargo(&machine, "[ -f \"$CARGO_TARGET_DIR/half\" ] || exit 101");
    make(&machine.env()).unwrap();
}

#[test]
fn a_cargo_that_makes_no_program_is_a_failure() {
    let machine = machine();
    cargo(&machine, "exit 0");
    let error = make(&machine.env()).unwrap_err();
    assert!(
        error.to_string().contains("made no `rustc-wasm`"),
        "{error}"
    );
    assert_eq!(find(&machine.env()), None);
}

#[test]
fn a_damaged_program_is_made_anew() {
    let machine = machine();
    let program = make(&machine.env()).unwrap();
    fs::write(&program, "cut").unwrap();
    assert!(matches!(standing(&machine.env()), Standing::Damaged(_)));
    assert_eq!(make(&machine.env()).unwrap(), program);
    assert_eq!(fs::read_to_string(&program).unwrap(), "program\n");
}

#[test]
fn two_at_once_build_once() {
    let machine = machine();
    cargo(&machine, "sleep 0.3");
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| make(&machine.env()).unwrap());
        }
    });
    assert_eq!(builds(&machine), 1);
}

#[test]
fn another_rustc_has_its_own() {
    let machine = machine();
    let first = make(&machine.env()).unwrap();
    let verbose = "rustc 1.96.0 (7654321 2026-06-01)\nhost: x86_64-unknown-linux-gnu\nrelease: 1.96.0\nLLVM version: 22.1.8";
    machine.script("usr/bin/rustc", &format!("cat <<'END'\n{verbose}\nEND"));
    assert_eq!(find(&machine.env()), None);
    assert!(matches!(standing(&machine.env()), Standing::Outdated));
    assert_ne!(make(&machine.env()).unwrap(), first);
}

#[test]
fn without_rustcs_source_the_package_is_named() {
    let machine = machine();
    fs::write(
        machine.path("usr/lib/rustlib/src/rust/src/version"),
        "1.95.0\n",
    )
    .unwrap();
    let error = make(&machine.env()).unwrap_err();
    assert!(matches!(error, Error::NoCompilerSource { .. }), "{error}");
    assert!(error.hint().unwrap().contains("rust-web-src"));
}

/// A machine with rustup's toolchain and its component `rustc-dev`: rustc's crates as a library, and their source.
fn machine_with_rustc_dev() -> Machine {
    let machine = Machine::new();
    let at = RUSTUPS;
    machine.rust(at, "1.96.0");
    machine.linker(at);
    for target in Target::ALL {
        machine.target(at, target.triple());
    }
    // No manifest of the workspace and no version: `rustc-dev` has the crates alone.
    let source = format!("{at}/lib/rustlib/rustc-src/rust/compiler");
    machine.write(&format!("{source}/rustc_driver_impl/Cargo.toml"), "");
    let lib = format!("{at}/lib/rustlib/x86_64-unknown-linux-gnu/lib");
    let (prefix, suffix) = (DLL_PREFIX, DLL_SUFFIX);
    machine.write(&format!("{lib}/{prefix}rustc_driver-1a2b{suffix}"), "");
    machine.write(&format!("{lib}/librustc_codegen_ssa-3c4d.rmeta"), "");
    machine
}

const RUSTUPS: &str = "rustup/toolchains/1.96.0-x86_64-unknown-linux-gnu";

#[test]
fn rustups_component_has_what_is_needed() {
    let machine = machine_with_rustc_dev();
    let rust = discover::find_rust(&machine.env()).unwrap();
    let source = format!("{RUSTUPS}/lib/rustlib/rustc-src");
    assert_eq!(
        rustc_wasm::compiler_source(&machine.env(), &rust),
        Some(machine.path(&format!("{source}/rust")))
    );
    fs::remove_dir_all(machine.path(&source)).unwrap();
    assert_eq!(rustc_wasm::compiler_source(&machine.env(), &rust), None);
}

#[test]
fn where_rustcs_crates_are_a_library_ours_alone_are_compiled() {
    let machine = machine_with_rustc_dev();
    let cargo = |library: &str| {
        let body = format!(
            "printf '%s\\n' \"$*\" \"$CARGO_ENCODED_RUSTFLAGS\" | tr '\\037' ' ' >> '{}'\n\
             mkdir -p \"$CARGO_TARGET_DIR/debug\"; cd \"$CARGO_TARGET_DIR/debug\"\n\
             echo program > rustc-wasm; echo linker > wasmir-ld; {library}",
            machine.path("seen").display(),
        );
        machine.cargo(RUSTUPS, &body);
    };
    cargo("");
    let error = make(&machine.env()).unwrap_err();
    assert!(error.to_string().contains("made no `lib"), "{error}");
    cargo(&format!(
        "echo library > {DLL_PREFIX}rustc_codegen_wasm{DLL_SUFFIX}"
    ));
    // Nobody compiles rustc's crates, so there is nothing to compile by a profile.
    record(&machine.env()).unwrap();
    let program = make(&machine.env()).unwrap();
    let lib = program.parent().unwrap().with_file_name("lib");
    let library = lib.join(format!("{DLL_PREFIX}rustc_codegen_wasm{DLL_SUFFIX}"));
    assert_eq!(fs::read_to_string(library).unwrap(), "library\n");
    let seen = fs::read_to_string(machine.path("seen")).unwrap();
    let last: Vec<&str> = seen.lines().skip(2).collect();
    let [command, flags] = &last[..] else {
        panic!("{seen}")
    };
    assert!(command.contains("--package rustc-wasm-dylib"), "{command}");
    assert!(!flags.contains("profile"), "{flags}");
    // The program finds our library beside itself and rustc's in the toolchain.
    let toolchain = machine.path(RUSTUPS).join("lib");
    for folder in [
        &toolchain,
        &toolchain.join("rustlib/x86_64-unknown-linux-gnu/lib"),
    ] {
        let flag = format!(
            "-Clink-arg=-rpath -Clink-arg=-Xlinker -Clink-arg={}",
            folder.display()
        );
        assert!(flags.contains(&flag), "{flags}");
    }
    assert!(flags.contains("/../lib "), "{flags}");
    assert!(flags.contains("-Cmetadata="), "{flags}");
}

#[test]
fn it_compiles_std_itself_where_the_toolchain_has_one() {
    let machine = machine_with_rustc_dev();
    let library = format!("{DLL_PREFIX}rustc_codegen_wasm{DLL_SUFFIX}");
    let make_library = format!(
        "mkdir -p \"$CARGO_TARGET_DIR/debug\"; echo library > \"$CARGO_TARGET_DIR/debug/{library}\""
    );
    cargo_at(&machine, RUSTUPS, &make_library);
    let env = machine.env();
    let rust = discover::find_rust(&env).unwrap();
    let set_up = || rustc_wasm::set_up(&env, &rust, &Progress::new(true)).unwrap();
    let std_builds = || {
        let builds = machine.builds();
        builds
            .iter()
            .filter(|what| what.starts_with("wasm32-"))
            .count()
    };
    // Without its source it takes the toolchain's.
    assert_eq!(set_up().sysroot(), rust.sysroot);
    assert_eq!(std_builds(), 0);
    machine.source(RUSTUPS);
    let libc = format!("{RUSTUPS}/lib/rustlib/wasm32-wasip1/lib/self-contained");
    machine.wasi_libc(&libc);
    machine.write(&format!("{libc}/crt1-command.o"), "of rustup's target");
    let toolchain = set_up();
    assert_eq!(std_builds(), Target::ALL.len());
    let made = toolchain.sysroot().join("lib/rustlib/wasm32-wasip1/lib");
    let start = fs::read_to_string(made.join("self-contained/crt1-command.o")).unwrap();
    assert_eq!(start, "of rustup's target");
    // The stock rustc keeps to its own.
    let stock = wasm_toolchain::Toolchain::ready(&env, &Target::ALL, &Progress::new(true)).unwrap();
    assert_eq!(stock.rustc(), rust.rustc);
}

#[test]
fn whoever_names_rustcs_source_wants_it_compiled() {
    let machine = machine_with_rustc_dev();
    cargo_at(&machine, RUSTUPS, "");
    let source = machine.path(&format!("{RUSTUPS}/lib/rustlib/rustc-src/rust"));
    let env = machine.env_with(&[("WASMRUST_RUSTC_SRC", &source)]);
    let program = make(&env).unwrap();
    assert!(!program.parent().unwrap().with_file_name("lib").exists());
    // What was made so is not taken for what is made of the library.
    assert!(matches!(standing(&machine.env()), Standing::Outdated));
}

#[test]
fn setting_up_also_builds_std_with_it() {
    let machine = machine();
    let env = machine.env();
    let rust = discover::find_rust(&env).unwrap();
    let toolchain = rustc_wasm::set_up(&env, &rust, &Progress::new(true)).unwrap();
    assert_eq!(Some(toolchain.rust().rustc.clone()), find(&env));
    // The compiler is behind the launcher that adds the sysroot.
    let launcher = fs::read_to_string(toolchain.rustc()).unwrap();
    assert!(launcher.contains("bin/rustc-wasm"), "{launcher}");
    // rustdoc would take the rustc beside it, whose linker cannot read what the other made.
    let rustdoc = fs::read_to_string(toolchain.rustc().with_file_name("rustdoc")).unwrap();
    let builder = format!("--test-builder '{}'", toolchain.rust().rustc.display());
    assert!(rustdoc.contains(&builder), "{rustdoc}");
    let mut built = machine.builds();
    built.sort();
    assert_eq!(
        built,
        [
            "json-render-diagnostics",
            Target::Unknown.triple(),
            Target::WasiP1.triple()
        ]
    );
}

#[test]
fn what_other_versions_left_is_found_and_removed() {
    let machine = machine();
    let env = machine.env();
    let program = make(&env).unwrap();
    assert_eq!(wasm_toolchain::unused(&env).unwrap(), Unused::default());
    let home = env.wasmrust_home().unwrap();
    let old = [
        "rustc-wasm/1.96.0-0123456789ab",
        "sysroots/1.95.0-ba9876543210",
    ];
    for folder in old {
        fs::create_dir_all(home.join(folder)).unwrap();
        fs::write(home.join(folder).join("file"), [0; 1000]).unwrap();
    }
    // What has another name is nobody's business.
    fs::create_dir_all(home.join("sysroots/mine")).unwrap();
    let expected = Unused {
        folders: old.map(|folder| home.join(folder)).into(),
        bytes: 2000,
    };
    assert_eq!(wasm_toolchain::unused(&env).unwrap(), expected);
    let removed = wasm_toolchain::remove_unused(&env, &Progress::new(true)).unwrap();
    assert_eq!(removed, expected);
    assert!(removed.folders.iter().all(|folder| !folder.exists()));
    assert_eq!(wasm_toolchain::unused(&env).unwrap(), Unused::default());
    assert!(home.join("sysroots/mine").is_dir());
    // What is used is whole, and is not built again.
    assert_eq!(make(&env).unwrap(), program);
    assert_eq!(builds(&machine), 1);
}

/// A machine whose front end, when it runs, says so in the file that its counts are to go to, and whose LLVM can read them.
fn profiling_machine() -> Machine {
    let machine = machine();
    cargo(
        &machine,
        &format!(
            "printf '%s\n' \"$CARGO_ENCODED_RUSTFLAGS\" | tr '\\037' ' ' >> '{}'\nmkdir -p \"$CARGO_TARGET_DIR/debug\"; cd \"$CARGO_TARGET_DIR/debug\"\n\
             printf '#!/bin/sh\\necho \"$@\" >> \"$(dirname \"$LLVM_PROFILE_FILE\")/runs\"\\n' > rustc-wasm; chmod +x rustc-wasm\n\
             echo linker > wasmir-ld; exit 0",
            machine.path("flags").display()
        ),
    );
    machine.script(
        "usr/lib/llvm-22/bin/llvm-profdata",
        "[ \"$1 $2\" = 'merge -o' ] || exit 1\ncat \"$4/runs\" > \"$3\"",
    );
    machine
}

fn record(env: &Environment) -> Result<(), Error> {
    let rust = discover::find_rust(env).unwrap();
    rustc_wasm::record_profile(env, &rust, &Progress::new(true))
}

fn flags(machine: &Machine) -> Vec<String> {
    let flags = fs::read_to_string(machine.path("flags")).unwrap_or_default();
    flags.lines().map(str::to_owned).collect()
}

#[test]
fn with_a_profile_it_is_built_by_what_it_did_before() {
    let machine = profiling_machine();
    let env = machine.env();
    let plain = make(&env).unwrap();
    record(&env).unwrap();
    // What is there is used until there is something better.
    assert_eq!(find(&env), Some(plain.clone()));
    let profiled = make(&env).unwrap();
    assert_ne!(profiled, plain);
    assert_eq!(find(&env), Some(profiled.clone()));
    let flags = flags(&machine);
    let [without, counting, with] = &flags[..] else {
        panic!("{flags:?}")
    };
    assert_eq!(without, "-Zforce-unstable-if-unmarked");
    assert!(counting.contains(" -Cprofile-generate="), "{counting}");
    let (_, file) = with.split_once(" -Cprofile-use=").unwrap();
    // The program was compiled three times, and for the target.
    let runs = fs::read_to_string(file).unwrap();
    let programs = runs.lines().filter(|run| run.contains("training.rs"));
    assert!(programs.clone().all(|run| run.contains("wasm32-wasip1")));
    assert_eq!(programs.count(), 3);
    // Once is enough, and nothing is left of it but the profile.
    record(&env).unwrap();
    assert_eq!(make(&env).unwrap(), profiled);
    assert_eq!(builds(&machine), 3);
    let workshop = Path::new(file).ancestors().nth(2).unwrap();
    assert!(!workshop.join("profiling").exists());
    assert_eq!(
        wasm_toolchain::unused(&env).unwrap().folders,
        [plain.ancestors().nth(2).unwrap()]
    );
}

#[test]
fn a_profile_that_was_not_finished_is_recorded_anew() {
    let machine = profiling_machine();
    let env = machine.env();
    machine.script(
        "usr/lib/llvm-22/bin/llvm-profdata",
        "echo 'no space' >&2; exit 1",
    );
    let error = record(&env).unwrap_err();
    assert!(error.to_string().contains("no space"), "{error}");
    assert!(make(&env).is_ok());
    assert!(
        flags(&machine)[1..]
            .iter()
            .all(|f| !f.contains("profile-use"))
    );
    machine.script("usr/lib/llvm-22/bin/llvm-profdata", "cp \"$4/runs\" \"$3\"");
    record(&env).unwrap();
    make(&env).unwrap();
    assert!(flags(&machine).last().unwrap().contains("profile-use"));
}

#[test]
fn without_the_reader_of_counts_nothing_is_built_and_the_package_is_named() {
    let machine = machine();
    let error = record(&machine.env()).unwrap_err();
    assert!(matches!(error, Error::NoProfdata { .. }), "{error}");
    let hint = error.hint().unwrap();
    assert!(
        hint.contains("llvm-22") && hint.contains("llvm-tools"),
        "{hint}"
    );
    assert_eq!(builds(&machine), 0);
}
