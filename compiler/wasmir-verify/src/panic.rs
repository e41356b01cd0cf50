//! Where a panic begins.
//!
//! Rust's panics all come through a few functions, which the module's name section names. Before them, code is the user's
//! (formatting the message, say); what they do (hooks, a message on standard error, the end of the program) is the
//! machinery's.

use std::collections::BTreeSet;

use wasmir::{Func, FuncBody, Module};

/// Parts of mangled names, to pass quickly over all others, and the names they may belong to, which generic arguments may
/// follow.
const ENTRIES: &[(&str, &[&str])] = &[
    (
        "rust_begin_unwind",
        &["rust_begin_unwind", "__rustc::rust_begin_unwind"],
    ),
    ("begin_panic", &["std::panicking::begin_panic"]),
    ("resume_unwind", &["std::panic::resume_unwind"]),
    ("handle_alloc_error", &["alloc::alloc::handle_alloc_error"]),
];

/// The functions of `module` at which a panic, or the end for want of memory, begins.
pub(crate) fn entries(module: &Module) -> BTreeSet<Func> {
    let is_entry = |mangled: &str| {
        let Some((_, names)) = ENTRIES.iter().find(|(part, _)| mangled.contains(part)) else {
            return false;
        };
        let name = format!("{:#}", rustc_demangle::demangle(mangled));
        names.iter().any(|entry| {
            name.strip_prefix(entry)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with("::<"))
        })
    };
    module
        .funcs
        .iter()
        .filter(|(_, data)| !matches!(data.body, FuncBody::None))
        .filter(|(_, data)| data.symbol.name.as_deref().is_some_and(is_entry))
        .map(|(func, _)| func)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machinery_is_told_from_what_sounds_alike() {
        let module = wasmir::parse_module(
            "wasmir 1\n\
             type type0 = func() -> ()\n\
             func %rust_begin_unwind type0 {\nb0:\n  return\n}\n\
             func %my_rust_begin_unwinder type0 {\nb0:\n  return\n}\n\
             func %_ZN3std9panicking11begin_panic17h0123456789abcdefE type0 {\nb0:\n  return\n}\n\
             func %_ZN4mine11begin_panic17h0123456789abcdefE type0 {\nb0:\n  return\n}\n",
        )
        .unwrap();
        let found: Vec<&str> = entries(&module)
            .into_iter()
            .filter_map(|func| module.funcs[func].symbol.name.as_deref())
            .collect();
        assert_eq!(
            found,
            [
                "rust_begin_unwind",
                "_ZN3std9panicking11begin_panic17h0123456789abcdefE"
            ]
        );
    }
}
