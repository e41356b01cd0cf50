//! The sandbox a program runs in, made from the options, and its errors in the runner's words.
//!
//! Guests are untrusted: they get what the options name and nothing else. A user who runs a program by hand can also stop it by hand,
//! so without `--timeout` compiled code carries no checks for interruption, and without `--fuel` none for fuel.

use std::{collections::BTreeMap, ffi::OsString, path::Path, time::Duration};

use wasm_sandbox::{
    Access, Capabilities, Clocks, DirectoryGrant, Error as SandboxError, Limit, ModuleKind, Random,
    ResourceLimits, RuntimeConfig, Stdin, Stdio, WasmRuntime, create_runtime,
};

use super::imports;
use crate::{
    cache,
    error::Error,
    options::Options,
    report::{Frame, Stop, TrapReport},
};

/// The stack a guest may use. Rust programs expect the eight megabytes that native main threads get.
const GUEST_STACK: usize = 8 << 20;
/// How many frames a backtrace keeps.
const MAX_FRAMES: usize = 128;
/// The most bytes that one call may answer with.
const MAX_RESULT: usize = 128 << 20;

/// How a guest ended before its function returned.
#[derive(Debug)]
pub(super) enum Ended {
    /// By itself, with this code.
    Exited(i32),
    /// By an error.
    Failed(Error),
}

impl From<Error> for Ended {
    fn from(error: Error) -> Self {
        Ended::Failed(error)
    }
}

/// The runtime for one program.
pub(super) fn runtime(options: &Options) -> Result<Box<dyn WasmRuntime>, Error> {
    let kept = options.cache.then(cache::folders).flatten();
    let (programs, functions) = match kept {
        Some(kept) => (Some(kept.programs), Some(kept.functions)),
        None => (None, None),
    };
    let config = RuntimeConfig {
        fuel_metering: options.limits.fuel.is_some(),
        interruption: options.limits.timeout.is_some(),
        tick: tick(options.limits.timeout),
        stack_bytes: GUEST_STACK,
        max_instances: 1,
        max_memory_bytes: usize::MAX,
        max_modules: 1,
        share_modules: false,
        max_module_bytes: usize::MAX,
        pooling: false,
        code_cache: programs,
        function_cache: functions,
        backtrace_frames: MAX_FRAMES,
        source_lines: true,
        ..RuntimeConfig::default()
    };
    let made = match create_runtime(&config) {
        // A user without a writable folder loses speed, not the program.
        Err(_) if config.code_cache.is_some() => create_runtime(&RuntimeConfig {
            code_cache: None,
            ..config
        }),
        made => made,
    };
    made.map_err(|error| Error::Internal(error.to_string()))
}

/// How often the guest is looked at: precise for short limits, cheap for long ones.
fn tick(timeout: Option<Duration>) -> Duration {
    let share = timeout.unwrap_or_default() / 20;
    share.clamp(Duration::from_millis(1), Duration::from_millis(100))
}

/// What the guest may use up. The time is set anew for every call, since the limit is one for all.
pub(super) fn limits(options: &Options) -> ResourceLimits {
    let memory = options.limits.max_memory.map_or(usize::MAX, |bytes| {
        usize::try_from(bytes).unwrap_or(usize::MAX)
    });
    ResourceLimits {
        memory_bytes: memory,
        table_elements: memory / size_of::<usize>(),
        fuel: options.limits.fuel,
        deadline: options.limits.timeout,
        value_bytes: MAX_RESULT,
        resources: usize::MAX,
        ..ResourceLimits::default()
    }
}

/// What the guest may reach.
pub(super) fn capabilities(options: &Options, arguments: &[String]) -> Capabilities {
    let program = options.file.file_name().unwrap_or(options.file.as_os_str());
    let mut args = vec![program.to_string_lossy().into_owned()];
    args.extend_from_slice(arguments);
    Capabilities {
        directories: options.mounts.iter().map(grant).collect(),
        env: environment(options),
        args,
        clocks: Clocks::System,
        random: Random::System,
        stdin: Stdin::Inherit,
        stdout: Stdio::Inherit,
        stderr: Stdio::Inherit,
        ..Capabilities::minimal()
    }
}

fn grant(mount: &crate::options::Mount) -> DirectoryGrant {
    DirectoryGrant {
        host: mount.host.clone(),
        guest: mount.guest.clone(),
        access: match mount.read_only {
            true => Access::ReadOnly,
            false => Access::ReadWrite,
        },
    }
}

/// The guest's variables, each name once; what was asked for by name wins over what is inherited.
fn environment(options: &Options) -> Vec<(String, String)> {
    let mut variables = BTreeMap::new();
    let unicode = |text: OsString| text.into_string().ok();
    if options.inherit_env {
        variables.extend(
            std::env::vars_os().filter_map(|(name, value)| Some((unicode(name)?, unicode(value)?))),
        );
        // Windows keeps the current folder of each drive in variables that no program can be given.
        variables.retain(|name, _| !name.contains('='));
    }
    for variable in &options.env {
        let value = variable
            .value
            .clone()
            .or_else(|| std::env::var_os(&variable.name).and_then(unicode));
        if let Some(value) = value {
            variables.insert(variable.name.clone(), value);
        }
    }
    variables.into_iter().collect()
}

