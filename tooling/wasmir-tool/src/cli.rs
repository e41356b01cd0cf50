//! The command line.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Looks into every stage of the compiler.
#[derive(Debug, Parser)]
#[command(name = "wasmir", version, about, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Read a file and say what is in it
    Parse(Input),
    /// Read a file and print it, by default as WasmIR
    Print(Emit),
    /// Check a module and report everything that is wrong with it
    Verify(Input),
    /// Put several modules or relocatable objects into one module
    Link(Link),
    /// Turn a wasm module into WasmIR
    Lift {
        #[command(flatten)]
        emit: Emit,
        /// Leave the bodies of functions as they are
        #[arg(long)]
        raw: bool,
    },
    /// Run passes on a module
    Opt {
        #[command(flatten)]
        emit: Emit,
        /// The passes to run, in order (default: all that a build runs)
        #[arg(long = "pass", value_name = "PASS")]
        passes: Vec<crate::passes::Pass>,
        /// Check the module after each pass
        #[arg(long)]
        verify_each: bool,
        /// Say on standard error how long each pass took and what it did
        #[arg(long)]
        time_passes: bool,
    },
    /// Generate WebAssembly, by default as text
    Codegen(Emit),
    /// Run a function, or the `; run:` lines of a .clif file
    Run {
        #[command(flatten)]
        input: Input,
        /// The exported function
        #[arg(long, default_value = "main")]
        invoke: String,
        /// Its arguments
        args: Vec<String>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Link {
    /// The modules, objects and archives of objects; of an archive, what the others need
    #[arg(required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// Keep what nothing reaches
    #[arg(long)]
    pub(crate) keep: bool,
    /// Leave objects relocatable: choose no addresses
    #[arg(short, long)]
    pub(crate) relocatable: bool,
    /// Export a function of an object under its own name
    #[arg(long, value_name = "NAME", conflicts_with = "relocatable")]
    pub(crate) export: Vec<String>,
    /// Where a program starts
    #[arg(long, value_name = "NAME", default_value = "_start")]
    pub(crate) entry: String,
    /// Bytes of the shadow stack
    #[arg(long, value_name = "BYTES", default_value_t = 1 << 20)]
    pub(crate) stack_size: u32,
    #[command(flatten)]
    pub(crate) out: Out,
}

#[derive(Debug, Args)]
pub(crate) struct Input {
    /// A .wir, .wat, .wasm or .clif file; `-` is standard input
    pub(crate) file: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Emit {
    #[command(flatten)]
    pub(crate) input: Input,
    #[command(flatten)]
    pub(crate) out: Out,
}

#[derive(Debug, Args)]
pub(crate) struct Out {
    /// The form to write
    #[arg(long, value_enum)]
    pub(crate) emit: Option<Form>,
    /// Where to write (default: standard output)
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// Forms of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// WasmIR as text
    Wir,
    /// WasmIR in binary form
    Wirb,
    /// WebAssembly as text
    Wat,
    /// WebAssembly
    Wasm,
    /// Cranelift's intermediate form after its mid-end
    Clif,
}
