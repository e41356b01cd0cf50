//! What each command does.

use crate::cli::{Cli, Command, Emit, Form, Link, Out};
use crate::error::{Error, Result};
use crate::input::{self, Input, Linked};
use crate::{clif, fault, output, passes, run};
use codegen_cranelift::MidEnd;
use std::path::Path;
use wasmir::{FuncBody, Module};

/// Executes the command line.
pub(crate) fn execute(cli: &Cli) -> Result<()> {
    match &cli.command {
        Command::Parse(input) => parse(&input.file),
        Command::Print(emit) => print(emit),
        Command::Verify(input) => verify(&input.file),
        Command::Link(args) => link(args),
        Command::Lift { emit, raw } => {
            let path = &emit.input.file;
            let mut module = input::module(path)?;
            if !raw {
                input::lift_bodies(path, &mut module)?;
            }
            // No passes: whoever wrote the module has optimised it or did not want that.
            write_last(path, module, &emit.out, MidEnd::Off)
        }
        Command::Opt {
            emit,
            passes,
            verify_each,
            time_passes,
        } => opt(emit, passes, *verify_each, *time_passes),
        Command::Codegen(emit) => codegen(emit),
        Command::Run {
            input,
            invoke,
            args,
        } => run_file(&input.file, invoke, args),
    }
}

fn parse(path: &Path) -> Result<()> {
    let text = match input::read(path)? {
        Input::Module(m, form) => {
            let raw = m
                .funcs
                .values()
                .filter(|f| matches!(f.body, FuncBody::Raw(_)))
                .count();
            let ir = m
                .funcs
                .values()
                .filter(|f| matches!(f.body, FuncBody::Ir(_)))
                .count();
            format!(
                "{form}: {} types, {} functions ({ir} with instructions, {raw} as they came), \
                 {} tables, {} memories, {} globals, {} tags, {} data, {} elements, {} exports\n",
                m.types.len(),
                m.funcs.len(),
                m.tables.len(),
                m.memories.len(),
                m.globals.len(),
                m.tags.len(),
                m.datas.len(),
                m.elems.len(),
                m.exports.len(),
            )
        }
        Input::Clif(text) => {
            let functions = clif::parse(path, &text)?.functions.len();
            format!("Cranelift's intermediate form: {functions} functions\n")
        }
    };
    output::write(None, text.as_bytes())
}

fn print(emit: &Emit) -> Result<()> {
    let path = &emit.input.file;
    match input::read(path)? {
        Input::Module(module, _) => write_module(path, &module, &emit.out, Form::Wir, MidEnd::All),
        Input::Clif(text) => {
            let file = clif::parse(path, &text)?;
            let text: String = clif::functions(&file)
                .iter()
                .map(|f| format!("{}\n", f.display()))
                .collect();
            output::write(emit.out.output.as_deref(), text.as_bytes())
        }
    }
}

fn verify(path: &Path) -> Result<()> {
    match input::read(path)? {
        Input::Module(mut module, _) => {
            let invalid = |errors| Error::Invalid {
                path: path.into(),
                errors,
            };
            wasmir::verify_module(&module).map_err(invalid)?;
            // Bodies that are still wasm are checked by being lifted.
            input::lift_bodies(path, &mut module)?;
            wasmir::verify_module(&module).map_err(invalid)
        }
        Input::Clif(text) => {
            let file = clif::parse(path, &text)?;
            let flags =
                cranelift_codegen::settings::Flags::new(cranelift_codegen::settings::builder());
            for func in clif::functions(&file) {
                cranelift_codegen::verify_function(&func, &flags).map_err(|e| Error::Stage {
                    path: path.into(),
                    stage: "verify",
                    message: format!("`{}`: {e}", func.name),
                })?;
            }
            Ok(())
        }
    }
}

fn link(args: &Link) -> Result<()> {
    let (modules, refused) = linked(args)?;
    // What cannot be read defines nothing, which may be why a symbol is missing.
    let explained = |error: Error| {
        for reason in &refused {
            eprintln!("note: left out: {reason}");
        }
        error
    };
    fault::begin("link", &args.files[0]);
    let linked = wasmir::link(modules).map_err(|errors| Error::Link { errors });
    let mut module = linked.map_err(explained)?;
    if module.relocatable && !args.relocatable {
        let options = wasmir::layout::Options {
            stack_size: args.stack_size,
            entry: args.entry.clone(),
            exports: args.export.clone(),
            ..Default::default()
        };
        fault::begin("lay out", &args.files[0]);
        let laid_out = wasmir::layout::run(&mut module, &options);
        let failed = |e: wasmir::layout::LayoutError| Error::Stage {
            path: args.files[0].clone(),
            stage: "lay out",
            message: e.to_string(),
        };
        laid_out.map_err(|e| explained(failed(e)))?;
    } else if !args.keep && !module.relocatable {
        wasmir::reach::run(&mut module).map_err(|e| Error::Usage(e.to_string()))?;
    }
    write_module(&args.files[0], &module, &args.out, Form::Wir, MidEnd::All)
}

