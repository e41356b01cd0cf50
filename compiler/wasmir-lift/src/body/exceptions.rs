//! Exceptions: `try_table`, and the handlers of the calls and throws inside.

use wasmir::{Block, Callee, Handler, Local, Operands, Terminator};

use super::{Lifter, Locals};
use crate::LiftError;

impl Lifter<'_> {
    pub(super) fn try_table(&mut self) -> Result<(), LiftError> {
        let (params, results) = self.try_types()?;
        let count = self.decoder.u32()?;
        let mut clauses = Vec::new();
        for _ in 0..count {
            self.spend(1)?;
            let kind = self.decoder.u8()?;
            let tag = if kind < 2 {
                Some(self.decoder.tag()?)
            } else {
                None
            };
            let depth = self.decoder.u32()?;
            // Labels count from outside of the `try_table`, which is not open yet.
            let (target, mut locals) = self.landing(depth)?;
            let exnref = if kind & 1 == 1 {
                Some(
                    locals
                        .pop()
                        .ok_or(self.error("a clause whose label takes no exception"))?,
                )
            } else {
                None
            };
            let payload = self.builder.body_mut().pool.operands(&locals, &[]);
            clauses.push(Handler {
                tag,
                payload,
                exnref,
                target,
            });
        }
        self.try_frame(params, results)?;
        // The first clause is tried first, so it goes on top.
        self.handlers.extend(clauses.into_iter().rev());
        Ok(())
    }

    /// Where a clause continues, and the locals that receive what it catches.
    fn landing(&mut self, depth: u32) -> Result<(Block, Locals), LiftError> {
        if !self.is_function(depth)? {
            let label = self.label(depth)?;
            return Ok((label.block, label.locals.iter().copied().collect()));
        }
        let types = self.label_types(depth)?;
        let locals: Locals = types
            .as_slice()
            .iter()
            .map(|&ty| self.builder.local(ty))
            .collect();
        let block = self.builder.block();
        let body = self.builder.body_mut();
        body.layout.push(block);
        let values: Operands = body.pool.operands(&[], &locals);
        body.blocks[block].term = Terminator::Return(values);
        Ok((block, locals))
    }

    /// The handlers around this point as a list of its own, or none outside of every `try_table`.
    fn active_handlers(&mut self) -> Result<Option<wasmir::HandlersId>, LiftError> {
        if self.handlers.is_empty() {
            return Ok(None);
        }
        let mut list: Vec<Handler> = Vec::new();
        let pool = &mut self.builder.body_mut().pool;
        for handler in self.handlers.iter().rev() {
            let payload: Vec<Local> = pool.results(handler.payload).to_vec();
            list.push(Handler {
                payload: pool.operands(&payload, &[]),
                ..*handler
            });
            if handler.tag.is_none() {
                break;
            }
        }
        let cost = list.len();
        let id = pool.handlers.push(list);
        self.spend(cost)?;
        Ok(Some(id))
    }

    /// A call whose operands were popped; its results are pushed.
    pub(super) fn call(&mut self, callee: Callee) -> Result<(), LiftError> {
        let (params, results, extra) = self.signature(callee)?;
        let args = self.pop_many(params.len() + extra)?;
        let dsts: Locals = results.iter().map(|&ty| self.fresh(ty)).collect();
        self.spend(args.len() + dsts.len())?;
        match self.active_handlers()? {
            None => {
                let operands = self.builder.body_mut().pool.operands(&dsts, &args);
                self.push_inst(wasmir::Inst::Call { callee, operands })?;
                if let [dst] = *dsts {
                    self.last = Some(dst);
                }
            }
            Some(handlers) => {
                let operands = self.builder.body_mut().pool.operands(&dsts, &args);
                let normal = self.builder.block();
                self.builder.terminate(Terminator::Invoke {
                    callee,
                    operands,
                    normal,
                    handlers,
                });
                self.switch_to(normal);
            }
        }
        dsts.iter().for_each(|&dst| self.push(dst));
        Ok(())
    }

    pub(super) fn return_call(&mut self, callee: Callee) -> Result<(), LiftError> {
        let (params, _, extra) = self.signature(callee)?;
        let args = self.pop_many(params.len() + extra)?;
        self.spend(1 + args.len())?;
        let operands = self.builder.body_mut().pool.operands(&[], &args);
        self.builder
            .terminate(Terminator::ReturnCall { callee, operands });
        self.last = None;
        Ok(())
    }

    pub(super) fn throw(&mut self) -> Result<(), LiftError> {
        let tag = self.decoder.tag()?;
        let ty = self
            .module
            .tags
            .get(tag)
            .and_then(|tag| self.module.types.func(tag.ty));
        let params = ty
            .ok_or(self.error("a tag whose type is no function type"))?
            .params
            .len();
        let args = self.pop_many(params)?;
        self.spend(1 + args.len())?;
        let handlers = self.active_handlers()?.into();
        let operands = self.builder.body_mut().pool.operands(&[], &args);
        self.builder.terminate(Terminator::Throw {
            tag,
            operands,
            handlers,
        });
        self.last = None;
        Ok(())
    }

    pub(super) fn throw_ref(&mut self) -> Result<(), LiftError> {
        let exn = self.pop()?;
        let handlers = self.active_handlers()?.into();
        self.builder
            .terminate(Terminator::ThrowRef { exn, handlers });
        self.last = None;
        Ok(())
    }
}
