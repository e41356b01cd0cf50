//! Facts about bodies that passes share. An analysis reads a body, owns its result and is recomputed
//! when the body changes.

mod assigned;
mod callgraph;
mod cold;
pub mod constant;
mod dominators;
mod idom;

pub use assigned::{Assignments, possibly_unassigned};
pub use callgraph::{CallGraph, for_each_direct_callee};
pub use cold::cold_blocks;
pub use dominators::{Dominators, reverse_postorder};
pub use idom::{Preds, immediate_dominators};
