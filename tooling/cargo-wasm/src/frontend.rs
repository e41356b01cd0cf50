//! Which compiler makes the modules of a command.
//!
//! | asked for by | holds for |
//! |---|---|
//! | `--frontend` | every profile |
//! | the environment variable `WASMRUST_FRONTEND` | dev builds |
//! | `frontend` in `[package.metadata.wasm]` | dev builds |
//! | nobody | dev builds: `rustc-wasm` if it is there for the rustc in use, else the stock rustc |
//!
//! The first that says something decides. Other builds are the stock rustc's, whose LLVM makes the best code. Cargo takes one
//! compiler per command: of packages that are built together, one that wants the stock rustc decides for all.
//!
//! # Invariants
//!
//! * A compiler that was asked for is used, or the command ends with an error.
//! * A `rustc-wasm` that was built from other sources than this tool's, or for another rustc, is never used.

use crate::cli::Frontend;
use crate::error::{Error, Result};
use crate::report;
use clap::ValueEnum as _;
use wasm_toolchain::discover::Rust;
use wasm_toolchain::rustc_wasm::{self, Standing};
use wasm_toolchain::{Environment, Target};

/// Names the compiler of dev builds.
pub(crate) const VARIABLE: &str = "WASMRUST_FRONTEND";

/// What builds it.
const SETUP: &str = "cargo wasm setup --rustc-wasm";

/// What the choice depends on.
#[derive(Debug, Default)]
pub(crate) struct Wishes<'a> {
    /// `--frontend`.
    pub(crate) asked: Option<Frontend>,
    /// What the packages' settings say, each package once.
    pub(crate) settings: Vec<Option<Frontend>>,
    /// Whether this is a dev build.
    pub(crate) dev: bool,
    /// Whether modules are to stay as the compiler made them.
    pub(crate) as_made: bool,
    /// The targets, by their names.
    pub(crate) targets: Vec<&'a str>,
}

/// A compiler, who chose it, and whether that was said aloud.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Choice {
    /// Somebody asked for it.
    Asked(Frontend, String),
    /// The stock rustc, for this reason.
    Stock(&'static str),
    /// `rustc-wasm`, if it is there.
    IfReady,
}

fn choose(env: &Environment, wishes: &Wishes<'_>) -> Result<Choice> {
    if let Some(frontend) = wishes.asked {
        return Ok(Choice::Asked(frontend, "`--frontend`".into()));
    }
    if !wishes.dev {
        return Ok(Choice::Stock("it is not a dev build"));
    }
    if let Some(value) = env.var(VARIABLE) {
        let value = value.to_string_lossy();
        return match Frontend::from_str(&value, false) {
            Ok(frontend) => Ok(Choice::Asked(frontend, format!("`{VARIABLE}`"))),
            Err(_) => Err(Error::usage(format!(
                "`{VARIABLE}` is `{value}`, which is no compiler of ours"
            ))
            .hint("it can be `stock` or `rustc-wasm`; unset, it leaves the choice to this tool")
            .into()),
        };
    }
    let settings = || wishes.settings.iter().flatten();
    for frontend in [Frontend::Stock, Frontend::RustcWasm] {
        if settings().any(|&wanted| wanted == frontend) {
            let by = "`frontend` in the package's settings";
            return Ok(Choice::Asked(frontend, by.into()));
        }
    }
    if wishes.as_made {
        return Ok(Choice::Stock(
            "modules are to stay as they were linked, without WasmIR",
        ));
    }
    // For other targets there is no library of `rustc-wasm`'s making.
    let ours = |target: &&str| Target::from_triple(target).is_some();
    Ok(if wishes.targets.iter().all(ours) {
        Choice::IfReady
    } else {
        Choice::Stock("`rustc-wasm` has no standard library for the target")
    })
}

