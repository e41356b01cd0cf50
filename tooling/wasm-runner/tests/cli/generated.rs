//! Programs nobody wrote: generated modules under every limit, and damaged components. Whatever they are, the runner ends in time with
//! an outcome or an error, never by a panic. Seeds are fixed, so a failure repeats.

use std::time::{Duration, Instant};

use crate::support::Workshop;
use arbitrary::Unstructured;
use wasm_runner::{Action, Error, ExportList, Limits, Options, Outcome, run};
use wasm_smith::{Config, Module};

/// A generator of bytes, the same on every machine (xorshift64).
struct Bytes(u64);

impl Bytes {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn take(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next().to_le_bytes()[3]).collect()
    }
}

fn limited(file: std::path::PathBuf) -> Options {
    let mut options = Options::new(file);
    options.cache = false;
    options.limits = Limits {
        fuel: Some(100_000),
        timeout: Some(Duration::from_secs(10)),
        max_memory: Some(64 << 20),
    };
    options
}

/// What can be called, as the runner itself tells it; nothing when the engine lacks a feature the module uses.
fn exports(options: &Options) -> Vec<String> {
    match run(options) {
        Err(Error::NoFunction {
            exports: ExportList(exports),
            ..
        }) => exports,
        Err(Error::Invalid { .. }) => Vec::new(),
        other => panic!("a library without a function to call gave {other:?}"),
    }
}

/// A call of the function described by `name: func(types) -> …`, when all types have a text form.
fn call(description: &str) -> Option<Vec<String>> {
    let (name, ty) = description.rsplit_once(": func(")?;
    let (parameters, _) = ty.split_once(')')?;
    let mut words = vec![name.to_owned()];
    for parameter in parameters
        .split(", ")
        .filter(|parameter| !parameter.is_empty())
    {
        words.push(match parameter {
            "i32" | "i64" => "-1".to_owned(),
            "f32" | "f64" => "1.5".to_owned(),
            "v128" => "(1, -1)".to_owned(),
            _ => return None,
        });
    }
    Some(words)
}

#[test]
fn generated_modules_end() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("generated.wasm");
    let config = Config {
        max_imports: 0,
        export_everything: true,
        allow_start_export: true,
        gc_enabled: false,
        exceptions_enabled: false,
        memory64_enabled: false,
        compact_imports_enabled: false,
        custom_page_sizes_enabled: false,
        wide_arithmetic_enabled: false,
        shared_everything_threads_enabled: false,
        threads_enabled: false,
        max_memory32_bytes: 1 << 32,
        min_funcs: 2,
        ..Config::default()
    };
    let mut bytes = Bytes(0x5eed_0001);
    let (mut returned, mut stopped) = (0, 0);
    for seed in 0..40 {
        let data = bytes.take(4096);
        let Ok(module) = Module::new(config.clone(), &mut Unstructured::new(&data)) else {
            continue;
        };
        std::fs::write(&file, module.to_bytes()).expect("a writable folder");
        let mut options = limited(file.clone());
        for description in exports(&options).iter().take(4) {
            let Some(words) = call(description) else {
                continue;
            };
            let start = Instant::now();
            options.action = Action::Run(words);
            match run(&options) {
                Ok(Outcome::Returned(_) | Outcome::Exited(_)) => returned += 1,
                Err(Error::Stopped(_)) => stopped += 1,
                // Too much memory or a table from the start; a result that is a reference.
                Err(Error::Start { .. } | Error::Unsupported(_)) => {}
                Err(error) => panic!(
                    "seed {seed}, `{description}`: {error}\n{}",
                    error.details(true)
                ),
            }
            assert!(
                start.elapsed() < Duration::from_secs(60),
                "seed {seed}, `{description}`"
            );
        }
    }
    // The test is about something: modules ran, and some did not stop by themselves.
    assert!(
        returned > 5 && stopped > 5,
        "{returned} calls returned, {stopped} were stopped"
    );
}

#[test]
fn damaged_components_are_refused_or_run() {
    let workshop = Workshop::new();
    let sound = std::fs::read(workshop.path("library.wasm")).expect("a program");
    let mut bytes = Bytes(0x5eed_0002);
    let (mut refused, mut ran) = (0, 0);
    for _ in 0..150 {
        let mut damaged = sound.clone();
        for _ in 0..=bytes.next() % 3 {
            let at = bytes.next() as usize % damaged.len();
            match bytes.next() % 3 {
                0 => damaged[at] ^= 1 << (bytes.next() % 8),
                1 => damaged[at] = bytes.next() as u8,
                _ => damaged.truncate(at.max(8)),
            }
        }
        workshop.write("damaged.wasm", &damaged);
        let mut options = limited(workshop.path("damaged.wasm"));
        options.action = Action::Invoke("greet(\"you\")".to_owned());
        match run(&options) {
            Ok(_) => ran += 1,
            Err(Error::Internal(what)) => panic!("{what}"),
            Err(error) => {
                refused += 1;
                assert!(!error.to_string().is_empty());
            }
        }
    }
    assert!(refused > 50 && ran > 5, "{refused} refused, {ran} ran");
}
