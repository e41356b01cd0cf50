//! Turns what a call into the guest failed with into the guest's exit or an account of where and why it stopped.

use wasmtime::{AsContext, Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;

use super::{Outcome, host::Host};
use crate::{
    error::Error,
    options::Options,
    report::{Frame, Stop, TrapReport},
};

/// How a call that did not return ended.
pub(super) fn explain(
    error: &wasmtime::Error,
    store: impl AsContext<Data = Host>,
    options: &Options,
) -> Result<Outcome, Error> {
    if let Some(I32Exit(code)) = error.downcast_ref() {
        return Ok(Outcome::Exited(*code));
    }
    let limits = &options.limits;
    let stop = match (error.downcast_ref::<Trap>(), limits.fuel, limits.timeout) {
        (Some(Trap::OutOfFuel), Some(fuel), _) => Stop::OutOfFuel(fuel),
        (Some(Trap::Interrupt), _, Some(limit)) => Stop::TimedOut(limit),
        // The chain holds the backtrace as one of its links; the other links are the reason.
        _ => Stop::Trap(reason(error)),
    };
    let frames = error
        .downcast_ref::<WasmBacktrace>()
        .map(frames)
        .unwrap_or_default();
    Err(Error::Stopped(Box::new(TrapReport {
        stop,
        frames,
        memory_refused: store.as_context().data().memory.refused(),
    })))
}

fn reason(error: &wasmtime::Error) -> String {
    let backtrace = error
        .downcast_ref::<WasmBacktrace>()
        .map(ToString::to_string);
    let mut links: Vec<String> = error
        .chain()
        .map(ToString::to_string)
        .filter(|link| Some(link) != backtrace.as_ref())
        .map(|link| {
            link.strip_prefix("wasm trap: ")
                .map_or(link.clone(), str::to_owned)
        })
        .collect();
    links.dedup();
    // The innermost link says what happened, the others where.
    links.reverse();
    links.join(": ")
}

fn frames(backtrace: &WasmBacktrace) -> Vec<Frame> {
    let mut frames = Vec::new();
    for frame in backtrace.frames() {
        let own_name = || match frame.func_name() {
            Some(name) => demangle(name),
            None => format!("<function {}>", frame.func_index()),
        };
        if frame.symbols().is_empty() {
            frames.push(Frame {
                function: own_name(),
                location: None,
            });
        }
        // Inlined calls come first, as in the order of the stack.
        for symbol in frame.symbols() {
            let location = symbol.file().map(|file| {
                let mut location = file.to_owned();
                for part in [symbol.line(), symbol.column()].into_iter().flatten() {
                    location.push_str(&format!(":{part}"));
                }
                location
            });
            frames.push(Frame {
                function: symbol.name().map_or_else(own_name, demangle),
                location,
            });
        }
    }
    frames
}

/// A Rust name without mangling and hash; other names as they are.
fn demangle(name: &str) -> String {
    format!("{:#}", rustc_demangle::demangle(name))
}
