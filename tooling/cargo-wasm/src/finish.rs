//! From what Cargo linked to what the user asked for.
//!
//! Artefacts go to `<target-dir>/wasm/<profile>/`, apart from Cargo's own `<target-dir>/<triple>/<profile>/`: there every file is
//! finished and valid. `NAME.wasm` is the component (the core module of a crate that exports no world); `--emit` adds
//! `NAME.core.wasm`, `NAME.wit`, `NAME.wat`, `NAME.wir`, `NAME.clif`, and `mir.rs` `NAME.mir`. Folders whose names begin with a dot are ours: `.run`
//! has the modules that the runner runs, `.bodies` finished code of functions, `.failed` inputs that we failed on.
//!
//! # Invariants
//!
//! * A file appears by `rename`, after it was validated.
//! * Nothing is made twice: a stamp beside the files tells from what, by which tool and with which options they were
//!   made. A no-op build reads some metadata and no module; a module that was linked anew but came out the same is read
//!   and hashed, no more.

use crate::cargo::Artifact;
use crate::cli::Emit;
use crate::component::{self, Made};
use crate::error::{Error, Result};
use crate::report;
use crate::stages::Stages;
use crate::tier1;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Instant, UNIX_EPOCH};
use wasmparser::{Payload, Validator, WasmFeatures};

/// What to make of a core module.
#[derive(Debug, Clone, Default)]
pub(crate) struct Options {
    /// Forms to write; the component when empty.
    pub(crate) emit: Vec<Emit>,
    /// `wasm-opt` and the level's flag.
    pub(crate) wasm_opt: Option<(PathBuf, String)>,
    /// What is asked of WasmIR.
    pub(crate) request: tier1::Request,
}

/// A finished artefact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Finished {
    /// The component, or the core module.
    pub(crate) file: PathBuf,
    /// Whether it is a component.
    pub(crate) component: bool,
    /// Its size in bytes.
    pub(crate) size: u64,
    /// Everything written, the file above included.
    outputs: Vec<Print>,
}

impl Finished {
    /// A file that is not made of a module.
    pub(crate) fn alone(file: PathBuf) -> Result<Finished> {
        let print = print_of(&file)?;
        Ok(Finished {
            component: false,
            size: print.size,
            outputs: vec![print],
            file,
        })
    }

    /// What the file is, in words.
    pub(crate) fn what(&self) -> &'static str {
        let extension = self.file.extension().and_then(|e| e.to_str());
        match extension.unwrap_or_default() {
            "mir" => "MIR",
            "wir" => "WasmIR",
            "clif" => "CLIF",
            "wit" => "WIT",
            "wat" => "text",
            _ if self.component => "component",
            _ => "core module",
        }
    }
}

/// Enough to notice that a file was changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Print {
    path: PathBuf,
    size: u64,
    modified: u128,
}

#[derive(Serialize, Deserialize)]
struct Stamp {
    made_from: Print,
    /// SHA-256 of its bytes.
    content: String,
    made_by: Print,
    options: String,
    finished: Finished,
}

/// The `.wasm` file of an artefact, when it is a program or a `cdylib` of a selected package.
pub(crate) fn wasm_file(artifact: &Artifact) -> Option<&Path> {
    let wanted = artifact
        .target
        .kind
        .iter()
        .any(|kind| matches!(kind.as_str(), "bin" | "example" | "cdylib" | "lib" | "rlib"));
    let file = artifact
        .filenames
        .iter()
        .find(|f| f.extension().is_some_and(|e| e == "wasm"))?;
    wanted.then_some(file.as_path())
}

/// Where the finished forms of `core` go, without extension.
fn destination(core: &Path, library: bool, clash: bool) -> PathBuf {
    let stem = core
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let stem = if library && clash {
        format!("lib{stem}")
    } else {
        stem
    };
    let (folder, below) = profile_folder(core);
    let profile = folder.file_name().unwrap_or_default();
    wasm_folder(folder).join(profile).join(below).join(stem)
}

/// Where the form of `core` with that suffix goes.
pub(crate) fn form(core: &Path, library: bool, clash: bool, suffix: &str) -> PathBuf {
    with_suffix(&destination(core, library, clash), suffix)
}

/// Cargo's folder `<target-dir>/<triple>/<profile>` that a module lies in, and the folder below it.
fn profile_folder(core: &Path) -> (&Path, PathBuf) {
    let folder = core.parent().unwrap_or(Path::new("."));
    let part = folder
        .file_name()
        .filter(|name| *name == "examples" || *name == "deps");
    match part {
        Some(part) => (folder.parent().unwrap_or(folder), PathBuf::from(part)),
        None => (folder, PathBuf::new()),
    }
}

