//! Lifts one function body: stack code to three-address instructions over a control-flow graph.
//!
//! # Algorithm
//! One pass over the operators with a stack of locals standing for the operand stack. Every operator's result goes to a
//! fresh local, which therefore has one definition; `local.set` writes the value straight into the variable where the
//! value was made by the operator just before. Block results and loop parameters are locals of their own, assigned on
//! the edges that carry them (a variable per join, as in non-SSA form; the back end makes SSA of it).
//!
//! * `local.get x` pushes `x` itself, not a copy. A later `local.set x` would change what is on the stack, so it first
//!   saves the old value in a fresh local and puts that in place of every alias of `x` on the stack. The aliases of a
//!   variable are linked to each other, so that finding them costs nothing beyond the aliases themselves.
//! * A block entry saves all aliases that lie below it: an assignment inside the block may be executed on some paths
//!   only, and a copy made there would be missing on the others.
//! * Code after an unconditional branch is skipped up to the `end` or `else` that makes code reachable again. A join that
//!   no branch reaches does not exist.
//! * `try_table` becomes handlers of each call and throw inside it: the clauses of the innermost `try_table` first, then
//!   those around it, up to the first that catches everything.
//!
//! # Invariants
//! 1. An entry of the stack is an alias if and only if it is in the chain of its variable.
//! 2. Entries below `floor` are no aliases.
//! 3. `last` is the local that the last instruction of the current block defines, if that local is on top of the stack
//!    and nowhere else.
//!
//! # Limits
//! A branch with `n` values becomes `n` copies, so a few bytes can ask for a thousand instructions. A body that passes
//! 64 instructions per byte (and a million in all) is refused with [`LiftError::TooLarge`].
//!
//! # Cost
//! Linear in the size of the body and the values its branches carry.

mod control;
mod exceptions;
mod operators;

use smallvec::SmallVec;
use wasmir::{
    Block, Body, BodyBuilder, Callee, Func, FuncBody, Handler, Inst, Local, Module, Opcode,
    RawBody, SrcLoc, Type,
};

use crate::LiftError;
use crate::decode::{Decoder, Numbering};
use control::Frame;

/// Lifts the raw body of `func`.
///
/// The result says the same as the bytes; [`wasmir::SrcLoc`]s are offsets into the code section the body comes from.
///
/// # Errors
/// If `func` has no raw body, or the body does not fit the module (which a module made by [`crate::lift`] rules out
/// until somebody changes it), or is too large in three-address form.
pub fn lift_body(module: &Module, func: Func) -> Result<Body, LiftError> {
    let data = module.funcs.get(func).ok_or(LiftError::NoBody)?;
    let FuncBody::Raw(raw) = &data.body else {
        return Err(LiftError::NoBody);
    };
    lift_raw(module, func, raw)
}

fn lift_raw(module: &Module, func: Func, raw: &RawBody) -> Result<Body, LiftError> {
    let misfit = |what| LiftError::Body { what, offset: 0 };
    let unit = module
        .units
        .get(raw.unit)
        .ok_or(misfit("a unit that is gone"))?;
    let ty = module
        .func_type(func)
        .ok_or(misfit("a function whose type is no function type"))?;
    let mut decoder = Decoder::new(&raw.bytes, Numbering::new(unit)).relocated(&raw.relocs);
    let mut builder = BodyBuilder::new(&ty.params);
    let groups = decoder.u32()?;
    for _ in 0..groups {
        let count = decoder.u32()?;
        let local_ty = decoder.val_type()?;
        let total = builder.body().locals.len() as u64 + u64::from(count);
        if total > MAX_LOCALS {
            return Err(decoder.error("more than 50,000 locals"));
        }
        for _ in 0..count {
            builder.local(local_ty);
        }
    }
    let variables = builder.body().locals.len();
    let mut lifter = Lifter {
        module,
        decoder,
        code_offset: raw.code_offset,
        builder,
        stack: Vec::new(),
        heads: vec![NO_ENTRY; variables],
        floor: 0,
        last: None,
        spare: None,
        frames: Vec::new(),
        handlers: Vec::new(),
        dispatch: 0,
        budget: 1_000_000 + 64 * raw.bytes.len(),
        size: raw.bytes.len(),
    };
    lifter.function(&ty.results)?;
    Ok(lifter.builder.finish())
}

/// Wasm's implementation limit, which validation has enforced already.
const MAX_LOCALS: u64 = 50_000;
const NO_ENTRY: u32 = u32::MAX;

