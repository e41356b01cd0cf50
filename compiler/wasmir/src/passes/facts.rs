//! What the passes may know of a function's neighbours: nothing else is shown to them.
//!
//! # Which functions are known
//! The callees that come before the function in the call graph's order, which are finished when work on it begins; and
//! of what may be copied from them, the functions that they knew themselves, since a copy calls those. The worker behind a
//! wrapper counts as a callee of whoever calls the wrapper. Whether another function is finished is
//! a matter of threads: it is not shown, finished or not.
//!
//! # Invariants
//! Of a function that is known there is a summary, or none; of one that is called directly a body to copy, or none. The key of a kept result
//! ([`super::kept`]) is made of the same things.

use super::frame::{Callees, Summary};
use super::inline;
use super::kept::Identity;
use super::pipeline::Stats;
use crate::analysis::{Assignments, CallGraph, for_each_direct_callee, reverse_postorder};
use crate::body::Body;
use crate::entities::Func;
use cranelift_entity::EntityRef;
use rustc_hash::FxHashMap;
use std::sync::OnceLock;

/// What the passes make of a body.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) body: Box<Body>,
    /// Its weight, if callers may copy it.
    pub(super) weight: Option<usize>,
    /// What it does with its parameters, if callers may rely on that.
    pub(super) summary: Option<Summary>,
    /// What the body calls, if it is but a wrapper now.
    pub(super) worker: Option<Box<Worker>>,
    pub(super) stats: Stats,
}

/// What does the work of a function of which nothing but a wrapper was left ([`super::split`]).
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) body: Box<Body>,
    /// Its weight, if those who copy the wrapper may copy it too.
    pub(super) weight: Option<usize>,
    /// What it does with its parameters.
    pub(super) summary: Option<Summary>,
}

impl From<Worker> for Made {
    fn from(worker: Worker) -> Made {
        Made {
            body: worker.body,
            weight: worker.weight,
            summary: worker.summary,
            worker: None,
            stats: Stats::default(),
        }
    }
}

/// A function that is done.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) made: Made,
    /// What tells the body from others, where results are kept.
    pub(super) identity: Option<Identity>,
    /// It does nothing but call this and store the results.
    wraps: Option<Func>,
    /// How it assigns its locals; found when somebody wants to copy the body.
    assignments: OnceLock<Assignments>,
    /// What a copy of the body calls and was known when the body was made.
    knew: Vec<Func>,
}

impl Finished {
    pub(super) fn new(
        made: Made,
        identity: Option<Identity>,
        wraps: Option<Func>,
        facts: &Facts<'_>,
    ) -> Finished {
        let mut knew = Vec::new();
        if made.weight.is_some() {
            for_each_direct_callee(&made.body, |func| {
                if wraps == Some(func) || facts.known.contains_key(&func) {
                    knew.push(func);
                }
            });
        }
        Finished {
            made,
            identity,
            wraps,
            assignments: OnceLock::new(),
            knew,
        }
    }
}

/// A function that is known.
pub(super) struct Known<'a> {
    pub(super) done: &'a Finished,
    /// The body itself calls it, or a copy of a wrapper: it is asked whether to copy this too.
    called: bool,
    /// It is mentioned once in the program.
    pub(super) single: bool,
}

impl<'a> Known<'a> {
    /// The function, if it may be copied.
    pub(super) fn copied(&self) -> Option<(&'a Finished, usize)> {
        let weight = self.done.made.weight.filter(|_| self.called)?;
        Some((self.done, weight))
    }
}

/// What is known to the passes when they work on one function.
pub(super) struct Facts<'a> {
    known: FxHashMap<Func, Known<'a>>,
    /// Another definition may take the place of this one.
    pub(super) replaceable: bool,
    /// The function is mentioned once in the program.
    pub(super) single: bool,
    /// What a worker of the function is called by, if it may have one.
    pub(super) worker: Option<Func>,
}

impl<'a> Facts<'a> {
    /// The facts for `func`, given what is finished.
    pub(super) fn of(
        graph: &CallGraph,
        finished: &'a [OnceLock<Finished>],
        func: Func,
        replaceable: bool,
        worker: Option<Func>,
    ) -> Facts<'a> {
        let known = |callee: Func, called| {
            let done = finished.get(callee.index())?.get()?;
            Some(Known {
                done,
                called,
                single: graph.mentions(callee) == 1,
            })
        };
        let mut facts = Facts {
            known: FxHashMap::default(),
            replaceable,
            single: graph.mentions(func) == 1,
            worker,
        };
        let callees = graph.callees(func).iter().copied();
        for callee in callees.filter(|&callee| graph.precedes(callee, func)) {
            if let Some(found) = known(callee, true) {
                facts.known.insert(callee, found);
            }
        }
        let copied = facts.known.values().filter_map(Known::copied);
        let workers: Vec<Func> = copied.filter_map(|(done, _)| done.wraps).collect();
        for worker in workers {
            if let Some(found) = known(worker, true) {
                facts.known.insert(worker, found);
            }
        }
        let copied = facts.known.values().filter_map(Known::copied);
        let behind: Vec<Func> = copied.flat_map(|(done, _)| &done.knew).copied().collect();
        for callee in behind {
            // What a callee knew was finished before the callee.
            if let Some(found) = known(callee, false) {
                facts.known.entry(callee).or_insert(found);
            }
        }
        facts
    }

    /// What is known of a function.
    pub(super) fn known(&self, func: Func) -> Option<&Known<'a>> {
        self.known.get(&func)
    }

    /// What inlining is to know of a callee; nothing if it cannot be copied.
    pub(super) fn candidate(&self, callee: Func) -> Option<inline::Candidate<'a>> {
        let known = self.known.get(&callee)?;
        let (done, weight) = known.copied()?;
        let body = &*done.made.body;
        Some(inline::Candidate {
            body,
            weight,
            assignments: done
                .assignments
                .get_or_init(|| Assignments::of(body, &reverse_postorder(body))),
            summary: done.made.summary.as_ref(),
            single: known.single,
            wrapper: done.wraps.is_some(),
        })
    }
}

impl Callees for Facts<'_> {
    fn summary(&self, callee: Func) -> Option<&Summary> {
        self.known.get(&callee)?.done.made.summary.as_ref()
    }
}
