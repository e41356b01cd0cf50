//! WasmIR bodies to CLIF.
//!
//! Locals with one assignment that comes before all reads become values directly; the others are variables of Cranelift's
//! `FunctionBuilder`, which builds SSA. Locals of reference types never become values: they stay locals of the emitted function
//! ("pinned"). Every operator that CLIF cannot say, or could only say with other trapping behaviour, is a [`SideOp`] with its
//! final bytes.
//!
//! Globals become loads and stores in an alias region of their own, memories one region each, so that the mid-end's
//! alias analysis knows that they do not overlap.

mod handlers;
mod memory;
mod operators;

use crate::env::{NS_DATA, NS_FUNC, NS_GLOBAL, Reloc, RelocKind, SideOp};
use crate::error::{ErrorKind, Result};
use crate::fields::Code;
use crate::leb;
use crate::locals::Abi;
use crate::number::Numbers;
use crate::ops::Effects;
use cranelift_codegen::ir::immediates::{Ieee32, Ieee64};
use cranelift_codegen::ir::{
    self, AbiParam, AliasRegion, AliasRegionData, BlockArg, Endianness, ExtFuncData, ExternalName,
    FuncRef, Function, GlobalValueData, InstBuilder, JumpTableData, MemFlagsData, Signature,
    SourceLoc, TrapCode, UserExternalName, Value, types,
};
use cranelift_codegen::isa::{CallConv, TargetFrontendConfig};
use cranelift_entity::{EntityRef, SecondaryMap};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext, Variable};
use rustc_hash::FxHashMap;
use target_lexicon::PointerWidth;
use wasmir::analysis::{Assignments, reverse_postorder};
use wasmir::{Block, Body, Callee, Inst, Item, Local, Memory, Module, Operands, Terminator, Type};

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
    /// One assignment before all reads, which was not translated yet or is this.
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
    temps: handlers::Temps,
}

/// The part of a function's type that CLIF can say: its numbers and vectors, without references.
fn signature(ty: &wasmir::FuncType) -> Signature {
    let params = |types: &[wasmir::Type]| -> Vec<AbiParam> {
        let known = types.iter().filter_map(|&t| clif_type(t));
        known.map(AbiParam::new).collect()
    };
    Signature {
        params: params(&ty.params),
        returns: params(&ty.results),
        call_conv: CallConv::Tail,
    }
}

/// A map with room for so many keys from the start.
fn sized<K: EntityRef, V: Clone + Default>(len: usize) -> SecondaryMap<K, V> {
    let mut map = SecondaryMap::new();
    map.resize(len);
    map
}

/// Translates `body` of type `ty` into `func`, which must be empty.
///
/// # Errors
/// What the body says that cannot be said; `ctx` is as good as new afterwards.
pub fn translate(
    module: &Module,
    numbers: &Numbers,
    ty: &wasmir::FuncType,
    body: &Body,
    func: &mut Function,
    ctx: &mut FunctionBuilderContext,
) -> Result<Translation> {
    let mut sig = signature(ty);
    let opaque_results = ty.results.iter().any(|t| t.is_ref());
    if opaque_results {
        sig.returns.clear();
    }
    func.signature = sig;
    // Cranelift keeps positions as distances from the first one, and takes the position before that for none.
    func.params.ensure_base_srcloc(SourceLoc::new(0));
    let mut t = Translator {
        module,
        body,
        numbers,
        b: FunctionBuilder::new(func, ctx),
        out: Translation::default(),
        places: sized(body.locals.len()),
        blocks: sized(body.blocks.len()),
        regions: FxHashMap::default(),
        functions: FxHashMap::default(),
        globals: FxHashMap::default(),
        temps: handlers::Temps::default(),
    };
    t.out.abi.opaque_results = opaque_results;
    let result = t.run();
    if result.is_err() {
        // A builder that was not finalised leaves its context in use.
        *ctx = FunctionBuilderContext::new();
    }
    result
}

