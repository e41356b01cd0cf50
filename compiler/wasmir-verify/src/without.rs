//! Takes effects out of a program.
//!
//! # Input, output
//! A module, its inferred effects, and those it is to do without; the same module in which nothing has them. What
//! nobody reaches any more (imports among it) is left for reachability to remove.
//!
//! # Algorithm
//! 1. *Stubs.* An imported function with an unwanted effect becomes a defined one that reports the effect and traps. So
//!    does, at its place, each operator with an unwanted effect (`memory.grow`, atomics).
//! 2. *Doom.* A function is doomed when it needs the unwanted effects on every path: once its calls of doomed functions
//!    are cut, some cut is reached from its entry, and no path returns, tail-calls something that is not doomed, throws,
//!    or runs in a circle. (On the graph in which each cut leads to one node *cut*, and each return to one node *end*: *cut*
//!    post-dominates the entry.) Paths that end in a trap of their own, such as a panic's, do not count as ways out. Stubs
//!    are doomed; the rest is the least fixpoint, by a worklist over callers. Indirect calls are never taken to be doomed.
//! 3. *Verdict.* If an export or the start function is doomed the module is refused, with a chain of calls: no useful
//!    program would be left.
//! 4. *Cut.* Code after a call of a doomed function is removed, with the blocks that only it led to.
//!
//! # Invariants
//! A path of the original program that performs no unwanted effect is not changed. A path that would perform one traps
//! at its place, in a function called `wasm_effect_removed::EFFECT`.
//!
//! # The report
//! Where the module writes to WASI's standard error anyway (it imports `fd_write`, and that is not unwanted), the trap
//! is preceded by a message there. Its bytes are put below the stack pointer: whatever lay there is not needed any more,
//! since the program ends. Elsewhere the name in the backtrace is the message.
//!
//! # Cost
//! Doom visits a function once for each of its callees that turns out doomed; everything else is linear in the size of
//! the functions that have unwanted effects, and the others are not looked at.

use std::collections::BTreeMap;
use std::fmt;

use wasmir::analysis::for_each_direct_callee;
use wasmir::entity::SecondaryMap;
use wasmir::passes::{dce, frame::Convention};
use wasmir::{
    Access, Block, Body, BodyBuilder, Callee, Func, FuncBody, FuncData, FuncType, Inst, Item,
    MemArg, Module, Opcode, SrcLoc, Symbol, Terminator, Type,
};

use crate::effect::{Effect, EffectSet};
use crate::graph::op_effects;
use crate::infer::Inferred;
use crate::report::{Reason, reason};

/// Bytes below the stack pointer that a report uses: a vector of one buffer, a count, and the message.
const SCRATCH: i32 = 256;
const MESSAGE: i32 = 16;

/// What was taken out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Imported functions replaced by functions that trap.
    pub imports: usize,
    /// Operators replaced by traps.
    pub operators: usize,
    /// Functions that need the effects on every path.
    pub doomed: usize,
}

/// Why a program cannot do without an effect.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum WithoutError {
    /// An export or the start function needs the effect on every path.
    Needed {
        /// The export's name, or `(start)`.
        entry: String,
        /// The effect and how the entry comes to it.
        reason: Reason,
    },
    /// The effect comes from code that is not in the module.
    Unknown {
        /// The effect and how a function comes to it.
        reason: Reason,
    },
    /// A function with the effect has no readable body: it was not lifted.
    Opaque {
        /// The function.
        func: Func,
    },
}

impl fmt::Display for WithoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WithoutError::Needed { entry, reason } => write!(
                f,
                "`{entry}` needs the effect `{}` on every path: {}",
                reason.effect,
                reason.chain_text()
            ),
            WithoutError::Unknown { reason } => write!(
                f,
                "the effect `{}` cannot be taken out: {}",
                reason.effect,
                reason.chain_text()
            ),
            WithoutError::Opaque { func } => {
                write!(f, "the body of `{func}` was not lifted")
            }
        }
    }
}

impl std::error::Error for WithoutError {}

/// The functions whose bodies [`without`] looks into: they must be lifted.
pub fn affected(module: &Module, inferred: &Inferred, unwanted: EffectSet) -> Vec<Func> {
    let has = |func: Func| !inferred.of(func).intersection(unwanted).is_pure();
    let defined = |func: Func| !matches!(module.funcs[func].body, FuncBody::None);
    module
        .funcs
        .keys()
        .filter(|&func| defined(func) && has(func))
        .collect()
}

