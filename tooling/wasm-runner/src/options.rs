//! What to run and what the guest may see and use, independent of command line and engine.

use std::{path::PathBuf, str::FromStr, time::Duration};

use thiserror::Error;

/// Everything that decides one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The module or component, in WebAssembly's binary form.
    pub file: PathBuf,
    /// What to do with it.
    pub action: Action,
    /// How results are printed.
    pub format: Format,
    /// Folders the guest may open; none by default.
    pub mounts: Vec<Mount>,
    /// Variables the guest sees; none by default.
    pub env: Vec<EnvVar>,
    /// Whether the guest sees all of the host's variables as well (before [`Options::env`], which wins).
    pub inherit_env: bool,
    /// What the guest may use.
    pub limits: Limits,
    /// Whether compiled code is kept on disk, so that the next run of the same file starts at once.
    pub cache: bool,
    /// Whether a trap's backtrace shows the frames of the panic machinery and of the runtime's start code too.
    pub full_backtrace: bool,
}

impl Options {
    /// Runs `file` as a command without arguments, folders, variables or limits.
    pub fn new(file: impl Into<PathBuf>) -> Self {
        Options {
            file: file.into(),
            action: Action::Run(Vec::new()),
            format: Format::Auto,
            mounts: Vec::new(),
            env: Vec::new(),
            inherit_env: false,
            limits: Limits::default(),
            cache: true,
            full_backtrace: false,
        }
    }
}

/// What to do with the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Run a command with these arguments (without the program's own name). For a library the first word names the function to
    /// call and the rest are its arguments, as WAVE or, for strings, as plain text.
    Run(Vec<String>),
    /// Evaluate a call expression: `name(arguments)`, with WAVE values, and `.method(arguments)` on a resource it returns.
    Invoke(String),
}

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// WAVE, except that calling a function by its bare name prints a string result as it is.
    #[default]
    Auto,
    /// WAVE, always.
    Wave,
    /// JSON, for machines.
    Json,
    /// The bytes of a string or of a `list<u8>` and nothing else; WAVE for other types.
    Raw,
}

/// A host folder the guest may open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// The folder on the host.
    pub host: PathBuf,
    /// Its name in the guest.
    pub guest: String,
    /// Whether the guest may only read.
    pub read_only: bool,
}

impl FromStr for Mount {
    type Err = ParseOptionError;

    /// Parses `HOST[::GUEST][:ro]`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (paths, read_only) = match text.strip_suffix(":ro") {
            Some(paths) => (paths, true),
            None => (text, false),
        };
        let (host, guest) = paths.split_once("::").unwrap_or((paths, paths));
        if host.is_empty() || guest.is_empty() {
            return Err(ParseOptionError::Mount);
        }
        Ok(Mount {
            host: host.into(),
            guest: guest.to_owned(),
            read_only,
        })
    }
}

/// A variable of the guest's environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvVar {
    /// Its name.
    pub name: String,
    /// Its value; none takes the host's.
    pub value: Option<String>,
}

impl FromStr for EnvVar {
    type Err = ParseOptionError;

    /// Parses `NAME=VALUE`, or `NAME` to pass the host's value on.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (text, None),
        };
        if name.is_empty() || text.contains('\0') {
            return Err(ParseOptionError::EnvVar);
        }
        Ok(EnvVar {
            name: name.to_owned(),
            value,
        })
    }
}

/// What the guest may use. None means no limit beyond the engine's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// Instructions, roughly: one unit of fuel each.
    pub fuel: Option<u64>,
    /// Wall-clock time from instantiation on; compiling is not counted.
    pub timeout: Option<Duration>,
    /// Bytes of all linear memories together; all tables together may take as much again.
    pub max_memory: Option<u64>,
}

/// Why an option's text was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ParseOptionError {
    /// Not `HOST[::GUEST][:ro]`.
    #[error("expected `HOST`, `HOST::GUEST`, `HOST:ro` or `HOST::GUEST:ro`")]
    Mount,
    /// Not `NAME[=VALUE]`.
    #[error("expected `NAME=VALUE`, or `NAME` to pass the host's value on")]
    EnvVar,
    /// Not a duration.
    #[error("expected a duration such as `500ms`, `2s`, `1.5m`")]
    Duration,
    /// Not a size.
    #[error("expected a size such as `65536`, `64KiB`, `512MiB`, `2GiB` (or `KB`, `MB`, `GB`)")]
    Size,
}

