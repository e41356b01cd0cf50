//! The order of passes for a whole program.
//!
//! Functions are visited callees first: calls to finished callees are inlined, then frames and stack slots are
//! promoted (which wants the inlined code, and the summaries of what was not inlined), then loads of known memory
//! become copies (what is left of frames is memory), which shows what branches are decided, then what became dead is
//! removed. What is left of a function is what its callers see.
//!
//! # Parallel work
//! What becomes of a function depends on its own body and on finished callees that precede it in the call graph's order,
//! and on nothing else ([`super::facts`]), which is also what makes it possible to keep results between runs
//! ([`super::kept`]); functions that do not call each other are worked on at the same time ([`super::schedule`]), and the
//! result is the same for any number of threads.
//!
//! # Weak definitions
//! In a relocatable module a strong definition from elsewhere may take the place of a weak one. Weak functions are
//! optimised, but nothing is concluded from their bodies: they are not inlined and have no summary.
//!
//! # Cost
//! Linear in the size of the program before and after; inlining bounds growth.

use super::facts::{Facts, Finished, Made};
use super::kept::{Kept, Results};
use super::{branch, dce, frame, inline, memory, schedule};
use crate::analysis::CallGraph;
use crate::body::Body;
use crate::debug::DebugInfo;
use crate::entities::Func;
use crate::inst::SrcLoc;
use crate::module::{FuncBody, Module};
use cranelift_entity::EntityRef;
use std::sync::{Mutex, OnceLock, PoisonError};

/// What is done.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Whether to inline, and how eagerly.
    pub inline: Option<inline::Limits>,
    /// Whether to promote frames.
    pub frames: bool,
    /// Whether to follow what is known to be in memory.
    pub memory: bool,
    /// Whether to follow what is known of conditions.
    pub branches: bool,
    /// Whether to remove dead code.
    pub dead: bool,
}

/// For what was lifted. An optimiser that wrote it has decided the branches and knew the memory, and what none has seen is so
/// large that these passes, a fifth more time for a hundredth more code, would not be paid back by running it once.
impl Default for Options {
    fn default() -> Options {
        Options {
            inline: Some(inline::Limits::default()),
            memory: false,
            branches: false,
            ..Options::FRONT_END
        }
    }
}

impl Options {
    /// Everything, for the program of a front end of ours.
    pub const FRONT_END: Options = Options {
        inline: Some(inline::Limits::FRONT_END),
        frames: true,
        memory: true,
        branches: true,
        dead: true,
    };

    /// Promotion of frames alone.
    pub const FRAMES: Options = Options {
        inline: None,
        memory: false,
        branches: false,
        dead: false,
        ..Options::FRONT_END
    };
}

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Calls inlined.
    pub calls: usize,
    /// Frames promoted.
    pub frames: frame::Stats,
    /// Loads and stores that were not needed.
    pub memory: memory::Stats,
    /// Branches decided.
    pub branches: branch::Stats,
    /// Dead code removed.
    pub dead: dce::Stats,
}

/// Positions that the line tables give no line say nothing; without them, inlining puts in those of calls.
fn forget_lineless(debug: &DebugInfo, body: &mut Body) {
    if debug.rows.is_empty() {
        return;
    }
    let mut rows = debug.reader();
    let mut known = |loc: SrcLoc| match rows.row(loc) {
        Some(row) if row.line > 0 && row.file.is_some() => loc,
        _ => SrcLoc::NONE,
    };
    for &block in &body.layout {
        let data = &mut body.blocks[block];
        for loc in data.locs.iter_mut().chain([&mut data.term_loc]) {
            *loc = known(*loc);
        }
    }
}

/// What all threads see.
struct Work<'a> {
    module: &'a Module,
    graph: &'a CallGraph,
    options: &'a Options,
    /// What all functions share for the promotion of frames.
    frames: Option<frame::Context<'a>>,
    kept: Option<Kept<'a>>,
    /// The bodies as they were, each taken once.
    bodies: Vec<Mutex<Option<Box<Body>>>>,
    finished: Vec<OnceLock<Finished>>,
}

