//! The command line. Cargo's options are spelled as Cargo spells them and handed on unchanged.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::ffi::OsString;
use std::path::PathBuf;

/// `cargo wasm`.
#[derive(Debug, Parser)]
#[command(
    name = "cargo-wasm",
    bin_name = "cargo wasm",
    version,
    about = "Build, run, test and inspect WebAssembly components",
    after_help = "Exit codes: 0 fine, 1 the program is wrong, 2 wrong usage, 101 a bug of this tool; `run` passes on the guest's.",
    disable_help_subcommand = true
)]
pub struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Create a package that builds to a component
    New(New),
    /// Compile packages to components
    #[command(visible_alias = "b")]
    Build(Build),
    /// Build and run a program, or call a component's function
    #[command(visible_alias = "r")]
    Run(Run),
    /// Check packages for errors without making code
    #[command(visible_alias = "c")]
    Check(Check),
    /// Run a package's tests inside WebAssembly
    #[command(visible_alias = "t")]
    Test(Test),
    /// Make this machine ready: packages (with --yes) and the standard library
    Setup(Setup),
    /// List every tool, its version and origin, and what is missing
    Doctor(Doctor),
    /// Show imports, exports, WIT and sizes of a module, a component or a package
    Inspect(Inspect),
    /// Show what a program does to the world around it, and by which calls
    Effects(Effects),
    /// Turn a core module into a component
    Componentize(Componentize),
    /// Print a shell's completion script
    Completions(Completions),
    /// What Cargo runs in place of a program
    #[command(hide = true, disable_help_flag = true)]
    Runner(Runner),
}

/// A form that `--emit` writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Emit {
    /// The core module, as linked
    Core,
    /// The component (what is made by default)
    Component,
    /// The component's world as WIT text
    Wit,
    /// The component (or the core module where there is none) as text
    Wat,
    /// The crate's own functions as rustc's MIR, as the code generator is given them
    Mir,
    /// The core module in our intermediate form
    Wir,
    /// Its functions in Cranelift's form, after the mid-end
    Clif,
}

