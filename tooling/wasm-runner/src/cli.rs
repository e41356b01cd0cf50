//! The command line: parses it, runs, prints what came of it.

use std::{ffi::OsString, io::Write, process::ExitCode, time::Duration};

use anstyle::{AnsiColor, Style};
use clap::{Parser, ValueEnum, error::ErrorKind};

use crate::{
    error::Error,
    options::{self, Action, EnvVar, Format, Limits, Mount, Options},
    run::{self, Outcome},
};

/// Run a WebAssembly module or component
///
/// A command (a WASI module, or a component that exports `wasi:cli/run`) gets the arguments after FILE. Of a library, the first word
/// names the exported function to call and the others are its arguments: strings as they are, other types in WAVE. A string or list<u8>
/// argument that is left out is read from standard input.
#[derive(Debug, Parser)]
#[command(name = "wasm-runner", version, after_help = EXIT_CODES)]
struct Arguments {
    /// The program, in binary form, and its arguments; or FUNCTION ARGUMENT… of a library
    // One positional, so that everything after the file is the program's, even what looks like an option of the runner.
    #[arg(trailing_var_arg = true, required = true, value_names = ["FILE", "ARGUMENT"])]
    command: Vec<OsString>,

    /// Call an exported function with WAVE values: 'name(values)', 'interface.name(values)', 'resource(values).method(values)'
    #[arg(long, value_name = "CALL")]
    invoke: Option<String>,

    /// How to print results
    #[arg(long, value_enum, default_value_t = FormatArgument::Auto)]
    format: FormatArgument,

    /// Let the program open a folder of the host, under the name GUEST (default: the same), `:ro` for reading only
    #[arg(long = "dir", value_name = "HOST[::GUEST][:ro]")]
    mounts: Vec<Mount>,

    /// Set a variable for the program, or pass the host's value on
    #[arg(long = "env", value_name = "NAME[=VALUE]")]
    env: Vec<EnvVar>,

    /// Pass all of the host's variables on
    #[arg(long)]
    inherit_env: bool,

    /// Stop the program after about N instructions
    #[arg(long, value_name = "N")]
    fuel: Option<u64>,

    /// Stop the program after this time, such as `500ms` or `2s`
    #[arg(long, value_name = "TIME", value_parser = options::parse_duration)]
    timeout: Option<Duration>,

    /// Refuse memory beyond this size, such as `64MiB`
    #[arg(long, value_name = "SIZE", value_parser = options::parse_size)]
    max_memory: Option<u64>,

    /// Compile anew, and do not keep the compiled code for the next run
    #[arg(long)]
    no_cache: bool,
}

const EXIT_CODES: &str = "\
Exit codes: the program's own; 1 a wrong program or input, 2 wrong usage, 101 a bug of the runner, 134 the program was stopped \
(a trap or a Rust panic, out of fuel or time). RUST_BACKTRACE=full shows all frames of a trap.";

#[derive(Debug, Clone, Copy, ValueEnum)]
enum FormatArgument {
    /// WAVE; a string as it is when the function is called by its bare name
    Auto,
    /// The component model's text form of values
    Wave,
    /// For machines
    Json,
    /// The bytes of a string or list<u8>, nothing else
    Raw,
}

impl Arguments {
    fn options(self) -> Result<Options, clap::Error> {
        let usage = |kind, message: String| clap::Error::raw(kind, message + "\n");
        let mut command = self.command.into_iter();
        let file = command.next().unwrap_or_default();
        let mut command = command.peekable();
        // One `--` after the file only separates, as in `cargo run -- …`.
        command.next_if(|word| word == "--");
        let mut words = Vec::new();
        for word in command {
            words.push(word.into_string().map_err(|word| {
                let shown = word.to_string_lossy();
                usage(
                    ErrorKind::InvalidUtf8,
                    format!("the argument `{shown}` is not UTF-8, which WebAssembly programs need"),
                )
            })?);
        }
        let action = match self.invoke {
            Some(_) if !words.is_empty() => {
                return Err(usage(
                    ErrorKind::ArgumentConflict,
                    "`--invoke` holds the arguments of the call; give none after the file"
                        .to_owned(),
                ));
            }
            Some(call) => Action::Invoke(call),
            None => Action::Run(words),
        };
        Ok(Options {
            file: file.into(),
            action,
            format: match self.format {
                FormatArgument::Auto => Format::Auto,
                FormatArgument::Wave => Format::Wave,
                FormatArgument::Json => Format::Json,
                FormatArgument::Raw => Format::Raw,
            },
            mounts: self.mounts,
            env: self.env,
            inherit_env: self.inherit_env,
            limits: Limits {
                fuel: self.fuel,
                timeout: self.timeout,
                max_memory: self.max_memory,
            },
            cache: !self.no_cache,
            full_backtrace: std::env::var_os("RUST_BACKTRACE").is_some_and(|value| value == "full"),
        })
    }
}

