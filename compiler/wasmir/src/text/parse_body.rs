//! Parses bodies.

use super::lexer::Tok;
use super::parser::{Parser, Result};
use crate::body::{Body, StackSlotData};
use crate::entities::*;
use crate::inst::*;
use crate::op::{OpClass, Opcode};
use crate::types::Type;
use cranelift_entity::{EntityRef, EntitySet};

/// Blocks are numbered in the text; a number beyond this many per token would only waste memory.
const SPARE_BLOCKS: u32 = 1024;

struct BodyParser<'p> {
    p: &'p mut Parser,
    body: Body,
    placed: EntitySet<Block>,
    block_limit: u32,
}

impl Parser {
    pub(super) fn body(&mut self) -> Result<Body> {
        let block_limit = self.tokens_left().saturating_add(SPARE_BLOCKS);
        let mut b = BodyParser {
            p: self,
            body: Body::default(),
            placed: EntitySet::new(),
            block_limit,
        };
        b.parse()?;
        Ok(b.body)
    }

    /// A number of the form `prefix` and digits.
    fn numbered(&self, prefix: &str) -> Option<u32> {
        match self.tok() {
            Tok::Word(word) => word.strip_prefix(prefix)?.parse().ok(),
            _ => None,
        }
    }
}

impl BodyParser<'_> {
    fn parse(&mut self) -> Result<()> {
        self.p.punct('{')?;
        loop {
            if self.p.is_word("param") || self.p.is_word("local") {
                self.locals()?;
            } else if self.p.is_word("result") {
                self.p.advance();
                if self.p.numbered("l") != Some(0) {
                    return self.p.error("expected `l0`");
                }
                self.p.advance();
                self.body.result_param = true;
            } else if self.p.is_word("slot") {
                self.p.advance();
                let next = self.body.slots.next_key();
                if self.p.numbered("ss") != Some(next.as_u32()) {
                    return self.p.error(format!("expected `{next}`"));
                }
                self.p.advance();
                self.p.punct(':')?;
                let size = self.p.u32()?;
                let align_log2 = self.p.align()?;
                self.body.slots.push(StackSlotData { size, align_log2 });
            } else {
                break;
            }
        }
        while !self.p.eat('}') {
            self.block()?;
        }
        Ok(())
    }

    fn locals(&mut self) -> Result<()> {
        let is_param = self.p.is_word("param");
        if is_param && self.body.locals.len() != self.body.num_params as usize {
            return self.p.error("parameters come before other locals");
        }
        self.p.advance();
        let first = self.body.locals.len();
        let mut count = 0;
        loop {
            let next = Local::new(first + count);
            if self.p.numbered("l") != Some(next.as_u32()) {
                return self.p.error(format!("expected `{next}`"));
            }
            self.p.advance();
            count += 1;
            if !self.p.eat(',') {
                break;
            }
        }
        self.p.punct(':')?;
        let ty = self.p.val_type()?;
        for _ in 0..count {
            self.body.locals.push(ty);
        }
        if is_param {
            self.body.num_params += count as u32;
        }
        Ok(())
    }

    fn local(&mut self) -> Result<Local> {
        match self.p.numbered("l") {
            Some(n) if (n as usize) < self.body.locals.len() => {
                self.p.advance();
                Ok(Local::from_u32(n))
            }
            Some(n) => self.p.error(format!("there is no local `l{n}`")),
            None => self.p.error("expected a local"),
        }
    }

    fn block_ref(&mut self) -> Result<Block> {
        match self.p.numbered("b") {
            Some(n) if n < self.block_limit => {
                while self.body.blocks.len() <= n as usize {
                    self.body.blocks.push(Default::default());
                }
                self.p.advance();
                Ok(Block::from_u32(n))
            }
            Some(n) => self
                .p
                .error(format!("the number of `b{n}` is too large for this body")),
            None => self.p.error("expected a block"),
        }
    }

    fn block(&mut self) -> Result<()> {
        let at = self.p.position();
        let block = self.block_ref()?;
        if !self.placed.insert(block) {
            self.p.rewind(at);
            return self
                .p
                .error(format!("the block `{block}` is defined twice"));
        }
        self.p.punct(':')?;
        self.body.layout.push(block);
        while !self.line(block)? {}
        Ok(())
    }

    fn locals_on_line(&mut self) -> Result<Vec<Local>> {
        let mut list = Vec::new();
        if self.p.same_line() && self.p.numbered("l").is_some() {
            loop {
                list.push(self.local()?);
                if !self.p.eat(',') {
                    break;
                }
            }
        }
        Ok(list)
    }

    fn loc(&mut self) -> Result<SrcLoc> {
        if self.p.same_line() && self.p.eat('@') {
            Ok(SrcLoc(self.p.u32()?))
        } else {
            Ok(SrcLoc::NONE)
        }
    }

    /// One instruction or terminator; true after a terminator.
    fn line(&mut self, block: Block) -> Result<bool> {
        let mut results = Vec::new();
        if self.p.numbered("l").is_some() {
            loop {
                results.push(self.local()?);
                if !self.p.eat(',') {
                    break;
                }
            }
            self.p.punct('=')?;
        }
        let at = self.p.position();
        let word = self.p.word("an instruction")?;
        if let Some(term) = self.terminator(&word, &results)? {
            let loc = self.loc()?;
            if self.p.same_line() {
                return self.p.error("expected the end of the line");
            }
            let data = &mut self.body.blocks[block];
            (data.term, data.term_loc) = (term, loc);
            return Ok(true);
        }
        let Some(inst) = self.inst(&word, &results)? else {
            self.p.rewind(at);
            return self.p.error(format!("there is no instruction `{word}`"));
        };
        let loc = self.loc()?;
        if self.p.same_line() {
            return self.p.error("expected the end of the line");
        }
        self.body.blocks[block].push(inst, loc);
        Ok(false)
    }

    fn one(&self, results: &[Local], word: &str) -> Result<Local> {
        match results {
            [dst] => Ok(*dst),
            _ => self.p.error(format!("`{word}` has one result")),
        }
    }

    fn none(&self, results: &[Local], word: &str) -> Result<()> {
        if results.is_empty() {
            Ok(())
        } else {
            self.p.error(format!("`{word}` has no result"))
        }
    }

    fn callee(&mut self, results: &[Local]) -> Result<(Callee, Operands)> {
        let callee = if self.p.eat_word("indirect") {
            Callee::Indirect {
                table: self.p.table()?,
                ty: self.p.type_id()?,
            }
        } else if self.p.eat_word("ref") {
            Callee::Ref(self.p.type_id()?)
        } else {
            Callee::Direct(self.p.func()?)
        };
        let args = self.paren_locals()?;
        Ok((callee, self.operands(results, &args)?))
    }

    fn operands(&mut self, results: &[Local], args: &[Local]) -> Result<Operands> {
        if results.len().max(args.len()) > usize::from(u16::MAX) {
            return self.p.error("more than 65,535 operands");
        }
        Ok(self.body.pool.operands(results, args))
    }

    fn paren_locals(&mut self) -> Result<Vec<Local>> {
        self.p.punct('(')?;
        let mut list = Vec::new();
        while !self.p.eat(')') {
            if !list.is_empty() {
                self.p.punct(',')?;
            }
            list.push(self.local()?);
        }
        Ok(list)
    }

    fn inst(&mut self, word: &str, results: &[Local]) -> Result<Option<Inst>> {
        let constant = word.strip_suffix(".const");
        Ok(Some(match word {
            "copy" => Inst::Copy {
                dst: self.one(results, word)?,
                src: self.local()?,
            },
            "stack_addr" => {
                let dst = self.one(results, word)?;
                let Some(n) = self.p.numbered("ss") else {
                    return self.p.error("expected a slot");
                };
                if n as usize >= self.body.slots.len() {
                    return self.p.error(format!("there is no slot `ss{n}`"));
                }
                self.p.advance();
                Inst::StackAddr {
                    dst,
                    slot: StackSlot::from_u32(n),
                    offset: self.p.i32()?,
                }
            }
            "sym_addr" => {
                let dst = self.one(results, word)?;
                Inst::SymAddr {
                    dst,
                    item: self.p.item()?,
                    addend: self.p.i64()?,
                }
            }
            "global.get" => Inst::GlobalGet {
                dst: self.one(results, word)?,
                global: self.p.global()?,
            },
            "global.set" => {
                self.none(results, word)?;
                let global = self.p.global()?;
                self.p.punct(',')?;
                Inst::GlobalSet {
                    global,
                    src: self.local()?,
                }
            }
            "call" => {
                let (callee, operands) = self.callee(results)?;
                Inst::Call { callee, operands }
            }
            _ if constant.is_some() => {
                let dst = self.one(results, word)?;
                let ty = self.body.locals[dst];
                if constant != Some(ty.to_string().as_str()) {
                    return self.p.error(format!("`{dst}` is of type `{ty}`"));
                }
                match ty {
                    Type::I128 | Type::V128 => {
                        let value = self.p.u128()?;
                        Inst::ConstWide {
                            dst,
                            value: self.body.pool.wides.push(value),
                        }
                    }
                    _ => {
                        let Some(bytes) = ty.bytes() else {
                            return self.p.error(format!("`{ty}` has no constants"));
                        };
                        Inst::Const {
                            dst,
                            bits: self.p.bits(bytes * 8)?,
                        }
                    }
                }
            }
            _ => {
                let Some(op) = Opcode::from_name(word) else {
                    return Ok(None);
                };
                self.op(op, results)?
            }
        }))
    }

    fn op(&mut self, op: Opcode, results: &[Local]) -> Result<Inst> {
        match op.info().class {
            OpClass::Form => self
                .p
                .error(format!("`{op}` cannot be used as an operator")),
            OpClass::Load => {
                let dst = self.one(results, op.name())?;
                let (memory, addr, offset) = self.address()?;
                let access = self.p.access()?;
                Ok(Inst::Load {
                    op,
                    access,
                    dst,
                    addr,
                    memory,
                    offset,
                })
            }
            OpClass::Store => {
                self.none(results, op.name())?;
                let (memory, addr, offset) = self.address()?;
                self.p.punct(',')?;
                let value = self.local()?;
                let access = self.p.access()?;
                Ok(Inst::Store {
                    op,
                    access,
                    addr,
                    value,
                    memory,
                    offset,
                })
            }
            OpClass::Plain => {
                let imm = self.p.imm(op)?;
                if imm.is_some() {
                    self.p.eat(':');
                }
                let args = self.locals_on_line()?;
                Ok(match (imm, results, args.as_slice()) {
                    (None, &[dst], &[arg]) => Inst::Unary { op, dst, arg },
                    (None, &[dst], &[a, b]) => Inst::Binary {
                        op,
                        dst,
                        args: [a, b],
                    },
                    (None, &[dst], &[a, b, c]) => Inst::Ternary {
                        op,
                        dst,
                        args: [a, b, c],
                    },
                    _ => {
                        let imm = imm.map(|imm| self.body.pool.imms.push(imm)).into();
                        Inst::Op {
                            op,
                            imm,
                            operands: self.operands(results, &args)?,
                        }
                    }
                })
            }
        }
    }

    fn address(&mut self) -> Result<(Memory, Local, u64)> {
        let memory = self.p.memory()?;
        let addr = self.local()?;
        let offset = if self.p.eat('+') { self.p.u64()? } else { 0 };
        Ok((memory, addr, offset))
    }

    fn terminator(&mut self, word: &str, results: &[Local]) -> Result<Option<Terminator>> {
        if word != "invoke"
            && matches!(
                word,
                "unreachable"
                    | "jump"
                    | "br_if"
                    | "br_table"
                    | "return"
                    | "return_call"
                    | "throw"
                    | "throw_ref"
            )
        {
            self.none(results, word)?;
        }
        Ok(Some(match word {
            "unreachable" => Terminator::Unreachable,
            "jump" => Terminator::Jump(self.block_ref()?),
            "br_if" => {
                let cond = self.local()?;
                self.p.punct(',')?;
                let then_to = self.block_ref()?;
                self.p.punct(',')?;
                Terminator::BrIf {
                    cond,
                    then_to,
                    else_to: self.block_ref()?,
                }
            }
            "br_table" => {
                let index = self.local()?;
                self.p.punct(',')?;
                self.p.punct('[')?;
                let mut targets = Vec::new();
                while !self.p.eat(']') {
                    if !targets.is_empty() {
                        self.p.punct(',')?;
                    }
                    targets.push(self.block_ref()?);
                }
                self.p.punct(',')?;
                let default = self.block_ref()?;
                let targets = self.body.pool.block_list(&targets);
                Terminator::BrTable {
                    index,
                    targets,
                    default,
                }
            }
            "return" => {
                let values = self.locals_on_line()?;
                Terminator::Return(self.operands(&[], &values)?)
            }
            "return_call" => {
                let (callee, operands) = self.callee(&[])?;
                Terminator::ReturnCall { callee, operands }
            }
            "invoke" => {
                let (callee, operands) = self.callee(results)?;
                let normal = self.block_ref()?;
                match self.handlers()? {
                    Some(handlers) => Terminator::Invoke {
                        callee,
                        operands,
                        normal,
                        handlers,
                    },
                    None => return self.p.error("expected `handlers`"),
                }
            }
            "throw" => {
                let tag = self.p.tag()?;
                let args = self.paren_locals()?;
                let operands = self.operands(&[], &args)?;
                Terminator::Throw {
                    tag,
                    operands,
                    handlers: self.handlers()?.into(),
                }
            }
            "throw_ref" => {
                let exn = self.local()?;
                Terminator::ThrowRef {
                    exn,
                    handlers: self.handlers()?.into(),
                }
            }
            _ => return Ok(None),
        }))
    }

    fn handlers(&mut self) -> Result<Option<HandlersId>> {
        if !self.p.eat_word("handlers") {
            return Ok(None);
        }
        self.p.punct('[')?;
        let mut list = Vec::new();
        while !self.p.eat(']') {
            if !list.is_empty() {
                self.p.punct(',')?;
            }
            let (tag, payload) = if self.p.eat_word("catch_all") {
                (None, Vec::new())
            } else {
                self.p.keyword("catch")?;
                (Some(self.p.tag()?), self.paren_locals()?)
            };
            let payload = self.operands(&payload, &[])?;
            let exnref = if self.p.eat_word("exnref") {
                Some(self.local()?)
            } else {
                None
            };
            list.push(Handler {
                tag,
                payload,
                exnref,
                target: self.block_ref()?,
            });
        }
        Ok(Some(self.body.pool.handlers.push(list)))
    }
}