/// Takes the effects `unwanted` out of `module`, of which `inferred` tells the effects.
///
/// # Errors
/// If an export needs them on every path, or if they come from where they cannot be removed. The module is then of no
/// further use.
pub fn without(
    module: &mut Module,
    inferred: &Inferred,
    unwanted: EffectSet,
) -> Result<Removed, WithoutError> {
    let mut removed = Removed::default();
    let affected = affected(module, inferred, unwanted);
    for &func in &affected {
        if matches!(module.funcs[func].body, FuncBody::Raw(_)) {
            return Err(WithoutError::Opaque { func });
        }
        // Only what no such function can stand for is left: calls of functions that the host alone knows.
        if let Some(reason) = unknown(module, inferred, func, unwanted) {
            return Err(WithoutError::Unknown { reason });
        }
    }
    // While the chains still lead to imports.
    let entries = entries(module, inferred, unwanted);
    let imports: Vec<Func> = module
        .funcs
        .iter()
        .filter(|(_, data)| data.import.is_some())
        .map(|(func, _)| func)
        .filter(|&func| !inferred.of(func).intersection(unwanted).is_pure())
        .collect();

    let mut reports = Reports {
        stderr: Stderr::of(module, &imports),
        made: BTreeMap::new(),
    };
    let mut doomed: SecondaryMap<Func, bool> = SecondaryMap::new();
    for &func in &imports {
        let effect = first(inferred.of(func), unwanted);
        let report = reports.of(module, inferred, effect);
        doomed[report] = true;
        doomed[func] = true;
        put_trap(module, func, report, inferred.effects.name(effect));
        removed.imports += 1;
    }
    for &func in &affected {
        removed.operators += operators(module, inferred, func, unwanted, &mut reports);
    }
    for report in reports.made.values() {
        doomed[*report] = true;
    }

    doom(module, &affected, &mut doomed);
    if let Some((_, error)) = entries.into_iter().find(|(func, _)| doomed[*func]) {
        return Err(error);
    }
    for &func in &affected {
        removed.doomed += usize::from(doomed[func]);
        cut(module, func, &doomed);
    }
    Ok(removed)
}

/// The first unwanted effect of a set.
fn first(set: EffectSet, unwanted: EffectSet) -> Effect {
    set.intersection(unwanted)
        .iter()
        .next()
        .unwrap_or(Effect::HOST)
}

fn unknown(
    module: &Module,
    inferred: &Inferred,
    func: Func,
    unwanted: EffectSet,
) -> Option<Reason> {
    let effects = inferred.of(func).intersection(unwanted);
    effects
        .iter()
        .filter(|&effect| inferred.comes_from_outside(func, effect))
        .find_map(|effect| reason(module, inferred, func, effect))
}

/// Where messages can be written.
#[derive(Clone, Copy)]
struct Stderr {
    write: Func,
    convention: Convention,
}

impl Stderr {
    fn of(module: &Module, removed: &[Func]) -> Option<Stderr> {
        let convention = Convention::of(module)?;
        let ty = FuncType::new([Type::I32; 4], [Type::I32]);
        let (write, _) = module.funcs.iter().find(|(func, data)| {
            let import = data.import.as_ref();
            import.is_some_and(|i| i.module == "wasi_snapshot_preview1" && i.name == "fd_write")
                && module.types.func(data.ty) == Some(&ty)
                && !removed.contains(func)
        })?;
        Some(Stderr { write, convention })
    }
}

/// The functions that report an effect and trap, one for each.
struct Reports {
    stderr: Option<Stderr>,
    made: BTreeMap<Effect, Func>,
}

impl Reports {
    fn of(&mut self, module: &mut Module, inferred: &Inferred, effect: Effect) -> Func {
        if let Some(&func) = self.made.get(&effect) {
            return func;
        }
        let name = inferred.effects.name(effect);
        let mut b = BodyBuilder::new(&[]);
        let entry = b.block();
        b.switch_to(entry);
        if let Some(stderr) = self.stderr {
            message(
                &mut b,
                stderr,
                &format!("this build was made without the effect `{name}`, which is needed here\n"),
            );
        }
        b.terminate(Terminator::Unreachable);
        let ty = module.types.intern_func(FuncType::new([], []));
        let func = module.funcs.push(FuncData {
            ty,
            import: None,
            symbol: Symbol::local(format!("wasm_effect_removed::{name}")),
            body: FuncBody::Ir(Box::new(b.finish())),
        });
        self.made.insert(effect, func);
        func
    }
}

