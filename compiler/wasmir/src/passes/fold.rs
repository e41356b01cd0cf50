//! Identical-function folding: calls of a function go to the first one that is the same.
//!
//! # Input, output
//! A module; the same module in which direct calls name one function of each set of equal ones. What
//! nobody mentions any more is left for reachability to remove.
//!
//! # Algorithm
//! Bodies are written in binary form without source locations and looked up by type and bytes. Folding
//! may make callers equal, so this is repeated while it helps, three times at most (chains of equal
//! wrappers are short).
//!
//! # Soundness
//! A function's identity can be observed through tables, references and addresses only. Those keep the
//! function they name; only direct calls, tail calls and invocations are changed, and they cannot tell.
//! In a relocatable module a weak definition may yet be another's, and takes no part.
//! Traps and line numbers of a folded function are those of the one kept.
//!
//! # Cost
//! Linear in the size of the module, three times at most.

use crate::binary::encode_body;
use crate::body::Body;
use crate::entities::Func;
use crate::inst::{Callee, Inst, SrcLoc, Terminator};
use crate::module::{FuncBody, Module};
use cranelift_entity::SecondaryMap;
use cranelift_entity::packed_option::PackedOption;
use rustc_hash::FxHashMap;

/// How often folding is repeated.
const ROUNDS: usize = 3;

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Functions that are the same as an earlier one.
    pub funcs: usize,
    /// Calls that name another function now.
    pub calls: usize,
}

/// Folds identical functions that are in WasmIR form.
pub fn run(module: &mut Module) -> Stats {
    let mut stats = Stats::default();
    for _ in 0..ROUNDS {
        let same = duplicates(module);
        stats.funcs = same.values().filter(|f| f.is_some()).count();
        let calls = redirect(module, &same);
        stats.calls += calls;
        if calls == 0 {
            break;
        }
    }
    stats
}

/// For each function the earlier one it is the same as.
fn duplicates(module: &Module) -> SecondaryMap<Func, PackedOption<Func>> {
    let mut first = FxHashMap::default();
    let mut same = SecondaryMap::new();
    for (func, data) in module.funcs.iter() {
        if let FuncBody::Ir(body) = &data.body
            && !module.is_replaceable(func)
        {
            let kept = *first
                .entry((data.ty, encode_body(&without_locs(body))))
                .or_insert(func);
            if kept != func {
                same[func] = Some(kept).into();
            }
        }
    }
    same
}

fn without_locs(body: &Body) -> Body {
    let mut body = body.clone();
    for block in body.blocks.values_mut() {
        block.locs.fill(SrcLoc::NONE);
        block.term_loc = SrcLoc::NONE;
    }
    body
}

fn redirect(module: &mut Module, same: &SecondaryMap<Func, PackedOption<Func>>) -> usize {
    let mut calls = 0;
    let mut change = |callee: &mut Callee| {
        if let Callee::Direct(func) = callee
            && let Some(kept) = same[*func].expand()
        {
            *func = kept;
            calls += 1;
        }
    };
    for data in module.funcs.values_mut() {
        let FuncBody::Ir(body) = &mut data.body else {
            continue;
        };
        for &block in &body.layout {
            let block = &mut body.blocks[block];
            for inst in &mut block.insts {
                if let Inst::Call { callee, .. } = inst {
                    change(callee);
                }
            }
            match &mut block.term {
                Terminator::ReturnCall { callee, .. } | Terminator::Invoke { callee, .. } => {
                    change(callee);
                }
                _ => {}
            }
        }
    }
    calls
}
