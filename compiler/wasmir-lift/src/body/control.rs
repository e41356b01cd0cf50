//! Structured control flow: frames, labels, branches.

use smallvec::SmallVec;
use wasmir::{Block, Inst, Local, Opcode, Terminator, Type};

use super::{Lifter, Locals};
use crate::LiftError;
use crate::decode::BlockType;

/// Computes a value where a branch is taken.
pub(super) type OnEdge<'a, L> = &'a mut dyn FnMut(&mut L) -> Result<Local, LiftError>;

/// A list of value types: borrowed from a function type, or one of a block type.
#[derive(Clone, Copy)]
pub(super) enum TypeList<'m> {
    One(Type),
    Many(&'m [Type]),
}

impl TypeList<'_> {
    pub(super) fn as_slice(&self) -> &[Type] {
        match self {
            TypeList::One(ty) => std::slice::from_ref(ty),
            TypeList::Many(types) => types,
        }
    }

    fn len(&self) -> usize {
        self.as_slice().len()
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Function,
    Block,
    Loop,
    If,
    Try,
}

/// The join of a block, or the head of a loop, and the locals that carry values to it.
#[derive(Clone)]
pub(super) struct Label {
    pub(super) block: Block,
    pub(super) locals: SmallVec<[Local; 2]>,
}

/// An open control structure.
pub(super) struct Frame<'m> {
    kind: Kind,
    /// Height of the operand stack below the parameters.
    pub(super) height: usize,
    params: TypeList<'m>,
    results: TypeList<'m>,
    /// What a branch to this frame needs; made by the first one.
    label: Option<Label>,
    /// Of an `if` whose `else` has not come: the block that tests, the block of the `else`, the parameters.
    pending_else: Option<(Block, Block, Locals)>,
    /// Of a `try_table`: how many handlers there were outside.
    outer_handlers: usize,
    /// The block that carries values to the label for the `br_table` of this number.
    dispatch: Option<(u32, Block)>,
}

impl<'m> Frame<'m> {
    pub(super) fn function(results: &'m [Type]) -> Frame<'m> {
        Frame::new(
            Kind::Function,
            0,
            TypeList::Many(&[]),
            TypeList::Many(results),
        )
    }

    fn new(kind: Kind, height: usize, params: TypeList<'m>, results: TypeList<'m>) -> Frame<'m> {
        Frame {
            kind,
            height,
            params,
            results,
            label: None,
            pending_else: None,
            outer_handlers: 0,
            dispatch: None,
        }
    }

    /// The types a branch to this frame carries.
    fn label_types(&self) -> TypeList<'m> {
        if self.kind == Kind::Loop {
            self.params
        } else {
            self.results
        }
    }
}

impl<'m> Lifter<'m> {
    fn block_types(&mut self) -> Result<(TypeList<'m>, TypeList<'m>), LiftError> {
        Ok(match self.decoder.block_type()? {
            BlockType::Empty => (TypeList::Many(&[]), TypeList::Many(&[])),
            BlockType::Value(ty) => (TypeList::Many(&[]), TypeList::One(ty)),
            BlockType::Func(id) => {
                let ty = self
                    .module
                    .types
                    .func(id)
                    .ok_or(self.error("a block whose type is no function type"))?;
                (TypeList::Many(&ty.params), TypeList::Many(&ty.results))
            }
        })
    }

    /// Opens a frame whose parameters are on the stack.
    fn open(
        &mut self,
        kind: Kind,
        params: TypeList<'m>,
        results: TypeList<'m>,
    ) -> Result<(), LiftError> {
        let bottom = self.frames.last().map_or(0, |frame| frame.height);
        let height = self
            .stack
            .len()
            .checked_sub(params.len())
            .filter(|&height| height >= bottom);
        let height = height.ok_or(self.error("a block without its parameters"))?;
        self.save_all_aliases()?;
        let mut frame = Frame::new(kind, height, params, results);
        frame.outer_handlers = self.handlers.len();
        self.frames.push(frame);
        self.last = None;
        Ok(())
    }

