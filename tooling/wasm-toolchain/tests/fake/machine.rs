//! A machine in a temporary folder: fake tools that answer as the real ones do, so that discovery and set-up can be tested
//! anywhere and in milliseconds. Every script records its runs.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use wasm_toolchain::Environment;

/// The host that fake compilers claim to run on.
pub(crate) const HOST: &str = "x86_64-unknown-linux-gnu";

/// The folder that stands for a whole machine.
pub(crate) struct Machine {
    folder: tempfile::TempDir,
}

impl Machine {
    /// A machine with nothing on it.
    pub(crate) fn new() -> Machine {
        Machine {
            folder: tempfile::tempdir().expect("a temporary folder"),
        }
    }

    /// A path on the machine.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// Its environment, with more variables or other values for the usual ones.
    pub(crate) fn env_with(&self, more: &[(&str, &Path)]) -> Environment {
        let usual = [
            ("HOME", self.path("home")),
            ("PATH", self.path("path")),
            ("RUSTUP_HOME", self.path("rustup")),
            ("CARGO_HOME", self.path("cargo")),
            ("WASMRUST_HOME", self.path("cache")),
            ("WASMRUST_SEARCH_ROOT", self.path("")),
        ];
        let more = more.iter().map(|(name, path)| (*name, path.to_path_buf()));
        Environment::of(usual.into_iter().chain(more))
    }

    /// Its environment.
    pub(crate) fn env(&self) -> Environment {
        self.env_with(&[])
    }

    /// Writes a file.
    pub(crate) fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("has a parent")).expect("folders can be made");
        fs::write(path, text).expect("files can be written");
    }

    /// Writes an executable script.
    pub(crate) fn script(&self, path: &str, body: &str) {
        self.write(path, format!("#!/bin/sh\n{body}\n"));
        fs::set_permissions(self.path(path), fs::Permissions::from_mode(0o755))
            .expect("modes can be set");
    }

    /// A rustc of that release and its Cargo, in the toolchain folder `at` (`usr`, `rustup/toolchains/…`).
    pub(crate) fn rust(&self, at: &str, release: &str) {
        let verbose = format!(
            "rustc {release} (0123456 2026-05-25)\nbinary: rustc\ncommit-hash: 0123456\ncommit-date: 2026-05-25\nhost: {HOST}\nrelease: {release}\nLLVM version: 22.1.8"
        );
        let runs = self.path("rustc-runs");
        self.script(
            &format!("{at}/bin/rustc"),
            &format!(
                "echo \"$@\" >> '{}'\ncat <<'END'\n{verbose}\nEND",
                runs.display()
            ),
        );
        self.script(&format!("{at}/bin/rustdoc"), "echo rustdoc");
        self.cargo(at, "");
        fs::create_dir_all(self.path(&format!("{at}/lib/rustlib/{HOST}/lib")))
            .expect("folders can be made");
    }

    /// A Cargo that "compiles" std: it records the target, runs `extra`, and leaves two libraries.
    pub(crate) fn cargo(&self, at: &str, extra: &str) {
        let runs = self.path("builds");
        let body = format!(
            "[ \"$1\" = --version ] && {{ echo 'cargo 1.96.0'; exit 0; }}\nfor target; do :; done\necho \"$target\" >> '{}'\necho '   Compiling core v0.0.0 (/library/core)' >&2\n{extra}\n\
             out=\"$CARGO_TARGET_DIR/$target/custom_sysroot/deps\"\nmkdir -p \"$out\"\n\
             for name in std core; do echo \"$name for $target\" > \"$out/lib$name-0.rlib\"; echo meta > \"$out/lib$name-0.rmeta\"; done",
            runs.display()
        );
        self.script(&format!("{at}/bin/cargo"), &body);
    }

    /// Installs std for `target` in the toolchain `at`.
    pub(crate) fn target(&self, at: &str, target: &str) {
        for name in ["std", "core"] {
            self.write(
                &format!("{at}/lib/rustlib/{target}/lib/lib{name}-1.rlib"),
                name,
            );
        }
    }

    /// Installs the library's source in the toolchain `at`.
    pub(crate) fn source(&self, at: &str) {
        let library = format!("{at}/lib/rustlib/src/rust/library");
        self.write(&format!("{library}/Cargo.toml"), "[workspace]\n");
        self.write(&format!("{library}/Cargo.lock"), "version = 4\n");
        self.write(
            &format!("{library}/std/Cargo.toml"),
            "[package]\nname = \"std\"\n",
        );
    }

    /// Installs a linker in the toolchain `at`.
    pub(crate) fn linker(&self, at: &str) {
        self.script(&format!("{at}/lib/rustlib/{HOST}/bin/rust-lld"), "exit 0");
    }

    /// Installs a wasi-libc whose archive defines all that std needs in the folder `at`.
    pub(crate) fn wasi_libc(&self, at: &str) {
        let names = [
            "chmod",
            "fchmod",
            "pthread_attr_destroy",
            "pthread_attr_init",
            "pthread_attr_setstacksize",
            "pthread_create",
            "pthread_detach",
            "pthread_join",
            "realpath",
        ];
        let mut index = u32::try_from(names.len())
            .expect("few")
            .to_be_bytes()
            .to_vec();
        index.extend(vec![0; 4 * names.len()]);
        index.extend(names.iter().flat_map(|name| name.bytes().chain([0])));
        let mut archive = b"!<arch>\n".to_vec();
        archive.extend(
            format!(
                "{:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n",
                "/",
                0,
                0,
                0,
                0,
                index.len()
            )
            .into_bytes(),
        );
        archive.extend(index);
        self.write(&format!("{at}/libc.a"), archive);
        self.write(&format!("{at}/crt1-command.o"), "command");
        self.write(&format!("{at}/crt1-reactor.o"), "reactor");
    }

    /// A distribution with everything but the compiled targets.
    pub(crate) fn distribution() -> Machine {
        let machine = Machine::new();
        machine.rust("usr", "1.96.0");
        machine.source("usr");
        machine.linker("rustup/toolchains/stable-x86_64-unknown-linux-gnu");
        machine.wasi_libc("usr/lib/wasm32-wasi");
        machine
    }

    /// The targets that the fake Cargo has built, in order.
    pub(crate) fn builds(&self) -> Vec<String> {
        fs::read_to_string(self.path("builds"))
            .unwrap_or_default()
            .lines()
            .map(str::to_owned)
            .collect()
    }

    /// How often a fake rustc was run.
    pub(crate) fn rustc_runs(&self) -> usize {
        fs::read_to_string(self.path("rustc-runs"))
            .unwrap_or_default()
            .lines()
            .count()
    }
}
