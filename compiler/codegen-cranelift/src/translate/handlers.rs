//! Exception handlers.
//!
//! CLIF has no instruction that ends a block, throws, and gives each handler its payload. A guarded operator therefore
//! crosses the mid-end as one side operator that says by a number how it ended; a branch on the number follows:
//!
//! ```wat
//! block $done (result i32)
//!   block $second (result …)              ;; one for each handler, the first innermost
//!     block $first (result …)
//!       try_table (catch $tag $first) (catch_all $second)
//!         local.get …   call $f   local.set …
//!       end
//!       i32.const 0   br $done            ;; it returned
//!     end
//!     local.set …   i32.const 1   br $done
//!   end
//!   local.set …   i32.const 2
//! end
//! ```
//!
//! # Invariants
//! Arguments, results and payloads pass through pinned locals, so nothing is on the stack below the blocks. A pinned
//! local that carries a number is written and read next to each operator that uses it and shared between operators.
//!
//! # Cost
//! Linear in the number of handlers of each operator.

use super::{Place, Translator, clif_type};
use crate::env::{NS_SIDE, PinnedUse, RelocKind, SideOp, SideOperand};
use crate::error::{ErrorKind, Result};
use crate::fields::Code;
use crate::leb;
use crate::number::BlockType;
use crate::ops::Effects;
use cranelift_codegen::ir::{
    self, AbiParam, BlockArg, ExtFuncData, ExternalName, InstBuilder, JumpTableData, Signature,
    UserExternalName, Value, types,
};
use cranelift_codegen::isa::CallConv;
use rustc_hash::FxHashMap;
use wasmir::{Block, Handler, HandlersId, Local, Type};

/// Pinned locals for numbers on their way through an operator, by type.
#[derive(Default)]
pub(super) struct Temps {
    pinned: FxHashMap<wasm_encoder::ValType, Vec<u32>>,
}

/// The pinned local of each value of a list of locals; an `i128` is two values, the lower half first.
type Places = Vec<(Local, u32, Part)>;

/// What of a local a pinned local holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// All: it is the place of the local, which holds a reference.
    Place,
    /// A number.
    Number(ir::Type),
    /// The lower half of an `i128`.
    Low,
    /// The upper half of the `i128` whose lower half comes before.
    High,
}

impl Translator<'_, '_> {
    /// A pinned local for each local: its own, or a temporary. Different lists share temporaries.
    fn through(&mut self, locals: &[Local]) -> Result<Places> {
        let mut used: FxHashMap<wasm_encoder::ValType, usize> = FxHashMap::default();
        let mut out = Vec::with_capacity(locals.len());
        for &l in locals {
            if let Place::Pinned(p) = self.place(l)? {
                out.push((l, p, Part::Place));
                continue;
            }
            let ty = self.body.locals[l];
            let parts = match clif_type(ty) {
                Some(types::I128) => &[Part::Low, Part::High][..],
                Some(number) => &[Part::Number(number)],
                None => {
                    let what = format!("`{l}` holds neither a number nor a reference");
                    return Err(ErrorKind::Invalid(what));
                }
            };
            let val = self.numbers.val_type(ty);
            let nth = used.entry(val).or_default();
            let pool = self.temps.pinned.entry(val).or_default();
            for &part in parts {
                if pool.len() == *nth {
                    pool.push(self.out.abi.pinned.len() as u32);
                    self.out.abi.pinned.push((val, None));
                }
                out.push((l, pool[*nth], part));
                *nth += 1;
            }
        }
        Ok(out)
    }

    /// Declares a side operator as a function.
    pub(super) fn declare_side(&mut self, op: SideOp, sig: Signature) -> ir::FuncRef {
        let index = self.out.side_ops.len() as u32;
        self.out.side_ops.push(op);
        let signature = self.b.import_signature(sig);
        let name = self
            .b
            .func
            .declare_imported_user_function(UserExternalName::new(NS_SIDE, index));
        self.b.import_function(ExtFuncData {
            name: ExternalName::user(name),
            signature,
            colocated: true,
            patchable: false,
        })
    }

    /// The number in a pinned local.
    fn read(&mut self, pinned: u32, ty: ir::Type) -> Value {
        let op = SideOp {
            code: Vec::new(),
            relocs: Vec::new(),
            locals: Vec::new(),
            effects: Effects::NONE,
            operands: vec![SideOperand::Pinned(pinned)],
            results: vec![None],
            diverges: false,
        };
        let mut sig = Signature::new(CallConv::Tail);
        sig.returns.push(AbiParam::new(ty));
        let f = self.declare_side(op, sig);
        let call = self.b.ins().call(f, &[]);
        self.b.inst_results(call)[0]
    }

