//! The machine as this crate sees it: environment variables and the root under which system tools are looked for.
//!
//! Discovery never reads the process's environment itself; it is handed an [`Environment`]. So a test can describe a machine
//! in a temporary folder, and two tests cannot disturb each other.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// Environment variables and the root of the file system that discovery looks at.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    variables: BTreeMap<OsString, OsString>,
}

impl Environment {
    /// The environment of this process.
    pub fn from_process() -> Environment {
        Environment {
            variables: std::env::vars_os().collect(),
        }
    }

    /// An environment with just these variables.
    pub fn of<K: Into<OsString>, V: Into<OsString>>(
        variables: impl IntoIterator<Item = (K, V)>,
    ) -> Environment {
        Environment {
            variables: variables
                .into_iter()
                .map(|(k, v)| (k.into(), v.into()))
                .collect(),
        }
    }

    /// The same environment with another value of one variable.
    #[must_use]
    pub(crate) fn with(&self, name: &str, value: impl Into<OsString>) -> Environment {
        let mut changed = self.clone();
        changed.variables.insert(name.into(), value.into());
        changed
    }

    /// A variable's value; an empty one counts as unset, as Cargo and rustup have it.
    pub fn var(&self, name: &str) -> Option<&OsStr> {
        self.variables
            .get(OsStr::new(name))
            .map(OsString::as_os_str)
            .filter(|v| !v.is_empty())
    }

    fn path_var(&self, name: &str) -> Option<PathBuf> {
        self.var(name).map(PathBuf::from)
    }

    /// Names of all variables that are set.
    pub fn names(&self) -> impl Iterator<Item = &OsStr> {
        self.variables.keys().map(OsString::as_os_str)
    }

    /// The user's home folder.
    pub fn home(&self) -> Option<PathBuf> {
        self.path_var(if cfg!(windows) { "USERPROFILE" } else { "HOME" })
    }

    /// The root under which the distribution's tools stand (`WASMRUST_SEARCH_ROOT`, `/` unless a test or an image build says otherwise).
    pub fn root(&self) -> PathBuf {
        self.path_var("WASMRUST_SEARCH_ROOT")
            .unwrap_or_else(|| PathBuf::from("/"))
    }

    /// rustup's folder.
    pub fn rustup_home(&self) -> Option<PathBuf> {
        self.path_var("RUSTUP_HOME")
            .or_else(|| Some(self.home()?.join(".rustup")))
    }

    /// Cargo's folder.
    pub fn cargo_home(&self) -> Option<PathBuf> {
        self.path_var("CARGO_HOME")
            .or_else(|| Some(self.home()?.join(".cargo")))
    }

    /// Where sysroots, logs and downloaded tools are kept: `WASMRUST_HOME`, else `wasmrust` in the user's cache folder.
    pub fn wasmrust_home(&self) -> Option<PathBuf> {
        if let Some(home) = self.path_var("WASMRUST_HOME") {
            return Some(home);
        }
        let cache = if cfg!(windows) {
            self.path_var("LOCALAPPDATA")?
        } else if cfg!(target_os = "macos") {
            self.home()?.join("Library/Caches")
        } else {
            // The XDG specification tells to ignore a relative path.
            self.path_var("XDG_CACHE_HOME")
                .filter(|p| p.is_absolute())
                .or_else(|| Some(self.home()?.join(".cache")))?
        };
        Some(cache.join("wasmrust"))
    }

    /// The folders of `PATH`, in order.
    pub fn path(&self) -> Vec<PathBuf> {
        self.var("PATH")
            .map(|p| std::env::split_paths(p).collect())
            .unwrap_or_default()
    }

    /// The first program of that name on `PATH`.
    pub fn which(&self, program: &str) -> Option<PathBuf> {
        self.path()
            .iter()
            .find_map(|folder| program_in(folder, program))
    }
}

/// `folder/program`, with the platform's suffix, when that is a file that can be executed.
pub(crate) fn program_in(folder: &Path, program: &str) -> Option<PathBuf> {
    let path = folder.join(format!("{program}{}", std::env::consts::EXE_SUFFIX));
    is_executable(&path).then_some(path)
}

#[cfg(unix)]
fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata()
        .is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(path: &Path) -> bool {
    path.is_file()
}
