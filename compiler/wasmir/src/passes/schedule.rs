//! Runs work on every function in parallel, a callee before its callers.
//!
//! # Algorithm
//! Of the call graph's edges those count that lead from a function to one earlier in [`CallGraph::callees_first`]; they
//! make no cycle. Each function waits for the number of its callees along them; the one that finishes last starts it,
//! most often on its own thread, where the callee's body is still in the cache.
//!
//! # Invariants
//! When work on a function begins, it has ended for each callee that precedes the function, and nothing else may be
//! relied on: what the work makes of a function then is the same for any number of threads.
//!
//! # Cost
//! O(functions + calls) beyond the work.

use crate::analysis::CallGraph;
use crate::entities::Func;
use cranelift_entity::EntityRef;
use std::sync::atomic::{AtomicU32, Ordering};

/// The edges, turned around.
struct Waiting<'a, F> {
    graph: &'a CallGraph,
    /// For each function where its callers begin in `callers`, and one more.
    starts: Vec<u32>,
    callers: Vec<Func>,
    /// How many callees of each function are not done.
    pending: Vec<AtomicU32>,
    work: F,
}

/// Runs `work` on every function of `graph`.
pub(super) fn callees_first(graph: &CallGraph, work: impl Fn(Func) + Sync) {
    let count = graph.callees_first().len();
    let mut starts = vec![0u32; count + 1];
    // Each callee counts once for each call: that is as right as once for each pair, and needs no set.
    let edges = |visit: &mut dyn FnMut(Func, Func)| {
        for &caller in graph.callees_first() {
            for &callee in graph.callees(caller) {
                if callee.index() < count && graph.precedes(callee, caller) {
                    visit(callee, caller);
                }
            }
        }
    };
    edges(&mut |callee, _| starts[callee.index() + 1] += 1);
    for i in 0..count {
        starts[i + 1] += starts[i];
    }
    let mut fill = starts.clone();
    let mut callers = vec![Func::from_u32(0); starts[count] as usize];
    let mut pending = vec![0u32; count];
    edges(&mut |callee, caller| {
        let place = &mut fill[callee.index()];
        callers[*place as usize] = caller;
        *place += 1;
        pending[caller.index()] += 1;
    });
    let ready: Vec<Func> = graph
        .callees_first()
        .iter()
        .copied()
        .filter(|func| pending[func.index()] == 0)
        .collect();
    let waiting = Waiting {
        graph,
        starts,
        callers,
        pending: pending.into_iter().map(AtomicU32::new).collect(),
        work,
    };
    rayon::scope(|scope| {
        // Leaves in lots: a task for each would cost more than many of them take.
        for lot in ready.chunks(32) {
            let waiting = &waiting;
            scope.spawn(move |scope| lot.iter().for_each(|&func| waiting.run(func, scope)));
        }
    });
}

impl<F: Fn(Func) + Sync> Waiting<'_, F> {
    /// Works on `func`, and then on what waited for it alone.
    fn run<'s>(&'s self, func: Func, scope: &rayon::Scope<'s>) {
        let mut next = Some(func);
        while let Some(func) = next.take() {
            (self.work)(func);
            debug_assert!(func.index() < self.graph.callees_first().len());
            let callers =
                self.starts[func.index()] as usize..self.starts[func.index() + 1] as usize;
            for &caller in &self.callers[callers] {
                if self.pending[caller.index()].fetch_sub(1, Ordering::AcqRel) != 1 {
                    continue;
                }
                // One is for this thread, the others for whoever comes first.
                match next {
                    None => next = Some(caller),
                    Some(_) => scope.spawn(move |scope| self.run(caller, scope)),
                }
            }
        }
    }
}
