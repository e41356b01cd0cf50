//! WasmIR bodies to CLIF.
//!
//! Locals with one definition become values directly; the others are variables of Cranelift's `FunctionBuilder`, which
//! builds SSA. Locals of reference types never become values: they stay locals of the emitted function ("pinned"). Every
//! operator that CLIF cannot say, or could only say with other trapping behaviour, is a [`SideOp`] with
//! its final bytes.
//!
//! Globals become loads and stores in an alias region of their own, memories one region each, so that the mid-end's
//! alias analysis knows that they do not overlap.

use crate::env::{NS_DATA, NS_FUNC, NS_GLOBAL, NS_SIDE, Reloc, RelocKind, SideOp, SideOperand};
use crate::error::{ErrorKind, Result};
use crate::leb;
use crate::locals::Abi;
use crate::number::Numbers;
use crate::ops::Effects;
use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::immediates::{Ieee32, Ieee64};
use cranelift_codegen::ir::{
    self, AbiParam, AliasRegion, AliasRegionData, BlockArg, Endianness, ExtFuncData, ExternalName,
    FuncRef, Function, GlobalValueData, InstBuilder, JumpTableData, MemFlagsData, Opcode as Clif,
    Signature, SourceLoc, TrapCode, UserExternalName, Value, types,
};
use cranelift_codegen::isa::{CallConv, TargetFrontendConfig};
use cranelift_entity::SecondaryMap;
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext, Variable};
use rustc_hash::FxHashMap;
use target_lexicon::PointerWidth;
use wasmir::{
    Block, Body, Callee, Inst, Item, Local, Memory, Module, Opcode, Operands, Terminator, Type,
};

/// What translation produced besides the CLIF function.
#[derive(Default)]
pub struct Translation {
    /// The side operators that the function calls.
    pub side_ops: Vec<SideOp>,
    /// How the wasm parameters relate to the CLIF ones.
    pub abi: Abi,
}

/// The CLIF type of a WasmIR type; `None` for references.
fn clif_type(ty: Type) -> Option<ir::Type> {
    Some(match ty {
        Type::I8 => types::I8,
        Type::I16 => types::I16,
        Type::I32 => types::I32,
        Type::I64 => types::I64,
        Type::I128 => types::I128,
        Type::F32 => types::F32,
        Type::F64 => types::F64,
        Type::V128 => types::I8X16,
        Type::Ref(_) => return None,
    })
}

/// What `FunctionBuilder` wants to know of a target: addresses of wasm32.
fn frontend_config() -> TargetFrontendConfig {
    TargetFrontendConfig {
        default_call_conv: CallConv::Tail,
        pointer_width: PointerWidth::U32,
        page_size_align_log2: 16,
    }
}

/// Where a local lives.
#[derive(Clone, Copy)]
enum Place {
    /// Never mentioned yet, one definition.
    Single(Option<Value>),
    Variable(Variable),
    Pinned(u32),
}

struct Translator<'a, 'f> {
    module: &'a Module,
    body: &'a Body,
    numbers: &'a Numbers,
    b: FunctionBuilder<'f>,
    out: Translation,
    places: SecondaryMap<Local, Option<Place>>,
    blocks: SecondaryMap<Block, Option<ir::Block>>,
    regions: FxHashMap<u32, AliasRegion>,
    functions: FxHashMap<u32, FuncRef>,
    globals: FxHashMap<(u32, u32), ir::GlobalValue>,
}

/// Translates `body` of type `ty` into `func`, which must be empty.
pub fn translate(
    module: &Module,
    numbers: &Numbers,
    ty: &wasmir::FuncType,
    body: &Body,
    func: &mut Function,
    ctx: &mut FunctionBuilderContext,
) -> Result<Translation> {
    let mut sig = Signature::new(CallConv::Tail);
    sig.params.extend(
        ty.params
            .iter()
            .filter_map(|&t| clif_type(t))
            .map(AbiParam::new),
    );
    sig.returns.extend(
        ty.results
            .iter()
            .filter_map(|&t| clif_type(t))
            .map(AbiParam::new),
    );
    let opaque_results = ty.results.iter().any(|t| t.is_ref());
    if opaque_results {
        sig.returns.clear();
    }
    func.signature = sig;
    let mut t = Translator {
        module,
        body,
        numbers,
        b: FunctionBuilder::new(func, ctx),
        out: Translation::default(),
        places: SecondaryMap::new(),
        blocks: SecondaryMap::new(),
        regions: FxHashMap::default(),
        functions: FxHashMap::default(),
        globals: FxHashMap::default(),
    };
    t.out.abi.opaque_results = opaque_results;
    t.run()
}

