//! Links WasmIR.
//!
//! `wasmir-ld` stands before `wasm-ld` and takes its command line. Inputs that hold WasmIR (the objects and rlibs of
//! `rustc-wasm`) are put together, reduced to what the program reaches, optimised as a whole, and compiled to one object;
//! that object, and every input of other origin, then goes to `wasm-ld`. So library code costs nothing until a program
//! needs it, and functions can be inlined across crates.
//!
//! # Stages
//! 1. `read`: all inputs are opened; of WasmIR only the declarations are read. Members of archives are loaded as `wasm-ld` does
//!    it ([`units`]).
//! 2. `reach`: from the names that are asked for by the command line and by objects of other origin, the bodies that are
//!    needed are read and followed ([`mark`]).
//! 3. `merge`: what was reached becomes one module, in which every name that nobody else uses is local ([`merge`]).
//! 4. `passes`: inlining, frames, dead code; what became of a function before is taken from the cache ([`wasmir::passes::kept`]).
//! 5. `emit`: one object, in parallel, with finished bodies from the cache.
//! 6. `link`: `wasm-ld`.
//!
//! # Invariants
//! - The result is what `wasm-ld` would have made of the units compiled one by one, up to optimisation.
//! - Same inputs, same bytes, whatever the number of threads and the contents of the cache.
//! - Without WasmIR among the inputs `wasm-ld` gets the command line as it is.

pub mod archive;
mod args;
pub mod envelope;
mod foreign;
mod mark;
mod merge;
mod units;

use args::{Arg, Args};
use codegen_cranelift::{Cache, Options};
use std::ffi::OsString;
use std::fmt::{self, Write as _};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::Instant;
use std::{fs, io};
use units::Units;
use wasmir::passes::kept::Results;
use wasmir::passes::pipeline;

/// Optimised and finished bodies are kept up to this many bytes per cache folder.
const CACHE_LIMIT: u64 = 128 << 20;

/// Why inputs cannot be linked.
#[derive(Debug)]
pub struct Error {
    message: String,
    help: Option<String>,
}

impl Error {
    fn new(message: impl Into<String>) -> Error {
        Error {
            message: message.into(),
            help: None,
        }
    }

    fn help(mut self, help: impl Into<String>) -> Error {
        self.help = Some(help.into());
        self
    }