    pub(super) fn block(&mut self) -> Result<(), LiftError> {
        let (params, results) = self.block_types()?;
        self.open(Kind::Block, params, results)
    }

    pub(super) fn try_frame(
        &mut self,
        params: TypeList<'m>,
        results: TypeList<'m>,
    ) -> Result<(), LiftError> {
        self.open(Kind::Try, params, results)
    }

    pub(super) fn try_types(&mut self) -> Result<(TypeList<'m>, TypeList<'m>), LiftError> {
        self.block_types()
    }

    pub(super) fn loop_(&mut self) -> Result<(), LiftError> {
        let (params, results) = self.block_types()?;
        self.open(Kind::Loop, params, results)?;
        let head = self.builder.block();
        let height = self.stack.len() - params.len();
        let mut locals = SmallVec::new();
        for (i, &ty) in params.as_slice().iter().enumerate() {
            let dst = self.builder.local(ty);
            let src = self.stack[height + i].local;
            self.push_inst(Inst::Copy { dst, src })?;
            self.stack[height + i].local = dst;
            locals.push(dst);
        }
        self.jump_to(head);
        self.switch_to(head);
        if let Some(frame) = self.frames.last_mut() {
            frame.label = Some(Label {
                block: head,
                locals,
            });
        }
        Ok(())
    }

    pub(super) fn if_(&mut self) -> Result<(), LiftError> {
        let (params, results) = self.block_types()?;
        let cond = self.pop()?;
        // The condition may be a variable: it is read before any arm assigns it.
        self.open(Kind::If, params, results)?;
        let Some(test) = self.builder.current() else {
            return Ok(());
        };
        let (then_to, else_to) = (self.builder.block(), self.builder.block());
        self.spend(1)?;
        self.builder.br_if(cond, then_to, else_to);
        let inputs = self.stack[self.stack.len() - params.len()..]
            .iter()
            .map(|entry| entry.local)
            .collect();
        self.switch_to(then_to);
        if let Some(frame) = self.frames.last_mut() {
            frame.pending_else = Some((test, else_to, inputs));
        }
        Ok(())
    }

    /// Where control reaches the end of the innermost frame, its results are all that is on the stack above its start.
    fn check_results(&self) -> Result<(), LiftError> {
        let left = |frame: &Frame<'_>| frame.height + frame.results.len() == self.stack.len();
        if self.builder.current().is_some() && !self.frames.last().is_none_or(left) {
            return Err(self.error("a block that leaves the wrong number of values"));
        }
        Ok(())
    }

    pub(super) fn else_(&mut self) -> Result<(), LiftError> {
        self.check_results()?;
        if self.builder.current().is_some() {
            self.carry_and_jump(0)?;
        }
        let misplaced = self.error("an `else` without its `if`");
        let frame = self.frames.last_mut().ok_or(misplaced.clone())?;
        let (_, else_to, inputs) = frame.pending_else.take().ok_or(misplaced)?;
        let height = frame.height;
        self.truncate(height);
        inputs.into_iter().for_each(|local| self.push(local));
        self.floor = self.stack.len();
        self.switch_to(else_to);
        Ok(())
    }

    pub(super) fn end(&mut self) -> Result<(), LiftError> {
        self.check_results()?;
        let reachable = self.builder.current().is_some();
        let empty = self.error("an `end` too many");
        let frame = self.frames.last_mut().ok_or(empty.clone())?;
        if frame.kind == Kind::Function {
            if reachable {
                self.return_()?;
            }
            self.frames.pop();
            return Ok(());
        }
        let (kind, height) = (frame.kind, frame.height);
        let pending_else = frame.pending_else.take();
        let outer_handlers = frame.outer_handlers;
        if let Some((test, else_to, inputs)) = pending_else {
            return self.end_without_else(test, else_to, &inputs, reachable);
        }
        let joins = kind == Kind::If || frame_has_label(self.frames.last());
        if reachable && joins && kind != Kind::Loop {
            self.carry_and_jump(0)?;
        }
        let frame = self.frames.pop().ok_or(empty)?;
        self.handlers.truncate(outer_handlers);
        if kind == Kind::Loop || (reachable && !joins) {
            return Ok(());
        }
        self.truncate(height);
        if let Some(label) = frame.label {
            self.switch_to(label.block);
            label.locals.iter().for_each(|&local| self.push(local));
        }
        Ok(())
    }

