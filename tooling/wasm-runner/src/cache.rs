//! Where compiled code is kept between runs, in WasmRust's folder in the user's cache folder: that of whole programs in `compiled`, that of
//! single functions in `functions`. The engine keeps order in the first, and removes what it does not know there.
//!
//! The folder is the one the rest of the toolchain uses: `WASMRUST_HOME`, else `wasmrust` in the platform's cache folder. A cache is
//! a convenience: when there is no place for it, programs run without.

use std::{ffi::OsString, path::PathBuf};

/// The folders for compiled code.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Folders {
    /// Whole programs.
    pub(crate) programs: PathBuf,
    /// Single functions.
    pub(crate) functions: PathBuf,
}

/// Where compiled code is kept, when the user has a cache folder at all.
pub(crate) fn folders() -> Option<Folders> {
    let home = home(|name| std::env::var_os(name))?;
    Some(Folders {
        programs: home.join("compiled"),
        functions: home.join("functions"),
    })
}

fn home(var: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let path = |name: &str| {
        var(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let home = match path("WASMRUST_HOME") {
        Some(home) => home,
        None if cfg!(windows) => path("LOCALAPPDATA")?.join("wasmrust"),
        None if cfg!(target_os = "macos") => path("HOME")?.join("Library/Caches/wasmrust"),
        None => path("XDG_CACHE_HOME")
            .filter(|folder| folder.is_absolute())
            .or_else(|| Some(path("HOME")?.join(".cache")))?
            .join("wasmrust"),
    };
    Some(home)
}

#[cfg(all(test, unix, not(target_os = "macos")))]
mod tests {
    use super::*;

    fn with(vars: &[(&str, &str)]) -> Option<PathBuf> {
        home(|name| {
            let (_, value) = vars.iter().find(|(key, _)| *key == name)?;
            Some(OsString::from(value))
        })
    }

    #[test]
    fn places_in_order() {
        let all = [
            ("WASMRUST_HOME", "/w"),
            ("XDG_CACHE_HOME", "/x"),
            ("HOME", "/h"),
        ];
        assert_eq!(with(&all), Some("/w".into()));
        assert_eq!(with(&all[1..]), Some("/x/wasmrust".into()));
        assert_eq!(with(&all[2..]), Some("/h/.cache/wasmrust".into()));
        assert_eq!(with(&[]), None);
        // A relative or empty setting is none.
        assert_eq!(
            with(&[
                ("WASMRUST_HOME", ""),
                ("XDG_CACHE_HOME", "x"),
                ("HOME", "/h")
            ]),
            Some("/h/.cache/wasmrust".into())
        );
    }
}