/// Writes `text` to standard error, from below the stack pointer.
fn message(b: &mut BodyBuilder, stderr: Stderr, text: &str) {
    let Convention {
        stack_pointer,
        memory,
    } = stderr.convention;
    let bytes = &text.as_bytes()[..text.len().min((SCRATCH - MESSAGE) as usize)];
    let arg = |offset: i32| MemArg {
        memory,
        offset: offset as u64,
        access: Access::new(0),
    };
    let top = b.local(Type::I32);
    b.push(Inst::GlobalGet {
        dst: top,
        global: stack_pointer,
    });
    let size = b.i32_const(SCRATCH);
    let base = b.binary(Opcode::I32Sub, Type::I32, top, size);
    let start = b.i32_const(MESSAGE);
    let start = b.binary(Opcode::I32Add, Type::I32, base, start);
    b.store(Opcode::I32Store, base, start, arg(0));
    let length = b.i32_const(bytes.len() as i32);
    b.store(Opcode::I32Store, base, length, arg(4));
    for (i, chunk) in bytes.chunks(8).enumerate() {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        let word = b.i64_const(i64::from_le_bytes(word));
        b.store(Opcode::I64Store, base, word, arg(MESSAGE + 8 * i as i32));
    }
    let standard_error = b.i32_const(2);
    let one = b.i32_const(1);
    let eight = b.i32_const(8);
    let count = b.binary(Opcode::I32Add, Type::I32, base, eight);
    let error = b.local(Type::I32);
    b.call(
        Callee::Direct(stderr.write),
        &[error],
        &[standard_error, base, one, count],
    );
}

/// Defines the imported function `func` as one that calls `report`.
fn put_trap(module: &mut Module, func: Func, report: Func, effect: &str) {
    let params = module.func_type(func).map(|ty| ty.params.to_vec());
    let mut b = BodyBuilder::new(&params.unwrap_or_default());
    let entry = b.block();
    b.switch_to(entry);
    b.call(Callee::Direct(report), &[], &[]);
    b.terminate(Terminator::Unreachable);
    let data = &mut module.funcs[func];
    let import = data.import.take();
    data.symbol = Symbol::local(match import {
        Some(import) => format!("wasm_effect_removed::{effect}::{}", import.name),
        None => format!("wasm_effect_removed::{effect}"),
    });
    data.body = FuncBody::Ir(Box::new(b.finish()));
}

fn with_body<T>(module: &mut Module, func: Func, work: impl FnOnce(&mut Body) -> T) -> Option<T> {
    match &mut module.funcs[func].body {
        FuncBody::Ir(body) => Some(work(body)),
        _ => None,
    }
}

/// The operator and effects of an instruction that is neither a call nor plain arithmetic.
fn effects_of(inst: &Inst) -> EffectSet {
    match *inst {
        Inst::Unary { op, .. }
        | Inst::Binary { op, .. }
        | Inst::Ternary { op, .. }
        | Inst::Op { op, .. }
        | Inst::Load { op, .. }
        | Inst::Store { op, .. } => op_effects(op),
        _ => EffectSet::PURE,
    }
}

/// Puts calls of reports in the place of unwanted operators.
fn operators(
    module: &mut Module,
    inferred: &Inferred,
    func: Func,
    unwanted: EffectSet,
    reports: &mut Reports,
) -> usize {
    // The first unwanted operator of a block is enough: nothing after its report is executed.
    let found = with_body(module, func, |body| {
        let mut found = Vec::new();
        for &block in &body.layout {
            for (i, inst) in body.blocks[block].insts.iter().enumerate() {
                let effects = effects_of(inst).intersection(unwanted);
                if let Some(effect) = effects.iter().next() {
                    found.push((block, i, effect));
                    break;
                }
            }
        }
        found
    });
    let found = found.unwrap_or_default();
    for &(block, i, effect) in &found {
        let report = reports.of(module, inferred, effect);
        with_body(module, func, |body| {
            let operands = body.pool.operands(&[], &[]);
            body.blocks[block].insts[i] = Inst::Call {
                callee: Callee::Direct(report),
                operands,
            };
        });
    }
    found.len()
}

/// Finds the functions that need unwanted effects on every path.
fn doom(module: &Module, affected: &[Func], doomed: &mut SecondaryMap<Func, bool>) {
    let mut callers: SecondaryMap<Func, Vec<Func>> = SecondaryMap::new();
    for &func in affected {
        if let FuncBody::Ir(body) = &module.funcs[func].body {
            for_each_direct_callee(body, |callee| callers[callee].push(func));
        }
    }
    let mut queued: SecondaryMap<Func, bool> = SecondaryMap::new();
    let mut work: Vec<Func> = affected.to_vec();
    for &func in &work {
        queued[func] = true;
    }
    while let Some(func) = work.pop() {
        queued[func] = false;
        let FuncBody::Ir(body) = &module.funcs[func].body else {
            continue;
        };
        if doomed[func] || !needs(body, doomed) {
            continue;
        }
        doomed[func] = true;
        for &caller in &callers[func] {
            if !doomed[caller] && !queued[caller] {
                queued[caller] = true;
                work.push(caller);
            }
        }
    }
}