/// Why a program was not loaded.
pub(super) fn load_failed(error: SandboxError, kind: ModuleKind, path: &Path) -> Error {
    let path = path.to_owned();
    match error {
        SandboxError::InvalidModule { reason } => Error::Invalid {
            path,
            detail: reason,
        },
        SandboxError::MissingImports { imports } => Error::Imports {
            path,
            problems: imports::problems(kind, &imports),
        },
        SandboxError::ImportMismatch { reason } => Error::Start {
            path,
            detail: reason,
            memory_refused: None,
        },
        // A malformed section of the memory ABI, say.
        other => Error::Invalid {
            path,
            detail: other.to_string(),
        },
    }
}

/// Why a program was not started: its own start code ended it, or the sandbox refused it.
pub(super) fn start_failed(error: SandboxError, options: &Options) -> Ended {
    let start = |detail: String, memory_refused| Error::Start {
        path: options.file.clone(),
        detail,
        memory_refused,
    };
    let max_memory = options.limits.max_memory;
    Ended::Failed(match error {
        SandboxError::InvalidCapability { capability, reason } => {
            let mut mounts = options.mounts.iter();
            match mounts.find(|mount| grant(mount).to_string() == capability) {
                Some(mount) => Error::Mount {
                    host: mount.host.clone(),
                    detail: reason,
                },
                None => start(format!("invalid {capability}: {reason}"), None),
            }
        }
        SandboxError::Instantiation { reason } => start(reason, None),
        SandboxError::LimitExceeded {
            limit: Limit::Memory,
            ..
        } => start(
            "it begins with more memory than it may have".to_owned(),
            max_memory,
        ),
        SandboxError::LimitExceeded {
            limit: Limit::Tables,
            ..
        } => start(
            "it begins with larger tables than it may have".to_owned(),
            max_memory,
        ),
        other => return call_failed(other, None, options),
    })
}

/// How a call that did not return ended. `refused` is the limit that refused memory before.
pub(super) fn call_failed(error: SandboxError, refused: Option<Limit>, options: &Options) -> Ended {
    let limits = &options.limits;
    let stop = match &error {
        SandboxError::Exit { status } => return Ended::Exited(*status),
        SandboxError::Trap { message, .. } => Stop::Trap(message.clone()),
        SandboxError::LimitExceeded { limit, .. } => match (limit, limits.fuel, limits.timeout) {
            (Limit::Fuel, Some(fuel), _) => Stop::OutOfFuel(fuel),
            (Limit::Deadline, _, Some(timeout)) => Stop::TimedOut(timeout),
            (Limit::Stack, ..) => Stop::Trap("call stack exhausted".to_owned()),
            (Limit::ValueBytes, ..) => Stop::Trap(format!(
                "its result takes more than {} MiB on the host",
                MAX_RESULT >> 20
            )),
            _ => Stop::Trap(error.to_string()),
        },
        // Parameters were checked before: what the function returns cannot leave the guest.
        SandboxError::Signature { .. } | SandboxError::Value(_) => {
            return Ended::Failed(Error::Unsupported(error.to_string()));
        }
        _ => return Ended::Failed(Error::Internal(error.to_string())),
    };
    let frames = error.backtrace().iter().map(|frame| Frame {
        function: match &frame.function {
            Some(name) => demangle(name),
            None => format!("<function {}>", frame.index),
        },
        location: frame.source.as_ref().map(ToString::to_string),
    });
    Ended::Failed(Error::Stopped(Box::new(TrapReport {
        stop,
        frames: frames.collect(),
        memory_refused: refused.and(limits.max_memory),
    })))
}

/// A Rust name without mangling and hash; other names as they are.
fn demangle(name: &str) -> String {
    format!("{:#}", rustc_demangle::demangle(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::EnvVar;

    #[test]
    fn nothing_is_granted_unasked() {
        let granted = capabilities(&Options::new("app.wasm"), &[]);
        assert_eq!(granted.args, ["app.wasm"]);
        assert!(granted.env.is_empty() && granted.inherit_env.is_empty());
        assert!(granted.directories.is_empty() && granted.network.is_empty());
    }

    #[test]
    fn a_variable_asked_for_wins_over_an_inherited_one() {
        let mut options = Options::new("app.wasm");
        options.inherit_env = true;
        let set = |name: &str, value: &str| EnvVar {
            name: name.to_owned(),
            value: Some(value.to_owned()),
        };
        options.env = vec![set("PATH", "first"), set("PATH", "second")];
        let variables = environment(&options);
        let found: Vec<_> = variables
            .iter()
            .filter(|(name, _)| name == "PATH")
            .collect();
        assert_eq!(found, [&("PATH".to_owned(), "second".to_owned())]);
    }

    #[test]
    fn memory_bounds_tables_too() {
        let mut options = Options::new("app.wasm");
        assert_eq!(limits(&options).memory_bytes, usize::MAX);
        options.limits.max_memory = Some(1 << 20);
        assert_eq!(limits(&options).memory_bytes, 1 << 20);
        assert_eq!(
            limits(&options).table_elements * size_of::<usize>(),
            1 << 20
        );
    }

    #[test]
    fn ticks_fit_the_limit() {
        let ms = Duration::from_millis;
        assert_eq!(tick(None), ms(1));
        assert_eq!(tick(Some(ms(1))), ms(1));
        assert_eq!(tick(Some(ms(100))), ms(5));
        assert_eq!(tick(Some(ms(3_600_000))), ms(100));
    }
}
