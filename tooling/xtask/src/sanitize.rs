//! The library `wasm`'s tests under AddressSanitizer: its unsafe code frees what it should, when it should, and stays inside.
//!
//! The tests run natively, where the library is the same but for its imports: values are lowered and lifted, lists are consumed through raw
//! parts, slices are cast, slots are taken and freed by threads. rustc's own sanitizer is used; the stable compiler has it, and wants
//! `RUSTC_BOOTSTRAP` to be told so. Leaks are not looked for: a consumer that panics leaks the rest on purpose, and the tests of the ABI count
//! their allocations themselves.
//!
//! First a program that reads freed memory has to be caught: a sanitizer that is not there would find no fault with anything.

use std::{fs, path::Path, process::Command};

use anyhow::{Context, Result, ensure};

/// The tests; those of diagnostics start compilers, and run no code of the library.
const TESTS: [&str; 7] = [
    "--lib", "--test", "abi", "--test", "linear", "--test", "shared",
];

/// Reads what it has freed.
const FAULT: &str = "fn main() {
    let pointer = Box::into_raw(Box::new(7u32));
    // SAFETY: none; this is the fault that has to be caught.
    let value = unsafe {
        drop(Box::from_raw(pointer));
        pointer.read_volatile()
    };
    println!(\"{value}\");
}
";

/// Runs the tests; whether they pass.
///
/// # Errors
/// There is no sanitizer, or Cargo cannot run.
pub fn run() -> Result<bool> {
    let folder = crate::root().join("target/sanitize");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create `{}`", folder.display()))?;
    catches(&folder)?;
    let status = sanitized(&mut Command::new(env!("CARGO")))
        .args(["test", "--package", "wasm", "--target", &host()?])
        .args(TESTS)
        .arg("--target-dir")
        .arg(&folder)
        .current_dir(crate::root())
        .env("RUSTFLAGS", "-Zsanitizer=address")
        .status()
        .context("cannot run Cargo")?;
    Ok(status.success())
}

fn sanitized(command: &mut Command) -> &mut Command {
    command
        .env("RUSTC_BOOTSTRAP", "1")
        .env("ASAN_OPTIONS", "detect_leaks=0")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("CARGO_TARGET_DIR")
}

/// The target of this machine: with one named, procedural macros and build scripts are left as they are.
fn host() -> Result<String> {
    let output = Command::new("rustc").arg("-vV").output();
    let words = output.context("cannot run `rustc`")?.stdout;
    let words = String::from_utf8_lossy(&words).into_owned();
    let host = words.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc does not say its host")?.to_owned())
}

/// Makes sure that the sanitizer finds a fault.
fn catches(folder: &Path) -> Result<()> {
    let (source, program) = (folder.join("fault.rs"), folder.join("fault"));
    fs::write(&source, FAULT)?;
    let output = sanitized(&mut Command::new("rustc"))
        .args(["--edition=2024", "-Zsanitizer=address", "-o"])
        .args([&program, &source])
        .output()
        .context("cannot run `rustc`")?;
    ensure!(
        output.status.success(),
        "the sanitizer cannot be used:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let output = sanitized(&mut Command::new(&program))
        .output()
        .with_context(|| format!("cannot run `{}`", program.display()))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        !output.status.success() && said.contains("heap-use-after-free"),
        "a read of freed memory is not caught:\n{said}"
    );
    Ok(())
}
