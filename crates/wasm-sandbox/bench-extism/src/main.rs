//! wasm-sandbox against Extism: the same guest work, measured in one run, the two sides interleaved.
//!
//! Prints a table of medians and ratios; `--check` ends with status 1 unless wasm-sandbox is faster on
//! every row.
//!
//! Both systems keep their defaults. For wasm-sandbox these include a deadline, a memory budget and a
//! table budget; the Extism side has no limits, which can only make it faster.

mod guests;
#[path = "../../benches/harness/mod.rs"]
mod harness;

use std::error::Error;
use std::hint::black_box;

use extism::convert::Json;
use extism::{CompiledPlugin, Manifest, Plugin, PluginBuilder, Wasm};
use harness::compare;
use serde::{Deserialize, Serialize};
use wasm_sandbox::{
    Capabilities, ResourceLimits, RuntimeConfig, WasmInstance, WasmInstanceExt, create_runtime,
};

#[derive(Serialize, Deserialize)]
struct Text {
    text: String,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Count {
    count: u32,
}

/// Faster, on every row.
const BOUND: f64 = 1.0;

fn main() -> Result<(), Box<dyn Error>> {
    let wasm = wat::parse_str(guests::extism())?;
    let manifest = Manifest::new([Wasm::data(wasm)]);
    let compiled = CompiledPlugin::new(PluginBuilder::new(manifest).with_cache_disabled())?;
    let mut plugin = Plugin::new_from_compiled(&compiled)?;

    let runtime = create_runtime(&RuntimeConfig::default())?;
    let module = runtime.load_module(&wat::parse_str(guests::messages())?)?;
    let create = || {
        runtime.create_instance(
            module.as_ref(),
            ResourceLimits::default(),
            Capabilities::minimal(),
        )
    };
    let instance: Box<dyn WasmInstance> = create()?;
    let executor = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;

    // The same work has the same answers.
    let text = Text {
        text: "The quick brown fox jumps over the lazy dog".repeat(3),
    };
    let Json(theirs): Json<Count> = plugin.call("vowels", Json(&text))?;
    let ours: Count = executor.block_on(instance.call_function("vowels", &text))?;
    assert_eq!(theirs, ours);
    assert_eq!(ours, Count { count: 33 });

    let mut rows = Vec::from_iter(compare(
        "create and drop an instance",
        BOUND,
        20,
        || {
            drop(black_box(
                Plugin::new_from_compiled(&compiled).expect("made"),
            ))
        },
        || drop(black_box(create().expect("made"))),
    ));
    for (name, len, count) in [
        ("echo of 16 bytes", 16, 2_000),
        ("echo of 4 KiB", 4 << 10, 200),
        ("echo of 1 MiB", 1 << 20, 2),
    ] {
        let payload: Vec<u8> = (0..len).map(|index| index as u8).collect();
        let theirs: Vec<u8> = plugin.call("echo", payload.as_slice())?;
        let ours = executor.block_on(instance.call_function_bytes_async("echo", &payload))?;
        assert!(
            theirs == payload && ours == payload,
            "an echo is what was said"
        );
        rows.extend(compare(
            name,
            BOUND,
            count,
            || {
                let answer: Vec<u8> = plugin.call("echo", payload.as_slice()).expect("echoes");
                black_box(answer);
            },
            || {
                let call = instance.call_function_bytes_async("echo", &payload);
                black_box(executor.block_on(call).expect("echoes"));
            },
        ));
    }
    for (name, repeat, count) in [
        ("JSON in and out, 60 bytes of text", 1, 2_000),
        ("JSON in and out, 60 KB of text", 1_000, 20),
    ] {
        let text = Text {
            text: "Sphinx of black quartz, judge my vow; five boxing wizards do".repeat(repeat),
        };
        rows.extend(compare(
            name,
            BOUND,
            count,
            || {
                let answer: Json<Count> = plugin.call("vowels", Json(&text)).expect("counts");
                black_box(answer.0);
            },
            || {
                let call = instance.call_function::<_, Count>("vowels", &text);
                black_box(executor.block_on(call).expect("counts"));
            },
        ));
    }

    if !harness::print("Extism", &rows) && harness::checks() {
        std::process::exit(1);
    }
    Ok(())
}
