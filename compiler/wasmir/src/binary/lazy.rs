//! A module whose bodies are read when somebody asks for them.
//!
//! A linker looks at all symbols of a library and at few of its bodies. Opening a module this way costs what its
//! declarations and data cost; each body is as expensive as it is long, and only if it is asked for.
//!
//! # Invariants
//! A body handed out is valid in its module, as one of [`super::decode_module`] is. Bodies can be read in any order and on
//! any thread.

use super::wire::{Source, Wire};
use super::{DecodeError, decode};
use crate::body::Body;
use crate::entities::Func;
use crate::leb::Reader;
use crate::module::{FuncBody, Module};
use crate::verify::{Subtyping, verify_body, verify_declarations};
use cranelift_entity::SecondaryMap;
use std::ops::Range;
use std::sync::Arc;

/// A module in binary form, with its declarations read and its bodies not.
#[derive(Debug)]
pub struct LazyModule {
    module: Module,
    bytes: Arc<[u8]>,
    bodies: SecondaryMap<Func, Option<Range<usize>>>,
    subtyping: Subtyping,
}

impl LazyModule {
    /// Reads the declarations of a module and validates them.
    ///
    /// # Errors
    /// If the bytes are not a module of this version, or its declarations are not valid.
    pub fn open(bytes: &Arc<[u8]>) -> Result<LazyModule, DecodeError> {
        let (mut module, ranges) = decode(bytes, true)?;
        let subtyping = verify_declarations(&module).map_err(DecodeError::Invalid)?;
        let mut ranges = ranges.into_iter();
        let mut bodies = SecondaryMap::new();
        for (func, data) in module.funcs.iter_mut() {
            if let FuncBody::Ir(_) = data.body {
                bodies[func] = ranges.next();
                data.body = FuncBody::None;
            }
        }
        Ok(LazyModule {
            module,
            bytes: Arc::clone(bytes),
            bodies,
            subtyping,
        })
    }

    /// The module, without the bodies that were not read.
    pub fn module(&self) -> &Module {
        &self.module
    }

    /// The module, without the bodies that were not read; the bodies can no longer be.
    pub fn into_module(self) -> Module {
        self.module
    }

    /// Whether there is a body to read for `func`.
    pub fn has_body(&self, func: Func) -> bool {
        self.bodies[func].is_some()
    }

    /// Reads the body of `func` and validates it; `None` if it has none in WasmIR form.
    ///
    /// # Errors
    /// If its bytes are not a body, or the body does not fit the module.
    pub fn body(&self, func: Func) -> Result<Option<Body>, DecodeError> {
        let Some(range) = self.bodies[func].clone() else {
            return Ok(None);
        };
        let mut source = Source {
            reader: Reader::new(&self.bytes[range]),
            bytes: &self.bytes,
            skipped: None,
        };
        let body = Body::get(&mut source).map_err(DecodeError::Malformed)?;
        if !source.reader.at_end() {
            return Err(DecodeError::Malformed(
                source.reader.error("the end of a body"),
            ));
        }
        verify_body(&self.module, &self.subtyping, func, &body).map_err(DecodeError::Invalid)?;
        Ok(Some(body))
    }
}
