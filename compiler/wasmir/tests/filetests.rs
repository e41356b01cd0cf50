//! Runs the files under `tests/filetests`.
//!
//! A file is a module in text form. A line `; test: KIND` says what to do with it; lines that begin
//! with `;=` at its end hold the expected outcome. `BLESS=1 cargo test -p wasmir` writes them anew.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use wasmir::{Body, FuncBody, Module, parse_module, passes, print_module, verify_module};

/// What a file's test prints.
fn outcome(kind: &str, text: &str) -> String {
    if let "link" | "layout" = kind {
        return link(text, kind == "layout");
    }
    let module = match parse_module(text) {
        Ok(module) => module,
        Err(error) => return format!("error: {error}\n"),
    };
    let printed = print_module(&module).to_string();
    let again = parse_module(&printed).expect("what is printed can be parsed");
    assert_eq!(
        print_module(&again).to_string(),
        printed,
        "printing is stable"
    );
    if verify_module(&module).is_ok() {
        let bytes = wasmir::encode_module(&module);
        assert_eq!(
            wasmir::decode_module(&bytes).as_ref(),
            Ok(&module),
            "the binary form agrees"
        );
    }
    match kind {
        "print" => printed,
        "verify" => match verify_module(&module) {
            Ok(()) => "valid\n".to_owned(),
            Err(errors) => errors.iter().map(|e| format!("{e}\n")).collect(),
        },
        "reach" => {
            let mut module = module;
            let stats = wasmir::reach::run(&mut module).expect("raw bodies can be read");
            format!("{stats:?}\n{}", print_module(&module))
        }
        "frame" | "memory" | "branch" | "dce" | "fold" | "pipeline" | "front-end" => {
            let mut module = module;
            verify_module(&module).expect("a valid module");
            let stats = pass(kind, &mut module);
            let errors = verify_module(&module).err().unwrap_or_default();
            let errors: String = errors.iter().map(|e| format!("invalid: {e}\n")).collect();
            format!("{stats}\n{}{errors}", print_module(&module))
        }
        "error" => "no error\n".to_owned(),
        _ => panic!("unknown kind of test `{kind}`"),
    }
}

/// Runs a pass and says what it did.
fn pass(name: &str, module: &mut Module) -> String {
    match name {
        "frame" => {
            let made = passes::pipeline::run(module, &passes::pipeline::Options::FRAMES);
            format!("{:?}", made.frames)
        }
        "fold" => format!("{:?}", passes::fold::run(module)),
        "pipeline" => format!("{:?}", passes::pipeline::run(module, &Default::default())),
        "front-end" => {
            let options = passes::pipeline::Options::FRONT_END;
            format!("{:?}", passes::pipeline::run(module, &options))
        }
        "memory" => each(module, passes::memory::run),
        "branch" => each(module, passes::branch::run),
        _ => each(module, passes::dce::run),
    }
}

/// Runs a pass on each body.
fn each<S: std::fmt::Debug>(module: &mut Module, mut run: impl FnMut(&mut Body) -> S) -> String {
    let bodies = module.funcs.values_mut();
    let made: Vec<S> = bodies
        .filter_map(|func| match &mut func.body {
            FuncBody::Ir(body) => Some(run(body)),
            _ => None,
        })
        .collect();
    format!("{made:?}")
}

/// Links the modules of a file, each of which begins with its `wasmir` line, and lays out the result if so wanted.
fn link(text: &str, layout: bool) -> String {
    let modules = text.split("wasmir 1\n").skip(1).map(|module| {
        let module = parse_module(&format!("wasmir 1\n{module}")).expect("a module");
        verify_module(&module).expect("a valid module");
        module
    });
    match wasmir::link(modules.collect()) {
        Ok(mut module) => {
            if layout && let Err(error) = wasmir::layout::run(&mut module, &Default::default()) {
                return format!("error: {error}\n");
            }
            let errors = verify_module(&module).err().unwrap_or_default();
            let errors: String = errors.iter().map(|e| format!("invalid: {e}\n")).collect();
            format!("{}{errors}", print_module(&module))
        }
        Err(errors) => errors.iter().map(|e| format!("error: {e}\n")).collect(),
    }
}

fn files(dir: &Path, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).expect("the folder of filetests can be read") {
        let path = entry.expect("an entry can be read").path();
        if path.is_dir() {
            files(&path, out);
        } else if path.extension().is_some_and(|e| e == "wir") {
            out.push(path);
        }
    }
}

#[test]
fn filetests() {
    let mut paths = Vec::new();
    files(
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/filetests")),
        &mut paths,
    );
    paths.sort();
    assert!(!paths.is_empty());
    let bless = std::env::var_os("BLESS").is_some();
    let mut failures = String::new();
    for path in paths {
        let file = std::fs::read_to_string(&path).expect("a filetest can be read");
        let input: String =
            file.lines()
                .filter(|l| !l.starts_with(";="))
                .fold(String::new(), |mut all, line| {
                    all.push_str(line);
                    all.push('\n');
                    all
                });
        let expected: Vec<&str> = file.lines().filter_map(|l| l.strip_prefix(";=")).collect();
        let kind = input.lines().find_map(|l| l.strip_prefix("; test: "));
        let kind = kind.unwrap_or_else(|| panic!("{} has no `; test:` line", path.display()));
        let actual = outcome(kind.trim(), &input);
        let lines: Vec<String> = actual
            .lines()
            .map(|l| {
                if l.is_empty() {
                    String::new()
                } else {
                    format!(" {l}")
                }
            })
            .collect();
        if lines == expected {
            continue;
        }
        if bless {
            let mut text = input.clone();
            for line in &lines {
                writeln!(text, ";={line}").expect("writing to a string");
            }
            std::fs::write(&path, text).expect("a filetest can be written");
        } else {
            writeln!(failures, "{}:\n{actual}", path.display()).expect("writing to a string");
        }
    }
    assert!(
        failures.is_empty(),
        "outcomes differ (BLESS=1 accepts them):\n{failures}"
    );
}