/// An entry of the operand stack.
#[derive(Clone, Copy, Debug)]
struct Entry {
    local: Local,
    /// The local is a variable, which may be assigned while the entry is on the stack.
    alias: bool,
    /// The next lower alias of the same variable.
    below: u32,
}

struct Lifter<'m> {
    module: &'m Module,
    decoder: Decoder<'m, 'm>,
    code_offset: u32,
    builder: BodyBuilder,
    stack: Vec<Entry>,
    /// For each variable its topmost alias on the stack.
    heads: Vec<u32>,
    floor: usize,
    last: Option<Local>,
    /// A local that lost its only definition and may be used again.
    spare: Option<(Local, Type)>,
    frames: Vec<Frame<'m>>,
    /// Clauses of the `try_table`s around this point, innermost last; within one, the first clause last.
    handlers: Vec<Handler>,
    /// Number of `br_table`s seen.
    dispatch: u32,
    /// Instructions that may still be made.
    budget: usize,
    size: usize,
}

type Locals = SmallVec<[Local; 8]>;

impl<'m> Lifter<'m> {
    fn error(&self, what: &'static str) -> LiftError {
        self.decoder.error(what)
    }

    fn spend(&mut self, count: usize) -> Result<(), LiftError> {
        self.budget = self
            .budget
            .checked_sub(count)
            .ok_or(LiftError::TooLarge { bytes: self.size })?;
        Ok(())
    }

    /// Appends an instruction; `last` no longer holds.
    fn push_inst(&mut self, inst: Inst) -> Result<(), LiftError> {
        self.spend(1)?;
        self.last = None;
        self.builder.push(inst);
        Ok(())
    }

    fn fresh(&mut self, ty: Type) -> Local {
        match self.spare.take() {
            Some((local, spare_ty)) if spare_ty == ty => local,
            other => {
                self.spare = other;
                self.builder.local(ty)
            }
        }
    }

    fn ty_of(&self, local: Local) -> Type {
        self.builder.body().locals[local]
    }

    // The operand stack.

    /// Pushes a local that is never assigned again.
    fn push(&mut self, local: Local) {
        self.stack.push(Entry {
            local,
            alias: false,
            below: NO_ENTRY,
        });
    }

    fn push_alias(&mut self, variable: Local) {
        let head = &mut self.heads[variable.as_u32() as usize];
        let below = std::mem::replace(head, self.stack.len() as u32);
        self.stack.push(Entry {
            local: variable,
            alias: true,
            below,
        });
        self.last = None;
    }

    fn pop(&mut self) -> Result<Local, LiftError> {
        let bottom = self.frames.last().map_or(0, |frame| frame.height);
        if self.stack.len() <= bottom {
            return Err(self.error("an operator without operands"));
        }
        let entry = self
            .stack
            .pop()
            .ok_or(self.error("an operator without operands"))?;
        if entry.alias {
            self.heads[entry.local.as_u32() as usize] = entry.below;
        }
        self.floor = self.floor.min(self.stack.len());
        Ok(entry.local)
    }

    /// Pops `count` operands, the deepest first.
    fn pop_many(&mut self, count: usize) -> Result<Locals, LiftError> {
        let mut locals = Locals::new();
        for _ in 0..count {
            locals.push(self.pop()?);
        }
        locals.reverse();
        Ok(locals)
    }

    fn truncate(&mut self, height: usize) {
        while self.stack.len() > height {
            if let Some(Entry {
                local,
                alias: true,
                below,
            }) = self.stack.pop()
            {
                self.heads[local.as_u32() as usize] = below;
            }
        }
        self.floor = self.floor.min(height);
        self.last = None;
    }

    /// Puts a copy in place of every alias of `variable`.
    fn save_aliases_of(&mut self, variable: Local) -> Result<(), LiftError> {
        let mut at = std::mem::replace(&mut self.heads[variable.as_u32() as usize], NO_ENTRY);
        if at == NO_ENTRY {
            return Ok(());
        }
        let saved = self.fresh(self.ty_of(variable));
        self.push_inst(Inst::Copy {
            dst: saved,
            src: variable,
        })?;
        while at != NO_ENTRY {
            let entry = &mut self.stack[at as usize];
            at = entry.below;
            *entry = Entry {
                local: saved,
                alias: false,
                below: NO_ENTRY,
            };
        }
        Ok(())
    }

    /// Puts copies in place of all aliases on the stack.
    fn save_all_aliases(&mut self) -> Result<(), LiftError> {
        for at in self.floor..self.stack.len() {
            if self.stack[at].alias {
                self.save_aliases_of(self.stack[at].local)?;
            }
        }
        self.floor = self.stack.len();
        Ok(())
    }

