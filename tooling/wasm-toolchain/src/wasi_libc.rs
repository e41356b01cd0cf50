//! Puts wasi-libc's start files where rustc looks for them, completed with what an older libc lacks.
//!
//! std calls some functions that a distribution's wasi-libc may not have yet (threads, permissions). Programs that mention them,
//! every test program among them, would not link. So the missing ones are compiled from `wasi/stubs.rs` and joined, by a
//! relocatable link, to the start files, which are part of every program; `--gc-sections` drops what nobody calls.

use crate::error::Error;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const STUBS: &str = include_str!("../wasi/stubs.rs");

/// Functions that `wasi/stubs.rs` can stand in for.
const NAMES: [&str; 9] = [
    "chmod",
    "fchmod",
    "pthread_attr_destroy",
    "pthread_attr_init",
    "pthread_attr_setstacksize",
    "pthread_create",
    "pthread_detach",
    "pthread_join",
    "realpath",
];

/// The tools that compile and join.
pub(crate) struct Tools<'a> {
    pub(crate) rustc: &'a Path,
    pub(crate) linker: &'a Path,
    /// Holds core for `wasm32-wasip1`.
    pub(crate) sysroot: &'a Path,
}

/// Fills `into` with start files and `libc.a` from `libc`, the folder of wasi-libc.
pub(crate) fn install(libc: &Path, into: &Path, tools: &Tools<'_>) -> Result<(), Error> {
    fs::create_dir_all(into).map_err(Error::io("create", into))?;
    let archive = libc.join("libc.a");
    let bytes = fs::read(&archive).map_err(Error::io("read", &archive))?;
    let defined = defined_symbols(&bytes);
    let missing: Vec<&str> = NAMES
        .into_iter()
        .filter(|name| !defined.contains(name.as_bytes()))
        .collect();
    let to = into.join("libc.a");
    fs::write(&to, &bytes).map_err(Error::io("write", to))?;
    let stubs = if missing.is_empty() {
        None
    } else {
        Some(compile(&missing, into, tools)?)
    };
    for name in ["crt1-command.o", "crt1-reactor.o"] {
        let (from, to) = (libc.join(name), into.join(name));
        match &stubs {
            _ if !from.is_file() => {}
            Some(stubs) => {
                let mut join = Command::new(tools.linker);
                // The first word tells an `lld` of any name which one it is; `wasm-ld` accepts it too.
                join.args(["-flavor", "wasm", "-r"])
                    .arg(&from)
                    .arg(stubs)
                    .arg("-o")
                    .arg(&to);
                run(join)?;
            }
            None => {
                fs::copy(&from, &to).map_err(Error::io("write", to))?;
            }
        }
    }
    stubs.map_or(Ok(()), |stubs| {
        fs::remove_file(&stubs).map_err(Error::io("remove", stubs))
    })
}

fn compile(missing: &[&str], into: &Path, tools: &Tools<'_>) -> Result<PathBuf, Error> {
    let source = into.join("stubs.rs");
    fs::write(&source, STUBS).map_err(Error::io("write", &source))?;
    let object = into.join("stubs.o");
    let mut rustc = Command::new(tools.rustc);
    rustc
        .env("RUSTC_BOOTSTRAP", "1")
        .arg("--sysroot")
        .arg(tools.sysroot);
    rustc.args([
        "--target",
        "wasm32-wasip1",
        "--edition",
        "2024",
        "--crate-type",
        "lib",
        "--emit",
        "obj",
        "-Copt-level=2",
    ]);
    rustc.args([
        "-Ccodegen-units=1",
        "-Cpanic=abort",
        "--check-cfg=cfg(stub, values(any()))",
    ]);
    for name in missing {
        rustc.arg("--cfg").arg(format!("stub=\"{name}\""));
    }
    rustc.arg("-o").arg(&object).arg(&source);
    run(rustc)?;
    fs::remove_file(&source).map_err(Error::io("remove", source))?;
    Ok(object)
}

fn run(mut command: Command) -> Result<(), Error> {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let line = words
        .map(|w| w.to_string_lossy().into_owned())
        .collect::<Vec<_>>()
        .join(" ");
    let status = command.stdin(Stdio::null()).status();
    let status = status.map_err(|e| Error::Command {
        command: line.clone(),
        status: None,
        source: Some(e),
    })?;
    if status.success() {
        Ok(())
    } else {
        Err(Error::Command {
            command: line,
            status: Some(status),
            source: None,
        })
    }
}

/// The names in an archive's index (System V form, as every `ar` and `ranlib` for WebAssembly writes); empty when there is none.
fn defined_symbols(archive: &[u8]) -> BTreeSet<&[u8]> {
    fn names(archive: &[u8]) -> Option<BTreeSet<&[u8]>> {
        let header = archive.strip_prefix(b"!<arch>\n")?;
        let (header, body) = header.split_at_checked(60)?;
        header.starts_with(b"/ ").then_some(())?;
        let size: usize = std::str::from_utf8(&header[48..58])
            .ok()?
            .trim()
            .parse()
            .ok()?;
        let index = body.get(..size)?;
        let (count, rest) = index.split_first_chunk::<4>()?;
        let count = usize::try_from(u32::from_be_bytes(*count)).ok()?;
        let names = rest.get(count.checked_mul(4)?..)?;
        Some(names.split(|b| *b == 0).take(count).collect())
    }
    names(archive).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(names: &[&str]) -> Vec<u8> {
        let mut index = u32::try_from(names.len()).unwrap().to_be_bytes().to_vec();
        index.extend(vec![0; 4 * names.len()]);
        for name in names {
            index.extend(name.as_bytes());
            index.push(0);
        }
        let mut bytes = b"!<arch>\n".to_vec();
        bytes.extend(
            format!(
                "{:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n",
                "/",
                0,
                0,
                0,
                0,
                index.len()
            )
            .as_bytes(),
        );
        bytes.extend(index);
        bytes
    }

    #[test]
    fn an_archives_index_is_read() {
        let bytes = archive(&["chmod", "realpath"]);
        let symbols = defined_symbols(&bytes);
        assert!(
            symbols.contains(&b"chmod"[..])
                && symbols.contains(&b"realpath"[..])
                && symbols.len() == 2
        );
    }

    #[test]
    fn a_damaged_archive_defines_nothing() {
        let bytes = archive(&["chmod"]);
        for cut in 0..bytes.len() {
            let _ = defined_symbols(&bytes[..cut]);
        }
        let mut lying = bytes.clone();
        lying[68..72].copy_from_slice(&[0xff; 4]);
        assert!(defined_symbols(&lying).is_empty());
    }

    #[test]
    fn every_stub_has_its_source() {
        for name in NAMES {
            assert!(
                STUBS.contains(&format!("#[cfg(stub = \"{name}\")]")),
                "{name}"
            );
        }
        assert_eq!(STUBS.matches("#[cfg(stub").count(), NAMES.len());
    }
}
