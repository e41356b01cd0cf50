//! Writes what the fuzz targets start from into `FOLDER/TARGET/`: one small input of each shape.

use std::{env, error::Error, fs, path::Path};

use libfuzzer_sys as _;

/// Modules that exercise what a host looks at: imports, memories, tables, start functions, sections.
const MODULES: [&str; 6] = [
    r#"(module (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))"#,
    r#"(module (memory (export "memory") 1) (data (i32.const 8) "data") (func (export "grow") (param i32)
        (result i32) (memory.grow (local.get 0))))"#,
    r#"(module (table 2 funcref) (elem (i32.const 0) $f) (func $f (export "f") (param i32 i32)
        (call_indirect (i32.const 1))))"#,
    r#"(module (global (mut i64) (i64.const 1)) (func $s (loop (br 0))) (start $s))"#,
    r#"(module (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1) (func (export "f") (param f64) (result f64) (f64.sqrt (local.get 0))))"#,
    r#"(component (core module $m (func (export "f") (param i32) (result i32) (local.get 0)))
        (core instance $i (instantiate $m))
        (func (export "f") (param "x" u32) (result u32) (canon lift (core func $i "f"))))"#,
];

/// Arguments of the function `make`, by name and in order.
const MESSAGES: [&[u8]; 3] = [
    b"\x91\xc4\x03abc",
    b"\x81\xa5bytes\xc4\x03abc",
    b"\x91\x93\x01\x02\x03",
];

const JSON: &str = r#"{"a-list":[1,-1],"maybe":"text","one-of":{"some":"x"},"either":{"ok":7},
    "set":["x","y-z"],"pair":[true,1.5]}"#;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = env::args_os().nth(1).ok_or("usage: seeds FOLDER")?;
    let write = |target: &str, number: usize, bytes: &[u8]| -> Result<(), Box<dyn Error>> {
        let target = Path::new(&folder).join(target);
        fs::create_dir_all(&target)?;
        Ok(fs::write(target.join(number.to_string()), bytes)?)
    };
    for (number, text) in MODULES.into_iter().enumerate() {
        write("module", number, &wat::parse_str(text)?)?;
    }
    for (number, message) in MESSAGES.into_iter().enumerate() {
        write("msgpack", number, message)?;
    }
    write("json", 0, JSON.as_bytes())?;
    write("section", 0, b"echo=json\nsum=msgpack\nraw=raw\n")?;
    write(
        "section",
        1,
        &wat::parse_str(r#"(module (@custom "wasm-memory.messages" "echo=raw\n"))"#)?,
    )?;
    write("frame", 0, b"\x00\x92\x01\xa4text")?;
    // A record whose pointers lead into itself, and one of nothing.
    let words = (0..64u32).flat_map(|word| (32_768 + word * 4).to_le_bytes());
    write("lift", 0, &words.collect::<Vec<u8>>())?;
    write("lift", 1, &[0; 128])
}