impl Translator<'_, '_> {
    fn run(mut self) -> Result<Translation> {
        self.place_locals();
        for slot in self.body.slots.values() {
            self.b.create_sized_stack_slot(ir::StackSlotData::new(
                ir::StackSlotKind::ExplicitSlot,
                slot.size,
                slot.align_log2,
            ));
        }
        for &block in &self.body.layout {
            self.blocks[block] = Some(self.b.create_block());
        }
        let entry = self
            .body
            .entry()
            .ok_or_else(|| ErrorKind::Invalid("function without blocks".into()))?;
        let entry_block = self.block(entry)?;
        self.b.append_block_params_for_function_params(entry_block);
        // Definitions before uses wherever there is only one: dominators first, which layout order need not be.
        for block in self.reverse_postorder() {
            let clif = self.block(block)?;
            self.b.switch_to_block(clif);
            if block == entry {
                self.parameters(clif)?;
            }
            let data = &self.body.blocks[block];
            for (inst, loc) in data.insts.iter().zip(&data.locs) {
                self.locate(*loc);
                self.inst(inst)?;
            }
            self.locate(data.term_loc);
            self.terminator(&data.term)?;
        }
        self.b.seal_all_blocks();
        // Blocks that nothing reaches were not filled.
        for &block in &self.body.layout {
            let clif = self.block(block)?;
            if self.b.func.layout.is_block_inserted(clif)
                && self.b.func.layout.last_inst(clif).is_none()
            {
                self.b.func.layout.remove_block(clif);
            }
        }
        self.b.finalize(frontend_config());
        Ok(self.out)
    }

    fn reverse_postorder(&self) -> Vec<Block> {
        let mut order = Vec::new();
        let mut seen: SecondaryMap<Block, bool> = SecondaryMap::new();
        let Some(entry) = self.body.entry() else {
            return order;
        };
        let successors = |b: Block| {
            let mut out = Vec::new();
            self.body.for_each_successor(b, |s| out.push(s));
            out
        };
        seen[entry] = true;
        let mut stack = vec![(entry, successors(entry))];
        while let Some((block, rest)) = stack.last_mut() {
            match rest.pop() {
                Some(next) => {
                    if !std::mem::replace(&mut seen[next], true) {
                        stack.push((next, successors(next)));
                    }
                }
                None => {
                    order.push(*block);
                    stack.pop();
                }
            }
        }
        order.reverse();
        order
    }

    fn locate(&mut self, loc: wasmir::SrcLoc) {
        let loc = if loc.is_some() {
            SourceLoc::new(loc.0)
        } else {
            SourceLoc::default()
        };
        self.b.set_srcloc(loc);
    }

    fn block(&self, block: Block) -> Result<ir::Block> {
        self.blocks[block].ok_or_else(|| {
            ErrorKind::Invalid(format!("branch to `{block}`, which is not in the layout"))
        })
    }

    /// Decides for every local where it lives.
    fn place_locals(&mut self) {
        let mut defs: SecondaryMap<Local, u32> = SecondaryMap::new();
        for l in self.body.params() {
            defs[l] += 1;
        }
        // One definition is enough only if it comes before every use, which a second block cannot promise
        // without dominators: such locals go through the builder, which costs little.
        let mut home: SecondaryMap<Local, u32> = SecondaryMap::new();
        let mut single: SecondaryMap<Local, bool> = SecondaryMap::with_default(true);
        for &block in &self.body.layout {
            let stamp = block.as_u32() + 2;
            let data = &self.body.blocks[block];
            for inst in &data.insts {
                inst.for_each_use(&self.body.pool, |l| {
                    if home[l] != stamp && l.as_u32() >= self.body.num_params {
                        single[l] = false;
                    }
                });
                inst.for_each_def(&self.body.pool, |l| {
                    defs[l] += 1;
                    home[l] = stamp;
                });
            }
            data.term.for_each_use(&self.body.pool, |l| {
                if home[l] != stamp && l.as_u32() >= self.body.num_params {
                    single[l] = false;
                }
            });
            data.term.for_each_def(&self.body.pool, |l| defs[l] += 2);
        }
        let mut param_index = 0;
        for (l, &ty) in self.body.locals.iter() {
            let is_param = l.as_u32() < self.body.num_params;
            let place = match clif_type(ty) {
                None => {
                    let index = self.out.abi.pinned.len() as u32;
                    self.out
                        .abi
                        .pinned
                        .push((self.numbers.val_type(ty), is_param.then_some(param_index)));
                    Place::Pinned(index)
                }
                Some(clif) => {
                    if is_param {
                        self.out.abi.params.push(param_index);
                        if clif == types::I128 {
                            param_index += 1;
                            self.out.abi.params.push(param_index);
                        }
                    }
                    if defs[l] == 1 && single[l] {
                        Place::Single(None)
                    } else {
                        Place::Variable(self.b.declare_var(clif))
                    }
                }
            };
            if is_param {
                param_index += 1;
            }
            self.places[l] = Some(place);
        }
        self.out.abi.count = param_index;
    }

    fn parameters(&mut self, entry: ir::Block) -> Result<()> {
        let mut vals = self.b.block_params(entry).to_vec().into_iter();
        for l in self.body.params() {
            if !matches!(self.places[l], Some(Place::Pinned(_)))
                && let Some(v) = vals.next()
            {
                self.def(l, v)?;
            }
        }
        Ok(())
    }

    fn place(&self, l: Local) -> Result<Place> {
        self.places[l].ok_or_else(|| ErrorKind::Invalid(format!("unknown local `{l}`")))
    }