/// Our folder beside Cargo's `<target-dir>/<triple>/<profile>`.
fn wasm_folder(profile_folder: &Path) -> PathBuf {
    let target_dir = profile_folder.ancestors().nth(2).unwrap_or(profile_folder);
    target_dir.join("wasm")
}

/// Where things are that making `base` from `core` needs.
fn places<'a>(core: &'a Path, base: &Path) -> tier1::Places<'a> {
    let name = with_suffix(base, "wasm");
    let folder = name.parent().unwrap_or(Path::new(".")).join(".failed");
    tier1::Places {
        file: core,
        kept: folder.join(name.file_name().unwrap_or_default()),
        cache: wasm_folder(profile_folder(core).0).join(".bodies"),
    }
}

/// Makes the artefacts of `core`, or finds them made. `clash` says that a program has the library's name.
pub(crate) fn finish(
    core: &Path,
    library: bool,
    clash: bool,
    options: &Options,
    stages: &mut Stages,
) -> Result<(Finished, bool)> {
    let base = destination(core, library, clash);
    remembered(core, &base, &format!("{options:?}"), |bytes| {
        make(bytes, core, &base, options, stages)
    })
}

/// Remembers in a stamp beside `base` what `make` makes of the bytes of `core`, and makes it only if the stamp is stale.
/// The second result says that it was not.
fn remembered(
    core: &Path,
    base: &Path,
    options: &str,
    make: impl FnOnce(Vec<u8>) -> Result<Finished>,
) -> Result<(Finished, bool)> {
    let stamp_file = base.with_file_name(format!(
        ".{}.json",
        base.file_name().unwrap_or_default().to_string_lossy()
    ));
    let made_from = print_of(core)?;
    let made_by = print_of(
        &std::env::current_exe()
            .map_err(|e| Error::ours("the tool's own file is unknown").because(&e))?,
    )?;
    let stamp = fs::read(&stamp_file)
        .ok()
        .and_then(|text| serde_json::from_slice::<Stamp>(&text).ok())
        .filter(|stamp| {
            let untouched = |p: &Print| print_of(&p.path).is_ok_and(|now| now == *p);
            stamp.made_by == made_by
                && stamp.options == options
                && stamp.finished.outputs.iter().all(untouched)
        });
    if let Some(stamp) = stamp.as_ref().filter(|s| s.made_from == made_from) {
        return Ok((stamp.finished.clone(), true));
    }
    let bytes = read(core)?;
    let content = format!("{:x}", Sha256::digest(&bytes));
    let known = stamp.filter(|s| s.content == content);
    let fresh = known.is_some();
    let finished = match known {
        Some(stamp) => stamp.finished,
        None => {
            // What is about to be replaced must not look current if this fails halfway.
            let _ = fs::remove_file(&stamp_file);
            make(bytes)?
        }
    };
    let stamp = Stamp {
        made_from,
        content,
        made_by,
        options: options.to_owned(),
        finished,
    };
    write(&stamp_file, &serde_json::to_vec(&stamp).unwrap_or_default())?;
    Ok((stamp.finished, fresh))
}

/// The file to run in place of the program `core`: the same program through WasmIR, made when it is not there yet. A
/// module that Cargo did not put below a target's folder (a documentation test, say) is run as it is.
pub(crate) fn runnable(core: &Path, request: &tier1::Request) -> Result<PathBuf> {
    let below_target = core
        .ancestors()
        .skip(1)
        .any(|f| f.file_name().is_some_and(is_target));
    if !below_target {
        return Ok(core.to_owned());
    }
    let base = destination(core, false, false);
    let name = base.file_name().unwrap_or_default();
    let base = base.with_file_name(".run").join(name);
    let options = format!("{request:?}");
    let (finished, _) = remembered(core, &base, &options, |bytes| {
        let mut stages = Stages::default();
        let made = tier1::run(bytes, &places(core, &base), request, &mut stages)?;
        let file = with_suffix(&base, "wasm");
        write(&file, &made.module)?;
        Ok(Finished {
            component: false,
            size: made.module.len() as u64,
            outputs: vec![print_of(&file)?],
            file,
        })
    })?;
    Ok(finished.file)
}

/// Whether a folder is named after one of WebAssembly's targets.
fn is_target(folder: &std::ffi::OsStr) -> bool {
    let name = folder.to_string_lossy();
    name.starts_with("wasm32") || name.starts_with("wasm64")
}

