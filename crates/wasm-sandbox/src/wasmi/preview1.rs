//! WASI preview 1 for the interpreter: arguments, environment, clocks, random numbers, standard
//! streams and exit. There are no directories and no sockets (they cannot be granted), so every other
//! function answers `ENOSYS`, which preview 1 provides for.
//!
//! # Invariants
//!
//! Every pointer is checked before it is used; a bad one answers `EFAULT`. Nothing allocates more than
//! the guest's memory holds.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use wasmi::{Caller, Extern, FuncType, Memory, Val, ValType};

use super::instance::{State, Stop};
use crate::{Capabilities, Clocks, Error, Output, Random, Stdin, Stdio};

/// The interface's name.
pub(super) const MODULE: &str = "wasi_snapshot_preview1";

const SUCCESS: i32 = 0;
const EBADF: i32 = 8;
const EFAULT: i32 = 21;
const EINVAL: i32 = 28;
const ENOSYS: i32 = 52;
const EPIPE: i32 = 64;
const ESPIPE: i32 = 70;

/// One instance's preview 1.
#[derive(Debug)]
pub(super) struct Preview1 {
    args: Vec<Vec<u8>>,
    env: Vec<Vec<u8>>,
    stdin: Vec<u8>,
    stdin_at: usize,
    out: [Sink; 2],
    clocks: Clocks,
    started: Instant,
    random: Source,
}

#[derive(Debug)]
struct Sink {
    kind: Stdio,
    is_error: bool,
    bytes: Vec<u8>,
    limit: usize,
    closed: bool,
}

#[derive(Debug)]
enum Source {
    Seeded(u64),
    System,
}

impl Preview1 {
    pub(super) fn new(capabilities: &Capabilities, output_bytes: usize) -> Self {
        let sink = |kind, is_error| Sink {
            kind,
            is_error,
            bytes: Vec::new(),
            limit: output_bytes,
            closed: false,
        };
        let env = capabilities
            .environment()
            .into_iter()
            .map(|(name, value)| format!("{name}={value}").into_bytes());
        Self {
            args: capabilities
                .args
                .iter()
                .map(|arg| arg.clone().into_bytes())
                .collect(),
            env: env.collect(),
            stdin: match &capabilities.stdin {
                Stdin::Bytes(bytes) => bytes.clone(),
                // Refused at creation.
                Stdin::Inherit => Vec::new(),
            },
            stdin_at: 0,
            out: [
                sink(capabilities.stdout, false),
                sink(capabilities.stderr, true),
            ],
            clocks: capabilities.clocks,
            started: Instant::now(),
            random: match capabilities.random {
                Random::Seeded(seed) => Source::Seeded(seed),
                Random::System => Source::System,
            },
        }
    }

    pub(super) fn output(&self) -> Output {
        let [stdout, stderr] = &self.out;
        Output {
            stdout: stdout.bytes.clone(),
            stderr: stderr.bytes.clone(),
            full: self
                .out
                .iter()
                .any(|sink| sink.kind == Stdio::Capture && sink.bytes.len() >= sink.limit),
        }
    }
}

/// A function of the interface.
#[derive(Clone, Copy, Debug)]
pub(super) enum Function {
    ArgsGet,
    ArgsSizesGet,
    EnvironGet,
    EnvironSizesGet,
    ClockTimeGet,
    ClockResGet,
    RandomGet,
    FdWrite,
    FdRead,
    FdClose,
    FdSeek,
    FdFdstatGet,
    FdPrestat,
    SchedYield,
    ProcExit,
    /// Any other function that answers with an error number.
    Unsupported,
}

impl Function {
    /// The function of this name, provided that it has the type it must have.
    pub(super) fn named(name: &str, ty: &FuncType) -> Option<Self> {
        use ValType::{I32, I64};
        let (function, params): (_, &[ValType]) = match name {
            "args_get" => (Self::ArgsGet, &[I32, I32]),
            "args_sizes_get" => (Self::ArgsSizesGet, &[I32, I32]),
            "environ_get" => (Self::EnvironGet, &[I32, I32]),
            "environ_sizes_get" => (Self::EnvironSizesGet, &[I32, I32]),
            "clock_time_get" => (Self::ClockTimeGet, &[I32, I64, I32]),
            "clock_res_get" => (Self::ClockResGet, &[I32, I32]),
            "random_get" => (Self::RandomGet, &[I32, I32]),
            "fd_write" => (Self::FdWrite, &[I32, I32, I32, I32]),
            "fd_read" => (Self::FdRead, &[I32, I32, I32, I32]),
            "fd_close" => (Self::FdClose, &[I32]),
            "fd_seek" => (Self::FdSeek, &[I32, I64, I32, I32]),
            "fd_fdstat_get" => (Self::FdFdstatGet, &[I32, I32]),
            "fd_prestat_get" => (Self::FdPrestat, &[I32, I32]),
            "fd_prestat_dir_name" => (Self::FdPrestat, &[I32, I32, I32]),
            "sched_yield" => (Self::SchedYield, &[]),
            "proc_exit" => {
                return (ty.params() == [I32] && ty.results().is_empty()).then_some(Self::ProcExit);
            }
            _ => return (ty.results() == [I32]).then_some(Self::Unsupported),
        };
        (ty.params() == params && ty.results() == [I32]).then_some(function)
    }
}

