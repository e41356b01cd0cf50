//! The rules of the house that no compiler checks.
//!
//! * Every Rust file opens with a `//!` header and has at most 800 lines.
//! * No word that marks unfinished work, and no switched-off test or lint.
//! * Every crate has a ReadMe.md and takes the workspace's lints.
//! * Imports run downward: `tooling` → `crates` → `compiler` → `wasmir`; no guest crate depends on a host's engine.
//!
//! Cost: one read of every source file.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

/// The longest a source file may be.
pub const MAX_LINES: usize = 800;

/// A broken rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Complaint {
    /// The file, relative to the root.
    pub path: PathBuf,
    /// The line, from 1; 0 for the file as a whole.
    pub line: usize,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path.display(), self.what),
            line => write!(f, "{}:{line}: {}", self.path.display(), self.what),
        }
    }
}

/// Checks the tree at `root`; the complaints, sorted.
pub fn check(root: &Path) -> Result<Vec<Complaint>> {
    let mut complaints = Vec::new();
    for folder in ["compiler", "crates", "tooling", "examples", "tests"] {
        let mut files = Vec::new();
        walk(&root.join(folder), &mut files)?;
        for file in files {
            let text = fs::read_to_string(&file)
                .with_context(|| format!("cannot read `{}`", file.display()))?;
            let path = file.strip_prefix(root).unwrap_or(&file);
            complaints.extend(source(path, &text));
        }
    }
    let packages = packages(root)?;
    for package in &packages {
        let folder = package.manifest_path.parent().unwrap_or(root);
        let path = folder.strip_prefix(root).unwrap_or(folder);
        if !folder.join("ReadMe.md").is_file() {
            complaints.push(Complaint::of_file(path, "the crate has no ReadMe.md"));
        }
        let manifest = fs::read_to_string(&package.manifest_path)?;
        if !manifest.contains("[lints]\nworkspace = true") {
            complaints.push(Complaint::of_file(
                path,
                "the crate does not take the workspace's lints",
            ));
        }
        complaints.extend(imports(path, package, &packages));
    }
    complaints.sort();
    Ok(complaints)
}

impl Complaint {
    fn of_file(path: &Path, what: impl Into<String>) -> Self {
        Complaint {
            path: path.to_owned(),
            line: 0,
            what: what.into(),
        }
    }
}

/// What must not stand in a source file. Written in two halves, so that this file does not complain of itself.
const FORBIDDEN: [(&str, &str); 9] = [
    ("to", "do!"),
    ("unimple", "mented!"),
    ("for", " now"),
    ("simpl", "ified"),
    ("place", "holder"),
    ("#[ig", "nore"),
    ("allow(dead", "_code)"),
    ("FIX", "ME"),
    ("TO", "DO"),
];

/// The complaints about one Rust file.
fn source(path: &Path, text: &str) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    if !has_header(text) {
        complaints.push(Complaint::of_file(
            path,
            "the file does not open with a `//!` header",
        ));
    }
    let lines = text.lines().count();
    if lines > MAX_LINES {
        complaints.push(Complaint::of_file(
            path,
            format!("{lines} lines are more than {MAX_LINES}; split the file"),
        ));
    }
    for (first, second) in FORBIDDEN {
        let word = format!("{first}{second}");
        for (index, line) in text
            .lines()
            .enumerate()
            .filter(|(_, line)| holds_word(line, &word))
        {
            let _ = line;
            complaints.push(Complaint {
                path: path.to_owned(),
                line: index + 1,
                what: format!("`{word}`"),
            });
        }
    }
    complaints
}

/// Whether the file's first comment is a header, before any item; attributes of the file may stand before it.
fn has_header(text: &str) -> bool {
    text.lines()
        .map(str::trim)
        .find(|line| !line.is_empty() && !line.starts_with("#![") && !line.starts_with("#!/"))
        .is_none_or(|line| line.starts_with("//!"))
}

/// Whether `word` stands in `line`, not as a part of a longer name.
fn holds_word(line: &str, word: &str) -> bool {
    let in_name = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let starts_name = word.starts_with(char::is_alphanumeric);
    let ends_name = word.ends_with(char::is_alphanumeric);
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        !(starts_name && in_name(before) || ends_name && in_name(after))
    })
}