impl Work<'_> {
    fn function(&self, func: Func) {
        let place = &self.bodies[func.index()];
        // Nobody panics with the lock held: the body is taken, and that is all.
        let body = place.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut body) = body else { return };
        forget_lineless(&self.module.debug, &mut body);
        let replaceable = self.module.is_replaceable(func);
        let facts = Facts::of(self.graph, &self.finished, func, replaceable);
        let (made, identity) = match &self.kept {
            Some(kept) => kept.get_or_make(body, &facts, |body| self.optimised(body, &facts)),
            None => (self.optimised(body, &facts), None),
        };
        // Each function is visited once.
        let _ = self.finished[func.index()].set(Finished::new(made, identity, &facts));
    }

    /// What becomes of a body. The result may depend on what is read here and on nothing else: it may be kept, by a key that is made
    /// of the same things ([`super::kept`]).
    fn optimised(&self, mut body: Box<Body>, facts: &Facts<'_>) -> Made {
        let mut stats = Stats::default();
        if let Some(limits) = &self.options.inline {
            let stack_pointer = self.frames.and_then(|shared| shared.stack_pointer);
            let candidate = |callee| facts.candidate(callee);
            let made = inline::run(&mut body, limits, stack_pointer, candidate);
            stats.calls = made.calls;
        }
        let mut summary = None;
        if let Some(shared) = self.frames {
            let context = frame::Context {
                callees: facts,
                ..shared
            };
            let (made, found) = frame::run(&mut body, &context);
            stats.frames = made;
            summary = Some(found).filter(|_| !facts.replaceable);
        }
        if self.options.memory {
            stats.memory = memory::run(&mut body);
        }
        if self.options.branches {
            stats.branches = branch::run(&mut body);
        }
        if self.options.dead {
            stats.dead = dce::run(&mut body);
        }
        let weight = self.copied(facts, &body);
        Made {
            body,
            weight,
            summary,
            stats,
        }
    }

    /// The weight of a finished body, if callers may copy it.
    fn copied(&self, facts: &Facts<'_>, body: &Body) -> Option<usize> {
        let limits = self.options.inline.as_ref()?;
        let weight = inline::weight(body);
        let most = match facts.single {
            true => limits.single,
            false => limits.most(body.num_params as usize),
        };
        let fits = !facts.replaceable && weight <= most && inline::can_inline(body);
        fits.then_some(weight)
    }
}

/// Runs the passes on every function that is in WasmIR form.
///
/// Functions that nothing mentions any more are left for reachability to remove.
pub fn run(module: &mut Module, options: &Options) -> Stats {
    run_kept(module, options, None)
}

