//! The canonical form of a body: what its code depends on, and nothing else.
//!
//! Numbers of functions, globals and so on differ from build to build though the body does not. So entities are numbered
//! in the order of their first mention, and what counts of them (their types) is written beside the body; the same goes
//! for source positions. A finished body is stored with these numbers too, and the lists say what they mean in the
//! module at hand.
//!
//! Bodies that mention what has no field of its own in emitted code (types other than signatures, segments, exception
//! handlers that receive several values) have no canonical form and are not stored.

use crate::bodies::{Plan, stack_pointer};
use crate::env::RelocKind;
use pack_store::Key;
use rustc_hash::FxHashMap;
use sha2::{Digest, Sha256};
use std::hash::Hash;
use wasmir::refs::{EntityVisitor, visit_imm, visit_inst, visit_terminator};
use wasmir::{
    BlockData, Body, CompositeType, Data, Elem, Func, FuncType, Global, HeapType, Imm, ImmId, Inst,
    Module, SrcLoc, Table, Tag, Type, TypeId,
};

/// Things in the order of their first mention.
struct Order<T> {
    list: Vec<T>,
    places: FxHashMap<T, u32>,
}

impl<T> Default for Order<T> {
    fn default() -> Order<T> {
        Order {
            list: Vec::new(),
            places: FxHashMap::default(),
        }
    }
}

impl<T: Copy + Eq + Hash> Order<T> {
    fn place(&mut self, thing: T) -> u32 {
        let next = self.list.len() as u32;
        *self.places.entry(thing).or_insert_with(|| {
            self.list.push(thing);
            next
        })
    }
}

/// What a body mentions.
#[derive(Default)]
pub(super) struct Mentions {
    funcs: Order<Func>,
    types: Order<TypeId>,
    globals: Order<Global>,
    tables: Order<Table>,
    tags: Order<Tag>,
    datas: Order<Data>,
    locs: Order<u32>,
    /// Something without canonical form was met.
    unfit: bool,
}

impl EntityVisitor for Mentions {
    fn func(&mut self, x: &mut Func) {
        *x = Func::from_u32(self.funcs.place(*x));
    }
    fn ty(&mut self, x: &mut TypeId) {
        *x = TypeId::from_u32(self.types.place(*x));
    }
    fn global(&mut self, x: &mut Global) {
        *x = Global::from_u32(self.globals.place(*x));
    }
    fn table(&mut self, x: &mut Table) {
        *x = Table::from_u32(self.tables.place(*x));
    }
    fn tag(&mut self, x: &mut Tag) {
        *x = Tag::from_u32(self.tags.place(*x));
    }
    fn data(&mut self, x: &mut Data) {
        *x = Data::from_u32(self.datas.place(*x));
    }
    fn elem(&mut self, _: &mut Elem) {
        self.unfit = true;
    }
}

impl Mentions {
    /// The place in its list of what a relocation names, by its number in the module.
    pub(super) fn place(&self, plan: &Plan<'_>, kind: RelocKind, number: u32) -> Option<u32> {
        let n = plan.numbers;
        let found = match kind {
            RelocKind::Func | RelocKind::TableSlot | RelocKind::TableSlot64 => {
                self.funcs.list.iter().position(|&x| n.func(x) == number)
            }
            RelocKind::Type => self.types.list.iter().position(|x| x.as_u32() == number),
            RelocKind::Global => self
                .globals
                .list
                .iter()
                .position(|&x| n.global(x) == number),
            RelocKind::Table => self.tables.list.iter().position(|&x| n.table(x) == number),
            RelocKind::Tag => self.tags.list.iter().position(|&x| n.tag(x) == number),
            RelocKind::MemAddrSleb
            | RelocKind::MemAddrSleb64
            | RelocKind::MemAddrLeb
            | RelocKind::MemAddrTlsSleb => {
                self.datas.list.iter().position(|x| x.as_u32() == number)
            }
        };
        found.map(|place| place as u32)
    }

    /// The number in the module of what stands at a place of its list.
    pub(super) fn number(&self, plan: &Plan<'_>, kind: RelocKind, place: u32) -> Option<u32> {
        let (n, i) = (plan.numbers, place as usize);
        Some(match kind {
            RelocKind::Func | RelocKind::TableSlot | RelocKind::TableSlot64 => {
                n.func(*self.funcs.list.get(i)?)
            }
            RelocKind::Type => self.types.list.get(i)?.as_u32(),
            RelocKind::Global => n.global(*self.globals.list.get(i)?),
            RelocKind::Table => n.table(*self.tables.list.get(i)?),
            RelocKind::Tag => n.tag(*self.tags.list.get(i)?),
            RelocKind::MemAddrSleb
            | RelocKind::MemAddrSleb64
            | RelocKind::MemAddrLeb
            | RelocKind::MemAddrTlsSleb => self.datas.list.get(i)?.as_u32(),
        })
    }

    /// The place of a source position.
    pub(super) fn loc_place(&self, loc: u32) -> Option<u32> {
        self.locs.places.get(&loc).copied()
    }

    /// The source position at a place.
    pub(super) fn loc(&self, place: u32) -> Option<u32> {
        self.locs.list.get(place as usize).copied()
    }

    fn locate(&mut self, loc: &mut SrcLoc) {
        if loc.is_some() {
            *loc = SrcLoc(self.locs.place(loc.0));
        }
    }