    fn def(&mut self, l: Local, v: Value) -> Result<()> {
        match self.place(l)? {
            Place::Single(_) => self.places[l] = Some(Place::Single(Some(v))),
            Place::Variable(var) => {
                self.b
                    .try_def_var(var, v)
                    .map_err(|e| ErrorKind::Invalid(format!("local `{l}`: {e}")))?;
            }
            Place::Pinned(_) => {
                return Err(ErrorKind::Invalid(format!("local `{l}` holds a reference")));
            }
        }
        Ok(())
    }

    fn get(&mut self, l: Local) -> Result<Value> {
        match self.place(l)? {
            Place::Single(Some(v)) => Ok(v),
            Place::Variable(var) => self
                .b
                .try_use_var(var)
                .map_err(|e| ErrorKind::Invalid(format!("local `{l}`: {e}"))),
            Place::Single(None) => Err(ErrorKind::Invalid(format!(
                "local `{l}` is read before it is written"
            ))),
            Place::Pinned(_) => Err(ErrorKind::Invalid(format!("local `{l}` holds a reference"))),
        }
    }

    fn region(&mut self, id: u32, what: &'static str) -> AliasRegion {
        let b = &mut self.b;
        *self.regions.entry(id).or_insert_with(|| {
            b.func.dfg.alias_regions.insert(AliasRegionData {
                user_id: id,
                description: what.into(),
            })
        })
    }

    fn mem_flags(&mut self, memory: Memory, aligned: bool) -> MemFlagsData {
        let region = self.region(self.numbers.memory(memory), "memory");
        let flags = MemFlagsData::new()
            .with_endianness(Endianness::Little)
            .with_alias_region(Some(region));
        if aligned { flags.with_aligned() } else { flags }
    }

    fn symbol(&mut self, namespace: u32, index: u32, offset: i64) -> ir::GlobalValue {
        if offset == 0
            && let Some(&gv) = self.globals.get(&(namespace, index))
        {
            return gv;
        }
        let name = self
            .b
            .func
            .declare_imported_user_function(UserExternalName::new(namespace, index));
        let gv = self.b.func.create_global_value(GlobalValueData::Symbol {
            name: ExternalName::user(name),
            offset: offset.into(),
            colocated: true,
            tls: false,
        });
        if offset == 0 {
            self.globals.insert((namespace, index), gv);
        }
        gv
    }

    fn global_address(&mut self, global: wasmir::Global) -> (Value, MemFlagsData) {
        let index = self.numbers.global(global);
        let gv = self.symbol(NS_GLOBAL, index, 0);
        let addr = self.b.ins().symbol_value(types::I32, gv);
        let region = self.region(0x8000_0000 | index, "global");
        (
            addr,
            MemFlagsData::trusted()
                .with_endianness(Endianness::Little)
                .with_alias_region(Some(region)),
        )
    }

    fn inst(&mut self, inst: &Inst) -> Result<()> {
        match *inst {
            Inst::Const { dst, bits } => {
                let v = match self.body.locals[dst] {
                    Type::F32 => self.b.ins().f32const(Ieee32::with_bits(bits as u32)),
                    Type::F64 => self.b.ins().f64const(Ieee64::with_bits(bits)),
                    ty => {
                        let ty = clif_type(ty)
                            .ok_or_else(|| ErrorKind::Invalid("constant reference".into()))?;
                        let imm = ir::immediates::Imm64::new(bits as i64);
                        self.b.ins().iconst(ty, imm)
                    }
                };
                self.def(dst, v)
            }
            Inst::ConstWide { dst, value } => {
                let bits = self.body.pool.wides[value];
                let v = if self.body.locals[dst] == Type::I128 {
                    let lo = self.b.ins().iconst(types::I64, bits as i64);
                    let hi = self.b.ins().iconst(types::I64, (bits >> 64) as i64);
                    self.b.ins().iconcat(lo, hi)
                } else {
                    let handle = self
                        .b
                        .func
                        .dfg
                        .constants
                        .insert(bits.to_le_bytes().to_vec().into());
                    self.b.ins().vconst(types::I8X16, handle)
                };
                self.def(dst, v)
            }
            Inst::Copy { dst, src } => {
                if let Place::Pinned(_) = self.place(dst)? {
                    return self.side(Vec::new(), Vec::new(), Effects::NONE, &[dst], &[src], false);
                }
                let v = self.get(src)?;
                self.def(dst, v)
            }
            Inst::Unary { op, dst, arg } => self.operator(op, None, &[dst], &[arg]),
            Inst::Binary { op, dst, args } => self.operator(op, None, &[dst], &args),
            Inst::Ternary { op, dst, args } => self.operator(op, None, &[dst], &args),
            Inst::Op { op, imm, operands } => {
                let imm = imm.expand().map(|i| self.body.pool.imms[i]);
                let (results, args) = (
                    self.body.pool.results(operands),
                    self.body.pool.args(operands),
                );
                let (results, args) = (results.to_vec(), args.to_vec());
                self.operator(op, imm, &results, &args)
            }
            Inst::Load {
                op,
                access,
                dst,
                addr,
                memory,
                offset,
            } => self.load(op, access, dst, addr, memory, offset),
            Inst::Store {
                op,
                access,
                addr,
                value,
                memory,
                offset,
            } => self.store(op, access, addr, value, memory, offset),
            Inst::StackAddr { dst, slot, offset } => {
                let v = self.b.ins().stack_addr(
                    types::I32,
                    ir::StackSlot::from_u32(slot.as_u32()),
                    offset,
                );
                self.def(dst, v)
            }
            Inst::SymAddr { dst, item, addend } => {
                let ty = clif_type(self.body.locals[dst]).unwrap_or(types::I32);
                let v = match item {
                    Item::Data(data) => {
                        let gv = self.symbol(NS_DATA, data.as_u32(), addend);
                        self.b.ins().symbol_value(ty, gv)
                    }
                    Item::Func(func) => {
                        let f = self.function(func)?;
                        self.b.ins().func_addr(ty, f)
                    }
                    other => return Err(ErrorKind::Unsupported(format!("address of {other:?}"))),
                };
                self.def(dst, v)
            }
            Inst::GlobalGet { dst, global } => {
                if let Place::Pinned(_) = self.place(dst)? {
                    let mut code = vec![0x23];
                    leb::unsigned(&mut code, u64::from(self.numbers.global(global)));
                    return self.side(code, Vec::new(), Effects::SIDE, &[dst], &[], false);
                }
                let (addr, flags) = self.global_address(global);
                let ty = clif_type(self.body.locals[dst]).unwrap_or(types::I32);
                let v = self.b.ins().load(ty, flags, addr, 0);
                self.def(dst, v)
            }
            Inst::GlobalSet { global, src } => {
                if let Place::Pinned(_) = self.place(src)? {
                    let mut code = vec![0x24];
                    leb::unsigned(&mut code, u64::from(self.numbers.global(global)));
                    return self.side(code, Vec::new(), Effects::SIDE, &[], &[src], false);
                }
                let v = self.get(src)?;
                let (addr, flags) = self.global_address(global);
                self.b.ins().store(flags, v, addr, 0);
                Ok(())
            }
            Inst::Call { callee, operands } => self.call(callee, operands, false),
        }
    }

