//! What `cargo wasm` makes of the compiler's answers: the way from a mistake in a package to the user, without code generation; and
//! effects taken out of a program that this compiler made.
//!
//! Each test makes a package of its own in a temporary folder and runs `cargo wasm` in it, as a user would.

use std::{fs, path::Path, path::PathBuf, process::Command};

use anyhow::{Context, Result};
use serde_json::Value;
use tempfile::TempDir;

/// A name and what it does.
type Test = (&'static str, fn(&Tool<'_>) -> Result<Said>);

const TESTS: [Test; 6] = [
    ("check-lost", lost),
    ("check-lost-as-json", lost_as_json),
    ("check-lost-in-short", lost_in_short),
    ("check-kept", kept),
    ("check-lint-denied-by-manifest", denied),
    ("without-clock", without_clock),
];

/// What is wrong, if something is.
type Said = Option<String>;

/// Runs those tests whose name contains `only`: how many, and what is wrong.
pub(super) fn run(cargo_wasm: &Path, only: Option<&str>) -> Result<(usize, Vec<String>)> {
    let target = tempfile::tempdir().context("cannot make a folder to build in")?;
    let tool = Tool {
        cargo_wasm,
        target: target.path(),
    };
    let chosen = |name: &str| only.is_none_or(|only| name.contains(only));
    let (mut count, mut wrong) = (0, Vec::new());
    for (name, test) in TESTS.into_iter().filter(|(name, _)| chosen(name)) {
        count += 1;
        let said = test(&tool).with_context(|| format!("the test `{name}` cannot run"))?;
        wrong.extend(said.map(|said| format!("--- {name}: {said}\n")));
    }
    Ok((count, wrong))
}

/// A linear type, and a function that takes one.
const CANVAS: &str = "
#[wasm::linear]
pub struct Canvas(wasm::Handle);

impl Canvas {
    pub fn open(raw: u32) -> Canvas {
        Canvas(wasm::Handle::from_raw(raw))
    }
    #[wasm::consume]
    pub fn close(self) -> u32 {
        self.0.into_raw()
    }
}
";

const LOSES: &str = "
pub fn draw(raw: u32) -> u32 {
    let canvas = Canvas::open(raw);
    if raw > 3 {
        return 0;
    }
    canvas.close()
}
";

const KEEPS: &str = "
pub fn draw(raw: u32) -> u32 {
    let canvas = Canvas::open(raw);
    if raw > 3 {
        return canvas.close() + 1;
    }
    canvas.close()
}
";

/// Asks for the time only when told to.
const CLOCK: &str = "
fn main() {
    match std::env::args().nth(1).as_deref() {
        Some(\"time\") => println!(\"{}\", std::time::SystemTime::now().elapsed().is_ok()),
        _ => println!(\"timeless\"),
    }
}
";

/// `cargo wasm`, and the folder that all packages are built in, so that their dependencies are compiled once.
struct Tool<'a> {
    cargo_wasm: &'a Path,
    target: &'a Path,
}

impl Tool<'_> {
    /// Every module in the target folder.
    fn modules(&self) -> Vec<PathBuf> {
        let (mut found, mut folders) = (Vec::new(), vec![self.target.to_owned()]);
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
                let path = entry.path();
                if path.is_dir() {
                    folders.push(path);
                } else if path
                    .extension()
                    .is_some_and(|extension| extension == "wasm")
                {
                    found.push(path);
                }
            }
        }
        found
    }
}

/// A package in a folder of its own.
struct Package(TempDir);

impl Package {
    fn new(file: &str, source: &str, manifest: &str) -> Result<Package> {
        let folder = tempfile::tempdir().context("cannot make a folder for a package")?;
        let library = crate::root().join("crates/wasm");
        let manifest = format!(
            "[package]\nname = \"mistakes\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n\
             [dependencies]\nwasm = {{ path = {library:?} }}\n{manifest}"
        );
        fs::create_dir(folder.path().join("src"))?;
        fs::write(folder.path().join("Cargo.toml"), manifest)?;
        fs::write(folder.path().join("src").join(file), source)?;
        Ok(Package(folder))
    }

    /// Exit code, standard output and standard error of `cargo wasm` with rustc-wasm.
    fn run(&self, tool: &Tool<'_>, words: &[&str]) -> Result<(Option<i32>, String, String)> {
        let mut command = Command::new(tool.cargo_wasm);
        for variable in [
            "RUSTFLAGS",
            "CARGO_ENCODED_RUSTFLAGS",
            "CARGO_TARGET_DIR",
            "RUSTC",
        ] {
            command.env_remove(variable);
        }
        let (name, words) = words.split_first().context("a command")?;
        let output = command
            .args([name, "--frontend", "rustc-wasm", "--target-dir"])
            .arg(tool.target)
            .args(words)
            .env("NO_COLOR", "1")
            .current_dir(self.0.path())
            .output()
            .with_context(|| format!("cannot run `{}`", tool.cargo_wasm.display()))?;
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        Ok((
            output.status.code(),
            text(&output.stdout),
            text(&output.stderr),
        ))
    }
}

/// What is wrong if `text` lacks one of `parts`.
fn lacks(text: &str, parts: &[&str]) -> Said {
    let missing = parts.iter().find(|part| !text.contains(**part))?;
    Some(format!("{missing:?} is not said, but\n{text}"))
}

