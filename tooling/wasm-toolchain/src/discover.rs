//! Finds the tools that are already on the machine; installs and builds nothing.
//!
//! # Order of preference
//!
//! 1. What the user names: `WASMRUST_RUSTC`, `WASMRUST_CARGO`, `WASMRUST_LINKER`, `WASMRUST_WASI_LIBC`, `WASMRUST_WASM_OPT`.
//! 2. A rustup toolchain of the wanted release, the one with the most WebAssembly targets first; its folder is read
//!    directly, so that neither the proxy's start-up time nor an override of the current folder matters.
//! 3. The distribution's (`/usr/bin/rustc`) or any other `rustc` on `PATH` that is not rustup's proxy.
//!
//! # Cost
//!
//! One `rustc -vV` per candidate whose folder name cannot exclude it (some 15 ms each), remembered from then on.

use crate::environment::{Environment, program_in};
use crate::error::Error;
use crate::target::Target;
use crate::version::{RUST_RELEASE, RustcVersion};
use crate::version_cache::VersionCache;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where a tool comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// An environment variable names it.
    Variable(&'static str),
    /// A rustup toolchain of that name.
    Rustup(String),
    /// The distribution's packages.
    Distribution,
    /// Elsewhere on `PATH`.
    Path,
    /// Downloaded into our own cache folder.
    Cache,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Origin::Variable(name) => write!(f, "{name}"),
            Origin::Rustup(toolchain) => write!(f, "rustup toolchain {toolchain}"),
            Origin::Distribution => f.write_str("distribution"),
            Origin::Path => f.write_str("PATH"),
            Origin::Cache => f.write_str("cache folder"),
        }
    }
}

/// A rustc with the Cargo that goes with it.
#[derive(Debug, Clone)]
pub struct Rust {
    /// The compiler.
    pub rustc: PathBuf,
    /// The documentation tool, which also compiles doc tests.
    pub rustdoc: Option<PathBuf>,
    /// The Cargo of the same release.
    pub cargo: PathBuf,
    /// What the compiler says it is.
    pub version: RustcVersion,
    /// Where it comes from.
    pub origin: Origin,
    /// The folder that holds `lib/rustlib`.
    pub sysroot: PathBuf,
    /// Whether std is taken from there, where it is. Otherwise this compiler compiles std itself.
    pub takes_std: bool,
}

impl Rust {
    /// `lib/rustlib` of this compiler.
    pub fn rustlib(&self) -> PathBuf {
        self.sysroot.join("lib/rustlib")
    }

    /// Whether its own sysroot holds std for `target`, for it to be taken.
    pub fn has_target(&self, target: Target) -> bool {
        self.takes_std && has_std(&self.rustlib().join(target.triple()).join("lib"))
    }

    /// The folder with the start files and the libc of WASI that rustup's target brings.
    pub(crate) fn wasi_libc(&self) -> Option<PathBuf> {
        let target = self.rustlib().join(Target::WasiP1.triple());
        let folder = target.join("lib/self-contained");
        is_wasi_libc(&folder).then_some(folder)
    }

    /// The standard library's source, when installed.
    pub fn library_source(&self) -> Option<PathBuf> {
        let library = self.rustlib().join("src/rust/library");
        library.join("std/Cargo.toml").is_file().then_some(library)
    }
}

/// Whether `lib` holds a compiled standard library.
pub(crate) fn has_std(lib: &Path) -> bool {
    let mut found = [false; 2];
    for entry in lib.read_dir().into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.ends_with(".rlib") {
            found[0] |= name.starts_with("libstd-");
            found[1] |= name.starts_with("libcore-");
        }
    }
    found == [true; 2]
}

/// A single tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tool {
    /// The executable (or, for wasi-libc, the folder).
    pub path: PathBuf,
    /// Where it comes from.
    pub origin: Origin,
}

/// Finds the rustc to compile with.
pub fn find_rust(env: &Environment) -> Result<Rust, Error> {
    if let Some(path) = env.var("WASMRUST_RUSTC").map(PathBuf::from) {
        return overridden(env, path);
    }
    let mut looked = Vec::new();
    let mut found: Vec<Rust> = Vec::new();
    let mut lacking = None;
    let mut versions = VersionCache::load(env);
    let mut complete_one = None;
    for candidate in rustup_candidates(env)
        .into_iter()
        .chain(system_candidates(env))
    {
        let rustc = &candidate.path;
        match versions.version(rustc) {
            Err(reason) => looked.push(format!("`{}`: {reason}", rustc.display())),
            Ok(version) if version.release != RUST_RELEASE => {
                looked.push(format!("`{}`: {}", rustc.display(), version.release));
            }
            Ok(version) if version.llvm.is_none() => {
                looked.push(format!("`{}`: no LLVM", rustc.display()))
            }
            Ok(version) => match complete(env, candidate.path, version, candidate.origin) {
                Ok(rust) if Target::ALL.iter().all(|t| rust.has_target(*t)) => {
                    complete_one = Some(rust);
                    break;
                }
                Ok(rust) => found.push(rust),
                Err(error) => lacking = Some(error),
            },
        }
    }
    versions.save();
    if let Some(rust) = complete_one {
        return Ok(rust);
    }
    // None is complete: the one that needs the least added. Ties keep the order of preference.
    let score = |rust: &Rust| {
        let targets = Target::ALL.iter().filter(|t| rust.has_target(**t)).count();
        targets + 2 * usize::from(rust.library_source().is_some())
    };
    let best = found.into_iter().rev().max_by_key(score);
    best.ok_or_else(|| {
        lacking.unwrap_or_else(|| {
            if looked.is_empty() {
                looked.push("rustup's toolchains, the distribution and `PATH`: none".into());
            }
            Error::NoRustc {
                release: RUST_RELEASE,
                looked,
            }
        })
    })
}