/// Which packages and targets, and how: Cargo's own options.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Cargo {
    /// Package to work on (see `cargo help pkgid`)
    #[arg(short, long, value_name = "SPEC", help_heading = "Package selection")]
    pub(crate) package: Vec<String>,
    /// Work on all packages of the workspace
    #[arg(long, visible_alias = "all", help_heading = "Package selection")]
    pub(crate) workspace: bool,
    /// Exclude packages
    #[arg(long, value_name = "SPEC", help_heading = "Package selection")]
    pub(crate) exclude: Vec<String>,

    /// The package's library
    #[arg(long, help_heading = "Target selection")]
    pub(crate) lib: bool,
    /// All binaries
    #[arg(long, help_heading = "Target selection")]
    pub(crate) bins: bool,
    /// This binary
    #[arg(long, value_name = "NAME", help_heading = "Target selection")]
    pub(crate) bin: Vec<String>,
    /// All examples
    #[arg(long, help_heading = "Target selection")]
    pub(crate) examples: bool,
    /// This example
    #[arg(long, value_name = "NAME", help_heading = "Target selection")]
    pub(crate) example: Vec<String>,

    /// Space or comma separated list of features
    #[arg(
        short = 'F',
        long,
        value_name = "FEATURES",
        help_heading = "Feature selection"
    )]
    pub(crate) features: Vec<String>,
    /// Activate all features
    #[arg(long, help_heading = "Feature selection")]
    pub(crate) all_features: bool,
    /// Do not activate the `default` feature
    #[arg(long, help_heading = "Feature selection")]
    pub(crate) no_default_features: bool,

    /// Build with optimisations
    #[arg(
        short,
        long,
        help_heading = "Compilation options",
        conflicts_with = "profile"
    )]
    pub(crate) release: bool,
    /// Build with this profile
    #[arg(long, value_name = "PROFILE", help_heading = "Compilation options")]
    pub(crate) profile: Option<String>,
    /// Number of parallel jobs
    #[arg(
        short,
        long,
        value_name = "N",
        help_heading = "Compilation options",
        allow_hyphen_values = true
    )]
    pub(crate) jobs: Option<String>,
    /// Go on after a failed crate
    #[arg(long, help_heading = "Compilation options")]
    pub(crate) keep_going: bool,
    /// Compile for this target instead of the one that fits the crate
    #[arg(long, value_name = "TRIPLE", help_heading = "Compilation options")]
    pub(crate) target: Option<String>,
    /// Folder for all artefacts
    #[arg(long, value_name = "DIRECTORY", help_heading = "Compilation options")]
    pub(crate) target_dir: Option<PathBuf>,
    /// Report build timings
    #[arg(long, value_name = "FMTS", num_args = 0..=1, require_equals = true, default_missing_value = "", help_heading = "Compilation options")]
    pub(crate) timings: Option<String>,

    /// Path to Cargo.toml
    #[arg(long, value_name = "PATH", help_heading = "Manifest options")]
    pub(crate) manifest_path: Option<PathBuf>,
    /// Ignore `rust-version` specifications
    #[arg(long, help_heading = "Manifest options")]
    pub(crate) ignore_rust_version: bool,
    /// Assert that Cargo.lock stays unchanged
    #[arg(long, help_heading = "Manifest options")]
    pub(crate) locked: bool,
    /// Run without accessing the network
    #[arg(long, help_heading = "Manifest options")]
    pub(crate) offline: bool,
    /// Same as --locked and --offline
    #[arg(long, help_heading = "Manifest options")]
    pub(crate) frozen: bool,

    /// Form of the diagnostics
    #[arg(long, value_name = "FMT", value_delimiter = ',')]
    pub(crate) message_format: Vec<String>,
    /// Be verbose (-vv very verbose)
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Say nothing but errors
    #[arg(short, long)]
    pub(crate) quiet: bool,
    /// Colours: auto, always, never
    #[arg(long, value_name = "WHEN", value_parser = ["auto", "always", "never"])]
    pub(crate) color: Option<String>,
    /// Override a configuration value
    #[arg(long, value_name = "KEY=VALUE|PATH")]
    pub(crate) config: Vec<OsString>,
    /// Unstable flags of Cargo
    #[arg(short = 'Z', value_name = "FLAG")]
    pub(crate) unstable: Vec<String>,
}

/// Options of ours that `build` and `run` share.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Make {
    /// First make the machine ready, installing packages where needed
    #[arg(long)]
    pub(crate) setup: bool,
    /// Run binaryen's `wasm-opt` on the core module (default level -O2); release builds do where it is installed
    #[arg(long, value_name = "LEVEL", num_args = 0..=1, require_equals = true, default_missing_value = "-O2", allow_hyphen_values = true)]
    pub(crate) wasm_opt: Option<String>,
    /// Leave `wasm-opt` out of a release build, too
    #[arg(long, conflicts_with = "wasm_opt")]
    pub(crate) no_wasm_opt: bool,
    /// Leave dev builds as rustc made them, instead of optimising them through WasmIR
    #[arg(long)]
    pub(crate) no_wasmir: bool,
    /// Take out the code that has these effects; where it is needed, the program traps
    #[arg(long, value_delimiter = ',', value_name = "EFFECTS")]
    pub(crate) without: Vec<String>,
    /// Which compiler makes the modules (dev builds: rustc-wasm where it is set up)
    #[arg(long, value_enum, value_name = "NAME")]
    pub(crate) frontend: Option<Frontend>,
    /// What a panic does (tests that rustc-wasm makes: unwind; else abort)
    #[arg(long, value_enum, value_name = "NAME")]
    pub(crate) panic: Option<Panic>,
}

/// What a panic does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Panic {
    /// It ends the program
    Abort,
    /// It unwinds and can be caught, by WebAssembly's exceptions; needs rustc-wasm
    Unwind,
}

