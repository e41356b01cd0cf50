//! The workspace as Cargo sees it, and the settings that packages give us.
//!
//! One `cargo metadata --no-deps` per command (some 15 ms): members, their targets and `[package.metadata.wasm]`.

use crate::cli::{Cargo, Emit, Frontend, Panic};
use crate::error::{Error, Failure, Result};
use cargo_metadata::{CrateType, Metadata, Package, TargetKind};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// `[package.metadata.wasm]`, or `[workspace.metadata.wasm]` for all members without their own.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Settings {
    /// The target to compile for.
    pub(crate) target: Option<String>,
    /// Forms to write.
    #[serde(default)]
    pub(crate) emit: Vec<Emit>,
    /// `true`, `false` or a level such as `"-Oz"`.
    pub(crate) wasm_opt: Option<WasmOpt>,
    /// Whether modules are sent through WasmIR; dev builds are when this says nothing.
    pub(crate) wasmir: Option<bool>,
    /// The compiler of dev builds; `rustc-wasm` where it is set up when this says nothing.
    pub(crate) frontend: Option<Frontend>,
    /// What a panic does in what rustc-wasm makes.
    pub(crate) panic: Option<Panic>,
    /// Folders that `run` and `test` give the guest.
    #[serde(default)]
    pub(crate) dir: Vec<String>,
    /// Environment variables that `run` and `test` give the guest.
    #[serde(default)]
    pub(crate) env: Vec<String>,
}

/// The `wasm-opt` setting.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(crate) enum WasmOpt {
    /// On, at the default level, or off.
    Switch(bool),
    /// On, at this level.
    Level(String),
}

impl WasmOpt {
    /// The level's flag.
    pub(crate) fn level(&self) -> Option<String> {
        match self {
            WasmOpt::Switch(true) => Some("-O2".into()),
            WasmOpt::Switch(false) => None,
            WasmOpt::Level(level) => Some(level.clone()),
        }
    }
}

/// A loaded workspace.
#[derive(Debug)]
pub(crate) struct Project {
    metadata: Metadata,
    /// The manifest that Cargo would start from.
    manifest: PathBuf,
}

impl Project {
    /// Finds the manifest as Cargo does: the one given, else the nearest above the current folder.
    pub(crate) fn manifest(given: Option<&Path>) -> Result<PathBuf> {
        let here = std::env::current_dir()
            .map_err(|e| Error::user("the current folder cannot be read").because(&e))?;
        if let Some(path) = given {
            return match path.is_file() {
                true => Ok(here.join(path)),
                false => Err(
                    Error::user(format!("there is no manifest `{}`", path.display()))
                        .hint("name a package's folder or its Cargo.toml")
                        .into(),
                ),
            };
        }
        let found = here
            .ancestors()
            .map(|folder| folder.join("Cargo.toml"))
            .find(|path| path.is_file());
        found.ok_or_else(|| {
            let message = format!("could not find `Cargo.toml` in `{}` or any parent folder", here.display());
            Error::user(message).hint("change to a package's folder, name one, or make one with `cargo wasm new NAME`").into()
        })
    }

    /// Asks Cargo. What it complains about it says itself.
    pub(crate) fn load(mut cargo: Command, options: &Cargo, manifest: PathBuf) -> Result<Project> {
        cargo
            .args([
                "metadata",
                "--no-deps",
                "--format-version",
                "1",
                "--manifest-path",
            ])
            .arg(&manifest);
        cargo.args(options.resolution());
        let output = cargo.stdin(Stdio::null()).stderr(Stdio::inherit()).output();
        let output = output.map_err(|e| Error::user("cargo cannot be started").because(&e))?;
        if !output.status.success() {
            return Err(Failure::Said(1));
        }
        let metadata: Metadata = serde_json::from_slice(&output.stdout).map_err(|e| {
            Error::ours("the output of `cargo metadata` cannot be read").because(&e)
        })?;
        Ok(Project { metadata, manifest })
    }

    /// The members that Cargo's selection options choose.
    pub(crate) fn selected(&self, options: &Cargo) -> Vec<&Package> {
        let members = self.metadata.workspace_packages();
        let excluded = |p: &&Package| !options.exclude.iter().any(|spec| spec_matches(spec, p));
        if options.workspace {
            return members.into_iter().filter(excluded).collect();
        }
        if !options.package.is_empty() {
            let chosen = |p: &&Package| options.package.iter().any(|spec| spec_matches(spec, p));
            return members.into_iter().filter(chosen).collect();
        }
        let root = self.metadata.workspace_root.join("Cargo.toml");
        let own = members
            .iter()
            .find(|p| same_file(&self.manifest, p.manifest_path.as_std_path()));
        if let Some(package) = own.filter(|_| !same_file(&self.manifest, root.as_std_path())) {
            return vec![package];
        }
        if self.metadata.workspace_default_members.is_available() {
            self.metadata.workspace_default_packages()
        } else {
            members
        }
    }

    /// The member with that manifest.
    pub(crate) fn package_of(&self, manifest: &Path) -> Option<&Package> {
        self.metadata
            .workspace_packages()
            .into_iter()
            .find(|p| p.manifest_path == manifest)
    }

