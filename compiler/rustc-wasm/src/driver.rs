//! The command line: which compiler an invocation is for, and what is done beyond rustc's own work.

use crate::backend::WasmBackend;
use crate::checker;
use crate::host;
use crate::times::{self, Clock};
use rustc_driver::{Callbacks, Compilation};
use rustc_interface::interface;
use rustc_middle::ty::TyCtxt;
use rustc_session::config::{DebugInfo, MirStripDebugInfo, OutputType};
use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Instant;

/// The linker beside this program.
const LINKER: &str = "wasmir-ld";

/// Names a file for the times of the linker's stages.
const TIMINGS: &str = "RUSTC_WASM_LINK_TIMINGS";

/// What is done beyond rustc's own work.
#[derive(Default)]
struct WithBackend {
    /// The WIT of the package.
    wit: checker::Wit,
    /// Tells code generation from the front end.
    clock: Clock,
}

impl Callbacks for WithBackend {
    fn config(&mut self, config: &mut interface::Config) {
        let clock = self.clock.clone();
        config.make_codegen_backend = Some(Box::new(|_session| Box::new(WasmBackend { clock })));
        // Without these every getter of the standard library would remain a call.
        let options = &mut config.opts.unstable_opts;
        options.mir_opt_level.get_or_insert(2);
        options.inline_mir.get_or_insert(true);
        describe_lines_alone(&mut config.opts);
        if config.opts.incremental.is_none() {
            // Units are for reuse, and for compiling side by side; nothing is compiled before the link. Each unit declares again what it
            // mentions: one for the crate is a sixth smaller than sixteen.
            config.opts.cli_forced_codegen_units.get_or_insert(1);
        }
        // As rustc's own driver says types: `Option<T>`, not `std::option::Option<T>`.
        config.opts.trimmed_def_paths = true;
        checker::configure(config);
        if let Err(error) = choose_linker(&mut config.opts) {
            rustc_session::EarlyDiagCtxt::new(config.opts.error_format).early_fatal(error);
        }
    }

    fn after_expansion(&mut self, compiler: &interface::Compiler, _tcx: TyCtxt<'_>) -> Compilation {
        // Before the list of the files that the compilation depends on is written.
        self.wit = checker::read_wit(&compiler.sess);
        Compilation::Continue
    }

    fn after_analysis(&mut self, _compiler: &interface::Compiler, tcx: TyCtxt<'_>) -> Compilation {
        checker::check(tcx, &self.wit);
        tcx.dcx().abort_if_errors();
        Compilation::Continue
    }
}

/// Leaves out what would describe variables, since WasmIR describes lines alone: for debuggers every variable would be kept in a slot on the
/// stack, which passes would have to find superfluous, and MIR would remember the variables of what was inlined.
fn describe_lines_alone(options: &mut rustc_session::config::Options) {
    if options.debuginfo != DebugInfo::None {
        options.debuginfo = DebugInfo::LineTablesOnly;
    }
    // Whoever reads MIR wants to know which variable a local is.
    if !options.output_types.contains_key(&OutputType::Mir) {
        options.unstable_opts.mir_strip_debuginfo = MirStripDebugInfo::AllLocals;
    }
}

/// Puts `wasmir-ld` before the linker that would have been called.
fn choose_linker(options: &mut rustc_session::config::Options) -> Result<(), String> {
    let program = std::env::current_exe().map_err(|error| format!("cannot find this program: {error}"))?;
    let ours = program.with_file_name(format!("{LINKER}{}", std::env::consts::EXE_SUFFIX));
    let linker = options.cg.linker.replace(ours);
    let stem = |path: &std::path::Path| path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let mut args = Vec::new();
    if let Some(linker) = linker {
        let known = |stem: String| stem.starts_with("rust-lld") || stem.starts_with("lld") || stem.contains("wasm-ld");
        if !stem(&linker).is_some_and(known) {
            return Err(format!(
                "the linker `{}` does not link WasmIR; leave `-Clinker` out, name a `rust-lld` or `wasm-ld`, or build with `--frontend stock`",
                linker.display()
            ));
        }
        args.push(format!("--wasmir-linker={}", linker.display()));
    }
    if let Some(folder) = &options.incremental {
        // Beside the sessions of all crates: the bodies of a library that two programs use are compiled once.
        args.push(format!("--wasmir-cache={}", folder.join("wasmir-bodies").display()));
    }
    if let Some(file) = std::env::var_os(TIMINGS) {
        args.push(format!("--wasmir-timings={}", file.to_string_lossy()));
    }
    options.unstable_opts.pre_link_args.splice(..0, args);
    Ok(())
}

/// Why the linker of a session that this driver did not configure cannot link what the backend makes.
pub(crate) fn linker_error(session: &rustc_session::Session) -> Option<String> {
    let linker = session.opts.cg.linker.as_deref();
    let is_ours = linker.and_then(|path| path.file_stem()).is_some_and(|stem| stem == LINKER);
    (!is_ours).then(|| format!("objects hold WasmIR, which `{LINKER}` links: name it (`-Clinker=<path>/{LINKER}`)"))
}

/// Whether the arguments ask for a wasm32 target. Target specifications in files are left to the host's rustc.
fn is_for_wasm(args: &[OsString]) -> bool {
    let mut args = args.iter().filter_map(|arg| arg.to_str());
    while let Some(arg) = args.next() {
        let target = match arg.strip_prefix("--target") {
            Some("") => args.next(),
            Some(rest) => rest.strip_prefix('='),
            None => None,
        };
        if let Some(target) = target {
            return target.starts_with("wasm32");
        }
    }
    false
}

/// Runs the compiler this invocation is for.
pub fn main() -> ExitCode {
    let start = Instant::now();
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    if !is_for_wasm(&args) {
        return host::run(&args);
    }
    let early = rustc_session::EarlyDiagCtxt::new(rustc_session::config::ErrorOutputType::default());
    rustc_driver::init_rustc_env_logger(&early);
    rustc_driver::install_ice_hook("https://github.com/wasmrust/wasmrust/issues", |_| ());
    rustc_driver::install_ctrlc_handler();
    let mut args = rustc_driver::args::raw_args(&early);
    let has_sysroot = args.iter().any(|arg| arg == "--sysroot" || arg.starts_with("--sysroot="));
    if !has_sysroot {
        match host::sysroot() {
            Ok(sysroot) => args.extend(["--sysroot".to_owned(), sysroot]),
            Err(error) => early.early_fatal(error),
        }
    }
    let clock = Clock::default();
    let mut callbacks = WithBackend { clock: clock.clone(), ..WithBackend::default() };
    let code = rustc_driver::catch_with_exit_code(|| rustc_driver::run_compiler(&args, &mut callbacks));
    let name = args.iter().position(|arg| arg == "--crate-name").and_then(|at| args.get(at + 1));
    if let (Some(name), Some(file)) = (name, std::env::var_os(times::VARIABLE))
        && let Err(error) = clock.write(&file, name, start.elapsed())
    {
        eprintln!("warning: cannot write to `{}`, which `{}` names: {error}", file.display(), times::VARIABLE);
    }
    code
}