    fn signature_of(&self, func: wasmir::Func) -> Result<&wasmir::FuncType> {
        self.module
            .func_type(func)
            .ok_or_else(|| ErrorKind::Invalid(format!("`{func}` has no function type")))
    }

    fn function(&mut self, func: wasmir::Func) -> Result<FuncRef> {
        let index = self.numbers.func(func);
        if let Some(&f) = self.functions.get(&index) {
            return Ok(f);
        }
        let ty = self.signature_of(func)?.clone();
        let mut sig = Signature::new(CallConv::Tail);
        sig.params.extend(
            ty.params
                .iter()
                .filter_map(|&t| clif_type(t))
                .map(AbiParam::new),
        );
        sig.returns.extend(
            ty.results
                .iter()
                .filter_map(|&t| clif_type(t))
                .map(AbiParam::new),
        );
        let signature = self.b.import_signature(sig);
        let name = self
            .b
            .func
            .declare_imported_user_function(UserExternalName::new(NS_FUNC, index));
        let f = self.b.import_function(ExtFuncData {
            name: ExternalName::user(name),
            signature,
            colocated: true,
            patchable: false,
        });
        self.functions.insert(index, f);
        Ok(f)
    }

    fn call(&mut self, callee: Callee, operands: Operands, tail: bool) -> Result<()> {
        let results = self.body.pool.results(operands).to_vec();
        let args = self.body.pool.args(operands).to_vec();
        if let Callee::Direct(func) = callee {
            let ty = self.signature_of(func)?;
            if ty.params.iter().chain(&ty.results).all(|t| !t.is_ref()) {
                let f = self.function(func)?;
                let vals = args
                    .iter()
                    .map(|&a| self.get(a))
                    .collect::<Result<Vec<_>>>()?;
                if tail {
                    self.b.ins().return_call(f, &vals);
                    return Ok(());
                }
                let call = self.b.ins().call(f, &vals);
                let vals = self.b.inst_results(call).to_vec();
                for (&r, v) in results.iter().zip(vals) {
                    self.def(r, v)?;
                }
                return Ok(());
            }
        }
        let mut code = Vec::new();
        let mut relocs = Vec::new();
        match callee {
            Callee::Direct(func) => {
                code.push(if tail { 0x12 } else { 0x10 });
                leb::unsigned(&mut code, u64::from(self.numbers.func(func)));
            }
            Callee::Indirect { table, ty } => {
                code.push(if tail { 0x13 } else { 0x11 });
                let fields = [
                    (RelocKind::Type, ty.as_u32()),
                    (RelocKind::Table, self.numbers.table(table)),
                ];
                for (kind, target) in fields {
                    if self.module.relocatable {
                        relocs.push(Reloc {
                            offset: code.len() as u32,
                            kind,
                            target,
                            addend: 0,
                        });
                        leb::unsigned_padded(&mut code, u64::from(target), 5);
                    } else {
                        leb::unsigned(&mut code, u64::from(target));
                    }
                }
            }
            Callee::Ref(ty) => {
                code.push(if tail { 0x15 } else { 0x14 });
                leb::unsigned(&mut code, u64::from(ty.as_u32()));
            }
        }
        self.side(code, relocs, Effects::SIDE, &results, &args, tail)
    }