/// A failure of a preview-1 function: an error number for the guest, or the end of the call.
enum Failure {
    Errno(i32),
    Stop(Error),
}

type Outcome<T = ()> = Result<T, Failure>;

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Stop(error)
    }
}

/// Calls a function for the guest.
pub(super) fn call(
    function: Function,
    mut caller: Caller<'_, State>,
    params: &[Val],
    results: &mut [Val],
) -> Result<(), wasmi::Error> {
    let stop = |error| Err(wasmi::Error::host(Stop::because(error)));
    if let Err(error) = caller.data_mut().count_host_call() {
        return stop(error);
    }
    let errno = match run(function, &mut caller, params) {
        Ok(()) => SUCCESS,
        Err(Failure::Errno(errno)) => errno,
        Err(Failure::Stop(error)) => return stop(error),
    };
    if let [slot] = results {
        *slot = Val::I32(errno);
    }
    Ok(())
}

fn word(params: &[Val], index: usize) -> u32 {
    match params.get(index) {
        Some(Val::I32(number)) => number.cast_unsigned(),
        _ => 0,
    }
}

/// The guest's memory, with every access checked.
struct Guest<'a> {
    bytes: &'a mut [u8],
}

impl Guest<'_> {
    fn slice(&mut self, ptr: u32, len: u32) -> Outcome<&mut [u8]> {
        let range = wasm_memory::Region { ptr, len }
            .within(self.bytes.len())
            .map_err(|_| Failure::Errno(EFAULT))?;
        Ok(&mut self.bytes[range])
    }

    fn write(&mut self, ptr: u32, bytes: &[u8]) -> Outcome {
        let len = u32::try_from(bytes.len()).map_err(|_| Failure::Errno(EINVAL))?;
        self.slice(ptr, len)?.copy_from_slice(bytes);
        Ok(())
    }

    fn read_u32(&mut self, ptr: u32) -> Outcome<u32> {
        let bytes = self.slice(ptr, 4)?;
        Ok(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    /// The regions of an array of (pointer, length) pairs, which are read one by one.
    fn vector(&mut self, ptr: u32, index: u32) -> Outcome<(u32, u32)> {
        let at = index
            .checked_mul(8)
            .and_then(|offset| ptr.checked_add(offset))
            .ok_or(Failure::Errno(EFAULT))?;
        let second = at.checked_add(4).ok_or(Failure::Errno(EFAULT))?;
        Ok((self.read_u32(at)?, self.read_u32(second)?))
    }

    /// Writes strings with `\0` behind each, and an array of pointers to them.
    fn strings(&mut self, strings: &[Vec<u8>], pointers: u32, mut buffer: u32) -> Outcome {
        let mut pointer = pointers;
        for string in strings {
            self.write(pointer, &buffer.to_le_bytes())?;
            pointer = pointer.checked_add(4).ok_or(Failure::Errno(EFAULT))?;
            self.write(buffer, string)?;
            buffer = buffer
                .checked_add(string.len() as u32)
                .ok_or(Failure::Errno(EFAULT))?;
            self.write(buffer, &[0])?;
            buffer = buffer.checked_add(1).ok_or(Failure::Errno(EFAULT))?;
        }
        Ok(())
    }
}

fn run(function: Function, caller: &mut Caller<'_, State>, params: &[Val]) -> Outcome {
    match function {
        Function::ProcExit => {
            let status = word(params, 0).cast_signed();
            return Err(Failure::Stop(Error::Exit { status }));
        }
        Function::Unsupported => return Err(Failure::Errno(ENOSYS)),
        Function::SchedYield => return Ok(()),
        Function::FdPrestat => return Err(Failure::Errno(EBADF)),
        _ => {}
    }
    let memory: Memory = caller
        .get_export(wasm_memory::MEMORY_EXPORT)
        .and_then(Extern::into_memory)
        .ok_or(Failure::Stop(Error::NoMemory))?;
    let (bytes, state) = memory.data_and_store_mut(&mut *caller);
    let mut guest = Guest { bytes };
    let wasi = &mut state.preview1;
    let (a, b, c, d) = (
        word(params, 0),
        word(params, 1),
        word(params, 2),
        word(params, 3),
    );
    let sizes = |guest: &mut Guest<'_>, strings: &[Vec<u8>]| {
        let total: usize = strings.iter().map(|string| string.len() + 1).sum();
        guest.write(a, &(strings.len() as u32).to_le_bytes())?;
        guest.write(b, &(total as u32).to_le_bytes())
    };
    match function {
        Function::ArgsGet => guest.strings(&wasi.args, a, b),
        Function::EnvironGet => guest.strings(&wasi.env, a, b),
        Function::ArgsSizesGet => sizes(&mut guest, &wasi.args),
        Function::EnvironSizesGet => sizes(&mut guest, &wasi.env),
        Function::ClockResGet => guest.write(b, &1_000u64.to_le_bytes()),
        Function::ClockTimeGet => {
            let since = match (wasi.clocks, a) {
                (_, 2..) => return Err(Failure::Errno(EINVAL)),
                (Clocks::Frozen, _) => std::time::Duration::ZERO,
                (Clocks::System, 0) => SystemTime::now()
                    .duration_since(UNIX_EPOCH)
                    .unwrap_or_default(),
                (Clocks::System, _) => wasi.started.elapsed(),
            };
            let nanos = u64::try_from(since.as_nanos()).unwrap_or(u64::MAX);
            guest.write(c, &nanos.to_le_bytes())
        }
        Function::RandomGet => {
            let target = guest.slice(a, b)?;
            match &mut wasi.random {
                Source::Seeded(state) => {
                    for chunk in target.chunks_mut(8) {
                        chunk.copy_from_slice(
                            &crate::random::split_mix(state).to_le_bytes()[..chunk.len()],
                        );
                    }
                    Ok(())
                }
                Source::System => crate::random::fill(target).map_err(Failure::from),
            }
        }
        Function::FdWrite => {
            let sink = match a {
                1 | 2 => &mut wasi.out[a as usize - 1],
                _ => return Err(Failure::Errno(EBADF)),
            };
            let mut written = 0u32;
            for index in 0..c {
                let (ptr, len) = guest.vector(b, index)?;
                let accepted = sink.write(guest.slice(ptr, len)?)?;
                written = written.saturating_add(accepted);
                if accepted < len {
                    break;
                }
            }
            guest.write(d, &written.to_le_bytes())
        }
        Function::FdRead => {
            if a != 0 {
                return Err(Failure::Errno(EBADF));
            }
            let mut read = 0u32;
            for index in 0..c {
                let (ptr, len) = guest.vector(b, index)?;
                let rest = &wasi.stdin[wasi.stdin_at..];
                let taken = rest.len().min(len as usize);
                guest.slice(ptr, len)?[..taken].copy_from_slice(&rest[..taken]);
                wasi.stdin_at += taken;
                read += taken as u32;
                if taken < len as usize {
                    break;
                }
            }
            guest.write(d, &read.to_le_bytes())
        }
        Function::FdClose => match a {
            0 => Ok(()),
            1 | 2 => {
                wasi.out[a as usize - 1].closed = true;
                Ok(())
            }
            _ => Err(Failure::Errno(EBADF)),
        },
        Function::FdSeek => Err(Failure::Errno(if a <= 2 { ESPIPE } else { EBADF })),
        Function::FdFdstatGet => {
            if a > 2 {
                return Err(Failure::Errno(EBADF));
            }
            // A character device (2) that can be read or written.
            let rights: u64 = if a == 0 { 1 << 1 } else { 1 << 6 };
            let mut stat = [0u8; 24];
            stat[0] = 2;
            stat[8..16].copy_from_slice(&rights.to_le_bytes());
            guest.write(b, &stat)
        }
        Function::ProcExit | Function::Unsupported | Function::SchedYield | Function::FdPrestat => {
            Err(Failure::Errno(ENOSYS))
        }
    }
}

impl Sink {
    /// Takes what fits; a full or closed sink is a broken pipe.
    fn write(&mut self, bytes: &[u8]) -> Outcome<u32> {
        use std::io::Write as _;
        if self.closed {
            return Err(Failure::Errno(EBADF));
        }
        let accepted = match self.kind {
            Stdio::Null => bytes.len(),
            Stdio::Inherit => {
                let written = if self.is_error {
                    std::io::stderr().write(bytes)
                } else {
                    std::io::stdout().write(bytes)
                };
                written.map_err(|_| Failure::Errno(EPIPE))?
            }
            Stdio::Capture => {
                let room = self.limit.saturating_sub(self.bytes.len());
                if room == 0 && !bytes.is_empty() {
                    return Err(Failure::Errno(EPIPE));
                }
                let accepted = room.min(bytes.len());
                self.bytes.extend_from_slice(&bytes[..accepted]);
                accepted
            }
        };
        Ok(accepted as u32)
    }
}
