//! Imports that the sandbox does not provide, and who would.

use wasm_sandbox::{ImportInfo, ModuleKind, WASI_PACKAGES};

use crate::error::ImportProblem;

/// What is missing: of a core module each import, of a component each interface, or function of its world.
pub(super) fn problems(kind: ModuleKind, imports: &[ImportInfo]) -> Vec<ImportProblem> {
    let mut problems: Vec<ImportProblem> = Vec::new();
    for import in imports {
        let problem = match kind {
            ModuleKind::Component if !import.interface.is_empty() => ImportProblem {
                name: import.interface.clone(),
                needs: component_provider(&import.interface),
            },
            ModuleKind::Component => ImportProblem {
                name: import.name.clone(),
                needs: None,
            },
            ModuleKind::Core => ImportProblem {
                name: import.to_string(),
                needs: core_provider(&import.interface),
            },
        };
        // The functions of an interface follow one another.
        if problems.last() != Some(&problem) {
            problems.push(problem);
        }
    }
    problems
}

/// Who would provide a core import module.
fn core_provider(module: &str) -> Option<&'static str> {
    match module {
        "wasi_snapshot_preview1" => Some("a newer WASI 0.1"),
        "wasi_unstable" => Some("the snapshot of WASI before 0.1; build with a newer compiler"),
        "wasi" => Some("a host with threads"),
        "env" => Some(
            "the C or JavaScript host it was linked for; a symbol left undefined at link time ends up here too",
        ),
        "wbg" | "__wbindgen_placeholder__" | "__wbindgen_externref_xform__" => {
            Some("JavaScript made by wasm-bindgen; run it in a browser or in Node")
        }
        _ if module.starts_with("[export]")
            || module.starts_with("cm32p2")
            || module.contains(':') =>
        {
            Some("to become a component first: `cargo wasm componentize`")
        }
        _ => None,
    }
}

/// Who would provide a component's import, `package:name/interface@version`.
fn component_provider(import: &str) -> Option<&'static str> {
    let (package, rest) = import.strip_prefix("wasi:")?.split_once('/')?;
    let (_, version) = rest.split_once('@')?;
    Some(match package {
        _ if version.starts_with("0.3") => "WASI 0.3; this runner offers 0.2",
        "http" => "a host with WASI HTTP, such as a server",
        "nn" => "a host with neural networks",
        "keyvalue" | "blobstore" | "config" | "messaging" => "a host with cloud services",
        package if WASI_PACKAGES.contains(&package) => {
            "another version of WASI; this runner offers 0.2"
        }
        _ => "a host with this WASI proposal",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn import(interface: &str, name: &str) -> ImportInfo {
        ImportInfo {
            interface: interface.to_owned(),
            name: name.to_owned(),
        }
    }

    #[test]
    fn an_interface_is_named_once() {
        let imports = [
            import("wasi:cli/stdout@0.3.0", "get"),
            import("wasi:cli/stdout@0.3.0", "put"),
            import("a:b/c", "f"),
            import("", "g"),
        ];
        let shown: Vec<_> = problems(ModuleKind::Component, &imports)
            .into_iter()
            .map(|problem| (problem.name, problem.needs))
            .collect();
        let expected = [
            (
                "wasi:cli/stdout@0.3.0",
                Some("WASI 0.3; this runner offers 0.2"),
            ),
            ("a:b/c", None),
            ("g", None),
        ];
        assert_eq!(
            shown,
            expected.map(|(name, needs)| (name.to_owned(), needs))
        );
        assert_eq!(
            problems(ModuleKind::Core, &imports)[0].name,
            "wasi:cli/stdout@0.3.0#get"
        );
    }
}