/// The same, with the results of earlier runs, and for later ones: the module is the same with them and without.
pub fn run_kept(module: &mut Module, options: &Options, results: Option<&dyn Results>) -> Stats {
    let graph = CallGraph::of(module);
    let take = |body: &mut FuncBody| match std::mem::replace(body, FuncBody::None) {
        FuncBody::Ir(body) => Some(body),
        other => {
            *body = other;
            None
        }
    };
    let bodies = module.funcs.values_mut();
    let bodies = bodies
        .map(|func| Mutex::new(take(&mut func.body)))
        .collect();
    let frames = match options.frames {
        true => frame::Context::of(module, &()),
        false => None,
    };
    let work = Work {
        module,
        graph: &graph,
        options,
        frames,
        kept: results.map(|results| Kept::new(results, options, frames)),
        bodies,
        finished: module.funcs.keys().map(|_| OnceLock::new()).collect(),
    };
    schedule::callees_first(&graph, |func| work.function(func));
    let finished = work.finished;
    let mut stats = Stats::default();
    for (func, done) in module.funcs.values_mut().zip(finished) {
        if let Some(done) = done.into_inner() {
            let Made {
                body, stats: own, ..
            } = done.made;
            func.body = FuncBody::Ir(body);
            stats.calls += own.calls;
            stats.frames += own.frames;
            stats.memory += own.memory;
            stats.branches += own.branches;
            stats.dead += own.dead;
        }
    }
    stats
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inst::{Access, Callee, Inst, MemArg};
    use crate::module::{FuncData, GlobalData, MemoryData};
    use crate::symbol::Symbol;
    use crate::types::{FuncType, Type};
    use crate::{BodyBuilder, Opcode};

    /// A few hundred functions with frames that call one another at random, in circles too.
    fn tangle() -> Module {
        let mut module = Module::new();
        let memory = module.memories.push(MemoryData {
            index64: false,
            shared: false,
            min: 1,
            max: None,
            page_size_log2: None,
            import: None,
            symbol: Symbol::default(),
        });
        let stack_pointer = module.globals.push(GlobalData {
            ty: Type::I32,
            mutable: true,
            shared: false,
            init: None,
            import: None,
            symbol: Symbol::local("__stack_pointer"),
        });
        let ty = module
            .types
            .intern_func(FuncType::new([Type::I32], [Type::I32]));
        let mut state = 7u32;
        let mut random = |below: u32| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) % below
        };
        const FUNCS: u32 = 400;
        for _ in 0..FUNCS {
            let mut b = BodyBuilder::new(&[Type::I32]);
            let block = b.block();
            b.switch_to(block);
            let (x, top) = (b.param(0), b.local(Type::I32));
            b.push(Inst::GlobalGet {
                dst: top,
                global: stack_pointer,
            });
            let size = b.i32_const(32);
            let frame = b.binary(Opcode::I32Sub, Type::I32, top, size);
            b.push(Inst::GlobalSet {
                global: stack_pointer,
                src: frame,
            });
            let arg = MemArg {
                memory,
                offset: u64::from(random(4)) * 8,
                access: Access::new(2),
            };
            b.store(Opcode::I32Store, frame, x, arg);
            let mut value = b.load(Opcode::I32Load, Type::I32, frame, arg);
            for _ in 0..random(4) {
                let result = b.local(Type::I32);
                let passed = if random(2) == 0 { frame } else { value };
                let callee = Callee::Direct(Func::from_u32(random(FUNCS)));
                b.call(callee, &[result], &[passed]);
                let again = b.load(Opcode::I32Load, Type::I32, frame, arg);
                value = b.binary(Opcode::I32Add, Type::I32, result, again);
            }
            b.push(Inst::GlobalSet {
                global: stack_pointer,
                src: top,
            });
            b.ret(&[value]);
            module.funcs.push(FuncData {
                ty,
                import: None,
                symbol: Symbol::default(),
                body: FuncBody::Ir(Box::new(b.finish())),
            });
        }
        module
    }

    #[test]
    fn any_number_of_threads_makes_the_same() {
        let made = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            let mut module = tangle();
            let stats = pool
                .expect("threads")
                .install(|| run(&mut module, &Options::FRONT_END));
            assert!(stats.calls > 0 && stats.frames.slots > 0, "{stats:?}");
            (stats, crate::encode_module(&module))
        };
        let one = made(1);
        for threads in [2, 7] {
            assert!(made(threads) == one, "{threads} threads");
        }
    }

    /// A callee that is copied calls a function which stands before the caller in the order, but is nothing that the callee waited for: whether
    /// it is finished by the time of the copy is chance, and must not show.
    #[test]
    fn what_a_copy_calls_is_known_if_the_callee_knew_it() {
        let mut text = String::from(
            "wasmir 1\ntype type0 = func(i32) -> (i32)\nmemory %memory 1\n\
             global %__stack_pointer mut i32 = (i32.const 65536)\n",
        );
        const COUNT: usize = 150;
        for i in 0..COUNT {
            // The circle of `around` and `copied` is entered by `around`, so `copied` comes first and waits for nothing.
            text += &format!("func %around{i} type0 {{\n  param l0: i32\n  local l1: i32\nb0:\n");
            for _ in 0..i % 40 {
                text +=
                    "  l1 = i32.load %memory l0+0 align 4\n  i32.store %memory l0+0, l1 align 4\n";
            }
            text += &format!(
                "  l1 = call %copied{i}(l1)\n  return l1\n}}\nfunc %copied{i} type0 {{\n  param l0: i32\n  local l1: i32\nb0:\n  \
                 l1 = call %around{i}(l0)\n  return l1\n}}\n"
            );
        }
        for i in 0..COUNT {
            text += &format!(
                "func %caller{i} type0 {{\n  param l0: i32\n  local l1, l2: i32\n  slot ss0: 8 align 4\nb0:\n  \
                 l1 = stack_addr ss0 0\n  i32.store %memory l1+4, l0 align 4\n  l2 = call %copied{i}(l1)\n  \
                 l2 = i32.load %memory l1+4 align 4\n  return l2\n}}\n"
            );
        }
        let module = crate::parse_module(&text).unwrap_or_else(|error| panic!("{error}"));
        let made = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            let mut module = module.clone();
            let stats = pool
                .expect("threads")
                .install(|| run(&mut module, &Options::default()));
            assert!(stats.calls >= COUNT, "{stats:?}");
            crate::print_module(&module).to_string()
        };
        let one = made(1);
        for threads in [2, 4, 2, 8] {
            assert!(made(threads) == one, "{threads} threads");
        }
    }
}