    /// A side operator on locals.
    fn side(
        &mut self,
        code: Vec<u8>,
        relocs: Vec<Reloc>,
        effects: Effects,
        results: &[Local],
        args: &[Local],
        diverges: bool,
    ) -> Result<()> {
        let mut sig = Signature::new(CallConv::Tail);
        let mut operands = Vec::new();
        let mut vals = Vec::new();
        for &a in args {
            match self.place(a)? {
                Place::Pinned(p) => operands.push(SideOperand::Pinned(p)),
                _ => {
                    let v = self.get(a)?;
                    sig.params
                        .push(AbiParam::new(self.b.func.dfg.value_type(v)));
                    vals.push(v);
                    operands.push(SideOperand::Arg);
                }
            }
        }
        let mut pinned = Vec::new();
        for &r in results {
            match self.place(r)? {
                Place::Pinned(p) => pinned.push(Some(p)),
                _ => {
                    let ty = clif_type(self.body.locals[r]).unwrap_or(types::I32);
                    sig.returns.push(AbiParam::new(ty));
                    pinned.push(None);
                }
            }
        }
        let op = SideOp {
            code,
            relocs,
            effects,
            operands,
            results: pinned,
            diverges,
        };
        if op.results.iter().any(Option::is_some) && op.results.iter().any(Option::is_none) {
            return Err(ErrorKind::Unsupported(
                "an operator with results of both values and references".into(),
            ));
        }
        let index = self.out.side_ops.len() as u32;
        self.out.side_ops.push(op);
        let signature = self.b.import_signature(sig);
        let name = self
            .b
            .func
            .declare_imported_user_function(UserExternalName::new(NS_SIDE, index));
        let f = self.b.import_function(ExtFuncData {
            name: ExternalName::user(name),
            signature,
            colocated: true,
            patchable: false,
        });
        let call = self.b.ins().call(f, &vals);
        let vals = self.b.inst_results(call).to_vec();
        for (&r, v) in results.iter().zip(vals) {
            self.def(r, v)?;
        }
        if diverges {
            self.trap();
        }
        Ok(())
    }

    fn trap(&mut self) {
        self.b.ins().trap(TrapCode::unwrap_user(1));
    }

    fn load(
        &mut self,
        op: Opcode,
        access: wasmir::Access,
        dst: Local,
        addr: Local,
        memory: Memory,
        offset: u64,
    ) -> Result<()> {
        let info = op.info();
        let clif = match (info.prefix, info.code) {
            (0, 0x28) => (Clif::Load, types::I32, 2),
            (0, 0x29) => (Clif::Load, types::I64, 3),
            (0, 0x2a) => (Clif::Load, types::F32, 2),
            (0, 0x2b) => (Clif::Load, types::F64, 3),
            (0, 0x2c) => (Clif::Sload8, types::I32, 0),
            (0, 0x2d) => (Clif::Uload8, types::I32, 0),
            (0, 0x2e) => (Clif::Sload16, types::I32, 1),
            (0, 0x2f) => (Clif::Uload16, types::I32, 1),
            (0, 0x30) => (Clif::Sload8, types::I64, 0),
            (0, 0x31) => (Clif::Uload8, types::I64, 0),
            (0, 0x32) => (Clif::Sload16, types::I64, 1),
            (0, 0x33) => (Clif::Uload16, types::I64, 1),
            (0, 0x34) => (Clif::Sload32, types::I64, 2),
            (0, 0x35) => (Clif::Uload32, types::I64, 2),
            (0xff, 0x1d) => (Clif::Load, types::I8, 0),
            (0xff, 0x3c) => (Clif::Load, types::I16, 1),
            (0xff, 0x5b) => (Clif::Load, types::I128, 4),
            (0xfd, 0) => (Clif::Load, types::I8X16, 4),
            _ => (Clif::Nop, types::I32, 0),
        };
        let (opcode, ty, natural) = clif;
        let Ok(offset32) = i32::try_from(offset) else {
            return self.memory_side(op, access, memory, offset, &[dst], &[addr]);
        };
        if opcode == Clif::Nop || access.is_volatile() {
            return self.memory_side(op, access, memory, offset, &[dst], &[addr]);
        }
        let p = self.get(addr)?;
        let flags = self.mem_flags(memory, access.align_log2() == natural);
        let v = match opcode {
            Clif::Load => self.b.ins().load(ty, flags, p, offset32),
            Clif::Sload8 => self.b.ins().sload8(ty, flags, p, offset32),
            Clif::Uload8 => self.b.ins().uload8(ty, flags, p, offset32),
            Clif::Sload16 => self.b.ins().sload16(ty, flags, p, offset32),
            Clif::Uload16 => self.b.ins().uload16(ty, flags, p, offset32),
            Clif::Sload32 => self.b.ins().sload32(flags, p, offset32),
            _ => self.b.ins().uload32(flags, p, offset32),
        };
        self.def(dst, v)
    }