fn exits(code: Option<i32>, expected: i32, text: &str) -> Said {
    (code != Some(expected)).then(|| format!("exit code {code:?}, not {expected}:\n{text}"))
}

fn lost(tool: &Tool<'_>) -> Result<Said> {
    let package = Package::new("lib.rs", &format!("{CANVAS}{LOSES}"), "")?;
    let (code, _, said) = package.run(tool, &["check"])?;
    let parts = [
        "error: a value of the linear type `Canvas` is lost",
        "src/lib.rs:18:",
        "help: on every path, pass the value on, or to one of its consumers: `Canvas::close`",
    ];
    let left = tool.modules();
    let made = (!left.is_empty()).then(|| format!("a check left {left:?}"));
    Ok(exits(code, 1, &said)
        .or_else(|| lacks(&said, &parts))
        .or(made))
}

fn lost_as_json(tool: &Tool<'_>) -> Result<Said> {
    let package = Package::new("lib.rs", &format!("{CANVAS}{LOSES}"), "")?;
    let (code, messages, said) = package.run(tool, &["check", "--message-format", "json"])?;
    if let Some(wrong) = exits(code, 1, &said) {
        return Ok(Some(wrong));
    }
    let mut found = false;
    for line in messages.lines() {
        let Ok(message) = serde_json::from_str::<Value>(line) else {
            return Ok(Some(format!("no JSON: {line}")));
        };
        let diagnostic = &message["message"];
        let text = diagnostic["message"].as_str().unwrap_or_default();
        let spans = diagnostic["spans"].as_array().into_iter().flatten();
        let mut primary = spans.filter(|span| span["is_primary"] == true);
        found |= message["reason"] == "compiler-message"
            && text == "a value of the linear type `Canvas` is lost"
            && diagnostic["level"] == "error"
            && primary.any(|span| span["file_name"] == "src/lib.rs");
    }
    Ok((!found).then(|| format!("no message has the error with its place:\n{messages}")))
}

fn lost_in_short(tool: &Tool<'_>) -> Result<Said> {
    let package = Package::new("lib.rs", &format!("{CANVAS}{LOSES}"), "")?;
    let (code, _, said) = package.run(tool, &["check", "--message-format", "short"])?;
    let parts = [
        "src/lib.rs:",
        ": error: a value of the linear type `Canvas` is lost",
    ];
    Ok(exits(code, 1, &said).or_else(|| lacks(&said, &parts)))
}

fn kept(tool: &Tool<'_>) -> Result<Said> {
    let package = Package::new("lib.rs", &format!("{CANVAS}{KEEPS}"), "")?;
    let (code, _, said) = package.run(tool, &["check"])?;
    let warned = said
        .contains("warning")
        .then(|| format!("not silent:\n{said}"));
    Ok(exits(code, 0, &said).or(warned))
}

fn denied(tool: &Tool<'_>) -> Result<Said> {
    let source = "#[wasm::linear]\npub struct Canvas(pub wasm::Handle);\n";
    let package = Package::new(
        "lib.rs",
        source,
        "[lints.rust]\nwasm_recognition = \"deny\"\n",
    )?;
    let (code, messages, said) = package.run(tool, &["check", "--message-format", "json"])?;
    let parts = [
        "\"code\":\"wasm_linear_without_consumer\"",
        "has no consumer",
    ];
    Ok(exits(code, 1, &said).or_else(|| lacks(&messages, &parts)))
}

fn without_clock(tool: &Tool<'_>) -> Result<Said> {
    let package = Package::new("main.rs", CLOCK, "")?;
    let imports = |words: &[&str]| -> Result<(Option<i32>, bool, String)> {
        let (code, _, said) = package.run(tool, words)?;
        let file = tool.target.join("wasm/debug/mistakes.core.wasm");
        let bytes = fs::read(&file).unwrap_or_default();
        // As an import is encoded: two names with their lengths. The name alone may be that of the function in its place.
        let import = b"\x16wasi_snapshot_preview1\x0eclock_time_get";
        let has = bytes
            .windows(import.len())
            .any(|window| window == import.as_slice());
        Ok((code, has, said))
    };
    let (code, has, said) = imports(&["build", "--emit", "core"])?;
    if let Some(wrong) = exits(code, 0, &said) {
        return Ok(Some(wrong));
    }
    if !has {
        return Ok(Some("the program never asked for the time".to_owned()));
    }
    let (code, has, said) = imports(&["build", "--emit", "core", "--without", "clock"])?;
    if let Some(wrong) = exits(code, 0, &said) {
        return Ok(Some(wrong));
    }
    if has {
        return Ok(Some("the module still imports `clock_time_get`".to_owned()));
    }
    let (code, printed, said) =
        package.run(tool, &["run", "--quiet", "--without", "clock", "--", "no"])?;
    if let Some(wrong) = exits(code, 0, &said).or_else(|| lacks(&printed, &["timeless"])) {
        return Ok(Some(wrong));
    }
    let (code, _, said) = package.run(
        tool,
        &["run", "--quiet", "--without", "clock", "--", "time"],
    )?;
    let went_on = (code == Some(0)).then(|| "it asked for the time all the same".to_owned());
    Ok(went_on.or_else(|| lacks(&said, &["this build was made without the effect `clock`"])))
}