fn overridden(env: &Environment, path: PathBuf) -> Result<Rust, Error> {
    let bad = |reason: String| Error::BadOverride {
        path: path.clone(),
        reason,
    };
    let version = RustcVersion::ask(&path).map_err(bad)?;
    if version.llvm.is_none() {
        return Err(bad("it is built without LLVM".into()));
    }
    complete(env, path, version, Origin::Variable("WASMRUST_RUSTC"))
}

/// The `bin/rustc` of every rustup toolchain that may be the wanted release.
fn rustup_candidates(env: &Environment) -> Vec<Tool> {
    let Some(toolchains) = env.rustup_home().map(|home| home.join("toolchains")) else {
        return Vec::new();
    };
    let mut names: Vec<String> = toolchains
        .read_dir()
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|e| e.file_name().into_string().ok())
        .collect();
    names.retain(|name| may_be_release(name));
    // `1.96.0-…` before `stable-…`, then by name, so that the choice does not depend on the order of a directory.
    names.sort_by_key(|name| (!name.starts_with(RUST_RELEASE), name.clone()));
    let rustc = |name: String| {
        Some(Tool {
            path: program_in(&toolchains.join(&name).join("bin"), "rustc")?,
            origin: Origin::Rustup(name),
        })
    };
    names.into_iter().filter_map(rustc).collect()
}

/// A toolchain named after another release or channel need not be asked.
fn may_be_release(name: &str) -> bool {
    let first = name.split('-').next().unwrap_or(name);
    let other_release = first.chars().next().is_some_and(|c| c.is_ascii_digit())
        && first != RUST_RELEASE
        && !RUST_RELEASE.starts_with(&format!("{first}."));
    !other_release && !matches!(first, "nightly" | "beta")
}

/// The distribution's rustc, then those on `PATH`, without rustup's proxies.
fn system_candidates(env: &Environment) -> Vec<Tool> {
    let mut tools: Vec<Tool> = Vec::new();
    let root = env.root();
    let proxies = env.cargo_home().map(|home| home.join("bin"));
    let distribution =
        ["usr/bin", "usr/local/bin"].map(|folder| (root.join(folder), Origin::Distribution));
    let on_path = env.path().into_iter().map(|folder| (folder, Origin::Path));
    for (folder, origin) in distribution.into_iter().chain(on_path) {
        let Some(path) = program_in(&folder, "rustc") else {
            continue;
        };
        if proxies.as_ref() == Some(&folder) || is_rustup_proxy(&path) {
            continue;
        }
        // `/bin` is `/usr/bin` on most systems.
        let real = path.canonicalize().unwrap_or_else(|_| path.clone());
        if tools
            .iter()
            .all(|t| t.path.canonicalize().ok().as_ref() != Some(&real))
        {
            tools.push(Tool { path, origin });
        }
    }
    tools
}

fn is_rustup_proxy(path: &Path) -> bool {
    let target = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    target.file_stem().is_some_and(|stem| stem == "rustup")
        // rustup makes hard links where symbolic ones are not to be had.
        || path.with_file_name(format!("rustup{}", std::env::consts::EXE_SUFFIX)).is_file()
}

fn complete(
    env: &Environment,
    rustc: PathBuf,
    version: RustcVersion,
    origin: Origin,
) -> Result<Rust, Error> {
    let sysroot = sysroot_of(&rustc, &version.host);
    let beside = |program: &str| {
        rustc
            .parent()
            .and_then(|folder| program_in(folder, program))
    };
    let cargo = env
        .var("WASMRUST_CARGO")
        .map(PathBuf::from)
        .or_else(|| beside("cargo"));
    let Some(cargo) = cargo else {
        return Err(Error::NoCargo { rustc });
    };
    Ok(Rust {
        rustdoc: beside("rustdoc"),
        cargo,
        version,
        origin,
        sysroot,
        rustc,
        takes_std: true,
    })
}

