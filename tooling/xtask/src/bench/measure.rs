//! The cost of one command: wall time, and CPU time and peak memory of the process and all descendants it waited for.
//!
//! On Unix the figures come from `wait4`, which reports them for exactly one child; elsewhere only wall time is known.

use std::{
    fs::File,
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use serde::Serialize;

/// What a command cost.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Cost {
    /// From start to end.
    pub wall: Duration,
    /// User and system time of the command and its descendants.
    pub cpu: Option<Duration>,
    /// The largest resident set of any one of these processes, in bytes.
    pub peak: Option<u64>,
}

/// Runs `command` to its end. It must succeed; what it printed is shown when it does not.
pub fn measure(command: &mut Command) -> Result<Cost> {
    let log = tempfile::NamedTempFile::new().context("cannot make a temporary file")?;
    let output = |file: &File| -> Result<Stdio> { Ok(file.try_clone()?.into()) };
    command
        .stdout(output(log.as_file())?)
        .stderr(output(log.as_file())?);
    let start = Instant::now();
    let child = command
        .spawn()
        .with_context(|| format!("cannot start {command:?}"))?;
    let (status, cpu, peak) = wait(child)?;
    let wall = start.elapsed();
    if !status.success() {
        let printed = std::fs::read_to_string(log.path()).unwrap_or_default();
        bail!("{command:?} ended with {status}\n{printed}");
    }
    Ok(Cost { wall, cpu, peak })
}

/// Waits for a child: how it ended, the CPU time of it and its descendants, and the largest resident set.
#[cfg(unix)]
pub(crate) fn wait(child: Child) -> Result<(ExitStatus, Option<Duration>, Option<u64>)> {
    use std::os::unix::process::ExitStatusExt;

    let pid = libc::pid_t::try_from(child.id()).context("a process number out of range")?;
    let mut status = 0;
    // SAFETY: `rusage` is a plain C structure of integers, for which all zeroes is a value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    loop {
        // SAFETY: both pointers are to live local variables of the types `wait4` writes. The child was spawned by us and has not been
        // waited for: `child` is owned, and dropping it does not wait.
        let waited = unsafe { libc::wait4(pid, &raw mut status, 0, &raw mut usage) };
        if waited == pid {
            break;
        }
        let error = std::io::Error::last_os_error();
        if error.kind() != std::io::ErrorKind::Interrupted {
            return Err(error).context("cannot wait for a command");
        }
    }
    let time = |time: libc::timeval| {
        Duration::from_secs(time.tv_sec.try_into().unwrap_or(0))
            + Duration::from_micros(time.tv_usec.try_into().unwrap_or(0))
    };
    // Linux and the BSDs count in kibibytes, macOS in bytes.
    let unit = if cfg!(target_vendor = "apple") {
        1
    } else {
        1024
    };
    let peak = u64::try_from(usage.ru_maxrss).ok().map(|peak| peak * unit);
    let cpu = time(usage.ru_utime) + time(usage.ru_stime);
    Ok((ExitStatus::from_raw(status), Some(cpu), peak))
}

/// Waits for a child: how it ended; the system does not tell more.
#[cfg(not(unix))]
pub(crate) fn wait(mut child: Child) -> Result<(ExitStatus, Option<Duration>, Option<u64>)> {
    Ok((
        child.wait().context("cannot wait for a command")?,
        None,
        None,
    ))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_descendants_time_is_counted() {
        let idle = measure(&mut shell("sleep 0.2")).unwrap();
        assert!(idle.wall >= Duration::from_millis(200));
        assert!(idle.cpu.unwrap() < Duration::from_millis(150), "{idle:?}");
        // The loop runs in a child of the shell.
        let busy = measure(&mut shell(
            "sh -c 'i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done'; true",
        ))
        .unwrap();
        assert!(busy.cpu.unwrap() > Duration::from_millis(50), "{busy:?}");
        assert!(busy.peak.unwrap() > 100_000, "{busy:?}");
    }

    #[test]
    fn a_failure_shows_what_was_printed() {
        let error = measure(&mut shell("echo what went wrong; exit 3")).unwrap_err();
        assert!(error.to_string().contains("what went wrong"), "{error}");
    }
}