/// The modules to link: those that are named, and what they need of archives; and why objects of those cannot be read.
fn linked(args: &Link) -> Result<(Vec<Module>, Vec<Error>)> {
    let (mut modules, mut names, mut library) = (Vec::new(), Vec::new(), Vec::new());
    let named = |mut module: Module, name: &str| {
        // The linker's errors name modules.
        module.name.get_or_insert_with(|| name.to_owned());
        module
    };
    for file in &args.files {
        match input::linked(file)? {
            Linked::Module(module) => modules.push(named(*module, &file.display().to_string())),
            Linked::Library(members) => {
                for (name, module) in members {
                    names.push(name);
                    library.push(module);
                }
            }
        }
    }
    let (mut readable, mut refused) = (Vec::new(), Vec::new());
    for (name, module) in names.iter().zip(library) {
        match module {
            Ok(module) => readable.push(named(module, name)),
            Err(error) => refused.push(error),
        }
    }
    let mut roots: Vec<&str> = args.export.iter().map(String::as_str).collect();
    roots.push(&args.entry);
    let needed = wasmir::needed_of_library(&modules, &readable, &roots);
    let mut readable: Vec<Option<Module>> = readable.into_iter().map(Some).collect();
    modules.extend(
        needed
            .into_iter()
            .filter_map(|number| readable[number].take()),
    );
    Ok((modules, refused))
}

fn opt(emit: &Emit, list: &[passes::Pass], verify_each: bool, time: bool) -> Result<()> {
    let path = &emit.input.file;
    let mut module = input::module(path)?;
    let list = if list.is_empty() {
        &passes::BUILD[..]
    } else {
        list
    };
    // What is needed is known of bodies as they came, too; then only those are lifted.
    let first_lifted = list.iter().position(|&pass| pass != passes::Pass::Reach);
    for (place, pass) in list.iter().enumerate() {
        if first_lifted == Some(place) {
            input::lift_bodies(path, &mut module)?;
        }
        let name = format!("{pass:?}").to_lowercase();
        fault::begin(format!("pass {name}"), path);
        let report = passes::run(*pass, &mut module).map_err(|message| Error::Stage {
            path: path.into(),
            stage: "optimise",
            message,
        })?;
        if time {
            eprintln!(
                "{name:10} {:8.2} ms  {}",
                report.time.as_secs_f64() * 1e3,
                report.stats
            );
        }
        if verify_each {
            wasmir::verify_module(&module)
                .map_err(|errors| Error::PassBroke { pass: name, errors })?;
        }
    }
    if first_lifted.is_none() {
        input::lift_bodies(path, &mut module)?;
    }
    write_last(path, module, &emit.out, MidEnd::DEV_BUILD)
}

fn codegen(emit: &Emit) -> Result<()> {
    let path = &emit.input.file;
    match input::read(path)? {
        Input::Clif(text) => {
            let file = clif::parse(path, &text)?;
            let made = clif::generate(path, &clif::functions(&file))?;
            let bytes = match emit.out.emit.unwrap_or(Form::Wat) {
                Form::Wasm => made.wasm,
                Form::Wat => output::wat(path, &made.wasm)?.into_bytes(),
                Form::Clif => made.clif.into_bytes(),
                Form::Wir | Form::Wirb => {
                    let module = wasmir_lift::lift(&made.wasm).map_err(|e| Error::Stage {
                        path: path.clone(),
                        stage: "lift the code of",
                        message: e.to_string(),
                    })?;
                    return write_module(path, &module, &emit.out, Form::Wir, MidEnd::All);
                }
            };
            output::write(emit.out.output.as_deref(), &bytes)
        }
        Input::Module(module, _) => write_module(path, &module, &emit.out, Form::Wat, MidEnd::All),
    }
}

fn run_file(path: &Path, invoke: &str, args: &[String]) -> Result<()> {
    match input::read(path)? {
        Input::Clif(text) => {
            let runs = run::clif(path, &text)?;
            output::write(None, format!("{runs} runs passed\n").as_bytes())
        }
        Input::Module(module, _) => {
            let wasm = wasm(path, &module, MidEnd::All)?;
            let text = run::invoke(path, &wasm, invoke, args)?;
            output::write(None, text.as_bytes())
        }
    }
}

/// Writes the module that a command ends with. Its memory is left to the system: taking apart a great one takes time.
fn write_last(path: &Path, module: Module, out: &Out, mid_end: MidEnd) -> Result<()> {
    let module = std::mem::ManuallyDrop::new(module);
    write_module(path, &module, out, Form::Wir, mid_end)
}

fn write_module(
    path: &Path,
    module: &Module,
    out: &Out,
    default: Form,
    mid_end: MidEnd,
) -> Result<()> {
    let bytes = match out.emit.unwrap_or(default) {
        Form::Wir => wasmir::print_module(module).to_string().into_bytes(),
        Form::Wirb => wasmir::encode_module(module),
        Form::Wasm => wasm(path, module, mid_end)?,
        Form::Wat => output::wat(path, &wasm(path, module, mid_end)?)?.into_bytes(),
        Form::Clif => {
            return Err(Error::Kind {
                path: path.into(),
                found: "a module",
                wanted: "Cranelift's intermediate form",
            });
        }
    };
    output::write(out.output.as_deref(), &bytes)
}

/// The module as WebAssembly: an object if it is relocatable.
fn wasm(path: &Path, module: &Module, mid_end: MidEnd) -> Result<Vec<u8>> {
    fault::begin("codegen", path);
    let options = codegen_cranelift::Options {
        mid_end,
        ..codegen_cranelift::Options::default()
    };
    let made = if module.relocatable {
        codegen_cranelift::emit_object(module.clone(), &options)
    } else {
        codegen_cranelift::emit_module(module, &options)
    };
    made.map_err(|e| Error::Stage {
        path: path.into(),
        stage: "generate code for",
        message: e.to_string(),
    })
}