/// The folder above `bin`, when it holds the host's libraries; else what the compiler says.
fn sysroot_of(rustc: &Path, host: &str) -> PathBuf {
    let guess = rustc.parent().and_then(Path::parent);
    if let Some(guess) = guess.filter(|g| g.join("lib/rustlib").join(host).join("lib").is_dir()) {
        return guess.to_owned();
    }
    let output = Command::new(rustc)
        .args(["--print", "sysroot"])
        .env_remove("RUSTUP_TOOLCHAIN")
        .stdin(Stdio::null())
        .output();
    match output {
        Ok(output) if output.status.success() => {
            PathBuf::from(String::from_utf8_lossy(&output.stdout).trim())
        }
        _ => guess.unwrap_or(Path::new("/usr")).to_owned(),
    }
}

/// Finds a linker that speaks WebAssembly, `rust-lld` by preference: of `rust` itself, of any rustup toolchain (newest name
/// last in the alphabet, so stable before dated ones), else LLVM's own.
pub fn find_linker(env: &Environment, rust: Option<&Rust>) -> Option<Tool> {
    if let Some(path) = env.var("WASMRUST_LINKER").map(PathBuf::from) {
        return Some(Tool {
            path,
            origin: Origin::Variable("WASMRUST_LINKER"),
        });
    }
    let own = |rust: &Rust| {
        let bin = rust.rustlib().join(&rust.version.host).join("bin");
        Some(Tool {
            path: program_in(&bin, "rust-lld")?,
            origin: rust.origin.clone(),
        })
    };
    if let Some(tool) = rust.and_then(own) {
        return Some(tool);
    }
    let toolchains = env.rustup_home().map(|home| home.join("toolchains"));
    let mut names: Vec<String> = toolchains
        .iter()
        .flat_map(|t| t.read_dir().into_iter().flatten().flatten())
        .filter_map(|e| e.file_name().into_string().ok())
        .collect();
    names.sort_by(|a, b| b.cmp(a));
    for name in names {
        let rustlib = toolchains.as_ref()?.join(&name).join("lib/rustlib");
        let mut hosts: Vec<PathBuf> = rustlib
            .read_dir()
            .into_iter()
            .flatten()
            .flatten()
            .map(|e| e.path())
            .collect();
        hosts.sort();
        if let Some(path) = hosts
            .iter()
            .find_map(|host| program_in(&host.join("bin"), "rust-lld"))
        {
            return Some(Tool {
                path,
                origin: Origin::Rustup(name),
            });
        }
    }
    let usr_bin = env.root().join("usr/bin");
    let programs = [
        "rust-lld",
        "wasm-ld",
        "lld",
        "wasm-ld-22",
        "lld-22",
        "wasm-ld-21",
        "lld-21",
    ];
    programs
        .iter()
        .find_map(|p| {
            Some(Tool {
                path: program_in(&usr_bin, p)?,
                origin: Origin::Distribution,
            })
        })
        .or_else(|| {
            programs.iter().find_map(|p| {
                Some(Tool {
                    path: env.which(p)?,
                    origin: Origin::Path,
                })
            })
        })
}

/// Finds the folder of wasi-libc that holds `crt1-command.o` and `libc.a`.
pub fn find_wasi_libc(env: &Environment) -> Option<Tool> {
    if let Some(path) = env.var("WASMRUST_WASI_LIBC").map(PathBuf::from) {
        return is_wasi_libc(&path).then_some(Tool {
            path,
            origin: Origin::Variable("WASMRUST_WASI_LIBC"),
        });
    }
    let root = env.root();
    let sdk = env
        .var("WASI_SDK_PATH")
        .map(PathBuf::from)
        .unwrap_or_else(|| root.join("opt/wasi-sdk"));
    let share = [
        sdk.join("share"),
        root.join("opt/homebrew/share"),
        root.join("usr/local/share"),
        root.join("usr/share"),
    ];
    let sysroots = share.iter().map(|s| s.join("wasi-sysroot/lib"));
    let folders = std::iter::once(root.join("usr/lib")).chain(sysroots);
    folders
        .flat_map(|lib| ["wasm32-wasip1", "wasm32-wasi"].map(|name| lib.join(name)))
        .find(|folder| is_wasi_libc(folder))
        .map(|path| Tool {
            path,
            origin: Origin::Distribution,
        })
}

fn is_wasi_libc(folder: &Path) -> bool {
    ["crt1-command.o", "libc.a"]
        .iter()
        .all(|file| folder.join(file).is_file())
}

/// Finds binaryen's `wasm-opt`: on `PATH`, else the one that set-up downloaded.
pub fn find_wasm_opt(env: &Environment) -> Option<Tool> {
    if let Some(path) = env.var("WASMRUST_WASM_OPT").map(PathBuf::from) {
        return Some(Tool {
            path,
            origin: Origin::Variable("WASMRUST_WASM_OPT"),
        });
    }
    if let Some(path) = env.which("wasm-opt") {
        return Some(Tool {
            path,
            origin: Origin::Path,
        });
    }
    let path = program_in(
        &env.wasmrust_home()?
            .join(crate::binaryen::FOLDER)
            .join("node_modules/.bin"),
        "wasm-opt",
    )?;
    Some(Tool {
        path,
        origin: Origin::Cache,
    })
}