    fn store(
        &mut self,
        op: Opcode,
        access: wasmir::Access,
        addr: Local,
        value: Local,
        memory: Memory,
        offset: u64,
    ) -> Result<()> {
        let info = op.info();
        let (width, natural) = match (info.prefix, info.code) {
            (0, 0x36 | 0x38) => (0, 2),
            (0, 0x37 | 0x39) => (0, 3),
            (0, 0x3a | 0x3c) => (8, 0),
            (0, 0x3b | 0x3d) => (16, 1),
            (0, 0x3e) => (32, 2),
            (0xff, 0x1e) => (0, 0),
            (0xff, 0x3d) => (0, 1),
            (0xff, 0x5c) | (0xfd, 11) => (0, 4),
            _ => (u32::MAX, 0),
        };
        let Ok(offset32) = i32::try_from(offset) else {
            return self.memory_side(op, access, memory, offset, &[], &[addr, value]);
        };
        if width == u32::MAX || access.is_volatile() {
            return self.memory_side(op, access, memory, offset, &[], &[addr, value]);
        }
        let (p, v) = (self.get(addr)?, self.get(value)?);
        let flags = self.mem_flags(memory, access.align_log2() == natural);
        match width {
            8 => self.b.ins().istore8(flags, v, p, offset32),
            16 => self.b.ins().istore16(flags, v, p, offset32),
            32 => self.b.ins().istore32(flags, v, p, offset32),
            _ => self.b.ins().store(flags, v, p, offset32),
        };
        Ok(())
    }

    fn memory_side(
        &mut self,
        op: Opcode,
        access: wasmir::Access,
        memory: Memory,
        offset: u64,
        results: &[Local],
        args: &[Local],
    ) -> Result<()> {
        let imm = wasmir::Imm::Memarg(wasmir::MemArg {
            memory,
            offset,
            access,
        });
        self.side_operator(op, Some(imm), results, args)
    }

    /// An operator by its own bytes.
    fn side_operator(
        &mut self,
        op: Opcode,
        imm: Option<wasmir::Imm>,
        results: &[Local],
        args: &[Local],
    ) -> Result<()> {
        let info = op.info();
        if info.prefix == wasmir::WASMIR_PREFIX {
            return Err(ErrorKind::Unsupported(format!(
                "{} in this form",
                info.name
            )));
        }
        let mut code = Vec::new();
        let typed_select =
            info.prefix == 0 && info.code == 0x1b && self.body.locals[results[0]].is_ref();
        if typed_select {
            code.extend([0x1c, 1]);
            wasm_encoder::Encode::encode(
                &self.numbers.val_type(self.body.locals[results[0]]),
                &mut code,
            );
        } else if info.prefix == 0 {
            code.push(info.code as u8);
        } else {
            code.push(info.prefix);
            leb::unsigned(&mut code, u64::from(info.code));
        }
        if info.imm == wasmir::ImmKind::Fence {
            code.push(0);
        }
        if let Some(imm) = imm {
            // Nullability of casts is in the operator; the heap type follows.
            self.numbers.immediate(&imm, &mut code);
        }
        let traits = op.traits();
        let effects = if traits.is_pure() {
            Effects::NONE
        } else {
            Effects::SIDE
        };
        self.side(code, Vec::new(), effects, results, args, false)
    }

    fn terminator(&mut self, term: &Terminator) -> Result<()> {
        match *term {
            Terminator::Unreachable => self.trap(),
            Terminator::Jump(to) => {
                let to = self.block(to)?;
                self.b.ins().jump(to, &[] as &[BlockArg]);
            }
            Terminator::BrIf {
                cond,
                then_to,
                else_to,
            } => {
                let c = self.get(cond)?;
                let (t, e) = (self.block(then_to)?, self.block(else_to)?);
                self.b
                    .ins()
                    .brif(c, t, &[] as &[BlockArg], e, &[] as &[BlockArg]);
            }
            Terminator::BrTable {
                index,
                targets,
                default,
            } => {
                let v = self.get(index)?;
                let list = self.body.pool.blocks(targets).to_vec();
                let default = self.block(default)?;
                let pool = &mut self.b.func.dfg.value_lists;
                let default = ir::BlockCall::new(default, std::iter::empty(), pool);
                let mut table = Vec::with_capacity(list.len());
                for target in list {
                    let to = self.block(target)?;
                    table.push(ir::BlockCall::new(
                        to,
                        std::iter::empty(),
                        &mut self.b.func.dfg.value_lists,
                    ));
                }
                let table = self
                    .b
                    .create_jump_table(JumpTableData::new(default, &table));
                self.b.ins().br_table(v, table);
            }
            Terminator::Return(operands) => {
                let args = self.body.pool.args(operands).to_vec();
                let refs = args
                    .iter()
                    .any(|&a| matches!(self.places[a], Some(Place::Pinned(_))));
                if refs {
                    return self.side(vec![0x0f], Vec::new(), Effects::SIDE, &[], &args, true);
                }
                let vals = args
                    .iter()
                    .map(|&a| self.get(a))
                    .collect::<Result<Vec<_>>>()?;
                self.b.ins().return_(&vals);
            }
            Terminator::ReturnCall { callee, operands } => self.call(callee, operands, true)?,
            Terminator::Throw {
                tag,
                operands,
                handlers,
            } if handlers.is_none() => {
                let args = self.body.pool.args(operands).to_vec();
                let mut code = vec![0x08];
                leb::unsigned(&mut code, u64::from(self.numbers.tag(tag)));
                self.side(code, Vec::new(), Effects::SIDE, &[], &args, true)?;
            }
            Terminator::ThrowRef { exn, handlers } if handlers.is_none() => {
                self.side(vec![0x0a], Vec::new(), Effects::SIDE, &[], &[exn], true)?;
            }
            Terminator::Invoke { .. } | Terminator::Throw { .. } | Terminator::ThrowRef { .. } => {
                return Err(ErrorKind::Unsupported("exception handlers".into()));
            }
        }
        Ok(())
    }

