//! What a user sees: names, chains, a tree and JSON.

use std::fmt::Write as _;

use serde::Serialize;
use wasmir::{Func, Item, Module};

use crate::effect::{Effect, EffectSet};
use crate::infer::{Inferred, Source, Step, Witness};

/// The effects of a program: of each export, of the start function, and of everything together.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Every effect that some function has.
    pub effects: Vec<String>,
    /// The entry points in the order of the exports; the start function comes first.
    pub entries: Vec<Entry>,
    /// The imported functions and what they do.
    pub imports: Vec<ImportEntry>,
}

/// A way into the program.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    /// The export's name, or `(start)`.
    pub name: String,
    /// Whether it has no effects.
    pub pure: bool,
    /// Its effects, each with a witness.
    pub effects: Vec<Reason>,
}

/// An effect, and why a function has it.
#[derive(Clone, Debug, Serialize)]
pub struct Reason {
    /// The effect.
    pub effect: String,
    /// A shortest chain of calls, from the entry to the source.
    pub chain: Vec<Link>,
    /// What the last of them does, if it is not an import.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

/// A function in a chain.
#[derive(Clone, Debug, Serialize)]
pub struct Link {
    /// Its name.
    pub function: String,
    /// Called through a table or reference.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub indirect: bool,
}

/// An imported function.
#[derive(Clone, Debug, Serialize)]
pub struct ImportEntry {
    /// Module name.
    pub module: String,
    /// Field name.
    pub name: String,
    /// Its effects.
    pub effects: Vec<String>,
}

/// How a function is called in messages: the demangled name, the import, the export, or its number.
pub fn function_name(module: &Module, func: Func) -> String {
    let Some(data) = module.funcs.get(func) else {
        return func.to_string();
    };
    if let Some(import) = &data.import {
        return format!("{}::{}", import.module, import.name);
    }
    if let Some(name) = &data.symbol.name {
        // The alternate form leaves out the hash.
        return format!("{:#}", rustc_demangle::demangle(name));
    }
    let export = module
        .exports
        .iter()
        .find(|export| export.item == Item::Func(func));
    export.map_or_else(|| func.to_string(), |export| export.name.clone())
}

impl Report {
    /// The report on a module.
    pub fn new(module: &Module, inferred: &Inferred) -> Report {
        let names = |set: EffectSet| {
            set.iter()
                .map(|effect| inferred.effects.name(effect).to_owned())
                .collect::<Vec<_>>()
        };
        let entry = |name: &str, func: Func| {
            let set = inferred.of(func);
            Entry {
                name: name.to_owned(),
                pure: set.is_pure(),
                effects: set
                    .iter()
                    .filter_map(|effect| reason(module, inferred, func, effect))
                    .collect(),
            }
        };
        let mut entries = Vec::new();
        if let Some(start) = module.start {
            entries.push(entry("(start)", start));
        }
        for export in &module.exports {
            if let Item::Func(func) = export.item {
                entries.push(entry(&export.name, func));
            }
        }
        let imports = module.funcs.iter().filter_map(|(func, data)| {
            let import = data.import.as_ref()?;
            Some(ImportEntry {
                module: import.module.clone(),
                name: import.name.clone(),
                effects: names(inferred.of(func)),
            })
        });
        Report {
            effects: names(inferred.all()),
            entries,
            imports: imports.collect(),
        }
    }

    /// The report as a tree, one line for each effect of each entry.
    ///
    /// ```text
    /// run
    /// ├─ io     run → app::log → wasi_snapshot_preview1::fd_write
    /// └─ clock  run → wasi_snapshot_preview1::clock_time_get
    /// add       pure
    /// ```
    pub fn tree(&self) -> String {
        let mut out = String::new();
        for entry in &self.entries {
            if entry.pure {
                let _ = writeln!(out, "{}: pure", entry.name);
                continue;
            }
            let _ = writeln!(out, "{}", entry.name);
            let width = entry
                .effects
                .iter()
                .map(|reason| reason.effect.len())
                .max()
                .unwrap_or(0);
            for (i, reason) in entry.effects.iter().enumerate() {
                let branch = if i + 1 == entry.effects.len() {
                    "└─"
                } else {
                    "├─"
                };
                let _ = writeln!(
                    out,
                    "{branch} {:width$}  {}",
                    reason.effect,
                    reason.chain_text()
                );
            }
        }
        out
    }

    /// The report as JSON.
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self)
            .unwrap_or_else(|error| format!("{{\"error\":\"{error}\"}}"))
    }
}

impl Reason {
    /// The chain on one line; `⇢` marks a call through a table or reference.
    pub fn chain_text(&self) -> String {
        let mut text = String::new();
        for (i, link) in self.chain.iter().enumerate() {
            if i > 0 {
                text.push_str(if link.indirect { " ⇢ " } else { " → " });
            }
            text.push_str(&link.function);
        }
        if let Some(source) = &self.source {
            let _ = write!(text, " ({source})");
        }
        text
    }
}

/// Why a function has an effect.
pub fn reason(module: &Module, inferred: &Inferred, func: Func, effect: Effect) -> Option<Reason> {
    let Witness { steps, source } = inferred.witness(func, effect)?;
    let link = |step: Step| Link {
        function: function_name(module, step.func),
        indirect: step.indirect,
    };
    Some(Reason {
        effect: inferred.effects.name(effect).to_owned(),
        chain: steps.into_iter().map(link).collect(),
        source: match source {
            Source::Import => None,
            Source::Operator(op) => Some(format!("`{op}`")),
            Source::UnknownCallee => Some("calls a function that only the host knows".to_owned()),
            Source::Contract => Some("declared by its contract".to_owned()),
        },
    })
}
