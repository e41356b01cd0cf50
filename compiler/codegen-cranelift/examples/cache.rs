//! What the cache of finished bodies saves: emits a module without it, with an empty one and with a full one, several
//! times, and prints the median time in milliseconds.
//!
//! ```sh
//! cargo run --release -p codegen-cranelift --example cache -- app.wasm
//! ```

use codegen_cranelift::{Cache, Options, emit_module};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use wasmir::Module;
use wasmir::passes::pipeline;

const ROUNDS: usize = 7;

fn emit(module: &Module, folder: Option<&Path>) -> (Vec<u8>, Duration) {
    let start = Instant::now();
    let cache = folder.map(|folder| Arc::new(Cache::open(folder, 256 << 20)));
    let options = Options {
        cache: cache.clone(),
        ..Options::default()
    };
    let bytes = emit_module(module, &options).expect("the module is emitted");
    if let Some(cache) = cache {
        cache.save().expect("the folder can be written");
        eprintln!("{:?}", cache.stats());
    }
    (bytes, start.elapsed())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("usage: cache MODULE")?;
    // One thread, so that wall time is the processor's time on a machine that is not too busy.
    rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build_global()?;
    let mut module = wasmir_lift::lift(&std::fs::read(path)?)?;
    wasmir::reach::run(&mut module)?;
    wasmir_lift::lift_bodies(&mut module).map_err(|(_, error)| error)?;
    pipeline::run(&mut module, &pipeline::Options::default());
    wasmir::reach::run(&mut module)?;
    let folder = std::env::temp_dir().join(format!("wasmir-cache-{}", std::process::id()));
    let mut times: [Vec<Duration>; 3] = Default::default();
    for _ in 0..ROUNDS {
        let (plain, without) = emit(&module, None);
        let (cold_bytes, cold) = emit(&module, Some(&folder));
        let (warm_bytes, warm) = emit(&module, Some(&folder));
        assert!(
            plain == cold_bytes && plain == warm_bytes,
            "the cache shows"
        );
        for (list, time) in times.iter_mut().zip([without, cold, warm]) {
            list.push(time);
        }
        std::fs::remove_dir_all(&folder)?;
    }
    for (name, mut list) in ["without", "empty", "full"].into_iter().zip(times) {
        list.sort();
        let spread = list[ROUNDS - 1].as_secs_f64() / list[0].as_secs_f64();
        let median = list[ROUNDS / 2].as_secs_f64() * 1e3;
        println!("{name:8} {median:8.1} ms, slowest / fastest {spread:.2}");
    }
    Ok(())
}