    /// Defines locals by what their temporaries hold.
    fn receive(&mut self, places: &Places) -> Result<()> {
        let mut low = None;
        for &(l, pinned, part) in places {
            match (part, low.take()) {
                (Part::Place, _) => {}
                (Part::Number(ty), _) => {
                    let v = self.read(pinned, ty);
                    self.def(l, v)?;
                }
                (Part::Low, _) | (Part::High, None) => low = Some(self.read(pinned, types::I64)),
                (Part::High, Some(low)) => {
                    let high = self.read(pinned, types::I64);
                    let v = self.b.ins().iconcat(low, high);
                    self.def(l, v)?;
                }
            }
        }
        Ok(())
    }

    /// A side operator whose results are both values and references: all of them through pinned locals.
    pub(super) fn mixed(
        &mut self,
        code: Code,
        effects: Effects,
        results: &[Local],
        args: &[Local],
    ) -> Result<()> {
        let places = self.through(results)?;
        let pinned = places.iter().map(|&(_, p, _)| Some(p)).collect();
        let (operands, vals, sig) = self.operands(args)?;
        let op = SideOp {
            code: code.bytes,
            relocs: code.relocs,
            locals: Vec::new(),
            effects,
            operands,
            results: pinned,
            diverges: false,
        };
        let f = self.declare_side(op, sig);
        self.b.ins().call(f, &vals);
        self.receive(&places)
    }

    fn block_type(&self, code: &mut Code, types: &[Type]) -> Result<()> {
        match self.numbers.block_type(types) {
            Some(BlockType::Empty) => code.bytes.push(0x40),
            Some(BlockType::One(ty)) => wasm_encoder::Encode::encode(&ty, &mut code.bytes),
            // Types keep their numbers except in objects, where a linker gives them new ones.
            Some(BlockType::Index(i)) if self.module.relocatable => {
                code.index(RelocKind::Type, i);
            }
            Some(BlockType::Index(i)) => leb::signed(&mut code.bytes, i64::from(i)),
            None => {
                return Err(ErrorKind::Invalid(
                    "an exception handler with a payload of no known type".into(),
                ));
            }
        }
        Ok(())
    }

    /// An operator with handlers; `operator` is its code, to be followed by nothing. It ends the block: control goes to
    /// `normal` after a return, if it can return at all, or to a handler.
    pub(super) fn guarded(
        &mut self,
        operator: Code,
        results: &[Local],
        args: &[Local],
        normal: Option<Block>,
        handlers: HandlersId,
    ) -> Result<()> {
        let list: Vec<Handler> = self.body.pool.handlers[handlers].clone();
        let first = u32::from(normal.is_some());
        let count = list.len() as u32;
        let sources = self.through(args)?;
        let sinks = self.through(results)?;
        let mut received = Vec::with_capacity(list.len());
        let mut code = self.code(&[]);
        let mut locals = Vec::new();
        let pinned = |code: &Code, pinned: u32, write: bool| PinnedUse {
            offset: code.bytes.len() as u32,
            pinned,
            write,
        };
        for &(.., p, part) in sources.iter().rev() {
            if part != Part::Place {
                locals.push(pinned(&code, p, true));
            }
        }
        code.bytes.extend([0x02, 0x7f]);
        for handler in list.iter().rev() {
            let mut caught: Vec<Local> = self.body.pool.results(handler.payload).to_vec();
            caught.extend(handler.exnref);
            let mut types: Vec<Type> = caught.iter().map(|&l| self.body.locals[l]).collect();
            // What is caught is never null, whatever the local says; block types agree with the clause.
            if handler.exnref.is_some()
                && let Some(Type::Ref(exn)) = types.last_mut()
            {
                exn.nullable = false;
            }
            self.payload_types(handler, &mut types);
            code.bytes.push(0x02);
            self.block_type(&mut code, &types)?;
            received.push(self.through(&caught)?);
        }
        received.reverse();
        code.bytes.extend([0x1f, 0x40]);
        code.number(count.into());
        for (depth, handler) in list.iter().enumerate() {
            let clause = u8::from(handler.exnref.is_some()) + 2 * u8::from(handler.tag.is_none());
            code.bytes.push(clause);
            if let Some(tag) = handler.tag {
                code.index(RelocKind::Tag, self.numbers.tag(tag));
            }
            code.number(depth as u64);
        }
        for &(_, p, _) in &sources {
            locals.push(pinned(&code, p, false));
        }
        code.append(operator);
        for &(_, p, _) in sinks.iter().rev() {
            locals.push(pinned(&code, p, true));
        }
        code.bytes.push(0x0b);
        if normal.is_some() {
            code.bytes.extend([0x41, 0x00, 0x0c]);
            code.number(count.into());
        } else {
            code.bytes.push(0x00);
        }
        for (k, places) in received.iter().enumerate() {
            code.bytes.push(0x0b);
            for &(_, p, _) in places.iter().rev() {
                locals.push(pinned(&code, p, true));
            }
            code.bytes.push(0x41);
            leb::signed(&mut code.bytes, k as i64 + i64::from(first));
            if k + 1 < list.len() {
                code.bytes.push(0x0c);
                code.number(list.len() as u64 - 1 - k as u64);
            }
        }
        code.bytes.push(0x0b);

        let (operands, vals, mut sig) = self.operands_of_values(&sources)?;
        sig.returns.push(AbiParam::new(types::I32));
        let op = SideOp {
            code: code.bytes,
            relocs: code.relocs,
            locals,
            effects: Effects::SIDE,
            operands,
            results: vec![None],
            diverges: false,
        };
        let f = self.declare_side(op, sig);
        let call = self.b.ins().call(f, &vals);
        let outcome = self.b.inst_results(call)[0];

        let mut ways: Vec<(ir::Block, Block, Places)> = Vec::with_capacity(list.len() + 1);
        if let Some(normal) = normal {
            ways.push((self.b.create_block(), normal, sinks));
        }
        for (handler, places) in list.iter().zip(received) {
            ways.push((self.b.create_block(), handler.target, places));
        }
        self.choose(outcome, &ways);
        for (way, target, places) in ways {
            self.b.switch_to_block(way);
            self.receive(&places)?;
            let target = self.block(target)?;
            self.b.ins().jump(target, &[] as &[BlockArg]);
        }
        Ok(())
    }