fn make(
    mut bytes: Vec<u8>,
    core: &Path,
    base: &Path,
    options: &Options,
    stages: &mut Stages,
) -> Result<Finished> {
    let (mut wir, mut clif) = (None, None);
    // Cargo may be told to make components by itself; those stay as they are.
    if !component::shape(&bytes, core)?.component
        && (!options.request.is_empty() || tier1::is_called_for(&bytes))
    {
        let made = tier1::run(bytes, &places(core, base), &options.request, stages)?;
        (bytes, wir, clif) = (made.module, made.wir, made.clif);
    }
    if let Some((wasm_opt, level)) = &options.wasm_opt {
        bytes = stages.time("wasm-opt", || optimised(wasm_opt, level, core, &bytes))?;
    }
    let made = stages.time("encode", || component::encode(&bytes, core, None))?;
    let (main, wit, is_component) = match &made {
        Made::Component { bytes, wit } => (bytes, wit.as_deref(), true),
        Made::Core => (&bytes, None, false),
    };
    if is_component && !options.request.without.is_empty() {
        tell_of_adapter(main, &options.request.without);
    }
    let wants = |form: Emit| options.emit.contains(&form);
    if !is_component && (wants(Emit::Component) || wants(Emit::Wit)) {
        let message = format!(
            "`{}` exports no WIT world, so there is no component to write",
            report::relative(core)
        );
        return Err(Error::user(message).hint("mark what it exports with `#[wasm::export]`, or leave `component` and `wit` out of `--emit`").into());
    }
    let mut outputs = Vec::new();
    let mut emit = |suffix: &str, bytes: &[u8]| {
        let path = with_suffix(base, suffix);
        write(&path, bytes)?;
        outputs.push(print_of(&path)?);
        Ok::<PathBuf, crate::error::Failure>(path)
    };
    let mut file = None;
    if options.emit.is_empty() || wants(Emit::Component) {
        file = Some(emit("wasm", main)?);
    }
    if wants(Emit::Core) {
        let path = emit("core.wasm", &bytes)?;
        file.get_or_insert(path);
    }
    if wants(Emit::Wit) {
        let text = match wit {
            Some(text) => text.to_owned(),
            None => component::wit_of(main, core, true)?,
        };
        let path = emit("wit", text.as_bytes())?;
        file.get_or_insert(path);
    }
    for (text, suffix) in [(wir, "wir"), (clif, "clif")] {
        if let Some(text) = text {
            let path = emit(suffix, text.as_bytes())?;
            file.get_or_insert(path);
        }
    }
    if wants(Emit::Wat) {
        let path = emit("wat", component::wat_of(main, core)?.as_bytes())?;
        file.get_or_insert(path);
    }
    let file = file.ok_or_else(|| Error::ours("nothing was asked for"))?;
    let size = outputs
        .iter()
        .find(|o| o.path == file)
        .map_or(0, |o| o.size);
    Ok(Finished {
        file,
        component: is_component,
        size,
        outputs,
    })
}

/// Says which imports of the component have effects that its module does without: they are the adapter's for WASI
/// preview 1, which stands between the two and imports more than it is used for.
fn tell_of_adapter(component: &[u8], without: &[String]) {
    let rules = wasmir_verify::ImportRules::new();
    let unwanted = tier1::effect_set(without, &wasmir_verify::Effects::new());
    // A user's own effect is of no interest to the adapter.
    let Ok(unwanted) = unwanted else { return };
    for name in component::imports(component) {
        let import = wasmir::Import {
            module: name.clone(),
            name: String::new(),
        };
        if name.starts_with("wasi:") && !rules.effects(&import).intersection(unwanted).is_pure() {
            report::warning(&format!(
                "the component imports `{name}` for its adapter of WASI preview 1, but no code of the program reaches it"
            ));
        }
    }
}

fn with_suffix(base: &Path, suffix: &str) -> PathBuf {
    base.with_file_name(format!(
        "{}.{suffix}",
        base.file_name().unwrap_or_default().to_string_lossy()
    ))
}

/// Whether a core module has a custom section of this name.
pub(crate) fn has_section(bytes: &[u8], name: &str) -> bool {
    wasmparser::Parser::new(0)
        .parse_all(bytes)
        .map_while(std::result::Result::ok)
        .any(|payload| matches!(payload, Payload::CustomSection(c) if c.name() == name))
}

