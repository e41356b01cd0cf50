//! The order of passes for a whole program.
//!
//! Functions are visited callees first: calls to finished callees are inlined, then frames and stack slots are
//! promoted (which wants the inlined code, and the summaries of what was not inlined), then a function that gives back a struct and
//! is too large to be copied becomes a worker and a wrapper ([`super::split`]), then loads of known memory
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

use super::facts::{Facts, Finished, Made, Worker};
use super::frame::Summary;
use super::kept::{Kept, Results};
use super::{branch, dce, frame, inline, memory, schedule, split};
use crate::analysis::CallGraph;
use crate::body::Body;
use crate::debug::DebugInfo;
use crate::entities::Func;
use crate::inst::{Callee, Inst, SrcLoc};
use crate::module::{FuncBody, FuncData, Module};
use crate::symbol::{Linkage, Symbol};
use crate::types::FuncType;
use cranelift_entity::packed_option::PackedOption;
use cranelift_entity::{EntityRef, SecondaryMap};
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
    /// Functions that return the fields of their result.
    pub splits: usize,
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
    /// Functions, and workers behind them.
    finished: Vec<OnceLock<Finished>>,
    /// What a function's worker is called by, if it may have one: a number behind those of all functions.
    workers: SecondaryMap<Func, PackedOption<Func>>,
}

impl Work<'_> {
    fn function(&self, func: Func) {
        let place = &self.bodies[func.index()];
        // Nobody panics with the lock held: the body is taken, and that is all.
        let body = place.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut body) = body else { return };
        forget_lineless(&self.module.debug, &mut body);
        let replaceable = self.module.is_replaceable(func);
        let worker = self.workers[func].expand();
        let facts = Facts::of(self.graph, &self.finished, func, replaceable, worker);
        let (mut made, identity, workers) = match &self.kept {
            Some(kept) => kept.get_or_make(body, &facts, |body| self.optimised(body, &facts)),
            None => (self.optimised(body, &facts), None, None),
        };
        // Each function is visited once. Who sees the function finished sees its worker finished.
        let wraps = worker.zip(made.worker.take()).map(|(worker, made)| {
            let made = Finished::new((*made).into(), workers, None, &facts);
            let _ = self.finished[worker.index()].set(made);
            worker
        });
        let _ = self.finished[func.index()].set(Finished::new(made, identity, wraps, &facts));
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
            if let Some(made) = self.split(&body, &found, &context, facts) {
                return Made {
                    stats: Stats {
                        calls: stats.calls,
                        ..made.stats
                    },
                    ..made
                };
            }
            summary = Some(found).filter(|_| !facts.replaceable);
        }
        self.shrink(&mut body, &mut stats);
        let weight = self.copied(facts, &body);
        Made {
            body,
            weight,
            summary,
            worker: None,
            stats,
        }
    }

    /// What is done when frames are promoted.
    fn shrink(&self, body: &mut Body, stats: &mut Stats) {
        if self.options.memory {
            stats.memory = memory::run(body);
        }
        if self.options.branches {
            stats.branches = branch::run(body);
        }
        if self.options.dead {
            stats.dead = dce::run(body);
        }
    }

    /// A wrapper and a worker in place of a body that would not be copied as a whole.
    fn split(
        &self,
        body: &Body,
        summary: &Summary,
        context: &frame::Context<'_>,
        facts: &Facts<'_>,
    ) -> Option<Made> {
        let limits = self.options.inline.as_ref()?;
        let worker = facts.worker?;
        let weight = inline::weight(body);
        let alone = facts.single && weight <= limits.single;
        if alone || weight <= limits.usual(body.num_params as usize) {
            return None;
        }
        let made = split::run(body, summary, context, worker)?;
        let mut stats = Stats {
            splits: 1,
            frames: made.frames,
            ..Stats::default()
        };
        let mut worker = Box::new(made.worker);
        self.shrink(&mut worker, &mut stats);
        let body = Box::new(made.wrapper);
        Some(Made {
            weight: self.copied(facts, &body),
            body,
            summary: Some(summary.clone()),
            worker: Some(Box::new(Worker {
                weight: self.copied(facts, &worker),
                body: worker,
                summary: Some(made.summary),
            })),
            stats,
        })
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
    let workers = match &options.inline {
        Some(_) if options.frames && options.dead => workers(module, &graph),
        _ => SecondaryMap::new(),
    };
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
    let count = module.funcs.len() + workers.values().filter(|worker| worker.is_some()).count();
    let work = Work {
        module,
        graph: &graph,
        options,
        frames,
        kept: results.map(|results| Kept::new(results, options, frames)),
        bodies,
        finished: (0..count).map(|_| OnceLock::new()).collect(),
        workers,
    };
    schedule::callees_first(&graph, |func| work.function(func));
    let (mut finished, workers) = (work.finished, work.workers);
    let made = finished.split_off(module.funcs.len());
    let mut stats = Stats::default();
    for (func, done) in module.funcs.values_mut().zip(finished) {
        if let Some(done) = done.into_inner() {
            let Made {
                body, stats: own, ..
            } = done.made;
            func.body = FuncBody::Ir(body);
            stats.calls += own.calls;
            stats.splits += own.splits;
            stats.frames += own.frames;
            stats.memory += own.memory;
            stats.branches += own.branches;
            stats.dead += own.dead;
        }
    }
    add_workers(module, &workers, made);
    stats
}