    fn file(doing: &str, file: &Path, error: io::Error) -> Error {
        Error::new(format!("cannot {doing} `{}`: {error}", file.display()))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.help {
            Some(help) => write!(f, "\nhelp: {help}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

/// The program: links what the arguments (without the program's name) say.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    match link(args) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("wasmir-ld: error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Times of the stages, in order.
#[derive(Default)]
struct Times(Vec<(&'static str, f64)>);

impl Times {
    fn time<T>(&mut self, stage: &'static str, work: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let result = work();
        self.0.push((stage, start.elapsed().as_secs_f64() * 1e3));
        result
    }
}

fn link(args: impl IntoIterator<Item = OsString>) -> Result<ExitCode, Error> {
    let args = Args::parse(args)?;
    let mut times = Times::default();
    let units = times.time("read", || Units::read(&args))?;
    if !units.kinds.iter().any(|kind| kind.wir) {
        return call(&args, None);
    }
    let object = units::beside(&args.output, ".wasmir.o");
    let kinds = units.kinds.clone();
    compile(units, &args, &object, &mut times)?;
    let code = times.time("link", || call(&args, Some((&object, &kinds))));
    let removed = fs::remove_file(&object);
    let code = code?;
    removed.map_err(|e| Error::file("remove", &object, e))?;
    if let Some(file) = &args.timings {
        let mut text = String::new();
        for (stage, ms) in &times.0 {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{stage} {ms:.1}");
        }
        // One call: links side by side may name the same file.
        let mut options = fs::File::options();
        let mut out = options
            .append(true)
            .create(true)
            .open(file)
            .map_err(|e| Error::file("open", file, e))?;
        out.write_all(text.as_bytes())
            .map_err(|e| Error::file("write", file, e))?;
    }
    Ok(code)
}

/// Makes one object of all WasmIR.
fn compile(units: Units, args: &Args, object: &Path, times: &mut Times) -> Result<(), Error> {
    let bytes = compiled(units, args, times)?;
    fs::write(object, bytes).map_err(|e| Error::file("write", object, e))
}

/// Compiles what `wanted` names, and objects of other origin among `inputs`, reach of the WasmIR among them: for archives
/// that another linker is to read. An input is a name for messages and an object's bytes.
///
/// # Errors
/// If an input cannot be read or does not fit the others, or cannot be compiled.
pub fn compile_objects(
    inputs: &[(String, Vec<u8>)],
    wanted: Vec<String>,
    debug: bool,
) -> Result<Vec<u8>, Error> {
    let args = Args::of_names(wanted, debug);
    compiled(Units::all_of(inputs)?, &args, &mut Times::default())
}

fn compiled(units: Units, args: &Args, times: &mut Times) -> Result<Vec<u8>, Error> {
    let reached = times.time("reach", || mark::reach(&units, args))?;
    let mut merged = times.time("merge", || merge::merge(units, reached, args))?;
    let cache = args.cache.as_ref();
    let cache = cache.map(|folder| Arc::new(Cache::open(folder, CACHE_LIMIT)));
    if !args.unoptimised {
        times.time("passes", || {
            let kept = cache.as_deref().map(|cache| cache as &dyn Results);
            pipeline::run_kept(&mut merged.module, &pipeline::Options::FRONT_END, kept);
            merged.shake()
        })?;
    }
    merged.space();
    if let Some(file) = &args.wir {
        let text = wasmir::print_module(&merged.module).to_string();
        fs::write(file, text).map_err(|e| Error::file("write", file, e))?;
    }
    times.time("emit", || {
        let options = Options {
            // The linker takes names from the symbol table.
            names: false,
            debug: !args.no_debug,
            cache: cache.clone(),
            ..Options::default()
        };
        let bytes = codegen_cranelift::emit_object(merged.module, &options)
            .map_err(|error| Error::new(format!("cannot compile the program: {error}")))?;
        if let Some(cache) = cache {
            // Without it the next build takes longer, and no more.
            let _ = cache.save();
        }
        Ok(bytes)
    })
}

/// Calls the linker, with `object` in place of the inputs that hold nothing but WasmIR.
fn call(args: &Args, object: Option<(&PathBuf, &[units::Kind])>) -> Result<ExitCode, Error> {
    let (program, flavor) = args.linker();
    let mut linker = Command::new(program);
    if flavor {
        linker.args(["-flavor", "wasm"]);
    }
    let (mut object, kinds) = match object {
        Some((object, kinds)) => (Some(object), kinds),
        None => (None, &[][..]),
    };
    for (i, arg) in args.list.iter().enumerate() {
        let kind = kinds.get(i).copied().unwrap_or_default();
        if kind.wir {
            // In the place of the first of them, which is the program's own code.
            linker.args(object.take());
            if !kind.foreign {
                continue;
            }
        }
        match arg {
            Arg::File(path) => linker.arg(path),
            Arg::Library(name) => linker.arg(format!("-l{name}")),
            Arg::Other(words) => match words[0].to_str() {
                Some("-flavor") => &mut linker,
                _ => linker.args(words),
            },
        };
    }
    let status = linker.status().map_err(|error| {
        Error::new(format!(
            "cannot run the linker `{}`: {error}",
            program.display()
        ))
        .help("name another by `-Clinker=PATH`: `rust-lld`, or a `wasm-ld`")
    })?;
    Ok(match status.code() {
        Some(code) => ExitCode::from(u8::try_from(code).unwrap_or(1)),
        None => ExitCode::FAILURE,
    })
}