impl Translator<'_, '_> {
    fn run(mut self) -> Result<Translation> {
        let order = reverse_postorder(self.body);
        self.place_locals(&order);
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
        // Nothing leads back to the entry.
        self.b.seal_block(entry_block);
        // A block of which all predecessors are known is sealed: its reads look through to what those wrote, without a
        // parameter that turns out to be needless.
        let mut unknown: SecondaryMap<Block, u32> = sized(self.body.blocks.len());
        for &block in &order {
            self.body.for_each_successor(block, |to| unknown[to] += 1);
        }
        let mut known = Vec::new();
        // Definitions before uses wherever there is only one: dominators first, which layout order need not be.
        for block in order {
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
            if data.term.handlers().is_none() {
                self.body.for_each_successor(block, |to| {
                    unknown[to] -= 1;
                    if unknown[to] == 0 {
                        known.push(to);
                    }
                });
            }
            for to in known.drain(..) {
                let clif = self.block(to)?;
                self.b.seal_block(clif);
            }
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

    /// Decides for every local where it lives. Blocks are translated in this order.
    fn place_locals(&mut self, order: &[Block]) {
        let assignments = Assignments::of(self.body, order);
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
                    if assignments.is_stable(l) {
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
                    return self.side(self.code(&[]), Effects::NONE, &[dst], &[src], false);
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
            Inst::SymAddr {
                dst,
                item: Item::Data(data),
                addend,
            } if self.is_thread_local(data) => {
                // A number of its own kind, which must not become part of an address in a load or store.
                let mut code = self.code(&[0x41]);
                code.relocs.push(Reloc {
                    offset: 1,
                    kind: RelocKind::MemAddrTlsSleb,
                    target: data.as_u32(),
                    addend,
                });
                leb::signed_padded(&mut code.bytes, 0, 5);
                self.side(code, Effects::NONE, &[dst], &[], false)
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
                    let mut code = self.code(&[0x23]);
                    code.index(RelocKind::Global, self.numbers.global(global));
                    return self.side(code, Effects::SIDE, &[dst], &[], false);
                }
                let (addr, flags) = self.global_address(global);
                let ty = clif_type(self.body.locals[dst]).unwrap_or(types::I32);
                let v = self.b.ins().load(ty, flags, addr, 0);
                self.def(dst, v)
            }
            Inst::GlobalSet { global, src } => {
                if let Place::Pinned(_) = self.place(src)? {
                    let mut code = self.code(&[0x24]);
                    code.index(RelocKind::Global, self.numbers.global(global));
                    return self.side(code, Effects::SIDE, &[], &[src], false);
                }
                let v = self.get(src)?;
                let (addr, flags) = self.global_address(global);
                self.b.ins().store(flags, v, addr, 0);
                Ok(())
            }
            Inst::Call { callee, operands } => self.call(callee, operands, false),
        }
    }

    fn is_thread_local(&self, data: wasmir::Data) -> bool {
        self.module.datas.get(data).is_some_and(|d| d.symbol.tls)
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
        let signature = self.b.import_signature(signature(&ty));
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
        let code = self.call_code(callee, tail);
        self.side(code, Effects::SIDE, &results, &args, tail)
    }

    /// A call's operator.
    fn call_code(&self, callee: Callee, tail: bool) -> Code {
        let mut code = self.code(&[]);
        match callee {
            Callee::Direct(func) => {
                code.bytes.push(if tail { 0x12 } else { 0x10 });
                code.index(RelocKind::Func, self.numbers.func(func));
            }
            Callee::Indirect { table, ty } => {
                code.bytes.push(if tail { 0x13 } else { 0x11 });
                code.index(RelocKind::Type, ty.as_u32());
                code.index(RelocKind::Table, self.numbers.table(table));
            }
            Callee::Ref(ty) => {
                code.bytes.push(if tail { 0x15 } else { 0x14 });
                code.index(RelocKind::Type, ty.as_u32());
            }
        }
        code
    }

    /// An operator's first bytes.
    fn code(&self, bytes: &[u8]) -> Code {
        Code::new(bytes, self.numbers.relocatable)
    }

    /// A side operator on locals.
    fn side(
        &mut self,
        code: Code,
        effects: Effects,
        results: &[Local],
        args: &[Local],
        diverges: bool,
    ) -> Result<()> {
        let mut pinned = Vec::with_capacity(results.len());
        for &r in results {
            pinned.push(match self.place(r)? {
                Place::Pinned(p) => Some(p),
                _ => None,
            });
        }
        if pinned.iter().any(Option::is_some) && pinned.iter().any(Option::is_none) {
            return self.mixed(code, effects, results, args);
        }
        let (operands, vals, mut sig) = self.operands(args)?;
        for (&r, _) in results.iter().zip(&pinned).filter(|(_, p)| p.is_none()) {
            let ty = clif_type(self.body.locals[r]).unwrap_or(types::I32);
            sig.returns.push(AbiParam::new(ty));
        }
        let op = SideOp {
            code: code.bytes,
            relocs: code.relocs,
            locals: Vec::new(),
            effects,
            operands,
            results: pinned,
            diverges,
        };
        let f = self.declare_side(op, sig);
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

    fn terminator(&mut self, term: &Terminator) -> Result<()> {
        match *term {
            Terminator::Unreachable => {
                // A block with nothing but a trap becomes a conditional trap at the branch to it, which names
                // the line of the branch; where lines matter, something has to stand before the trap.
                if !self.module.debug.rows.is_empty() {
                    self.b.ins().sequence_point();
                }
                self.trap();
            }
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
                    return self.side(self.code(&[0x0f]), Effects::SIDE, &[], &args, true);
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
            } => {
                let args = self.body.pool.args(operands).to_vec();
                let mut code = self.code(&[0x08]);
                code.index(RelocKind::Tag, self.numbers.tag(tag));
                match handlers.expand() {
                    None => self.side(code, Effects::SIDE, &[], &args, true)?,
                    Some(handlers) => self.guarded(code, &[], &args, None, handlers)?,
                }
            }
            Terminator::ThrowRef { exn, handlers } => {
                let code = self.code(&[0x0a]);
                match handlers.expand() {
                    None => self.side(code, Effects::SIDE, &[], &[exn], true)?,
                    Some(handlers) => self.guarded(code, &[], &[exn], None, handlers)?,
                }
            }
            Terminator::Invoke {
                callee,
                operands,
                normal,
                handlers,
            } => {
                let results = self.body.pool.results(operands).to_vec();
                let args = self.body.pool.args(operands).to_vec();
                let code = self.call_code(callee, false);
                self.guarded(code, &results, &args, Some(normal), handlers)?;
            }
        }
        Ok(())
    }
}
