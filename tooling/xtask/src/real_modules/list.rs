//! The list of programs, and their packages.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use wasm_toolchain::Environment;

use super::here;
use crate::bench::copy;

/// The list.
#[derive(Debug)]
pub(super) struct List {
    /// The programs, by name.
    pub(super) programs: Vec<Program>,
    manifest: String,
    lock: String,
    versions: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Table {
    program: Vec<Program>,
}

/// A program: packages, the modules in them, and a script of its name.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Program {
    /// Its name.
    pub(super) name: String,
    /// What it is, and what it was made with.
    pub(super) about: String,
    /// The packages that its script loads; the first gives the program its version.
    pub(super) packages: Vec<String>,
    /// The modules, as paths in `node_modules`.
    pub(super) modules: Vec<String>,
}

#[derive(Deserialize)]
struct Lock {
    packages: BTreeMap<String, Locked>,
}

#[derive(Deserialize)]
struct Locked {
    version: Option<String>,
    integrity: Option<String>,
    /// Shipped inside another package, whose digest covers it.
    #[serde(default, rename = "inBundle")]
    in_bundle: bool,
}

impl List {
    /// Reads the committed list. Every package must have an exact version and a digest.
    pub(super) fn read() -> Result<Self> {
        let read = |name: &str| {
            let path = here().join(name);
            fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))
        };
        let table: Table = toml::from_str(&read("programs.toml")?)
            .context("`programs.toml` is not what it should be")?;
        let lock = read("package-lock.json")?;
        let locked: Lock =
            serde_json::from_str(&lock).context("`package-lock.json` is not what it should be")?;
        let mut versions = BTreeMap::new();
        for (path, package) in locked.packages {
            if let Some(name) = path.strip_prefix("node_modules/") {
                ensure!(
                    package.integrity.is_some() || package.in_bundle,
                    "the package `{name}` has no digest"
                );
                let version = package.version;
                versions.insert(name.to_owned(), version.context("a package has a version")?);
            }
        }
        let list = List {
            programs: table.program,
            manifest: read("package.json")?,
            lock,
            versions,
        };
        for program in &list.programs {
            for package in &program.packages {
                ensure!(
                    list.versions.contains_key(package),
                    "the package `{package}` of `{}` is not in `package-lock.json`",
                    program.name
                );
            }
            let inside = |module: &String| {
                let packages = program.packages.iter();
                packages
                    .into_iter()
                    .any(|p| module.strip_prefix(p).is_some_and(|r| r.starts_with('/')))
            };
            ensure!(
                !program.modules.is_empty() && program.modules.iter().all(inside),
                "the modules of `{}` are not in its packages",
                program.name
            );
        }
        Ok(list)
    }

    /// All names, for messages.
    pub(super) fn names(&self) -> String {
        let names: Vec<&str> = self.programs.iter().map(|p| p.name.as_str()).collect();
        names.join(", ")
    }

    /// The version of a program's first package.
    pub(super) fn version(&self, program: &Program) -> Result<&str> {
        let package = program.packages.first();
        let version = package.and_then(|package| self.versions.get(package));
        version
            .map(String::as_str)
            .context("a program has a package")
    }

    /// The folder whose `node_modules` has all packages, exactly those of the lock file; fetched if they are not there yet.
    pub(super) fn fetch(&self, environment: &Environment) -> Result<PathBuf> {
        let home = environment.wasmrust_home();
        let home = home.context("no folder to keep packages in; set `WASMRUST_HOME`")?;
        let folder = home.join("real-modules");
        // Written last, so what was interrupted is fetched again.
        let mark = folder.join("fetched.json");
        if fs::read_to_string(&mark).is_ok_and(|of| of == self.lock) {
            return Ok(folder);
        }
        let Some(npm) = environment.which("npm") else {
            bail!(
                "cannot fetch packages without `npm`\nhelp: install Node.js 20 or newer, which brings it"
            );
        };
        eprintln!("fetching {} packages", self.versions.len());
        let _ = fs::remove_file(&mark);
        fs::create_dir_all(&folder)
            .with_context(|| format!("cannot make `{}`", folder.display()))?;
        fs::write(folder.join("package.json"), &self.manifest)?;
        fs::write(folder.join("package-lock.json"), &self.lock)?;
        let mut command = Command::new(npm);
        // Scripts of packages have no business here; the digests of the lock file are checked.
        command
            .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
            .current_dir(&folder);
        let output = command.output().context("cannot start `npm`")?;
        ensure!(
            output.status.success(),
            "`npm ci` failed in `{}`\n{}",
            folder.display(),
            String::from_utf8_lossy(&output.stderr)
        );
        fs::write(&mark, &self.lock)?;
        Ok(folder)
    }
}

impl Program {
    /// The script that runs it.
    pub(super) fn script(&self) -> PathBuf {
        here().join("programs").join(format!("{}.mjs", self.name))
    }

    /// Copies its packages from `root` to a tree of their own.
    pub(super) fn copy(&self, root: &Path, to: &Path) -> Result<()> {
        for package in &self.packages {
            let [from, to] = [root, to].map(|root| root.join("node_modules").join(package));
            copy(&from, &to).with_context(|| format!("cannot copy the package `{package}`"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_whole() {
        let list = List::read().unwrap();
        assert!(list.programs.len() >= 10);
        for program in &list.programs {
            assert!(program.script().is_file(), "{}", program.name);
            assert!(!list.version(program).unwrap().is_empty());
        }
        let mut scripts = fs::read_dir(here().join("programs")).unwrap().count();
        scripts -= list.programs.len();
        assert_eq!(scripts, 0, "a script that no program names");
    }
}