/// Checks a core module that we made.
pub(crate) fn validate_core(
    bytes: &[u8],
) -> std::result::Result<(), wasmparser::BinaryReaderError> {
    Validator::new_with_features(WasmFeatures::all())
        .validate_all(bytes)
        .map(drop)
}

/// Runs `wasm-opt` on `bytes`, which came from the file `core`.
fn optimised(wasm_opt: &Path, level: &str, core: &Path, bytes: &[u8]) -> Result<Vec<u8>> {
    let start = Instant::now();
    let failed = |cause: String| {
        Error::user(format!(
            "`{} {level}` failed on `{}`",
            wasm_opt.display(),
            core.display()
        ))
        .cause(cause)
        .hint("`--no-wasm-opt` leaves it out; or use a newer binaryen")
    };
    let folder = core.parent().unwrap_or(Path::new("."));
    let [input, output] = [(); 2].map(|()| tempfile::NamedTempFile::new_in(folder));
    let (input, output) = input
        .and_then(|i| Ok((i, output?)))
        .map_err(|e| failed(e.to_string()))?;
    // Not the file itself: `bytes` may have been through WasmIR since.
    fs::write(input.path(), bytes).map_err(|e| failed(e.to_string()))?;
    let mut command = Command::new(wasm_opt);
    // The features are what rustc and our own back end use; names stay for backtraces, as the profile decides about stripping.
    command
        .args([level, "-g", "--all-features", "--disable-gc", "-o"])
        .arg(output.path())
        .arg(input.path());
    let result = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .output()
        .map_err(|e| failed(e.to_string()))?;
    if !result.status.success() {
        return Err(failed(String::from_utf8_lossy(&result.stderr).trim().to_owned()).into());
    }
    let made = read(output.path())?;
    component::validate(&made, core)?;
    report::status(
        "Optimised",
        &format!(
            "{} -> {} in {:.1}s",
            report::human_size(bytes.len() as u64),
            report::human_size(made.len() as u64),
            start.elapsed().as_secs_f64()
        ),
    );
    Ok(made)
}

/// Reads a file, with an error that names it.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|e| {
        Error::user(format!("`{}` cannot be read", path.display()))
            .because(&e)
            .into()
    })
}

/// Writes a file so that it is there whole or not at all.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    wasm_toolchain::write_whole(path, bytes).map_err(|e| {
        let mut error = Error::user(format!("`{}` cannot be written", path.display())).because(&e);
        if e.kind() == std::io::ErrorKind::StorageFull {
            error = error.hint("free some space, or choose another folder with `--target-dir`");
        } else if matches!(
            e.kind(),
            std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem
        ) {
            error = error.hint("make the folder writable, or choose another with `--target-dir`");
        }
        error.into()
    })
}

fn print_of(path: &Path) -> Result<Print> {
    let cannot =
        |e: std::io::Error| Error::user(format!("`{}` cannot be read", path.display())).because(&e);
    let metadata = fs::metadata(path).map_err(cannot)?;
    let modified = metadata
        .modified()
        .ok()
        .and_then(|t| t.duration_since(UNIX_EPOCH).ok())
        .map_or(0, |d| d.as_nanos());
    Ok(Print {
        path: path.to_owned(),
        size: metadata.len(),
        modified,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn artefacts_have_a_folder_of_their_own() {
        let place = |core: &str, library, clash| {
            destination(Path::new(core), library, clash)
                .display()
                .to_string()
        };
        assert_eq!(
            place("/w/target/wasm32-wasip1/debug/app.wasm", false, false),
            "/w/target/wasm/debug/app"
        );
        assert_eq!(
            place(
                "/w/target/wasm32-wasip1/release/examples/x.wasm",
                false,
                false
            ),
            "/w/target/wasm/release/examples/x"
        );
        assert_eq!(
            place(
                "/w/t/wasm32-unknown-unknown/my-profile/app.wasm",
                true,
                true
            ),
            "/w/t/wasm/my-profile/libapp"
        );
        assert_eq!(
            with_suffix(Path::new("/a/b.c"), "core.wasm"),
            Path::new("/a/b.c.core.wasm")
        );
    }

    #[test]
    fn a_file_that_cannot_be_written_leaves_the_old_one() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a/b.wasm");
        write(&file, b"one").unwrap();
        write(&file, b"two").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"two");
        // A folder stands where the parent folder should be a file.
        assert!(write(&file.join("c.wasm"), b"three").is_err());
        assert_eq!(fs::read(&file).unwrap(), b"two");
        assert_eq!(fs::read_dir(folder.path().join("a")).unwrap().count(), 1);
    }
}