/// The compiler for these wishes, with `stock` or the front end made for it, and how it is called.
///
/// # Errors
/// The compiler that was asked for is not there, or there is none of that name.
pub(crate) fn select(
    env: &Environment,
    stock: Rust,
    wishes: &Wishes<'_>,
    verbosity: Verbosity,
) -> Result<(Rust, Frontend)> {
    let say = |frontend: Frontend, why: &str| {
        if verbosity == Verbosity::Verbose {
            report::status("Compiler", &format!("{} ({why})", frontend.name()));
        }
    };
    match choose(env, wishes)? {
        Choice::Asked(Frontend::Stock, by) => {
            say(Frontend::Stock, &format!("asked for by {by}"));
            Ok((stock, Frontend::Stock))
        }
        Choice::Stock(why) => {
            say(Frontend::Stock, why);
            Ok((stock, Frontend::Stock))
        }
        Choice::Asked(Frontend::RustcWasm, by) => match rustc_wasm::standing(env, &stock, false)? {
            Standing::Ready(made) => {
                say(Frontend::RustcWasm, &format!("asked for by {by}"));
                Ok((*made, Frontend::RustcWasm))
            }
            other => {
                let why = other.obstacle().unwrap_or_default();
                Err(Error::user(format!("`rustc-wasm`, which {by} asks for, {why}"))
                    .hint(format!(
                        "run `{SETUP}`, which builds rustc's front end and takes long the first time; or build with `--frontend stock`"
                    ))
                    .into())
            }
        },
        Choice::IfReady => {
            let standing = rustc_wasm::standing(env, &stock, false)?;
            if let Standing::Ready(made) = standing {
                say(Frontend::RustcWasm, "dev builds use it where it is set up");
                return Ok((*made, Frontend::RustcWasm));
            }
            let why = standing.obstacle().unwrap_or_default();
            say(Frontend::Stock, &format!("`rustc-wasm` {why}"));
            match standing {
                _ if verbosity == Verbosity::Quiet => {}
                Standing::Absent => report::note(&format!(
                    "dev builds are faster, and checked exactly, by `rustc-wasm`: `{SETUP}` builds it, once"
                )),
                _ => report::warning(&format!(
                    "`rustc-wasm` {why}, so the stock rustc compiles; `{SETUP}` builds it anew"
                )),
            }
            Ok((stock, Frontend::Stock))
        }
    }
}

/// How much to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verbosity {
    /// Errors alone.
    Quiet,
    /// What a user should know.
    Usual,
    /// Why the choice was made, too.
    Verbose,
}

impl Frontend {
    /// Its name on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Frontend::Stock => "stock rustc",
            Frontend::RustcWasm => "rustc-wasm",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Frontend::{RustcWasm, Stock};

    fn chosen(variable: &str, wishes: &Wishes<'_>) -> std::result::Result<Choice, String> {
        let env = Environment::of([(VARIABLE, variable)]);
        choose(&env, wishes).map_err(|failure| format!("{failure:?}"))
    }

    fn dev() -> Wishes<'static> {
        Wishes {
            dev: true,
            targets: vec!["wasm32-wasip1", "wasm32-unknown-unknown"],
            ..Wishes::default()
        }
    }

    #[test]
    fn the_nearest_word_decides() {
        let by = |choice: Choice| match choice {
            Choice::Asked(frontend, _) => Some(frontend),
            _ => None,
        };
        let all = |asked, settings| Wishes {
            asked,
            settings,
            ..dev()
        };
        let of = |variable, wishes: Wishes<'static>| by(chosen(variable, &wishes).unwrap());
        assert_eq!(of("stock", all(Some(RustcWasm), vec![])), Some(RustcWasm));
        assert_eq!(
            of("stock", all(None, vec![Some(RustcWasm)])),
            Some(Stock),
            "the variable comes before the settings"
        );
        assert_eq!(of("rustc-wasm", all(None, vec![])), Some(RustcWasm));
        assert_eq!(
            of("", all(None, vec![None, Some(RustcWasm)])),
            Some(RustcWasm)
        );
        assert_eq!(
            of("", all(None, vec![Some(RustcWasm), Some(Stock)])),
            Some(Stock)
        );
        assert_eq!(of("", all(None, vec![None])), None);
        assert_eq!(chosen("", &dev()), Ok(Choice::IfReady));
    }

    #[test]
    fn only_dev_builds_for_targets_of_ours_take_it_by_themselves() {
        let release = Wishes {
            dev: false,
            settings: vec![Some(RustcWasm)],
            ..dev()
        };
        assert!(matches!(
            chosen("rustc-wasm", &release),
            Ok(Choice::Stock(_))
        ));
        let asked = Wishes {
            asked: Some(RustcWasm),
            ..release
        };
        assert!(matches!(
            chosen("", &asked),
            Ok(Choice::Asked(RustcWasm, _))
        ));
        let elsewhere = Wishes {
            targets: vec!["wasm32-wasip1", "wasm32-wasip2"],
            ..dev()
        };
        assert!(matches!(chosen("", &elsewhere), Ok(Choice::Stock(_))));
        let as_made = Wishes {
            as_made: true,
            ..dev()
        };
        assert!(matches!(chosen("", &as_made), Ok(Choice::Stock(_))));
    }

    #[test]
    fn a_misspelt_variable_is_wrong_usage() {
        let error = chosen("llvm", &dev()).unwrap_err();
        assert!(
            error.contains("WASMRUST_FRONTEND") && error.contains("llvm"),
            "{error}"
        );
    }
}