fn direct(term: &Terminator) -> Option<Func> {
    match *term {
        Terminator::ReturnCall {
            callee: Callee::Direct(func),
            ..
        }
        | Terminator::Invoke {
            callee: Callee::Direct(func),
            ..
        } => Some(func),
        _ => None,
    }
}

/// The first call of a doomed function in a block.
fn cut_at(body: &Body, block: Block, doomed: &SecondaryMap<Func, bool>) -> Option<usize> {
    body.blocks[block].insts.iter().position(
        |inst| matches!(*inst, Inst::Call { callee: Callee::Direct(func), .. } if doomed[func]),
    )
}

/// How far the walk over a body came with a block.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Seen {
    #[default]
    No,
    /// On the path from the entry to the block being visited.
    Open,
    Done,
}

/// Whether every path through a body ends at a doomed call (or in a trap), and at least one reaches such a call.
fn needs(body: &Body, doomed: &SecondaryMap<Func, bool>) -> bool {
    let Some(entry) = body.entry() else {
        return false;
    };
    let mut reached = false;
    let mut seen: SecondaryMap<Block, Seen> = SecondaryMap::new();
    let mut stack: Vec<(Block, Vec<Block>)> = Vec::new();
    let mut next = Some(entry);
    loop {
        if let Some(block) = next.take() {
            match seen[block] {
                Seen::Open => return false,
                Seen::Done => {}
                Seen::No => {
                    let mut targets = Vec::new();
                    if cut_at(body, block, doomed).is_some() {
                        reached = true;
                    } else {
                        let term = &body.blocks[block].term;
                        let last = direct(term).is_some_and(|func| doomed[func]);
                        reached |= last;
                        match *term {
                            Terminator::Return(_) => return false,
                            Terminator::ReturnCall { .. } if !last => return false,
                            Terminator::Throw { handlers, .. }
                            | Terminator::ThrowRef { handlers, .. }
                                if handlers.is_none() =>
                            {
                                return false;
                            }
                            Terminator::ReturnCall { .. } => {}
                            // It does not return, but may throw on its way.
                            Terminator::Invoke { handlers, .. } if last => {
                                let list = &body.pool.handlers[handlers];
                                targets.extend(list.iter().map(|handler| handler.target));
                            }
                            _ => body.for_each_successor(block, |to| targets.push(to)),
                        }
                    }
                    seen[block] = Seen::Open;
                    stack.push((block, targets));
                }
            }
        }
        match stack.last_mut() {
            None => return reached,
            Some((block, targets)) => match targets.pop() {
                Some(to) => next = Some(to),
                None => {
                    seen[*block] = Seen::Done;
                    stack.pop();
                }
            },
        }
    }
}

/// The ways into the program that have unwanted effects, each with the error in case it cannot do without.
fn entries(module: &Module, inferred: &Inferred, unwanted: EffectSet) -> Vec<(Func, WithoutError)> {
    let start = module.start.map(|func| ("(start)", func));
    let exports = module
        .exports
        .iter()
        .filter_map(|export| match export.item {
            Item::Func(func) => Some((export.name.as_str(), func)),
            _ => None,
        });
    let entries = start.into_iter().chain(exports);
    entries
        .filter_map(|(entry, func)| {
            let effect = inferred.of(func).intersection(unwanted).iter().next()?;
            let reason = reason(module, inferred, func, effect)?;
            let entry = entry.to_owned();
            Some((func, WithoutError::Needed { entry, reason }))
        })
        .collect()
}

/// Removes what follows calls of doomed functions.
fn cut(module: &mut Module, func: Func, doomed: &SecondaryMap<Func, bool>) {
    with_body(module, func, |body| {
        for block in body.layout.clone() {
            if let Some(at) = cut_at(body, block, doomed) {
                let data = &mut body.blocks[block];
                data.insts.truncate(at + 1);
                data.locs.truncate(at + 1);
                data.term = Terminator::Unreachable;
                data.term_loc = data.locs.last().copied().unwrap_or(SrcLoc::NONE);
            }
        }
        dce::run(body);
    });
}

#[cfg(test)]
mod tests;