    /// The end of an `if` without `else`: the parameters are the results of the other path.
    fn end_without_else(
        &mut self,
        test: Block,
        else_to: Block,
        inputs: &[Local],
        reachable: bool,
    ) -> Result<(), LiftError> {
        if reachable {
            self.carry_and_jump(0)?;
        }
        let label = self.label(0)?;
        if inputs.is_empty() {
            // Nothing to carry: the test goes to the join itself.
            if let Terminator::BrIf { else_to, .. } = &mut self.builder.body_mut().blocks[test].term
            {
                *else_to = label.block;
            }
        } else {
            self.switch_to(else_to);
            for (&dst, &src) in label.locals.iter().zip(inputs) {
                self.push_inst(Inst::Copy { dst, src })?;
            }
            self.jump_to(label.block);
        }
        let height = self.frames.pop().map_or(0, |frame| frame.height);
        self.truncate(height);
        self.switch_to(label.block);
        label.locals.iter().for_each(|&local| self.push(local));
        Ok(())
    }

    /// The frame that a branch of this depth goes to.
    fn target(&self, depth: u32) -> Result<usize, LiftError> {
        (self.frames.len().checked_sub(1 + depth as usize))
            .ok_or(self.error("a branch to a label that does not exist"))
    }

    pub(super) fn is_function(&self, depth: u32) -> Result<bool, LiftError> {
        Ok(self.frames[self.target(depth)?].kind == Kind::Function)
    }

    pub(super) fn label_arity(&self, depth: u32) -> Result<usize, LiftError> {
        Ok(self.frames[self.target(depth)?].label_types().len())
    }