/// The compilers that can make modules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Frontend {
    /// The stock rustc, and WasmIR after it
    Stock,
    /// rustc's front end with our own code generator
    RustcWasm,
}

/// What a running guest is given.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Guest options")]
pub(crate) struct Guest {
    /// Give the guest this folder (may be repeated)
    #[arg(long, value_name = "HOST[::GUEST]")]
    pub(crate) dir: Vec<OsString>,
    /// Set an environment variable, or pass on ours (may be repeated)
    #[arg(long, value_name = "NAME[=VALUE]")]
    pub(crate) env: Vec<OsString>,
    /// Stop after this much work
    #[arg(long, value_name = "N")]
    pub(crate) fuel: Option<OsString>,
    /// Stop after this time, such as 2s
    #[arg(long, value_name = "TIME")]
    pub(crate) timeout: Option<OsString>,
    /// Limit the guest's memory, such as 64MiB
    #[arg(long, value_name = "SIZE")]
    pub(crate) max_memory: Option<OsString>,
    /// Neither use nor keep machine code of earlier runs
    #[arg(long)]
    pub(crate) no_cache: bool,
}

impl Guest {
    /// The same as arguments of the runner.
    pub(crate) fn arguments(&self) -> Vec<OsString> {
        let lists = [("--dir", &self.dir), ("--env", &self.env)];
        let single = [
            ("--fuel", &self.fuel),
            ("--timeout", &self.timeout),
            ("--max-memory", &self.max_memory),
        ];
        let repeated = lists
            .into_iter()
            .flat_map(|(name, values)| values.iter().map(move |v| (name, v)));
        let single = single
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.as_ref()?)));
        repeated
            .chain(single)
            .flat_map(|(name, value)| [OsString::from(name), value.clone()])
            .chain(self.no_cache.then(|| OsString::from("--no-cache")))
            .collect()
    }
}

#[derive(Debug, Args)]
pub(crate) struct New {
    /// Folder to make; its name is the package's
    pub(crate) path: PathBuf,
    /// A library that exports an interface, instead of a program
    #[arg(long)]
    pub(crate) lib: bool,
    /// Package name, when it is not the folder's
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Version control to set up: git, hg, pijul, fossil, none
    #[arg(long)]
    pub(crate) vcs: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Build {
    /// Folder of the package, as if its Cargo.toml were given by --manifest-path
    pub(crate) path: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) cargo: Cargo,
    #[command(flatten)]
    pub(crate) make: Make,
    /// Forms to write, beside what Cargo makes
    #[arg(long, value_delimiter = ',', value_name = "FORMS")]
    pub(crate) emit: Vec<Emit>,
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// Folder of the package, or a .wasm file
    pub(crate) path: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) cargo: Cargo,
    #[command(flatten)]
    pub(crate) make: Make,
    #[command(flatten)]
    pub(crate) guest: Guest,
    /// Call an exported function, with arguments in WAVE syntax
    #[arg(long, value_name = "CALL")]
    pub(crate) invoke: Option<OsString>,
    /// The program's arguments; for a library: an exported function's name and its arguments
    #[arg(last = true, value_name = "ARGS")]
    pub(crate) arguments: Vec<OsString>,
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// Folder of the package
    pub(crate) path: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) cargo: Cargo,
    /// First make the machine ready, installing packages where needed
    #[arg(long)]
    pub(crate) setup: bool,
    /// Which compiler checks (dev builds: rustc-wasm where it is set up)
    #[arg(long, value_enum, value_name = "NAME")]
    pub(crate) frontend: Option<Frontend>,
}

#[derive(Debug, Args)]
pub(crate) struct Test {
    /// Folder of the package, and/or part of the names of the tests to run
    #[arg(num_args = 0..=2, value_names = ["PATH", "TESTNAME"])]
    pub(crate) words: Vec<OsString>,
    #[command(flatten)]
    pub(crate) cargo: Cargo,
    #[command(flatten)]
    pub(crate) make: TestOnly,
    #[command(flatten)]
    pub(crate) guest: Guest,
    /// Arguments of the test program
    #[arg(last = true, value_name = "ARGS")]
    pub(crate) arguments: Vec<OsString>,
}

