//! Popular crates' own tests: unit tests and test programs of the versions in `crates.toml`, as they were published.
//!
//! # How
//!
//! Cargo fetches the packages; their sources are copied into one workspace, so that they share the crates they depend on and one
//! lock file, `crates.lock`, names every version. What a test does not need and the target cannot have (benchmarks, threads) is
//! taken from a copy's manifest as the table says; a source file is never touched.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use toml::{Table, Value};

use super::{Answer, Case, Suite, Tier, Tools, package, tools::copy_folder};
use crate::published::{self, succeed};

/// The table of packages.
const TABLE: &str = include_str!("crates.toml");

pub(super) struct Crates;

/// A package to test.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Package {
    version: String,
    /// What it is about; for the reader of the table.
    about: String,
    /// Features, besides the default ones.
    #[serde(default)]
    features: Vec<String>,
    /// Without the default features.
    #[serde(default)]
    bare: bool,
    /// Dependencies of the tests that are left out: those of benchmarks, and what the target cannot have.
    #[serde(default)]
    without: Vec<String>,
    /// Which tests, as Cargo's options; all when not given.
    #[serde(default)]
    tests: Vec<String>,
}

impl Package {
    /// Which of its targets, as Cargo's options, and their features.
    pub(super) fn choice(&self) -> Vec<String> {
        let mut choice = match self.tests.is_empty() {
            true => vec!["--lib".to_owned(), "--tests".to_owned()],
            false => self.tests.clone(),
        };
        choice.push("--locked".to_owned());
        if self.bare {
            choice.push("--no-default-features".to_owned());
        }
        if !self.features.is_empty() {
            choice.push(format!("--features={}", self.features.join(",")));
        }
        choice
    }
}

pub(super) fn table() -> Result<BTreeMap<String, Package>> {
    toml::from_str(TABLE).context("crates.toml")
}

impl Suite for Crates {
    fn name(&self) -> &'static str {
        "crates"
    }

    fn about(&self) -> &'static str {
        "The crates' own unit tests and test programs, as published; versions of everything they need stand in `crates.lock`."
    }

    fn cases(&self, tools: &Tools) -> Result<Vec<Case>> {
        cases(tools)
    }

    fn run(&self, case: &Case, tools: &Tools, tier: Tier) -> Result<Answer> {
        let table = table()?;
        let package = table.get(&case.name).context("a package of the table")?;
        package::test(
            tools,
            tier,
            &Workspace::of(tools.work()).member(&case.name),
            &package.choice(),
        )
    }
}

/// A case for each package; their sources are made ready.
pub(super) fn cases(tools: &Tools) -> Result<Vec<Case>> {
    let table = table()?;
    let workspace = Workspace::of(tools.work());
    workspace.make(tools, &table)?;
    let lock = workspace.lock()?;
    let case = |(name, package): (&String, &Package)| Case {
        name: name.clone(),
        version: format!("{}: {}", package.version, package.about),
        key: format!("{package:?}\n{}", lock.closure(name).join("\n")),
    };
    Ok(table.iter().map(case).collect())
}

/// The workspace of the copies.
pub(super) struct Workspace {
    folder: PathBuf,
}

impl Workspace {
    pub(super) fn of(work: &Path) -> Workspace {
        Workspace {
            folder: work.join("crates"),
        }
    }