    /// The payload's types as the tag has them.
    fn payload_types(&self, handler: &Handler, types: &mut [Type]) {
        let tag = handler.tag.and_then(|tag| self.module.tags.get(tag));
        if let Some(ty) = tag.and_then(|tag| self.module.types.func(tag.ty)) {
            for (slot, &ty) in types.iter_mut().zip(&ty.params) {
                *slot = ty;
            }
        }
    }

    /// Goes on at the way with the number that the operator gave.
    fn choose(&mut self, outcome: Value, ways: &[(ir::Block, Block, Places)]) {
        match ways {
            [] => self.trap(),
            [(only, ..)] => {
                self.b.ins().jump(*only, &[] as &[BlockArg]);
            }
            [(normal, ..), (caught, ..)] => {
                let none = &[] as &[BlockArg];
                self.b.ins().brif(outcome, *caught, none, *normal, none);
            }
            [rest @ .., (last, ..)] => {
                let pool = &mut self.b.func.dfg.value_lists;
                let mut call = |block| ir::BlockCall::new(block, std::iter::empty(), pool);
                let table: Vec<_> = rest.iter().map(|&(block, ..)| call(block)).collect();
                let last = call(*last);
                let table = self.b.create_jump_table(JumpTableData::new(last, &table));
                self.b.ins().br_table(outcome, table);
            }
        }
    }

    /// Operands, values and signature of a side operator that reads locals.
    pub(super) fn operands(
        &mut self,
        args: &[Local],
    ) -> Result<(Vec<SideOperand>, Vec<Value>, Signature)> {
        let mut operands = Vec::with_capacity(args.len());
        let mut vals = Vec::new();
        for &a in args {
            if let Place::Pinned(p) = self.place(a)? {
                operands.push(SideOperand::Pinned(p));
                continue;
            }
            let before = vals.len();
            self.number(a, &mut vals)?;
            let new = vals.len() - before;
            operands.extend(std::iter::repeat_n(SideOperand::Arg, new));
        }
        let sig = self.taking(&vals);
        Ok((operands, vals, sig))
    }

    /// The same for those of the locals that hold numbers.
    fn operands_of_values(
        &mut self,
        places: &Places,
    ) -> Result<(Vec<SideOperand>, Vec<Value>, Signature)> {
        let mut vals = Vec::new();
        for &(l, _, part) in places {
            // An upper half comes with the lower.
            if matches!(part, Part::Number(_) | Part::Low) {
                self.number(l, &mut vals)?;
            }
        }
        let sig = self.taking(&vals);
        Ok((vec![SideOperand::Arg; vals.len()], vals, sig))
    }

    /// Appends the value of a local that holds a number; an `i128` is two values, the lower half first.
    fn number(&mut self, l: Local, vals: &mut Vec<Value>) -> Result<()> {
        let v = self.get(l)?;
        if self.b.func.dfg.value_type(v) == types::I128 {
            let (low, high) = self.b.ins().isplit(v);
            vals.extend([low, high]);
        } else {
            vals.push(v);
        }
        Ok(())
    }

    /// A signature that takes these values.
    fn taking(&self, vals: &[Value]) -> Signature {
        let mut sig = Signature::new(CallConv::Tail);
        let param = |&v: &Value| AbiParam::new(self.b.func.dfg.value_type(v));
        sig.params.extend(vals.iter().map(param));
        sig
    }
}