    /// Numbers what `body` mentions anew.
    fn rewrite(&mut self, body: &mut Body) {
        self.unfit |= body.locals.values().any(|&ty| names_type(ty));
        // What a handler receives stands in a block type, which has a number unless it is one value at most.
        self.unfit |= body.pool.handlers.values().flatten().any(|handler| {
            handler.payload.num_results() + usize::from(handler.exnref.is_some()) > 1
        });
        let mut laid_out = vec![false; body.blocks.len()];
        // Several instructions may share immediates, and several terminators handlers, which must change once.
        let mut seen = vec![false; body.pool.imms.len()];
        let mut guarded = vec![false; body.pool.handlers.len()];
        for &block in &body.layout {
            laid_out[block.as_u32() as usize] = true;
            let data = &mut body.blocks[block];
            for inst in &mut data.insts {
                match inst {
                    Inst::Op { imm, .. } => {
                        if let Some(id) = imm.expand()
                            && !std::mem::replace(&mut seen[id.as_u32() as usize], true)
                        {
                            self.imm(&mut body.pool.imms[id]);
                        }
                    }
                    other => visit_inst(other, &mut body.pool, self),
                }
            }
            data.locs.iter_mut().for_each(|loc| self.locate(loc));
            if let Some(id) = data.term.handlers() {
                self.unfit |= std::mem::replace(&mut guarded[id.as_u32() as usize], true);
            }
            visit_terminator(&mut data.term, &mut body.pool, self);
            self.locate(&mut data.term_loc);
        }
        for (block, data) in body.blocks.iter_mut() {
            if !laid_out[block.as_u32() as usize] {
                *data = BlockData::default();
            }
        }
        for (i, seen) in seen.into_iter().enumerate() {
            if !seen {
                body.pool.imms[ImmId::from_u32(i as u32)] = Imm::Lane(0);
            }
        }
    }

    fn imm(&mut self, imm: &mut Imm) {
        match imm {
            Imm::Memarg(_)
            | Imm::MemargLane(..)
            | Imm::Lane(_)
            | Imm::Shuffle(_)
            | Imm::Memory(_)
            | Imm::MemoryMemory(..)
            | Imm::Table(_)
            | Imm::TableTable(..)
            | Imm::Func(_) => visit_imm(imm, self),
            Imm::Heap(heap) => self.unfit |= matches!(heap, HeapType::Concrete(_)),
            Imm::DataMemory(..)
            | Imm::Data(_)
            | Imm::ElemTable(..)
            | Imm::Elem(_)
            | Imm::Ty(_)
            | Imm::TyField(..)
            | Imm::TyTy(..)
            | Imm::TyData(..)
            | Imm::TyElem(..)
            | Imm::TyCount(..) => self.unfit = true,
        }
    }
}

fn names_type(ty: Type) -> bool {
    matches!(ty, Type::Ref(r) if matches!(r.heap, HeapType::Concrete(_)))
}

/// Text that tells types apart; `None` if a type has no meaning outside its module.
fn type_text(ty: &FuncType) -> Option<String> {
    let all = || ty.params.iter().chain(&ty.results);
    if all().any(|&ty| names_type(ty)) {
        return None;
    }
    Some(format!("{:?}>{:?};", ty.params, ty.results))
}

/// What all bodies of a module depend on.
pub(super) fn salt(plan: &Plan<'_>) -> Vec<u8> {
    // Where lines matter, traps are kept apart from the branches to them.
    let lines = !plan.module.debug.rows.is_empty();
    let mut text = format!("{}{lines};", plan.optimize);
    for (id, memory) in plan.module.memories.iter() {
        text += &format!(
            "{}={}{}{:?};",
            plan.numbers.memory(id),
            memory.index64,
            memory.shared,
            memory.page_size_log2
        );
    }
    text.into_bytes()
}

/// The key of a body of type `ty` and what it mentions; `None` if it has no canonical form.
pub(super) fn key(
    plan: &Plan<'_>,
    salt: &[u8],
    ty: TypeId,
    body: &Body,
) -> Option<(Key, Mentions)> {
    let module = plan.module;
    let mut mentions = Mentions::default();
    // Frames use the stack pointer without mentioning it.
    if let Some(global) = stack_pointer(module) {
        mentions.globals.place(global);
    }
    let mut body = body.clone();
    mentions.rewrite(&mut body);
    if mentions.unfit {
        return None;
    }
    let text = surroundings(module, ty, &mentions)?;
    let mut hash = Sha256::new();
    for part in [salt, text.as_bytes(), &wasmir::encode_body(&body)] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    Some((hash.finalize().into(), mentions))
}

/// What counts of the things a body mentions.
fn surroundings(module: &Module, ty: TypeId, mentions: &Mentions) -> Option<String> {
    let mut text = type_text(module.types.func(ty)?)?;
    for &func in &mentions.funcs.list {
        text.push('f');
        text += &type_text(module.func_type(func)?)?;
    }
    for &ty in &mentions.types.list {
        text.push('t');
        match &module.types.get(ty)?.composite {
            CompositeType::Func(f) => text += &type_text(f)?,
            CompositeType::Struct(_) | CompositeType::Array(_) => return None,
        }
    }
    for &global in &mentions.globals.list {
        let global = module.globals.get(global)?;
        if names_type(global.ty) {
            return None;
        }
        text += &format!("g{:?}{}{};", global.ty, global.mutable, global.shared);
    }
    for &table in &mentions.tables.list {
        let table = module.tables.get(table)?;
        if names_type(Type::Ref(table.ty)) {
            return None;
        }
        text += &format!("b{:?}{};", table.ty, table.index64);
    }
    for &data in &mentions.datas.list {
        text.push(if module.datas.get(data)?.symbol.tls {
            'l'
        } else {
            'd'
        });
    }
    for &tag in &mentions.tags.list {
        text.push('e');
        text += &type_text(module.types.func(module.tags.get(tag)?.ty)?)?;
    }
    Some(text)
}
