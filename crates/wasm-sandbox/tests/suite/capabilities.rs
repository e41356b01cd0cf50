//! What a guest may reach, and what it may not.

use std::path::Path;

use wasm_memory::host::GuestMemory as _;
use wasm_sandbox::{
    Access, Backend, Capabilities, Clocks, Error, HostFunctions, HostGrant, NetworkGrant,
    NetworkTarget, Random, WasmInstance,
};

use crate::fixtures::{BACKENDS, executor, instance_with, limits, runtime, runtime_hosting};

/// A module that does with WASI whatever its caller says.
const WASI: &str = r#"(module
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $args_sizes (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_get" (func $args (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_sizes_get" (func $env_sizes (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_get" (func $env (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_create_directory" (func $mkdir (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_unlink_file" (func $unlink (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_symlink" (func $symlink (param i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 4)
  (func (export "args") (result i32)
    (drop (call $args_sizes (i32.const 0) (i32.const 4))) (call $args (i32.const 1000) (i32.const 2000)))
  (func (export "env") (result i32)
    (drop (call $env_sizes (i32.const 0) (i32.const 4))) (call $env (i32.const 1000) (i32.const 2000)))
  (func (export "clock") (param i32) (result i32) (call $clock (local.get 0) (i64.const 0) (i32.const 0)))
  (func (export "random") (result i32) (call $random (i32.const 0) (i32.const 16)))
  (func (export "random_outside") (result i32) (call $random (i32.const -8) (i32.const 64)))
  (func (export "write") (param $fd i32) (param $len i32) (result i32)
    (i32.store (i32.const 0) (i32.const 2000)) (i32.store (i32.const 4) (local.get $len))
    (call $write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8)))
  (func (export "write_outside") (result i32)
    (i32.store (i32.const 0) (i32.const -8)) (i32.store (i32.const 4) (i32.const 64))
    (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
  (func (export "read") (param $fd i32) (result i32)
    (i32.store (i32.const 0) (i32.const 2000)) (i32.store (i32.const 4) (i32.const 100))
    (call $read (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8)))
  ;; the path stands at 3000; the new descriptor is stored at 16
  (func (export "open") (param $len i32) (param $oflags i32) (param $write i32) (result i32)
    (call $open (i32.const 3) (i32.const 1) (i32.const 3000) (local.get $len) (local.get $oflags)
      (select (i64.const 0x42) (i64.const 0x2) (local.get $write)) (i64.const 0) (i32.const 0) (i32.const 16)))
  (func (export "mkdir") (param i32) (result i32) (call $mkdir (i32.const 3) (i32.const 3000) (local.get 0)))
  (func (export "unlink") (param i32) (result i32) (call $unlink (i32.const 3) (i32.const 3000) (local.get 0)))
  (func (export "symlink") (param $target i32) (param $len i32) (result i32)
    (call $symlink (i32.const 3000) (local.get $target) (i32.const 3)
      (i32.add (i32.const 3000) (local.get $target)) (local.get $len)))
  (func (export "exit") (param i32) (call $exit (local.get 0))))"#;

fn made(backend: Backend, capabilities: Capabilities) -> Box<dyn WasmInstance> {
    let runtime = runtime(backend);
    instance_with(&*runtime, WASI, limits(), capabilities).expect("made")
}

fn peek(made: &dyn WasmInstance, at: usize, len: usize) -> Vec<u8> {
    executor().block_on(async {
        made.guest_session().await.expect("a memory").bytes()[at..at + len].to_vec()
    })
}

fn poke(made: &dyn WasmInstance, at: usize, bytes: &[u8]) {
    executor().block_on(async {
        made.guest_session().await.expect("a memory").bytes()[at..at + bytes.len()]
            .copy_from_slice(bytes);
    });
}

fn call(made: &dyn WasmInstance, name: &str, params: &[i32]) -> i32 {
    made.call_simple_function(name, params)
        .unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn count(made: &dyn WasmInstance) -> u32 {
    u32::from_le_bytes(peek(made, 0, 4).try_into().expect("four bytes"))
}

#[test]
fn arguments_and_environment_are_the_given_ones_and_no_others() {
    for backend in BACKENDS {
        let bare = made(backend, Capabilities::minimal());
        assert_eq!(call(&*bare, "args", &[]), 0);
        assert_eq!(count(&*bare), 0);
        assert_eq!(call(&*bare, "env", &[]), 0);
        assert_eq!(count(&*bare), 0, "the host's environment leaked");
        let some = Capabilities {
            args: vec!["program".into(), "--flag".into()],
            inherit_env: vec!["CARGO_PKG_NAME".into(), "SURELY_NOT_SET".into()],
            ..Capabilities::minimal().with_env("KEY", "a=b")
        };
        let some = made(backend, some);
        assert_eq!(call(&*some, "args", &[]), 0);
        assert_eq!(
            (count(&*some), peek(&*some, 2000, 15)),
            (2, b"program\0--flag\0".to_vec())
        );
        assert_eq!(call(&*some, "env", &[]), 0);
        assert_eq!(count(&*some), 2);
        assert_eq!(
            peek(&*some, 2000, 36),
            b"CARGO_PKG_NAME=wasm-sandbox\0KEY=a=b\0".to_vec()
        );
    }
}

#[test]
fn clocks_stand_still_unless_granted() {
    for backend in BACKENDS {
        let frozen = made(backend, Capabilities::minimal());
        let system = made(
            backend,
            Capabilities {
                clocks: Clocks::System,
                ..Capabilities::minimal()
            },
        );
        for clock in [0, 1] {
            assert_eq!(call(&*frozen, "clock", &[clock]), 0);
            assert_eq!(peek(&*frozen, 0, 8), [0; 8], "clock {clock} on {backend:?}");
        }
        assert_eq!(call(&*system, "clock", &[0]), 0);
        let now = u64::from_le_bytes(peek(&*system, 0, 8).try_into().expect("eight bytes"));
        assert!(now > 1_600_000_000_000_000_000, "{now}");
    }
}

#[test]
fn random_numbers_are_reproducible_unless_granted() {
    for backend in BACKENDS {
        let draw = |random| {
            let made = made(
                backend,
                Capabilities {
                    random,
                    ..Capabilities::minimal()
                },
            );
            assert_eq!(call(&*made, "random", &[]), 0);
            peek(&*made, 0, 16)
        };
        assert_eq!(draw(Random::Seeded(1)), draw(Random::Seeded(1)));
        assert_ne!(draw(Random::Seeded(1)), draw(Random::Seeded(2)));
        assert_ne!(draw(Random::System), draw(Random::System));
    }
}

#[test]
fn standard_streams_are_what_was_granted() {
    for backend in BACKENDS {
        let captured = Capabilities {
            stdin: b"typed".to_vec().into(),
            ..Capabilities::minimal().with_captured_output()
        };
        let captured = made(backend, captured);
        poke(&*captured, 2000, b"hello\n");
        assert_eq!(call(&*captured, "write", &[1, 6]), 0);
        assert_eq!(call(&*captured, "write", &[2, 5]), 0);
        let output = captured.output();
        assert_eq!(
            (&*output.stdout, &*output.stderr, output.full),
            (&b"hello\n"[..], &b"hello"[..], false)
        );
        assert_eq!(call(&*captured, "read", &[0]), 0);
        assert_eq!(peek(&*captured, 2000, 5), b"typed");
        let silent = made(backend, Capabilities::minimal());
        assert_eq!(
            call(&*silent, "write", &[1, 6]),
            0,
            "thrown away, but accepted"
        );
        assert_eq!(silent.output(), wasm_sandbox::Output::default());
        poke(&*silent, 8, &[0xff; 4]);
        assert_eq!(call(&*silent, "read", &[0]), 0);
        assert_eq!(peek(&*silent, 8, 4), [0; 4], "its input is at its end");
        assert_ne!(
            call(&*silent, "write", &[7, 6]),
            0,
            "there is no such descriptor"
        );
    }
}

#[test]
fn pointers_that_leave_the_memory_harm_nobody() {
    for backend in BACKENDS {
        for name in ["write_outside", "random_outside"] {
            let made = made(backend, Capabilities::minimal());
            match made.call_simple_function(name, &[]) {
                Ok(errno) => assert_ne!(errno, 0, "{name} on {backend:?}"),
                Err(error) => assert!(matches!(error, Error::Trap { .. }), "{error}"),
            }
        }
    }
}

#[test]
fn exit_ends_the_instance_with_its_status() {
    for backend in BACKENDS {
        let made = made(backend, Capabilities::minimal());
        let outcome = made.call_simple_function("exit", &[42]);
        assert!(
            matches!(outcome, Err(Error::Exit { status: 42 })),
            "{outcome:?}"
        );
        assert!(matches!(
            made.call_simple_function("args", &[]),
            Err(Error::Poisoned { .. })
        ));
    }
}

/// Opens a path in the guest's first directory; 0 or an error number.
fn open(made: &dyn WasmInstance, path: &str, oflags: i32, write: bool) -> i32 {
    poke(made, 3000, path.as_bytes());
    call(made, "open", &[path.len() as i32, oflags, write.into()])
}

const CREATE: i32 = 1;

#[test]
fn directories_are_read_only_or_read_write() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("file"), "content").expect("written");
    let grant = |access| Capabilities::minimal().with_directory(folder.path(), "/data", access);
    let reader = made(Backend::Wasmtime, grant(Access::ReadOnly));
    assert_eq!(open(&*reader, "file", 0, false), 0);
    let fd = i32::from_le_bytes(peek(&*reader, 16, 4).try_into().expect("four bytes"));
    assert_eq!(call(&*reader, "read", &[fd]), 0);
    assert_eq!(peek(&*reader, 2000, 7), b"content");
    assert_ne!(open(&*reader, "file", 0, true), 0, "opened for writing");
    assert_ne!(open(&*reader, "new", CREATE, true), 0, "created");
    poke(&*reader, 3000, b"file");
    assert_ne!(call(&*reader, "unlink", &[4]), 0);
    assert_ne!(call(&*reader, "mkdir", &[4]), 0);
    assert_eq!(
        std::fs::read_dir(folder.path()).expect("a folder").count(),
        1
    );
    let writer = made(Backend::Wasmtime, grant(Access::ReadWrite));
    assert_eq!(open(&*writer, "new", CREATE, true), 0);
    assert!(folder.path().join("new").exists());
}

#[test]
fn without_a_grant_there_is_no_file() {
    for backend in BACKENDS {
        let bare = made(backend, Capabilities::minimal());
        for path in ["etc/passwd", "/etc/passwd", "Cargo.toml", ".", ""] {
            let errno = open(&*bare, path, 0, false);
            assert_ne!(errno, 0, "`{path}` was opened on {backend:?}");
            assert_ne!(open(&*bare, path, CREATE, true), 0);
        }
        poke(&*bare, 3000, b"folder");
        assert_ne!(call(&*bare, "mkdir", &[6]), 0);
        assert_ne!(call(&*bare, "unlink", &[6]), 0);
    }
}

fn assert_contained(made: &dyn WasmInstance, secret: &Path) {
    let absolute = secret.display().to_string();
    for path in [
        "../secret",
        "./../secret",
        "sub/../../secret",
        &absolute,
        "..",
        "/",
        "sub/../../../../etc/passwd",
    ] {
        assert_ne!(open(made, path, 0, false), 0, "{path} was opened");
        assert_ne!(
            open(made, path, CREATE, true),
            0,
            "{path} was opened for writing"
        );
    }
}

#[test]
fn nothing_leads_out_of_a_directory() {
    let outside = tempfile::tempdir().expect("a folder");
    let folder = outside.path().join("inside");
    std::fs::create_dir_all(folder.join("sub")).expect("made");
    let secret = outside.path().join("secret");
    std::fs::write(&secret, "secret").expect("written");
    let grant = Capabilities::minimal().with_directory(&folder, "/", Access::ReadWrite);
    let guest = made(Backend::Wasmtime, grant);
    assert_contained(&*guest, &secret);
    #[cfg(unix)]
    {
        // Links made by the host, to a file and to a folder, absolute and relative.
        std::os::unix::fs::symlink(&secret, folder.join("link")).expect("linked");
        std::os::unix::fs::symlink("../secret", folder.join("relative")).expect("linked");
        std::os::unix::fs::symlink("..", folder.join("up")).expect("linked");
        for path in ["link", "relative", "up/secret", "up", "sub/../up/secret"] {
            assert_ne!(open(&*guest, path, 0, false), 0, "{path} was followed");
        }
        // Links made by the guest.
        for target in ["../secret", "/etc/passwd"] {
            poke(&*guest, 3000, format!("{target}mine").as_bytes());
            let _ = call(&*guest, "symlink", &[target.len() as i32, 4]);
            assert_ne!(
                open(&*guest, "mine", 0, false),
                0,
                "a link to {target} was followed"
            );
        }
    }
    assert_eq!(
        std::fs::read_to_string(&secret).expect("still there"),
        "secret"
    );
}

#[test]
#[cfg(unix)]
fn a_link_that_changes_while_it_is_opened_leads_nowhere() {
    use std::sync::atomic::{AtomicBool, Ordering};
    let outside = tempfile::tempdir().expect("a folder");
    let folder = outside.path().join("inside");
    std::fs::create_dir_all(folder.join("real")).expect("made");
    std::fs::write(folder.join("real/secret"), "harmless").expect("written");
    std::fs::write(outside.path().join("secret"), "secret").expect("written");
    let guest = made(
        Backend::Wasmtime,
        Capabilities::minimal().with_directory(&folder, "/", Access::ReadOnly),
    );
    let stop = AtomicBool::new(false);
    let (mut opened, mut leaked) = (0, 0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // The path flips between a folder inside and one outside.
            let (path, other) = (folder.join("flip"), folder.join("other"));
            while !stop.load(Ordering::Relaxed) {
                for target in ["real", ".."] {
                    let _ = std::os::unix::fs::symlink(target, &other);
                    let _ = std::fs::rename(&other, &path);
                }
            }
        });
        for _ in 0..1500 {
            if open(&*guest, "flip/secret", 0, false) == 0 {
                opened += 1;
                let fd = i32::from_le_bytes(peek(&*guest, 16, 4).try_into().expect("four bytes"));
                assert_eq!(call(&*guest, "read", &[fd]), 0);
                leaked += usize::from(peek(&*guest, 2000, 6) == b"secret");
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert_eq!(leaked, 0, "the race was won {leaked} times of {opened}");
    assert!(opened > 0, "the race was never run");
}

#[test]
fn wrong_grants_are_errors_at_creation() {
    for backend in BACKENDS {
        let runtime = runtime(backend);
        let make = |capabilities| instance_with(&*runtime, WASI, limits(), capabilities).err();
        let absent =
            Capabilities::minimal().with_directory("/surely/not/there", "/", Access::ReadOnly);
        let refused = make(absent);
        assert!(
            matches!(
                refused,
                Some(Error::InvalidCapability { .. } | Error::CapabilityUnsupported { .. })
            ),
            "{refused:?}"
        );
        let zero = Capabilities::minimal().with_env("A=B", "c");
        assert!(matches!(make(zero), Some(Error::InvalidCapability { .. })));
    }
}

#[test]
fn what_the_interpreter_cannot_grant_it_refuses() {
    let runtime = runtime(Backend::Wasmi);
    let make = |capabilities| instance_with(&*runtime, "(module)", limits(), capabilities).err();
    let directory = Capabilities::minimal().with_directory(".", "/", Access::ReadOnly);
    assert!(matches!(
        make(directory),
        Some(Error::CapabilityUnsupported {
            runtime: "wasmi",
            ..
        })
    ));
    let target = || vec![NetworkTarget::parse("127.0.0.1:80").expect("an address")];
    let none = NetworkGrant::default;
    for network in [
        NetworkGrant {
            tcp: target(),
            ..none()
        },
        NetworkGrant {
            udp: target(),
            ..none()
        },
        NetworkGrant {
            dns: true,
            ..none()
        },
    ] {
        let capabilities = Capabilities {
            network: network.clone(),
            ..Capabilities::minimal()
        };
        let refused = make(capabilities);
        assert!(
            matches!(
                refused,
                Some(Error::CapabilityUnsupported {
                    runtime: "wasmi",
                    ..
                })
            ),
            "{network:?}: {refused:?}"
        );
    }
}

#[test]
fn host_functions_are_granted_by_name() {
    let text = r#"(module (import "env" "open_door" (func $f)) (func (export "go") (call $f)))"#;
    for backend in BACKENDS {
        let mut functions = HostFunctions::default();
        functions.add("env", "open_door", |(): ()| Ok(()));
        let runtime = runtime_hosting(backend, functions);
        let make = |host_functions| {
            instance_with(
                &*runtime,
                text,
                limits(),
                Capabilities {
                    host_functions,
                    ..Capabilities::minimal()
                },
            )
        };
        make(HostGrant::All)
            .expect("granted")
            .call_simple_function("go", &[])
            .expect("called");
        make(HostGrant::Only(vec!["env#open_door".into()])).expect("granted by name");
        let refused = make(HostGrant::Only(vec!["env#other".into()])).err();
        assert!(
            matches!(refused, Some(Error::InvalidCapability { .. })),
            "{refused:?}"
        );
    }
}
