//! Which effects an import has, by its names.
//!
//! Rules are tried in order and the first that matches decides; rules that a user adds come before the builtin ones.
//! An import that no rule names has the effect `host`. Names of components may carry a version (`wasi:io/streams@0.2.6`)
//! and a prefix of the canonical ABI's name mangling (`cm32p2|`); neither matters to a rule.

use wasmir::Import;

use crate::effect::{Effect, EffectSet};

/// A rule: imports whose module and name match have these effects.
///
/// A pattern is a name, or the start of one followed by `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Pattern of the module name, without version.
    pub module: String,
    /// Pattern of the field name.
    pub name: String,
    /// The effects; empty for a pure import.
    pub effects: EffectSet,
}

/// The rules by which imports get their effects.
#[derive(Clone, Debug, Default)]
pub struct ImportRules {
    user: Vec<Rule>,
}

const NONE: &[Effect] = &[];
const P1: &str = "wasi_snapshot_preview1";

/// Module pattern, name pattern, effects. `wasi_unstable`, the version before, has the same names.
const BUILTIN: &[(&str, &str, &[Effect])] = &[
    (P1, "args_*", &[Effect::ENV]),
    (P1, "environ_*", &[Effect::ENV]),
    (P1, "proc_*", &[Effect::ENV]),
    (P1, "clock_*", &[Effect::CLOCK]),
    (P1, "poll_oneoff", &[Effect::CLOCK, Effect::IO]),
    (P1, "random_get", &[Effect::RANDOM]),
    (P1, "sched_yield", &[Effect::THREAD]),
    (P1, "sock_*", &[Effect::NET]),
    (P1, "path_*", &[Effect::FS]),
    // Streams: what standard input, output and error need.
    (P1, "fd_read", &[Effect::IO]),
    (P1, "fd_write", &[Effect::IO]),
    (P1, "fd_close", &[Effect::IO]),
    (P1, "fd_seek", &[Effect::IO]),
    (P1, "fd_tell", &[Effect::IO]),
    (P1, "fd_fdstat_*", &[Effect::IO]),
    (P1, "fd_*", &[Effect::FS]),
    (P1, "*", &[Effect::HOST]),
    ("wasi", "thread-spawn", &[Effect::THREAD]),
    ("wasi:cli/environment", "*", &[Effect::ENV]),
    ("wasi:cli/exit", "*", &[Effect::ENV]),
    ("wasi:cli/*", "*", &[Effect::IO]),
    ("wasi:io/*", "*", &[Effect::IO]),
    ("wasi:clocks/*", "*", &[Effect::CLOCK]),
    ("wasi:random/*", "*", &[Effect::RANDOM]),
    ("wasi:filesystem/*", "*", &[Effect::FS]),
    ("wasi:sockets/*", "*", &[Effect::NET]),
    ("wasi:http/*", "*", &[Effect::NET]),
    ("wasi:config/*", "*", &[Effect::ENV]),
    // Bookkeeping of the canonical ABI: handles of resources that the component itself exports.
    ("[export]*", "[resource-new]*", NONE),
    ("[export]*", "[resource-rep]*", NONE),
    ("[export]*", "[resource-drop]*", NONE),
    ("[export]*", "[task-return]*", NONE),
    // JavaScript glue: wasm-bindgen before and after it ran, and the builtin string functions.
    ("wbg", "*", &[Effect::JS_CALL]),
    ("__wbindgen_*", "*", &[Effect::JS_CALL]),
    ("./*", "*", &[Effect::JS_CALL]),
    ("wasm:js-string", "*", &[Effect::JS_CALL]),
];

impl ImportRules {
    /// The builtin rules alone.
    pub fn new() -> ImportRules {
        ImportRules::default()
    }

    /// Adds a rule that precedes the builtin ones and follows the user's earlier ones. A version in its module name is
    /// left out.
    pub fn add(&mut self, mut rule: Rule) {
        rule.module = plain_module(&rule.module).to_owned();
        self.user.push(rule);
    }

    /// The effects of an imported function.
    pub fn effects(&self, import: &Import) -> EffectSet {
        let module = plain_module(&import.module);
        for rule in &self.user {
            if matches(&rule.module, module) && matches(&rule.name, &import.name) {
                return rule.effects;
            }
        }
        for (module_pattern, name_pattern, effects) in BUILTIN {
            if matches(module_pattern, module) && matches(name_pattern, &import.name) {
                return effects.iter().copied().collect();
            }
        }
        EffectSet::only(Effect::HOST)
    }
}

/// The module name without mangling prefix and version.
fn plain_module(module: &str) -> &str {
    let module = module.strip_prefix("cm32p2|").unwrap_or(module);
    if module == "wasi_unstable" {
        return P1;
    }
    // A version belongs to an interface (`wasi:io/streams@0.2.6`); an `@` elsewhere belongs to the name.
    match module.split_once('@') {
        Some((name, _)) if name.contains(':') => name,
        _ => module,
    }
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => pattern == name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effect::Effects;

    fn effects(module: &str, name: &str) -> String {
        let import = Import {
            module: module.into(),
            name: name.into(),
        };
        Effects::new().list(ImportRules::new().effects(&import))
    }

    #[test]
    fn wasi_preview_1() {
        assert_eq!(effects(P1, "fd_write"), "io");
        assert_eq!(effects(P1, "fd_prestat_get"), "fs");
        assert_eq!(effects(P1, "path_open"), "fs");
        assert_eq!(effects(P1, "poll_oneoff"), "io, clock");
        assert_eq!(effects("wasi_unstable", "random_get"), "random");
        assert_eq!(effects(P1, "not_a_function"), "host");
    }

    #[test]
    fn wasi_0_2_in_every_version_and_mangling() {
        assert_eq!(
            effects("wasi:io/streams@0.2.6", "[method]output-stream.write"),
            "io"
        );
        assert_eq!(effects("cm32p2|wasi:clocks/wall-clock@0.2", "now"), "clock");
        assert_eq!(
            effects("wasi:cli/environment@0.2.0", "get-environment"),
            "env"
        );
        assert_eq!(effects("wasi:cli/stdout@0.2.0", "get-stdout"), "io");
        assert_eq!(effects("wasi:http/outgoing-handler@0.2.0", "handle"), "net");
        assert_eq!(
            effects("[export]my:app/shop@1.0.0", "[resource-new]cart"),
            ""
        );
        assert_eq!(effects("my:app/shop@1.0.0", "open"), "host");
    }

    #[test]
    fn javascript_glue() {
        assert_eq!(effects("wbg", "__wbg_log_1"), "js_call");
        assert_eq!(effects("./app_bg.js", "alert"), "js_call");
        assert_eq!(effects("env", "print"), "host");
        assert_eq!(effects("npm@scope", "print"), "host");
    }

    #[test]
    fn the_users_rules_come_first() {
        let mut vocabulary = Effects::new();
        let billing = vocabulary.declare("billing").unwrap();
        let mut rules = ImportRules::new();
        rules.add(Rule {
            module: "pay".into(),
            name: "log".into(),
            effects: EffectSet::PURE,
        });
        rules.add(Rule {
            module: "pay".into(),
            name: "*".into(),
            effects: EffectSet::only(billing),
        });
        let of = |name: &str| {
            rules.effects(&Import {
                module: "pay".into(),
                name: name.into(),
            })
        };
        assert_eq!(vocabulary.list(of("charge")), "billing");
        assert_eq!(of("log"), EffectSet::PURE);
    }
}
