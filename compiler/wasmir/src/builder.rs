//! Builds a body block by block.
//!
//! ```
//! use wasmir::{BodyBuilder, Opcode, Terminator, Type};
//! // fn(x) { x * 3 }
//! let mut b = BodyBuilder::new(&[Type::I32]);
//! let entry = b.block();
//! b.switch_to(entry);
//! let three = b.i32_const(3);
//! let product = b.binary(Opcode::I32Mul, Type::I32, b.param(0), three);
//! b.ret(&[product]);
//! let body = b.finish();
//! assert_eq!(body.num_insts(), 3);
//! ```

use crate::body::{Body, StackSlotData};
use crate::entities::*;
use crate::inst::*;
use crate::op::Opcode;
use crate::types::Type;

/// A body under construction; see the module's example.
#[derive(Debug)]
pub struct BodyBuilder {
    body: Body,
    current: Option<Block>,
    loc: SrcLoc,
}

impl BodyBuilder {
    /// Starts a body with these parameters.
    pub fn new(params: &[Type]) -> BodyBuilder {
        BodyBuilder {
            body: Body::new(params),
            current: None,
            loc: SrcLoc::NONE,
        }
    }

    /// The body so far.
    pub fn body(&self) -> &Body {
        &self.body
    }

    /// The body so far, to be changed.
    pub fn body_mut(&mut self) -> &mut Body {
        &mut self.body
    }

    /// The parameter `index`.
    pub fn param(&self, index: u32) -> Local {
        debug_assert!(index < self.body.num_params);
        Local::from_u32(index)
    }

    /// A new local.
    pub fn local(&mut self, ty: Type) -> Local {
        self.body.locals.push(ty)
    }

    /// A new stack slot.
    pub fn slot(&mut self, size: u32, align_log2: u8) -> StackSlot {
        self.body.slots.push(StackSlotData { size, align_log2 })
    }

    /// A new block, not yet in the layout.
    pub fn block(&mut self) -> Block {
        self.body.blocks.push(Default::default())
    }

    /// Appends `block` to the layout, unless it is there already, and continues in it.
    pub fn switch_to(&mut self, block: Block) {
        if self.current != Some(block) {
            self.body.layout.push(block);
        }
        self.current = Some(block);
    }

    /// The block that receives instructions; `None` after a terminator.
    pub fn current(&self) -> Option<Block> {
        self.current
    }

    /// The source location of what follows.
    pub fn set_loc(&mut self, loc: SrcLoc) {
        self.loc = loc;
    }

    /// Appends an instruction.
    ///
    /// # Panics
    /// If no block is current.
    pub fn push(&mut self, inst: Inst) {
        let block = self.current.expect("an instruction needs a current block");
        self.body.blocks[block].push(inst, self.loc);
    }

    /// Ends the current block.
    ///
    /// # Panics
    /// If no block is current.
    pub fn terminate(&mut self, term: Terminator) {
        let block = self
            .current
            .take()
            .expect("a terminator needs a current block");
        self.body.blocks[block].term = term;
        self.body.blocks[block].term_loc = self.loc;
    }

    /// A constant of any integer type up to 64 bits or float type, by its bits.
    pub fn constant(&mut self, ty: Type, bits: u64) -> Local {
        let dst = self.local(ty);
        self.push(Inst::Const { dst, bits });
        dst
    }

    /// A constant of type `i32`.
    pub fn i32_const(&mut self, value: i32) -> Local {
        self.constant(Type::I32, u64::from(value as u32))
    }

    /// A constant of type `i64`.
    pub fn i64_const(&mut self, value: i64) -> Local {
        self.constant(Type::I64, value as u64)
    }

    /// A constant of type `v128` or `i128`.
    pub fn wide_const(&mut self, ty: Type, value: u128) -> Local {
        let dst = self.local(ty);
        let value = self.body.pool.wides.push(value);
        self.push(Inst::ConstWide { dst, value });
        dst
    }

    /// An operator on one operand, its result in a new local of type `ty`.
    pub fn unary(&mut self, op: Opcode, ty: Type, arg: Local) -> Local {
        let dst = self.local(ty);
        self.push(Inst::Unary { op, dst, arg });
        dst
    }

    /// An operator on two operands, its result in a new local of type `ty`.
    pub fn binary(&mut self, op: Opcode, ty: Type, a: Local, b: Local) -> Local {
        let dst = self.local(ty);
        self.push(Inst::Binary {
            op,
            dst,
            args: [a, b],
        });
        dst
    }

    /// `dst` = `src`.
    pub fn copy(&mut self, dst: Local, src: Local) {
        self.push(Inst::Copy { dst, src });
    }

    /// Any plain operator, in the shortest form that fits.
    pub fn op(&mut self, op: Opcode, imm: Option<Imm>, results: &[Local], args: &[Local]) {
        let inst = match (imm, results, args) {
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
                let operands = self.body.pool.operands(results, args);
                Inst::Op { op, imm, operands }
            }
        };
        self.push(inst);
    }

    /// A load into a new local of type `ty`.
    pub fn load(&mut self, op: Opcode, ty: Type, addr: Local, arg: MemArg) -> Local {
        let dst = self.local(ty);
        let MemArg {
            memory,
            offset,
            access,
        } = arg;
        self.push(Inst::Load {
            op,
            access,
            dst,
            addr,
            memory,
            offset,
        });
        dst
    }

    /// A store.
    pub fn store(&mut self, op: Opcode, addr: Local, value: Local, arg: MemArg) {
        let MemArg {
            memory,
            offset,
            access,
        } = arg;
        self.push(Inst::Store {
            op,
            access,
            addr,
            value,
            memory,
            offset,
        });
    }

    /// A call.
    pub fn call(&mut self, callee: Callee, results: &[Local], args: &[Local]) {
        let operands = self.body.pool.operands(results, args);
        self.push(Inst::Call { callee, operands });
    }

    /// Ends the block with a jump.
    pub fn jump(&mut self, to: Block) {
        self.terminate(Terminator::Jump(to));
    }

    /// Ends the block with a conditional branch.
    pub fn br_if(&mut self, cond: Local, then_to: Block, else_to: Block) {
        self.terminate(Terminator::BrIf {
            cond,
            then_to,
            else_to,
        });
    }

    /// Ends the block with a return.
    pub fn ret(&mut self, values: &[Local]) {
        let operands = self.body.pool.operands(&[], values);
        self.terminate(Terminator::Return(operands));
    }

    /// The finished body. Blocks left without a terminator trap.
    pub fn finish(self) -> Body {
        self.body
    }
}