    /// Whether the top of the stack was made by the last instruction, so that the instruction can write elsewhere.
    fn redirectable(&self, value: Local) -> bool {
        self.last == Some(value)
    }

    /// Makes the last instruction, which defines `value`, define `target` instead.
    fn redirect(&mut self, value: Local, target: Local) {
        let Some(block) = self.builder.current() else {
            return;
        };
        let body = self.builder.body_mut();
        let pool = &mut body.pool;
        if let Some(inst) = body.blocks[block].insts.last_mut() {
            inst.map_defs(pool, |_| target);
        }
        self.spare = Some((value, body.locals[value]));
        self.last = None;
    }

    fn variable(&mut self) -> Result<Local, LiftError> {
        let index = self.decoder.u32()?;
        if index as usize >= self.heads.len() {
            return Err(self.error("a variable that does not exist"));
        }
        Ok(Local::from_u32(index))
    }

    /// `local.set`, and `local.tee` with `keep`.
    fn assign_variable(&mut self, keep: bool) -> Result<(), LiftError> {
        let variable = self.variable()?;
        let value = self.pop()?;
        if value != variable {
            let aliased = self.heads[variable.as_u32() as usize] != NO_ENTRY;
            if self.redirectable(value) && !aliased {
                self.redirect(value, variable);
            } else {
                self.save_aliases_of(variable)?;
                self.push_inst(Inst::Copy {
                    dst: variable,
                    src: value,
                })?;
            }
        }
        self.last = None;
        if keep {
            self.push_alias(variable);
        }
        Ok(())
    }

    /// Defines a fresh local by an instruction and pushes it.
    fn define(&mut self, ty: Type, inst: impl FnOnce(Local) -> Inst) -> Result<(), LiftError> {
        let dst = self.fresh(ty);
        self.push_inst(inst(dst))?;
        self.push(dst);
        self.last = Some(dst);
        Ok(())
    }

    // The function.

    fn function(&mut self, results: &'m [Type]) -> Result<(), LiftError> {
        let entry = self.builder.block();
        self.builder.switch_to(entry);
        self.frames.push(Frame::function(results));
        while !self.frames.is_empty() {
            let at = self.decoder.position();
            self.builder
                .set_loc(SrcLoc(self.code_offset.wrapping_add(at as u32)));
            let op = self.decoder.opcode()?;
            if self.builder.current().is_some() {
                self.operator(op)?;
            } else {
                self.dead_operator(op)?;
            }
        }
        if !self.decoder.at_end() {
            return Err(self.error("code after its end"));
        }
        Ok(())
    }

    /// An operator that control does not reach: only the structure matters.
    fn dead_operator(&mut self, op: Opcode) -> Result<(), LiftError> {
        let mut depth = 0usize;
        let mut op = op;
        loop {
            match op {
                Opcode::Block | Opcode::Loop | Opcode::If | Opcode::TryTable => depth += 1,
                Opcode::End | Opcode::Else if depth == 0 => return self.operator(op),
                Opcode::End => depth -= 1,
                _ => {}
            }
            self.decoder.skip(op.info().imm)?;
            op = self.decoder.opcode()?;
        }
    }

    /// The parameter and result types of a callee, and how many operands it takes beyond the parameters.
    fn signature(&self, callee: Callee) -> Result<(&'m [Type], &'m [Type], usize), LiftError> {
        let (ty, extra) = match callee {
            Callee::Direct(func) => (self.module.func_type(func), 0),
            Callee::Indirect { ty, .. } | Callee::Ref(ty) => (self.module.types.func(ty), 1),
        };
        let ty = ty.ok_or(self.error("a call by a type that is no function type"))?;
        Ok((&ty.params, &ty.results, extra))
    }

    fn callee(&mut self, op: Opcode) -> Result<Callee, LiftError> {
        Ok(match op {
            Opcode::Call | Opcode::ReturnCall => Callee::Direct(self.decoder.func()?),
            Opcode::CallIndirect | Opcode::ReturnCallIndirect => {
                let ty = self.decoder.ty()?;
                Callee::Indirect {
                    table: self.decoder.table()?,
                    ty,
                }
            }
            _ => Callee::Ref(self.decoder.ty()?),
        })
    }

    fn jump_to(&mut self, block: Block) {
        self.builder.jump(block);
        self.last = None;
    }

    fn switch_to(&mut self, block: Block) {
        self.builder.switch_to(block);
        self.last = None;
    }
}
