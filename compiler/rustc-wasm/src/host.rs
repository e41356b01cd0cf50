//! The host's rustc: the one whose front end this is, with the same version.
//!
//! Whatever is not for a wasm32 target is its work. What it says to `-vV` is remembered in the file that names it: Cargo asks four times in
//! a clean build, and each time rustc loads LLVM to name its version. The words hold as long as the executable has the same size and
//! modification time.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::UNIX_EPOCH;

/// Names the host's rustc.
const VARIABLE: &str = "RUSTC_WASM_HOST_RUSTC";

/// A file beside this program that names the host's rustc, where the variable does not. Its first line is the path; the second, if there is
/// one, the executable's size and modification time in nanoseconds; what follows is its answer to `-vV`.
const FILE: &str = "host-rustc";

/// What `-vV` adds to the words of the host's rustc. Cargo rebuilds what another compiler made, and tells compilers apart by
/// these words; metadata and procedural macros are bound to the first line only, which stays.
const VERSION_LINE: &str = match option_env!("RUSTC_WASM_SOURCES") {
    Some(sources) => sources,
    None => env!("CARGO_PKG_VERSION"),
};

/// The contents of the file, where the variable does not count.
fn file() -> Option<String> {
    if named().is_some() {
        return None;
    }
    let program = std::env::current_exe().ok()?;
    fs::read_to_string(program.with_file_name(FILE)).ok()
}

fn named() -> Option<OsString> {
    std::env::var_os(VARIABLE).filter(|name| !name.is_empty())
}

fn rustc(file: Option<&str>) -> OsString {
    let line = file.and_then(|text| text.lines().next());
    named().or_else(|| line.map(OsString::from)).unwrap_or_else(|| "rustc".into())
}

/// What the host's rustc says to `-vV`, if that is known.
fn known_version(file: &str) -> Option<&str> {
    let (path, rest) = file.split_once('\n')?;
    let (stamp, words) = rest.split_once('\n')?;
    (stamp == self::stamp(Path::new(path))?).then_some(words)
}

/// By what an executable is known again.
fn stamp(program: &Path) -> Option<String> {
    let metadata = fs::metadata(program).ok()?;
    let modified = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(format!("{} {}", metadata.len(), modified.as_nanos()))
}

/// Runs the host's rustc with these arguments.
pub(crate) fn run(args: &[OsString]) -> ExitCode {
    let file = file();
    if let [arg] = args
        && ["-vV", "-Vv"].iter().any(|short| arg == short)
        && let Some(words) = file.as_deref().and_then(known_version)
    {
        print!("{words}");
        print_own_version();
        return ExitCode::SUCCESS;
    }
    let rustc = rustc(file.as_deref());
    match Command::new(&rustc).args(args).status() {
        Ok(status) => match status.code().and_then(|code| u8::try_from(code).ok()) {
            Some(code) => {
                if code == 0 && asks_for_version(args) {
                    print_own_version();
                }
                ExitCode::from(code)
            }
            None => ExitCode::from(101),
        },
        Err(error) => {
            eprintln!("error: cannot run the host's compiler `{}`: {error}", rustc.display());
            eprintln!("help: name it in the environment variable `{VARIABLE}`");
            ExitCode::from(101)
        }
    }
}

fn print_own_version() {
    println!("wasm32 code generator: WasmRust {VERSION_LINE}");
}

/// Whether the arguments ask for the version at length, as Cargo does to tell compilers apart.
fn asks_for_version(args: &[OsString]) -> bool {
    let is = |names: &[&str]| args.iter().any(|arg| names.iter().any(|name| arg == OsStr::new(name)));
    is(&["-vV", "-Vv"]) || (is(&["-V", "--version"]) && is(&["-v", "--verbose"]))
}

/// The sysroot of the host's rustc, where an invocation names none.
pub(crate) fn sysroot() -> Result<String, String> {
    let rustc = rustc(file().as_deref());
    let output = Command::new(&rustc)
        .args(["--print", "sysroot"])
        .output()
        .map_err(|error| format!("cannot run `{}`: {error}", rustc.display()))?;
    if !output.status.success() {
        return Err(format!("`{} --print sysroot` failed", rustc.display()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