/// Parses a duration: a decimal number followed by `ms`, `s`, `m` or `h`; seconds when no unit is given.
///
/// At most about 30 years, so that adding it to a point in time cannot overflow.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, ParseOptionError> {
    const LONGEST: f64 = 1e9;
    let (number, unit) = split_unit(text);
    let scale = match unit {
        "" | "s" => 1.0,
        "ms" => 1e-3,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err(ParseOptionError::Duration),
    };
    let seconds = number
        .parse::<f64>()
        .map_err(|_| ParseOptionError::Duration)?
        * scale;
    if !(0.0..=LONGEST).contains(&seconds) {
        return Err(ParseOptionError::Duration);
    }
    Ok(Duration::from_secs_f64(seconds))
}

/// Parses a size in bytes: a whole number and a unit, binary (`KiB`) or decimal (`KB`); `K`, `M`, `G` are binary.
pub(crate) fn parse_size(text: &str) -> Result<u64, ParseOptionError> {
    let (number, unit) = split_unit(text);
    let scale: u64 = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        _ => return Err(ParseOptionError::Size),
    };
    let number: u64 = number.parse().map_err(|_| ParseOptionError::Size)?;
    number.checked_mul(scale).ok_or(ParseOptionError::Size)
}

fn split_unit(text: &str) -> (&str, &str) {
    let text = text.trim();
    let end = text
        .find(|c: char| !(c.is_ascii_digit() || c == '.'))
        .unwrap_or(text.len());
    (&text[..end], text[end..].trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts() {
        let mount = |host: &str, guest: &str, read_only| {
            Ok(Mount {
                host: host.into(),
                guest: guest.to_owned(),
                read_only,
            })
        };
        assert_eq!(".".parse(), mount(".", ".", false));
        assert_eq!("a::/b".parse(), mount("a", "/b", false));
        assert_eq!("a::/b:ro".parse(), mount("a", "/b", true));
        assert_eq!("a:ro".parse(), mount("a", "a", true));
        assert_eq!(r"C:\x::/x".parse(), mount(r"C:\x", "/x", false));
        assert_eq!("".parse::<Mount>(), Err(ParseOptionError::Mount));
        assert_eq!("::x".parse::<Mount>(), Err(ParseOptionError::Mount));
        assert_eq!("x::".parse::<Mount>(), Err(ParseOptionError::Mount));
        assert_eq!(":ro".parse::<Mount>(), Err(ParseOptionError::Mount));
    }

    #[test]
    fn variables() {
        let var = |name: &str, value: Option<&str>| {
            Ok(EnvVar {
                name: name.to_owned(),
                value: value.map(str::to_owned),
            })
        };
        assert_eq!("A=b=c".parse(), var("A", Some("b=c")));
        assert_eq!("A=".parse(), var("A", Some("")));
        assert_eq!("A".parse(), var("A", None));
        assert_eq!("=b".parse::<EnvVar>(), Err(ParseOptionError::EnvVar));
        assert_eq!("A=\0".parse::<EnvVar>(), Err(ParseOptionError::EnvVar));
    }

    #[test]
    fn durations() {
        assert_eq!(parse_duration("2s"), Ok(Duration::from_secs(2)));
        assert_eq!(parse_duration("2"), Ok(Duration::from_secs(2)));
        assert_eq!(parse_duration("250 ms"), Ok(Duration::from_millis(250)));
        assert_eq!(parse_duration("1.5m"), Ok(Duration::from_secs(90)));
        for wrong in [
            "",
            "s",
            "-1s",
            "1.2.3",
            "1d",
            "nan",
            "1e400",
            "99999999999h",
            "∞",
        ] {
            assert_eq!(
                parse_duration(wrong),
                Err(ParseOptionError::Duration),
                "{wrong}"
            );
        }
    }

    #[test]
    fn sizes() {
        assert_eq!(parse_size("64MiB"), Ok(64 << 20));
        assert_eq!(parse_size("64mb"), Ok(64_000_000));
        assert_eq!(parse_size("1 G"), Ok(1 << 30));
        assert_eq!(parse_size("7"), Ok(7));
        for wrong in ["", "MiB", "1.5MiB", "-1", "18446744073709551615K", "1TiB"] {
            assert_eq!(parse_size(wrong), Err(ParseOptionError::Size), "{wrong}");
        }
    }
}