    pub(super) fn label_types(&self, depth: u32) -> Result<TypeList<'m>, LiftError> {
        Ok(self.frames[self.target(depth)?].label_types())
    }

    /// The label of a frame other than the function's.
    pub(super) fn label(&mut self, depth: u32) -> Result<Label, LiftError> {
        let target = self.target(depth)?;
        if let Some(label) = &self.frames[target].label {
            return Ok(label.clone());
        }
        let types = self.frames[target].label_types();
        let block = self.builder.block();
        let locals = types
            .as_slice()
            .iter()
            .map(|&ty| self.builder.local(ty))
            .collect();
        let label = Label { block, locals };
        self.frames[target].label = Some(label.clone());
        Ok(label)
    }

    /// The locals on top of the stack that a branch carries.
    fn carried(&self, count: usize) -> Result<Locals, LiftError> {
        let bottom = self.frames.last().map_or(0, |frame| frame.height);
        let start = self
            .stack
            .len()
            .checked_sub(count)
            .filter(|&start| start >= bottom);
        let start = start.ok_or(self.error("a branch without its values"))?;
        Ok(self.stack[start..]
            .iter()
            .map(|entry| entry.local)
            .collect())
    }

    /// Assigns all `targets` at once.
    ///
    /// A source may be a target that an earlier copy has overwritten (a loop that exchanges its parameters): then the
    /// sources are saved first.
    fn copy_all(&mut self, targets: &[Local], mut sources: Locals) -> Result<(), LiftError> {
        self.spend(targets.len())?;
        let overwritten = (1..sources.len()).any(|i| targets[..i].contains(&sources[i]));
        if overwritten {
            for source in &mut sources {
                let saved = self.builder.local(self.ty_of(*source));
                self.push_inst(Inst::Copy {
                    dst: saved,
                    src: *source,
                })?;
                *source = saved;
            }
        }
        for (&dst, &src) in targets.iter().zip(&sources) {
            if dst != src {
                self.push_inst(Inst::Copy { dst, src })?;
            }
        }
        Ok(())
    }

    /// Goes to the label of this depth with the values on top of the stack, which stay there.
    pub(super) fn carry_and_jump(&mut self, depth: u32) -> Result<(), LiftError> {
        let sources = self.carried(self.label_arity(depth)?)?;
        self.carry_locals(depth, sources)
    }

    /// Goes to the label of this depth with `sources`.
    pub(super) fn carry_locals(&mut self, depth: u32, sources: Locals) -> Result<(), LiftError> {
        if self.is_function(depth)? {
            self.spend(1 + sources.len())?;
            self.builder.ret(&sources);
            self.last = None;
            return Ok(());
        }
        let label = self.label(depth)?;
        if sources.len() != label.locals.len() {
            return Err(self.error("a branch without its values"));
        }
        match (sources.as_slice(), label.locals.as_slice()) {
            (&[source], &[target]) if self.redirectable(source) => self.redirect(source, target),
            _ => self.copy_all(&label.locals, sources)?,
        }
        self.jump_to(label.block);
        Ok(())
    }

    pub(super) fn return_(&mut self) -> Result<(), LiftError> {
        let depth = self.frames.len() as u32 - 1;
        self.carry_and_jump(depth)
    }

    /// A branch taken where `cond` is not zero (or is zero, with `negate`). On the edge, `on_edge` may compute the last
    /// of the values that the branch carries beyond those on the stack.
    pub(super) fn branch_if(
        &mut self,
        cond: Local,
        depth: u32,
        negate: bool,
        on_edge: Option<OnEdge<'_, Self>>,
    ) -> Result<(), LiftError> {
        let arity = self.label_arity(depth)?;
        let from_stack = arity.checked_sub(usize::from(on_edge.is_some()));
        let mut sources =
            self.carried(from_stack.ok_or(self.error("a branch without its values"))?)?;
        let direct = arity == 0 && !self.is_function(depth)?;
        let taken = if direct {
            self.label(depth)?.block
        } else {
            self.builder.block()
        };
        let stays = self.builder.block();
        self.spend(1)?;
        let (then_to, else_to) = if negate {
            (stays, taken)
        } else {
            (taken, stays)
        };
        self.builder.br_if(cond, then_to, else_to);
        if !direct {
            self.switch_to(taken);
            if let Some(on_edge) = on_edge {
                sources.push(on_edge(self)?);
                self.last = None;
            }
            self.carry_locals(depth, sources)?;
        }
        self.switch_to(stays);
        Ok(())
    }

    pub(super) fn br_table(&mut self) -> Result<(), LiftError> {
        let index = self.pop()?;
        let count = self.decoder.u32()?;
        self.dispatch += 1;
        let mut targets: SmallVec<[Block; 16]> = SmallVec::new();
        let mut edges: SmallVec<[(u32, Block); 8]> = SmallVec::new();
        for _ in 0..=u64::from(count) {
            self.spend(1)?;
            let depth = self.decoder.u32()?;
            let target = self.target(depth)?;
            let block = if self.label_arity(depth)? == 0 && !self.is_function(depth)? {
                self.label(depth)?.block
            } else {
                match self.frames[target].dispatch {
                    Some((number, block)) if number == self.dispatch => block,
                    _ => {
                        let block = self.builder.block();
                        self.frames[target].dispatch = Some((self.dispatch, block));
                        edges.push((depth, block));
                        block
                    }
                }
            };
            targets.push(block);
        }
        let default = targets
            .pop()
            .ok_or(self.error("a `br_table` without default"))?;
        let targets = self.builder.body_mut().pool.block_list(&targets);
        self.builder.terminate(Terminator::BrTable {
            index,
            targets,
            default,
        });
        for (depth, block) in edges {
            self.switch_to(block);
            self.carry_and_jump(depth)?;
        }
        Ok(())
    }

    /// A depth that an operator names.
    pub(super) fn depth(&mut self) -> Result<u32, LiftError> {
        self.decoder.u32()
    }

    pub(super) fn br(&mut self, op: Opcode) -> Result<(), LiftError> {
        let depth = self.depth()?;
        if op == Opcode::Br {
            return self.carry_and_jump(depth);
        }
        let cond = self.pop()?;
        self.branch_if(cond, depth, false, None)
    }
}

fn frame_has_label(frame: Option<&Frame<'_>>) -> bool {
    frame.is_some_and(|frame| frame.label.is_some())
}