    /// A plain operator: as CLIF where CLIF means the same, else as a side operator.
    fn operator(
        &mut self,
        op: Opcode,
        imm: Option<wasmir::Imm>,
        results: &[Local],
        args: &[Local],
    ) -> Result<()> {
        let info = op.info();
        let any_ref = results
            .iter()
            .chain(args)
            .any(|&l| self.body.locals[l].is_ref());
        if any_ref || results.len() != 1 || imm.is_some() {
            return self.side_operator(op, imm, results, args);
        }
        let vals = args
            .iter()
            .map(|&a| self.get(a))
            .collect::<Result<smallvec::SmallVec<[Value; 3]>>>()?;
        let v = match info.prefix {
            0 => self.scalar(info.code, &vals),
            0xfc if info.code < 8 => Some(self.saturating(info.code, vals[0])),
            wasmir::WASMIR_PREFIX => {
                self.rust_integer(info.code, &vals, self.body.locals[results[0]])
            }
            _ => None,
        };
        match v {
            Some(v) => self.def(results[0], v),
            None => self.side_operator(op, imm, results, args),
        }
    }

    fn boolean(&mut self, v: Value) -> Value {
        self.b.ins().uextend(types::I32, v)
    }

    fn icmp(&mut self, cc: IntCC, a: Value, b: Value) -> Value {
        let v = self.b.ins().icmp(cc, a, b);
        self.boolean(v)
    }

    fn eqz(&mut self, a: Value) -> Value {
        let ty = self.b.func.dfg.value_type(a);
        let z = if ty == types::I128 {
            let half = self.b.ins().iconst(types::I64, 0);
            self.b.ins().uextend(types::I128, half)
        } else {
            self.b.ins().iconst(ty, 0)
        };
        self.icmp(IntCC::Equal, a, z)
    }

    fn compare(&mut self, place: u32, v: &[Value]) -> Value {
        const ORDER: [IntCC; 10] = [
            IntCC::Equal,
            IntCC::NotEqual,
            IntCC::SignedLessThan,
            IntCC::UnsignedLessThan,
            IntCC::SignedGreaterThan,
            IntCC::UnsignedGreaterThan,
            IntCC::SignedLessThanOrEqual,
            IntCC::UnsignedLessThanOrEqual,
            IntCC::SignedGreaterThanOrEqual,
            IntCC::UnsignedGreaterThanOrEqual,
        ];
        self.icmp(ORDER[place as usize], v[0], v[1])
    }

    fn fcompare(&mut self, place: u32, v: &[Value]) -> Value {
        const ORDER: [FloatCC; 6] = [
            FloatCC::Equal,
            FloatCC::NotEqual,
            FloatCC::LessThan,
            FloatCC::GreaterThan,
            FloatCC::LessThanOrEqual,
            FloatCC::GreaterThanOrEqual,
        ];
        let c = self.b.ins().fcmp(ORDER[place as usize], v[0], v[1]);
        self.boolean(c)
    }

    fn saturating(&mut self, code: u32, v: Value) -> Value {
        let ty = if code < 4 { types::I32 } else { types::I64 };
        if code % 2 == 0 {
            self.b.ins().fcvt_to_sint_sat(ty, v)
        } else {
            self.b.ins().fcvt_to_uint_sat(ty, v)
        }
    }

