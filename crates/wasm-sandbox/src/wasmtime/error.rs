//! Sorting wasmtime's errors into ours.

use wasmtime::{FrameInfo, WasmBacktrace};

use crate::{Backtrace, Error, Frame, Limit, SourceLine, Trap};

/// Why one of our own callbacks ended the guest; travels through wasmtime as the error's cause.
#[derive(Debug)]
pub(super) struct Stop(pub(super) std::sync::Mutex<Option<Error>>);

impl Stop {
    pub(super) fn because(error: Error) -> wasmtime::Error {
        wasmtime::Error::new(Self(std::sync::Mutex::new(Some(error))))
    }
}

impl std::fmt::Display for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("stopped by the sandbox")
    }
}

impl std::error::Error for Stop {}

/// What ended a call.
pub(super) fn classify(error: wasmtime::Error) -> Error {
    use wasmtime::Trap as T;
    if let Some(stop) = error.downcast_ref::<Stop>()
        && let Some(mut reason) = stop.0.lock().ok().and_then(|mut slot| slot.take())
    {
        if let Error::LimitExceeded { backtrace, .. } = &mut reason {
            *backtrace = backtrace_of(&error);
        }
        return reason;
    }
    if let Some(exit) = error.downcast_ref::<wasmtime_wasi::I32Exit>() {
        return Error::Exit { status: exit.0 };
    }
    let limit = |limit| Error::LimitExceeded {
        limit,
        backtrace: backtrace_of(&error),
    };
    let trap = match error.downcast_ref::<T>() {
        Some(T::OutOfFuel) => return limit(Limit::Fuel),
        Some(T::Interrupt) => return limit(Limit::Deadline),
        Some(T::StackOverflow) => return limit(Limit::Stack),
        Some(T::UnreachableCodeReached) => Trap::Unreachable,
        Some(T::MemoryOutOfBounds | T::HeapMisaligned) => Trap::MemoryOutOfBounds,
        Some(T::TableOutOfBounds | T::IndirectCallToNull) => Trap::TableOutOfBounds,
        Some(T::BadSignature) => Trap::BadSignature,
        Some(T::IntegerDivisionByZero) => Trap::DivisionByZero,
        Some(T::IntegerOverflow | T::BadConversionToInteger) => Trap::IntegerOverflow,
        Some(_) => Trap::Other,
        // wasmtime keeps this error's type to itself.
        None if error
            .root_cause()
            .to_string()
            .contains("fuel allocated for hostcalls") =>
        {
            return limit(Limit::ValueBytes);
        }
        // What is neither a trap nor ours comes from lifting and lowering: the guest handed over a bad
        // pointer, discriminant, character or handle.
        None => Trap::InvalidValue,
    };
    Error::Trap {
        trap,
        message: reason(&error),
        backtrace: backtrace_of(&error),
    }
}

/// What happened, in the engine's words: the chain of causes, innermost first, without the backtrace,
/// which is one of its links.
fn reason(error: &wasmtime::Error) -> String {
    let backtrace = error
        .downcast_ref::<WasmBacktrace>()
        .map(ToString::to_string);
    let mut links: Vec<String> = error
        .chain()
        .map(ToString::to_string)
        .filter(|link| Some(link) != backtrace.as_ref())
        .map(|link| match link.strip_prefix("wasm trap: ") {
            Some(rest) => rest.to_owned(),
            None => link,
        })
        .collect();
    links.dedup();
    links.reverse();
    links.join(": ")
}

/// Where the guest was.
fn backtrace_of(error: &wasmtime::Error) -> Backtrace {
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else {
        return Backtrace::default();
    };
    backtrace.frames().iter().flat_map(frames).collect()
}

/// A call and, before it, those inlined into it.
fn frames(frame: &FrameInfo) -> Vec<Frame> {
    let index = frame.func_index();
    let own_name = || frame.func_name().map(str::to_owned);
    if frame.symbols().is_empty() {
        return vec![Frame {
            index,
            function: own_name(),
            source: None,
        }];
    }
    let symbols = frame.symbols().iter();
    symbols
        .map(|symbol| Frame {
            index,
            function: symbol.name().map(str::to_owned).or_else(own_name),
            source: symbol.file().map(|file| SourceLine {
                file: file.to_owned(),
                line: symbol.line(),
                column: symbol.column(),
            }),
        })
        .collect()
}

/// What ended an instantiation.
pub(super) fn classify_instantiation(error: wasmtime::Error) -> Error {
    if error.is::<wasmtime::PoolConcurrencyLimitError>() {
        return Error::exceeded(Limit::Instances);
    }
    let is_guests = error.is::<Stop>()
        || error.is::<wasmtime::Trap>()
        || error.is::<wasmtime_wasi::I32Exit>()
        || error.is::<WasmBacktrace>();
    if is_guests {
        classify(error)
    } else {
        Error::Instantiation {
            reason: format!("{error:#}"),
        }
    }
}