    /// Where the copy of a package is.
    pub(super) fn member(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn lock(&self) -> Result<Lock> {
        let path = self.folder.join("Cargo.lock");
        let text = fs::read_to_string(&path)
            .with_context(|| format!("cannot read `{}`", path.display()))?;
        toml::from_str(&text).with_context(|| format!("cannot read `{}`", path.display()))
    }

    /// Copies the packages, unless they are there.
    fn make(&self, tools: &Tools, table: &BTreeMap<String, Package>) -> Result<()> {
        let kept = crate::root().join("tooling/xtask/src/conformance/crates.lock");
        let known = fs::read_to_string(&kept).unwrap_or_default();
        let stamp = self.folder.join("made-of");
        let contents = format!("{TABLE}\n{known}");
        if !tools.bless() && fs::read_to_string(&stamp).is_ok_and(|old| old == contents) {
            return Ok(());
        }
        let _ = fs::remove_file(&stamp);
        for (name, source) in self.fetch(tools, table)? {
            let folder = self.member(&name);
            copy_folder(&source, &folder)?;
            let manifest = folder.join("Cargo.toml");
            let text = fs::read_to_string(&manifest)?;
            let fit = fit(&text, &table[&name].without)
                .with_context(|| format!("the manifest of `{name}`"))?;
            fs::write(&manifest, fit)?;
        }
        let members: Vec<&str> = table.keys().map(String::as_str).collect();
        let manifest = format!(
            "[workspace]\nresolver = \"2\"\nmembers = {members:?}\nexclude = [\"fetch\"]\n[profile.dev]\ndebug = false\n"
        );
        fs::write(self.folder.join("Cargo.toml"), manifest)?;
        let lock = self.folder.join("Cargo.lock");
        // An empty file would be taken for a lock file of the oldest format.
        match known.is_empty() {
            true => drop(fs::remove_file(&lock)),
            false => fs::write(&lock, &known)?,
        }
        let mut cargo = tools.cargo(Tier::Llvm);
        cargo
            .current_dir(&self.folder)
            .arg("metadata")
            .args(["--format-version", "1"]);
        if !tools.bless() {
            cargo.arg("--locked");
        }
        succeed(&mut cargo)
            .context("`crates.lock` does not fit `crates.toml`; `--bless` writes it anew")?;
        let chosen = fs::read_to_string(&lock)?;
        if tools.bless() {
            fs::write(&kept, &chosen)
                .with_context(|| format!("cannot write `{}`", kept.display()))?;
        }
        fs::write(&stamp, format!("{TABLE}\n{chosen}"))?;
        Ok(())
    }

    /// Where Cargo keeps the packages' sources.
    fn fetch(
        &self,
        tools: &Tools,
        table: &BTreeMap<String, Package>,
    ) -> Result<Vec<(String, PathBuf)>> {
        let wanted: Vec<(&str, &str)> = table
            .iter()
            .map(|(name, package)| (name.as_str(), package.version.as_str()))
            .collect();
        let folder = self.folder.join("fetch");
        let sources = published::sources(tools.cargo(Tier::Llvm), &folder, &wanted)?;
        Ok(table.keys().cloned().zip(sources).collect())
    }
}

/// The manifest of a published package, made to fit the workspace.
fn fit(text: &str, without: &[String]) -> Result<String> {
    let mut manifest: Table = toml::from_str(text)?;
    for key in ["bench", "profile", "workspace"] {
        manifest.remove(key);
    }
    let mut left: Vec<&String> = without.iter().collect();
    let mut take = |table: &mut Table| {
        if let Some(Value::Table(dependencies)) = table.get_mut("dev-dependencies") {
            left.retain(|name| dependencies.remove(name.as_str()).is_none());
        }
    };
    take(&mut manifest);
    if let Some(Value::Table(targets)) = manifest.get_mut("target") {
        targets
            .iter_mut()
            .filter_map(|(_, target)| target.as_table_mut())
            .for_each(take);
    }
    ensure!(
        left.is_empty(),
        "has no dependencies of tests named {left:?}"
    );
    Ok(toml::to_string(&manifest)?)
}

/// A lock file.
#[derive(Deserialize)]
struct Lock {
    package: Vec<Locked>,
}

#[derive(Deserialize)]
struct Locked {
    name: String,
    version: String,
    source: Option<String>,
    #[serde(default)]
    dependencies: Vec<String>,
}

impl Lock {
    /// The packages that a member of the workspace needs, with their versions, sorted.
    fn closure(&self, member: &str) -> Vec<String> {
        let mut left: Vec<&Locked> = self
            .package
            .iter()
            .filter(|package| package.name == member && package.source.is_none())
            .collect();
        let mut closure = BTreeSet::new();
        while let Some(package) = left.pop() {
            let Locked {
                name,
                version,
                source,
                ..
            } = package;
            if closure.insert((name, version, source)) {
                left.extend(
                    package
                        .dependencies
                        .iter()
                        .filter_map(|words| self.find(words)),
                );
            }
        }
        closure
            .into_iter()
            .map(|(name, version, _)| format!("{name} {version}"))
            .collect()
    }

    /// A dependency as the lock file names it: `NAME`, `NAME VERSION` or `NAME VERSION (SOURCE)`, as much as is needed.
    fn find(&self, words: &str) -> Option<&Locked> {
        let mut words = words.split(' ');
        let (name, version) = (words.next()?, words.next());
        let source = words.next().map(|source| source.trim_matches(['(', ')']));
        self.package.iter().find(|package| {
            package.name == name
                && version.is_none_or(|version| package.version == version)
                && source.is_none_or(|source| package.source.as_deref() == Some(source))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_readable_and_its_versions_are_locked() {
        let table = table().unwrap();
        assert!(table.len() >= 15);
        let lock: Lock = toml::from_str(include_str!("crates.lock")).unwrap();
        for (name, package) in &table {
            assert!(!package.about.is_empty());
            let closure = lock.closure(name);
            assert!(
                closure.contains(&format!("{name} {}", package.version)),
                "{name}: {closure:?}"
            );
        }
    }

    #[test]
    fn a_manifest_loses_only_what_is_named() {
        let text = "[package]\nname = \"a\"\n[dev-dependencies]\nb = \"1\"\nc = \"1\"\n[[bench]]\nname = \"x\"\n\
                    [target.'cfg(unix)'.dev-dependencies]\nd = \"1\"\n";
        let fitted = fit(text, &["b".to_owned(), "d".to_owned()]).unwrap();
        assert!(
            fitted.contains("c = ")
                && !fitted.contains("b = ")
                && !fitted.contains("d = ")
                && !fitted.contains("bench")
        );
        assert!(fit(text, &["e".to_owned()]).is_err());
    }

    #[test]
    fn the_closure_follows_dependencies() {
        let lock: Lock = toml::from_str(
            "[[package]]\nname = \"a\"\nversion = \"1\"\ndependencies = [\"b 2 (r)\", \"c\"]\n\
             [[package]]\nname = \"b\"\nversion = \"2\"\n\
             [[package]]\nname = \"b\"\nversion = \"2\"\nsource = \"r\"\ndependencies = [\"a\"]\n\
             [[package]]\nname = \"c\"\nversion = \"3\"\n[[package]]\nname = \"d\"\nversion = \"4\"\n",
        )
        .unwrap();
        assert_eq!(lock.closure("a"), ["a 1", "b 2", "c 3"]);
    }
}
