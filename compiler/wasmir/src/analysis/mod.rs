//! Facts about bodies that passes share. An analysis reads a body, owns its result and is recomputed
//! when the body changes.

mod dominators;

pub use dominators::Dominators;