/// Which functions may have a worker, and what it is called by until it is one of the module: those that are only mentioned by calls
/// without handlers. Of what the table names, and where calls are not copied into, the wrapper would stay, and cost a call.
fn workers(module: &Module, graph: &CallGraph) -> SecondaryMap<Func, PackedOption<Func>> {
    let has_pointer = |body: &FuncBody| matches!(body, FuncBody::Ir(body) if body.result_param);
    if !module.funcs.values().any(|data| has_pointer(&data.body)) {
        return SecondaryMap::new();
    }
    let mut calls: SecondaryMap<Func, u32> = SecondaryMap::new();
    calls.resize(module.funcs.len());
    for (caller, data) in &module.funcs {
        let FuncBody::Ir(body) = &data.body else {
            continue;
        };
        for &block in &body.layout {
            for inst in &body.blocks[block].insts {
                if let Inst::Call {
                    callee: Callee::Direct(callee),
                    ..
                } = *inst
                {
                    // One that calls itself would do so by way of the wrapper.
                    calls[callee] += u32::from(callee != caller);
                }
            }
        }
    }
    let mut workers = SecondaryMap::new();
    let mut next = module.funcs.len();
    for (func, data) in &module.funcs {
        let FuncBody::Ir(body) = &data.body else {
            continue;
        };
        let symbol = &data.symbol;
        let own = symbol.linkage == Linkage::Local && !symbol.used && symbol.comdat.is_none();
        if body.result_param && own && calls[func] > 0 && calls[func] == graph.mentions(func) {
            workers[func] = Func::new(next).into();
            next += 1;
        }
    }
    workers
}

/// Adds the workers that were made to the functions of a module, by the names of those whose work they do.
fn add_workers(
    module: &mut Module,
    workers: &SecondaryMap<Func, PackedOption<Func>>,
    made: Vec<OnceLock<Finished>>,
) {
    if made.is_empty() {
        return;
    }
    let first = module.funcs.len();
    let mut numbers: Vec<PackedOption<Func>> = vec![None.into(); made.len()];
    let mut made: Vec<Option<Finished>> = made.into_iter().map(OnceLock::into_inner).collect();
    for (func, worker) in workers.iter() {
        let Some(place) = worker.expand().map(|worker| worker.index() - first) else {
            continue;
        };
        let Some(done) = made[place].take() else {
            continue;
        };
        let body = done.made.body;
        let params = body.params().map(|param| body.locals[param]);
        let ty = FuncType::new(params.collect::<Vec<_>>(), split::results(&body));
        let data = FuncData {
            ty: module.types.intern_func(ty),
            import: None,
            symbol: Symbol {
                name: module.funcs[func].symbol.name.clone(),
                ..Symbol::default()
            },
            body: FuncBody::Ir(body),
        };
        numbers[place] = module.funcs.push(data).into();
    }
    for data in module.funcs.values_mut() {
        let FuncBody::Ir(body) = &mut data.body else {
            continue;
        };
        for i in 0..body.layout.len() {
            for inst in &mut body.blocks[body.layout[i]].insts {
                if let Inst::Call {
                    callee: Callee::Direct(func),
                    ..
                } = inst
                    && let Some(place) = func.index().checked_sub(first)
                    && let Some(number) = numbers[place].expand()
                {
                    *func = number;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inst::{Access, MemArg};
    use crate::module::{GlobalData, MemoryData};
    use crate::types::Type;
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
