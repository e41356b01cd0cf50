//! The functions a program exports, with what is needed to find, to call and to describe them.

use std::{collections::HashMap, sync::Arc};

use wasm_sandbox::{ModuleKind, Type, WasmModule, WitFunction};

use super::value::{Parameter, Signature};
use crate::{
    error::{Error, ExportList},
    exports::{self, Export},
};

/// The interface a command component exports, without the end of its version.
const RUN: &str = "wasi:cli/run@0.2.";

/// An exported function.
pub(super) struct Function {
    /// As the sandbox names it.
    pub(super) name: Arc<str>,
    pub(super) export: Export,
    pub(super) parameters: Vec<Parameter>,
    pub(super) results: Vec<Type>,
    /// The type of a result that cannot leave the sandbox, if one is such.
    captive: Option<String>,
}

impl Function {
    fn new(kind: ModuleKind, text: &WitFunction, signature: &wasm_sandbox::Signature) -> Self {
        let (interface, name) = match (kind, text.name.split_once('#')) {
            (ModuleKind::Component, Some((interface, name))) => (Some(interface.to_owned()), name),
            // A core module's names are its own business.
            _ => (None, &*text.name),
        };
        let is_method = kind == ModuleKind::Component && name.starts_with("[method]");
        let parameters = signature.params.iter().zip(&text.params).enumerate();
        let mut results = signature.results.iter().zip(&text.results);
        let captive = results.find(|(ty, _)| matches!(ty, Type::Unsupported(_)));
        Function {
            export: Export {
                interface,
                name: name.to_owned(),
                signature: text.signature(usize::from(is_method)),
            },
            parameters: parameters
                .map(|(index, (param, text))| Parameter {
                    name: match &*param.name {
                        "" => format!("argument {}", index + 1),
                        name => format!("`{name}`"),
                    },
                    ty: param.ty.clone(),
                    text: text.name.clone(),
                    definition: text.definition.clone(),
                })
                .collect(),
            results: signature.results.clone(),
            captive: captive.map(|(_, text)| text.name.clone()),
            name: text.name.clone(),
        }
    }

    /// Parses arguments with `parse`, for the parameters after the first `given`. A function that could not answer is refused first.
    pub(super) fn parse<T>(
        &self,
        given: usize,
        parse: impl FnOnce(&Signature<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        if let Some(ty) = &self.captive {
            return Err(Error::Unsupported(format!(
                "the result is of the type `{ty}`, which has no text form"
            )));
        }
        let text = self.export.describe();
        parse(&Signature {
            parameters: &self.parameters[given.min(self.parameters.len())..],
            text: &text,
        })
    }
}

/// All functions, in the program's order.
pub(super) struct Functions {
    kind: ModuleKind,
    functions: Vec<Function>,
}

impl Functions {
    pub(super) fn of(module: &dyn WasmModule) -> Self {
        let kind = module.kind();
        let signatures: HashMap<_, _> = module
            .exports()
            .into_iter()
            .map(|function| (function.name, function.signature))
            .collect();
        let functions = module
            .wit_exports()
            .iter()
            .filter_map(|text| Some(Function::new(kind, text, signatures.get(&text.name)?)))
            .collect();
        Functions { kind, functions }
    }

    /// The function that makes the program a command.
    pub(super) fn command(&self) -> Option<&Function> {
        self.functions.iter().find(|function| match self.kind {
            ModuleKind::Core => &*function.name == "_start",
            ModuleKind::Component => {
                function.export.name == "run"
                    && matches!(&function.export.interface, Some(interface) if interface.starts_with(RUN))
            }
        })
    }

    /// The function in which a core library sets itself up, before its first function is called.
    pub(super) fn initialize(&self) -> Option<&Function> {
        let of_core = self.kind == ModuleKind::Core;
        let named = |function: &&Function| of_core && &*function.name == "_initialize";
        self.functions.iter().find(named)
    }

    /// The function that `word` means.
    pub(super) fn find(&self, word: &str) -> Result<&Function, Error> {
        let index = exports::find(&self.exports(), word)?;
        Ok(&self.functions[index])
    }

    /// The function that the sandbox gives this name.
    pub(super) fn named(&self, name: &str) -> Option<&Function> {
        self.functions
            .iter()
            .find(|function| &*function.name == name)
    }

    /// What can be called.
    pub(super) fn list(&self) -> ExportList {
        exports::list(&self.exports())
    }

    /// Whether functions have methods to be called on what they return.
    pub(super) fn have_methods(&self) -> bool {
        self.kind == ModuleKind::Component
    }

    fn exports(&self) -> Vec<Export> {
        let functions = self.functions.iter();
        functions.map(|function| function.export.clone()).collect()
    }
}