/// Cargo's options that only `test` has.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct TestOnly {
    /// First make the machine ready, installing packages where needed
    #[arg(long)]
    pub(crate) setup: bool,
    /// Run dev builds as rustc made them, instead of optimising them through WasmIR
    #[arg(long)]
    pub(crate) no_wasmir: bool,
    /// Take out the code that has these effects; where it is needed, the tests trap
    #[arg(long, value_delimiter = ',', value_name = "EFFECTS")]
    pub(crate) without: Vec<String>,
    /// Which compiler makes the modules (dev builds: rustc-wasm where it is set up)
    #[arg(long, value_enum, value_name = "NAME")]
    pub(crate) frontend: Option<Frontend>,
    /// What a panic does (tests that rustc-wasm makes: unwind; else abort)
    #[arg(long, value_enum, value_name = "NAME")]
    pub(crate) panic: Option<Panic>,
    /// Compile, but do not run
    #[arg(long)]
    pub(crate) no_run: bool,
    /// Run all tests even after a failure
    #[arg(long)]
    pub(crate) no_fail_fast: bool,
    /// Only the documentation's examples
    #[arg(long)]
    pub(crate) doc: bool,
    /// All test targets
    #[arg(long, help_heading = "Target selection")]
    pub(crate) tests: bool,
    /// This test target
    #[arg(long, value_name = "NAME", help_heading = "Target selection")]
    pub(crate) test: Vec<String>,
    /// All targets
    #[arg(long, help_heading = "Target selection")]
    pub(crate) all_targets: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Setup {
    /// Install missing packages instead of naming the command
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// Also bring binaryen's wasm-opt
    #[arg(long)]
    pub(crate) wasm_opt: bool,
    /// Also build the compiler of `--frontend rustc-wasm`, and std with it; takes long the first time
    #[arg(long)]
    pub(crate) rustc_wasm: bool,
    /// Where it is built from rustc's source: by a profile of itself. Takes three times as long, once; dev builds are a tenth faster from then on
    #[arg(long, requires = "rustc_wasm")]
    pub(crate) pgo: bool,
    /// Remove compilers and standard libraries of other versions from the cache
    #[arg(long)]
    pub(crate) prune: bool,
    /// Say nothing but errors
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// A .wasm file, or the folder of a package to build first
    pub(crate) path: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) cargo: Cargo,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// How many crates and functions to list
    #[arg(long, value_name = "N", default_value_t = 15)]
    pub(crate) top: usize,
}

#[derive(Debug, Args)]
pub(crate) struct Effects {
    /// A .wasm file, or the folder of a package to build first
    pub(crate) path: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) cargo: Cargo,
    /// How to print them
    #[arg(long, value_enum, default_value_t, value_name = "FORM")]
    pub(crate) format: EffectsFormat,
    /// Count what only happens on the way of a panic, too
    #[arg(long)]
    pub(crate) panics: bool,
}

/// How effects are printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum EffectsFormat {
    /// For people
    #[default]
    Tree,
    /// For programs
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct Componentize {
    /// The core module
    pub(crate) module: PathBuf,
    /// Where to write the component
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Which WASI preview 1 adapter to put in
    #[arg(long, value_enum)]
    pub(crate) adapter: Option<AdapterChoice>,
}

/// The preview 1 adapters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum AdapterChoice {
    /// For programs with `main`
    Command,
    /// For libraries
    Reactor,
}

#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell
    pub(crate) shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub(crate) struct Runner {
    /// Optimise the module through WasmIR first
    #[arg(long)]
    pub(crate) wasmir: bool,
    /// Take out the code that has these effects
    #[arg(long, require_equals = true)]
    pub(crate) without: Vec<String>,
    /// The runner's options, the module, and its arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) arguments: Vec<OsString>,
}