    /// A package's settings.
    pub(crate) fn settings(&self, package: &Package) -> Result<Settings> {
        let own = package.metadata.get("wasm");
        let (value, table) = match own {
            Some(value) => (value, "package"),
            None => match self.metadata.workspace_metadata.get("wasm") {
                Some(value) => (value, "workspace"),
                None => return Ok(Settings::default()),
            },
        };
        Settings::deserialize(value).map_err(|e| {
            let file = if table == "package" {
                package.manifest_path.to_string()
            } else {
                self.metadata.workspace_root.join("Cargo.toml").to_string()
            };
            Error::user(format!("`[{table}.metadata.wasm]` in `{file}` is wrong"))
                .because(&e)
                .hint("the keys are `target`, `emit`, `frontend`, `panic`, `wasmir`, `wasm-opt`, `dir` and `env`")
                .into()
        })
    }
}

/// The library of a package, when it has one that code can be made of.
pub(crate) fn library(package: &Package) -> Option<&cargo_metadata::Target> {
    let is_library = |t: &&cargo_metadata::Target| {
        t.kind.iter().any(|k| {
            matches!(
                k,
                TargetKind::Lib
                    | TargetKind::RLib
                    | TargetKind::CDyLib
                    | TargetKind::DyLib
                    | TargetKind::StaticLib
            )
        })
    };
    package.targets.iter().find(is_library)
}

/// Whether a package has binaries.
pub(crate) fn has_bins(package: &Package) -> bool {
    package
        .targets
        .iter()
        .any(|t| t.kind.contains(&TargetKind::Bin))
}

/// Whether the library already asks to be a `cdylib`.
pub(crate) fn is_cdylib(target: &cargo_metadata::Target) -> bool {
    target.crate_types.contains(&CrateType::CDyLib)
}

/// Whether a library is meant to be a component: it says so by its crate type, by our settings or by what it depends on.
pub(crate) fn is_component(package: &Package) -> bool {
    let exporter = |name: &str| matches!(name, "wasm" | "wit-bindgen" | "wit-bindgen-rt");
    library(package).is_some_and(is_cdylib)
        || package.metadata.get("wasm").is_some()
        || package
            .dependencies
            .iter()
            .any(|d| d.kind == cargo_metadata::DependencyKind::Normal && exporter(&d.name))
}

/// Whether `spec` (a name, `name@version`, a pattern, or a URL ending in one) means this package.
fn spec_matches(spec: &str, package: &Package) -> bool {
    let (url, rest) = spec
        .rsplit_once('#')
        .map_or((None, spec), |(url, rest)| (Some(url), rest));
    let (name, version) = rest
        .split_once('@')
        .map_or((rest, None), |(n, v)| (n, Some(v)));
    let version_fits = version.is_none_or(|v| {
        let full = package.version.to_string();
        full == v || full.starts_with(&format!("{v}."))
    });
    match url {
        // `path+file:///…#0.1.0`: the folder's name stands for the package's.
        Some(url) if name.starts_with(|c: char| c.is_ascii_digit()) => {
            url.trim_end_matches('/').ends_with(package.name.as_str())
        }
        _ => version_fits && matches_pattern(name, &package.name),
    }
}

/// Unix shell patterns as Cargo has them: `*`, `?`; linear in the product of the lengths.
fn matches_pattern(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    // reach[i]: the pattern up to here matches the first i characters.
    let mut reach = vec![false; text.len() + 1];
    reach[0] = true;
    for &p in &pattern {
        let mut next = vec![false; text.len() + 1];
        for i in 0..=text.len() {
            next[i] = match p {
                '*' => reach[i] || (i > 0 && next[i - 1]),
                _ => i > 0 && reach[i - 1] && (p == '?' || p == text[i - 1]),
            };
        }
        reach = next;
    }
    reach[text.len()]
}

fn same_file(a: &Path, b: &Path) -> bool {
    a == b
        || a.canonicalize()
            .ok()
            .zip(b.canonicalize().ok())
            .is_some_and(|(a, b)| a == b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_a_shell_does() {
        for (pattern, text, expected) in [
            ("hello", "hello", true),
            ("hello", "hell", false),
            ("he*o", "hello", true),
            ("*", "", true),
            ("h?llo*", "hello-world", true),
            ("*world", "hello-world", true),
            ("*x*", "hello", false),
        ] {
            assert_eq!(matches_pattern(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn settings_reject_what_they_do_not_know() {
        let good: Settings = serde_json::from_str(
            r#"{"target": "wasm32-wasip1", "emit": ["core", "wit"], "wasm-opt": "-Oz", "frontend": "rustc-wasm"}"#,
        )
        .unwrap();
        assert_eq!(good.emit, [Emit::Core, Emit::Wit]);
        assert_eq!(good.frontend, Some(Frontend::RustcWasm));
        assert_eq!(good.wasm_opt.unwrap().level().as_deref(), Some("-Oz"));
        let switch: Settings = serde_json::from_str(r#"{"wasm-opt": false}"#).unwrap();
        assert_eq!(switch.wasm_opt.unwrap().level(), None);
        let bad = serde_json::from_str::<Settings>(r#"{"tagret": "wasm32-wasip1"}"#).unwrap_err();
        assert!(bad.to_string().contains("tagret"), "{bad}");
    }
}
