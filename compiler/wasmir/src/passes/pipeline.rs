//! The order of passes for a whole program.
//!
//! Functions are visited callees first: calls to finished callees are inlined, then the frame is
//! promoted (which wants the inlined code, and the summaries of what was not inlined), then what
//! became dead is removed. What is left of a function is what its callers see.
//!
//! # Cost
//! Linear in the size of the program before and after; inlining bounds growth.

use super::{dce, frame, inline};
use crate::analysis::CallGraph;
use crate::entities::Func;
use crate::inst::SrcLoc;
use crate::module::{FuncBody, Module};
use cranelift_entity::SecondaryMap;

/// What is done.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Whether to inline, and how eagerly.
    pub inline: Option<inline::Limits>,
    /// Whether to promote frames.
    pub frames: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            inline: Some(inline::Limits::default()),
            frames: true,
        }
    }
}

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Calls inlined.
    pub calls: usize,
    /// Frames promoted.
    pub frames: frame::Stats,
    /// Dead code removed.
    pub dead: dce::Stats,
}

/// Positions that the line tables give no line say nothing; without them, inlining puts in those of calls.
fn forget_lineless(module: &mut Module) {
    let debug = &module.debug;
    if debug.rows.is_empty() {
        return;
    }
    let known = |loc: SrcLoc| match debug.lookup(loc) {
        Some((_, line, _)) if line > 0 => loc,
        _ => SrcLoc::NONE,
    };
    for func in module.funcs.values_mut() {
        if let FuncBody::Ir(body) = &mut func.body {
            for &block in &body.layout {
                let data = &mut body.blocks[block];
                for loc in data.locs.iter_mut().chain([&mut data.term_loc]) {
                    *loc = known(*loc);
                }
            }
        }
    }
}

/// Runs the passes on every function that is in WasmIR form.
///
/// Functions that nothing mentions any more are left for reachability to remove.
pub fn run(module: &mut Module, options: &Options) -> Stats {
    let mut stats = Stats::default();
    forget_lineless(module);
    let graph = CallGraph::of(module);
    let convention = options
        .frames
        .then(|| frame::Convention::of(module))
        .flatten();
    let mut summaries: SecondaryMap<Func, Option<frame::Summary>> = SecondaryMap::new();
    // Weights of finished bodies that can be copied.
    let mut finished: SecondaryMap<Func, Option<usize>> = SecondaryMap::new();
    for &func in graph.callees_first() {
        let FuncBody::Ir(body) = &mut module.funcs[func].body else {
            continue;
        };
        let mut body = std::mem::take(&mut **body);
        if let Some(limits) = &options.inline {
            let made = inline::run(&mut body, limits, |callee| {
                let weight = finished[callee]?;
                let FuncBody::Ir(body) = &module.funcs[callee].body else {
                    return None;
                };
                Some(inline::Candidate {
                    body,
                    weight,
                    single: graph.mentions(callee) == 1,
                })
            });
            stats.calls += made.calls;
        }
        if let Some(convention) = convention {
            let context = frame::Context {
                convention,
                summaries: &summaries,
                rebase: true,
            };
            let (made, summary) = frame::run(&mut body, &context);
            stats.frames += made;
            summaries[func] = Some(summary);
        }
        let made = dce::run(&mut body);
        stats.dead.insts += made.insts;
        stats.dead.blocks += made.blocks;
        finished[func] = inline::can_inline(&body).then(|| inline::weight(&body));
        module.funcs[func].body = FuncBody::Ir(Box::new(body));
    }
    stats
}
