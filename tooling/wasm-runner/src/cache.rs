//! Where compiled code is kept between runs: `compiled` in WasmRust's folder in the user's cache folder.
//!
//! The folder is the one the rest of the toolchain uses: `WASMRUST_HOME`, else `wasmrust` in the platform's cache folder. A cache is
//! a convenience: when there is no place for it, programs run without.

use std::{ffi::OsString, path::PathBuf};

/// The folder for compiled code, when the user has a cache folder at all.
pub(crate) fn folder() -> Option<PathBuf> {
    folder_of(|name| std::env::var_os(name))
}

fn folder_of(var: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
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
    Some(home.join("compiled"))
}

#[cfg(all(test, unix, not(target_os = "macos")))]
mod tests {
    use super::*;

    fn with(vars: &[(&str, &str)]) -> Option<PathBuf> {
        folder_of(|name| {
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
        assert_eq!(with(&all), Some("/w/compiled".into()));
        assert_eq!(with(&all[1..]), Some("/x/wasmrust/compiled".into()));
        assert_eq!(with(&all[2..]), Some("/h/.cache/wasmrust/compiled".into()));
        assert_eq!(with(&[]), None);
        // A relative or empty setting is none.
        assert_eq!(
            with(&[
                ("WASMRUST_HOME", ""),
                ("XDG_CACHE_HOME", "x"),
                ("HOME", "/h")
            ]),
            Some("/h/.cache/wasmrust/compiled".into())
        );
    }
}