/// Runs the command line `args`, whose first is the command's own name, and returns the process's exit code.
///
/// Prints results to standard output and errors to standard error, in colour when that is a terminal that wants it.
pub fn run_cli(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let options = match Arguments::try_parse_from(args).and_then(Arguments::options) {
        Ok(options) => options,
        Err(error) => {
            // Help and version are printed to standard output and are no error. A closed pipe is the reader's choice.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    let result = run::run(&options).and_then(|outcome| match outcome {
        Outcome::Exited(code) => Ok(exit_code(code)),
        Outcome::Returned(bytes) => print(&bytes).map(|()| ExitCode::SUCCESS),
    });
    result.unwrap_or_else(|error| {
        report(&error, options.full_backtrace);
        ExitCode::from(error.exit_code())
    })
}

/// The guest's code as the process's: its lowest eight bits, as a native program's on Unix.
fn exit_code(code: i32) -> ExitCode {
    ExitCode::from(code.to_le_bytes()[0])
}

fn print(bytes: &[u8]) -> Result<(), Error> {
    let mut out = std::io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        // The reader has seen enough.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        result => result.map_err(Error::Output),
    }
}

fn report(error: &Error, full_backtrace: bool) {
    let bold = Style::new().bold();
    let red = bold.fg_color(Some(AnsiColor::Red.into()));
    let cyan = bold.fg_color(Some(AnsiColor::Cyan.into()));
    let mut text = format!(
        "{red}error{red:#}{bold}: {error}{bold:#}\n{}",
        error.details(full_backtrace)
    );
    if let Some(hint) = error.hint() {
        text.push_str(&format!("{cyan}help{cyan:#}: {hint}\n"));
    }
    // Nobody is left to be told when standard error is closed.
    let _ = anstream::stderr().lock().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn parse(words: &[&str]) -> Result<Options, ErrorKind> {
        let words = ["wasm-runner"].iter().chain(words);
        Arguments::try_parse_from(words)
            .and_then(Arguments::options)
            .map_err(|error| error.kind())
    }

    #[test]
    fn the_parser_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn options_end_at_the_file() {
        let run =
            |words: &[&str]| Action::Run(words.iter().map(|word| (*word).to_owned()).collect());
        assert_eq!(
            parse(&["a.wasm", "--fuel", "-x"]).map(|o| o.action),
            Ok(run(&["--fuel", "-x"]))
        );
        assert_eq!(
            parse(&["a.wasm", "x", "--", "y"]).map(|o| o.action),
            Ok(run(&["x", "--", "y"]))
        );
        assert_eq!(
            parse(&["--fuel", "3", "a.wasm"]).map(|o| o.limits.fuel),
            Ok(Some(3))
        );
        assert_eq!(
            parse(&["--", "a.wasm", "--help"]).map(|o| o.action),
            Ok(run(&["--help"]))
        );
        // One `--` after the file is the separator of `cargo run` fame.
        assert_eq!(
            parse(&["a.wasm", "--", "--help"]).map(|o| o.action),
            Ok(run(&["--help"]))
        );
        assert_eq!(
            parse(&["a.wasm", "--", "--", "x"]).map(|o| o.action),
            Ok(run(&["--", "x"]))
        );
    }

    #[test]
    fn wrong_usage() {
        assert_eq!(parse(&[]), Err(ErrorKind::MissingRequiredArgument));
        assert_eq!(
            parse(&["--bogus", "a.wasm"]),
            Err(ErrorKind::UnknownArgument)
        );
        assert_eq!(
            parse(&["--fuel", "x", "a.wasm"]),
            Err(ErrorKind::ValueValidation)
        );
        assert_eq!(
            parse(&["--timeout", "never", "a.wasm"]),
            Err(ErrorKind::ValueValidation)
        );
        assert_eq!(
            parse(&["--invoke", "f()", "a.wasm", "x"]),
            Err(ErrorKind::ArgumentConflict)
        );
    }
}
