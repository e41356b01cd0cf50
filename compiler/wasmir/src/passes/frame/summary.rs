//! What a function does with the pointers it is given: what its callers' frames need to know.

use crate::entities::Func;

/// What happens to a pointer parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParamUse {
    /// Only the bytes `low..high` around it are accessed; none if the range is empty.
    Within {
        /// The first byte.
        low: i32,
        /// The byte behind the last.
        high: i32,
    },
    /// It may be kept, returned in an unknown form, or used in any other way.
    Escapes,
}

impl ParamUse {
    /// A pointer that nothing is done with.
    pub const UNUSED: ParamUse = ParamUse::Within { low: 0, high: 0 };

    /// Adds the bytes `low..high`.
    pub(super) fn widen(&mut self, low: i32, high: i32) {
        if let ParamUse::Within { low: l, high: h } = self {
            if l == h {
                (*l, *h) = (low, high);
            } else {
                (*l, *h) = ((*l).min(low), (*h).max(high));
            }
        }
    }
}

/// What a function does with its parameters. The default says nothing, so anything may happen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// One entry for each parameter, in order; parameters beyond the list escape.
    pub params: Vec<ParamUse>,
    /// The first result is this parameter plus a constant, whenever the function returns.
    pub returns: Option<(u32, i32)>,
}

impl Summary {
    /// What happens to parameter `index`.
    pub fn param(&self, index: usize) -> ParamUse {
        self.params.get(index).copied().unwrap_or(ParamUse::Escapes)
    }
}

/// What is known of callees.
pub trait Callees: Sync {
    /// The summary of `callee`; nothing means that anything may happen.
    fn summary(&self, callee: Func) -> Option<&Summary>;
}

/// Nothing is known.
impl Callees for () {
    fn summary(&self, _: Func) -> Option<&Summary> {
        None
    }
}