    /// The single-byte operators.
    fn scalar(&mut self, code: u32, v: &[Value]) -> Option<Value> {
        use types::{F32, F64, I8, I16, I32, I64};
        Some(match code {
            0x1b => self.b.ins().select(v[2], v[0], v[1]),
            0x45 | 0x50 => self.eqz(v[0]),
            0x46..=0x4f => self.compare(code - 0x46, v),
            0x51..=0x5a => self.compare(code - 0x51, v),
            0x5b..=0x60 => self.fcompare(code - 0x5b, v),
            0x61..=0x66 => self.fcompare(code - 0x61, v),
            0x67 | 0x79 => self.b.ins().clz(v[0]),
            0x68 | 0x7a => self.b.ins().ctz(v[0]),
            0x69 | 0x7b => self.b.ins().popcnt(v[0]),
            0x6a..=0x78 => self.arithmetic(code - 0x6a, v),
            0x7c..=0x8a => self.arithmetic(code - 0x7c, v),
            0x8b | 0x99 => self.b.ins().fabs(v[0]),
            0x8c | 0x9a => self.b.ins().fneg(v[0]),
            0x8d | 0x9b => self.b.ins().ceil(v[0]),
            0x8e | 0x9c => self.b.ins().floor(v[0]),
            0x8f | 0x9d => self.b.ins().trunc(v[0]),
            0x90 | 0x9e => self.b.ins().nearest(v[0]),
            0x91 | 0x9f => self.b.ins().sqrt(v[0]),
            0x92 | 0xa0 => self.b.ins().fadd(v[0], v[1]),
            0x93 | 0xa1 => self.b.ins().fsub(v[0], v[1]),
            0x94 | 0xa2 => self.b.ins().fmul(v[0], v[1]),
            0x95 | 0xa3 => self.b.ins().fdiv(v[0], v[1]),
            0x96 | 0xa4 => self.b.ins().fmin(v[0], v[1]),
            0x97 | 0xa5 => self.b.ins().fmax(v[0], v[1]),
            0x98 | 0xa6 => self.b.ins().fcopysign(v[0], v[1]),
            0xa7 => self.b.ins().ireduce(I32, v[0]),
            0xa8 | 0xaa => self.b.ins().fcvt_to_sint(I32, v[0]),
            0xa9 | 0xab => self.b.ins().fcvt_to_uint(I32, v[0]),
            0xac => self.b.ins().sextend(I64, v[0]),
            0xad => self.b.ins().uextend(I64, v[0]),
            0xae | 0xb0 => self.b.ins().fcvt_to_sint(I64, v[0]),
            0xaf | 0xb1 => self.b.ins().fcvt_to_uint(I64, v[0]),
            0xb2 | 0xb4 => self.b.ins().fcvt_from_sint(F32, v[0]),
            0xb3 | 0xb5 => self.b.ins().fcvt_from_uint(F32, v[0]),
            0xb6 => self.b.ins().fdemote(F32, v[0]),
            0xb7 | 0xb9 => self.b.ins().fcvt_from_sint(F64, v[0]),
            0xb8 | 0xba => self.b.ins().fcvt_from_uint(F64, v[0]),
            0xbb => self.b.ins().fpromote(F64, v[0]),
            0xbc => self.b.ins().bitcast(I32, MemFlagsData::new(), v[0]),
            0xbd => self.b.ins().bitcast(I64, MemFlagsData::new(), v[0]),
            0xbe => self.b.ins().bitcast(F32, MemFlagsData::new(), v[0]),
            0xbf => self.b.ins().bitcast(F64, MemFlagsData::new(), v[0]),
            0xc0..=0xc4 => {
                let narrow = [I8, I16, I8, I16, I32][code as usize - 0xc0];
                let wide = if code < 0xc2 { I32 } else { I64 };
                let n = self.b.ins().ireduce(narrow, v[0]);
                self.b.ins().sextend(wide, n)
            }
            _ => return None,
        })
    }

    /// add sub mul div_s div_u rem_s rem_u and or xor shl shr_s shr_u rotl rotr
    fn arithmetic(&mut self, place: u32, v: &[Value]) -> Value {
        let (a, b) = (v[0], v[1]);
        match place {
            0 => self.b.ins().iadd(a, b),
            1 => self.b.ins().isub(a, b),
            2 => self.b.ins().imul(a, b),
            3 => self.b.ins().sdiv(a, b),
            4 => self.b.ins().udiv(a, b),
            5 => self.b.ins().srem(a, b),
            6 => self.b.ins().urem(a, b),
            7 => self.b.ins().band(a, b),
            8 => self.b.ins().bor(a, b),
            9 => self.b.ins().bxor(a, b),
            10 => self.b.ins().ishl(a, b),
            11 => self.b.ins().sshr(a, b),
            12 => self.b.ins().ushr(a, b),
            13 => self.b.ins().rotl(a, b),
            _ => self.b.ins().rotr(a, b),
        }
    }

    /// WasmIR's own operators on `i8`, `i16` and `i128`: the same list for each width, then conversions.
    fn rust_integer(&mut self, code: u32, v: &[Value], result: Type) -> Option<Value> {
        let to = clif_type(result)?;
        if code < 0x5d {
            let place = code % 0x1f;
            // add sub mul and or xor div_s div_u rem_s rem_u shl shr_s shr_u rotl rotr
            const PLACES: [u32; 15] = [0, 1, 2, 7, 8, 9, 3, 4, 5, 6, 10, 11, 12, 13, 14];
            return Some(match place {
                0..=14 => self.arithmetic(PLACES[place as usize], v),
                15 => self.b.ins().clz(v[0]),
                16 => self.b.ins().ctz(v[0]),
                17 => self.b.ins().popcnt(v[0]),
                18 => self.eqz(v[0]),
                19..=28 => self.compare(place - 19, v),
                _ => return None,
            });
        }
        let from = self.b.func.dfg.value_type(v[0]);
        if code == 0x78 {
            return Some(self.b.ins().iconcat(v[0], v[1]));
        }
        if to.bits() < from.bits() {
            return Some(self.b.ins().ireduce(to, v[0]));
        }
        // Conversions come in threes (extend_s, extend_u, wrap) in the list.
        let signed = (code - 0x5d) % 3 == 0;
        Some(if signed {
            self.b.ins().sextend(to, v[0])
        } else {
            self.b.ins().uextend(to, v[0])
        })
    }
}
