//! The exported functions of a loaded module, as every backend keeps them.
//!
//! # Invariants
//!
//! - Sorted by name, so that finding one is a binary search.
//! - A function listed in the `wasm-memory.messages` section has the type of a message function.

use std::ops::Deref;

use wasm_memory::message::{self, Codec};

use crate::value::{Signature, Type};
use crate::{Error, FunctionInfo, Result};

/// The exported functions of a module, sorted by name.
#[derive(Debug)]
pub(crate) struct Functions(Vec<FunctionInfo>);

impl Functions {
    /// Those of the core module `bytes`, whose section says which of them take messages.
    ///
    /// # Errors
    ///
    /// When the section is malformed, or lists a function of another type.
    pub(crate) fn of_core<'a>(
        bytes: &[u8],
        exports: impl Iterator<Item = (&'a str, Signature)>,
    ) -> Result<Self> {
        let messages = message::in_module(bytes)?;
        let mut functions: Vec<FunctionInfo> = exports
            .map(|(name, signature)| {
                let listed = messages.iter().find(|(listed, _)| *listed == name);
                let codec = listed.map(|(_, codec)| *codec);
                check_message(name, &signature, codec)?;
                Ok(FunctionInfo {
                    name: name.into(),
                    signature: signature.into(),
                    codec,
                })
            })
            .collect::<Result<_>>()?;
        functions.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Self(functions))
    }

    /// Those of a component, and, in the same order, what the engine needs to know about each.
    pub(crate) fn of_component<T>(mut exports: Vec<(String, Signature, T)>) -> (Self, Vec<T>) {
        exports.sort_by(|(a, ..), (b, ..)| a.cmp(b));
        let (functions, keys) = exports
            .into_iter()
            .map(|(name, signature, key)| {
                let info = FunctionInfo {
                    name: name.into(),
                    signature: signature.into(),
                    codec: None,
                };
                (info, key)
            })
            .unzip();
        (Self(functions), keys)
    }

    /// The index of the function of this name.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownFunction`].
    pub(crate) fn find(&self, name: &str) -> Result<usize> {
        self.0
            .binary_search_by(|function| (*function.name).cmp(name))
            .map_err(|_| Error::UnknownFunction { name: name.into() })
    }

    /// The function of this name.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownFunction`].
    pub(crate) fn named(&self, name: &str) -> Result<&FunctionInfo> {
        self.find(name).map(|index| &self.0[index])
    }
}

impl Deref for Functions {
    type Target = [FunctionInfo];

    fn deref(&self) -> &[FunctionInfo] {
        &self.0
    }
}

/// A function that is listed as taking messages must have their type.
fn check_message(name: &str, signature: &Signature, codec: Option<Codec>) -> Result<()> {
    let expected = Signature::new([Type::S32, Type::S32], [Type::S64]);
    if codec.is_some() && *signature != expected {
        return Err(Error::Signature {
            name: name.into(),
            reason: format!(
                "it is listed as a message function, but is `{signature}` instead of `{expected}`"
            ),
        });
    }
    Ok(())
}
