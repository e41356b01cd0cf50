//! Where rustc's crates come from: from their source, or from the toolchain.
//!
//! rustup's component `rustc-dev` is rustc's crates as one dynamic library, `rustc_driver`, with the metadata of each; its own
//! rustc consists of the same library. Where it is there nothing of rustc's is compiled. A distribution's rustc is that library as well, but
//! comes without metadata; there the crates are compiled from their source.

use crate::discover::Rust;
use crate::environment::Environment;
use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::fs;
use std::path::{Path, PathBuf};

/// Names the folder of rustc's source; whoever sets it wants that compiled.
const NAMED: &str = "WASMRUST_RUSTC_SRC";

/// Where rustc's crates come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Crates {
    /// They are compiled.
    Source,
    /// They are part of the toolchain; the program finds their library, and what that needs, in these folders.
    Toolchain(Vec<PathBuf>),
}

impl Crates {
    /// Where those of `rust` come from. Reads one folder.
    pub(super) fn of(env: &Environment, rust: &Rust) -> Crates {
        let metadata = rust.rustlib().join(&rust.version.host).join("lib");
        // Elsewhere a program cannot say where its libraries lie.
        if cfg!(unix) && env.var(NAMED).is_none() && is_rustc_dev(&metadata) {
            Crates::Toolchain(vec![rust.sysroot.join("lib"), metadata])
        } else {
            Crates::Source
        }
    }
}

/// Whether a folder holds the dynamic library of rustc's crates, and their metadata.
fn is_rustc_dev(folder: &Path) -> bool {
    let library = format!("{DLL_PREFIX}rustc_driver-");
    let mut found = [false; 2];
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        found[0] |= name.starts_with(&library) && name.ends_with(DLL_SUFFIX);
        found[1] |= name.starts_with("librustc_codegen_ssa-")
            && (name.ends_with(".rmeta") || name.ends_with(".rlib"));
    }
    found == [true; 2]
}

/// Where rustc's own source lies: the compiler's crates and the library's, of exactly this release.
pub fn compiler_source(env: &Environment, rust: &Rust) -> Option<PathBuf> {
    let named = env.var(NAMED).map(PathBuf::from);
    let rustlib = rust.rustlib();
    let usual = [
        rustlib.join("src/rust"),
        rustlib.join("rustc-src/rust"),
        env.root()
            .join("usr/src")
            .join(format!("rustc-{}", rust.version.release)),
    ];
    named.into_iter().chain(usual).find(|folder| {
        let has = |file: &str| folder.join(file).is_file();
        let version = fs::read_to_string(folder.join("src/version"));
        // rustup's component has neither the workspace's manifest, which nobody needs, nor the version, which is the toolchain's.
        has("compiler/rustc_driver_impl/Cargo.toml")
            && version.map_or(true, |v| v.trim() == rust.version.release)
    })
}