/// All Rust files below `folder`, without what builds leave behind.
fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    if !folder.is_dir() {
        return Ok(());
    }
    for entry in
        fs::read_dir(folder).with_context(|| format!("cannot read `{}`", folder.display()))?
    {
        let entry = entry?;
        let name = entry.file_name();
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            // Templates become a user's files, and what stands in `ui` are test inputs with mistakes in them.
            let skipped = ["target", "node_modules", "templates", "ui"]
                .iter()
                .any(|skipped| name == *skipped);
            if !skipped && !name.to_string_lossy().starts_with('.') {
                walk(&path, files)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    Ok(())
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    manifest_path: PathBuf,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    kind: Option<String>,
}

fn packages(root: &Path) -> Result<Vec<Package>> {
    let output = Command::new(env!("CARGO"))
        .current_dir(root)
        .args([
            "metadata",
            "--no-deps",
            "--format-version",
            "1",
            "--offline",
        ])
        .output()
        .context("cannot start Cargo")?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Metadata =
        serde_json::from_slice(&output.stdout).context("cannot read Cargo's metadata")?;
    Ok(metadata.packages)
}

/// The height of a room: imports go to the same height or lower.
fn height(manifest: &Path) -> u32 {
    let room = manifest.ancestors().nth(2).and_then(Path::file_name);
    match room.and_then(|room| room.to_str()) {
        Some("compiler")
            if manifest
                .parent()
                .is_some_and(|folder| folder.ends_with("wasmir")) =>
        {
            0
        }
        Some("compiler") => 1,
        Some("crates") => 2,
        _ => 3,
    }
}

/// Crates that a guest links, which must stay small.
const GUEST: [&str; 2] = ["wasm", "wasm-memory"];

/// The complaints about what a crate depends on. Tests may depend on anything.
fn imports(path: &Path, package: &Package, packages: &[Package]) -> Vec<Complaint> {
    let own = height(&package.manifest_path);
    let normal = package
        .dependencies
        .iter()
        .filter(|dependency| dependency.kind.is_none());
    normal
        .filter_map(|Dependency { name, .. }| {
            let inside = packages.iter().find(|other| other.name == *name);
            let upward = inside.is_some_and(|other| height(&other.manifest_path) > own);
            // `cranelift-entity` is a container library: maps with typed keys.
            let engine = name.starts_with("wasmtime")
                || (name.starts_with("cranelift") && name != "cranelift-entity");
            let heavy = engine && (GUEST.contains(&package.name.as_str()) || own == 0);
            (upward || heavy)
                .then(|| Complaint::of_file(path, format!("the crate must not depend on `{name}`")))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(text: &str) -> Vec<String> {
        source(Path::new("a.rs"), text)
            .iter()
            .map(Complaint::to_string)
            .collect()
    }

    #[test]
    fn headers() {
        assert!(has_header("//! About.\nfn main() {}"));
        assert!(has_header("#![no_std]\n\n//! About."));
        assert!(!has_header("// About.\n//! Too late."));
        assert!(!has_header("use std::fmt;\n//! Too late."));
        assert_eq!(
            complaints("fn main() {}"),
            ["a.rs: the file does not open with a `//!` header"]
        );
    }

    #[test]
    fn every_forbidden_word_is_found_where_it_stands() {
        for (first, second) in FORBIDDEN {
            let text = format!("//! About.\n// x\nfn f() {{ {first}{second} }}\n");
            assert_eq!(complaints(&text), [format!("a.rs:3: `{first}{second}`")]);
        }
    }

    #[test]
    fn a_part_of_a_name_is_no_word() {
        assert!(!holds_word("__wbindgen_x_holder__", "x_holder"));
        assert!(!holds_word("fornow", "now"));
        assert!(holds_word("for x_holder, now", "x_holder"));
    }

    #[test]
    fn long_files_are_refused() {
        let text = format!("//! About.\n{}", "//\n".repeat(MAX_LINES));
        assert_eq!(
            complaints(&text),
            ["a.rs: 801 lines are more than 800; split the file"]
        );
        assert!(complaints(&text[3..].replacen("About.\n", "//! About.", 1)).len() <= 1);
    }

    #[test]
    fn imports_run_downward() {
        let package = |name: &str, room: &str, dependencies: &[&str]| Package {
            name: name.to_owned(),
            manifest_path: PathBuf::from(format!("/r/{room}/{name}/Cargo.toml")),
            dependencies: dependencies
                .iter()
                .map(|name| Dependency {
                    name: (*name).to_owned(),
                    kind: None,
                })
                .collect(),
        };
        let packages = [
            package(
                "wasmir",
                "compiler",
                &["lift", "cranelift-entity", "cranelift-codegen"],
            ),
            package("lift", "compiler", &["wasmir", "wasm"]),
            package("wasm", "crates", &["wasmtime"]),
            package("runner", "tooling", &["wasm", "lift", "wasmtime"]),
        ];
        let complaints: Vec<String> = packages
            .iter()
            .flat_map(|package| imports(Path::new(&package.name), package, &packages))
            .map(|complaint| complaint.to_string())
            .collect();
        assert_eq!(
            complaints,
            [
                "wasmir: the crate must not depend on `lift`",
                "wasmir: the crate must not depend on `cranelift-codegen`",
                "lift: the crate must not depend on `wasm`",
                "wasm: the crate must not depend on `wasmtime`",
            ]
        );
    }
}
