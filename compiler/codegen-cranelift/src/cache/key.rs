//! The canonical form of a body: what its code depends on, and nothing else.
//!
//! Numbers of functions, globals and so on differ from build to build though the body does not. So entities and source positions have
//! [`Names`], and what counts of them (their types) is written beside the body. A finished body is stored with these names
//! too, which say what they mean in the module at hand.
//!
//! Bodies that mention what has no field of its own in emitted code (types other than signatures, segments, exception
//! handlers that receive several values) have no canonical form and are not stored.

use crate::bodies::{Plan, stack_pointer};
use crate::env::RelocKind;
use pack_store::Key;
use sha2::{Digest, Sha256};
use wasmir::{
    Body, CompositeType, FuncType, Handler, HeapType, Imm, Module, Names, SrcLoc, Type, TypeId,
};

/// What a body mentions.
#[derive(Default)]
pub(super) struct Mentions(Names);

impl Mentions {
    /// The place in its list of what a relocation names, by its number in the module.
    pub(super) fn place(&self, plan: &Plan<'_>, kind: RelocKind, number: u32) -> Option<u32> {
        fn position<T: Copy>(list: &[T], is: impl Fn(T) -> bool) -> Option<usize> {
            list.iter().position(|&x| is(x))
        }
        let (n, names) = (plan.numbers, &self.0);
        let found = match kind {
            RelocKind::Func | RelocKind::TableSlot | RelocKind::TableSlot64 => {
                position(names.funcs.list(), |x| n.func(x) == number)
            }
            RelocKind::Type => position(names.types.list(), |x| x.as_u32() == number),
            RelocKind::Global => position(names.globals.list(), |x| n.global(x) == number),
            RelocKind::Table => position(names.tables.list(), |x| n.table(x) == number),
            RelocKind::Tag => position(names.tags.list(), |x| n.tag(x) == number),
            RelocKind::MemAddrSleb
            | RelocKind::MemAddrSleb64
            | RelocKind::MemAddrLeb
            | RelocKind::MemAddrTlsSleb => position(names.datas.list(), |x| x.as_u32() == number),
        };
        found.map(|place| place as u32)
    }

    /// The number in the module of what stands at a place of its list.
    pub(super) fn number(&self, plan: &Plan<'_>, kind: RelocKind, place: u32) -> Option<u32> {
        let n = plan.numbers;
        Some(match kind {
            RelocKind::Func | RelocKind::TableSlot | RelocKind::TableSlot64 => {
                n.func(self.0.funcs.get(place)?)
            }
            RelocKind::Type => self.0.types.get(place)?.as_u32(),
            RelocKind::Global => n.global(self.0.globals.get(place)?),
            RelocKind::Table => n.table(self.0.tables.get(place)?),
            RelocKind::Tag => n.tag(self.0.tags.get(place)?),
            RelocKind::MemAddrSleb
            | RelocKind::MemAddrSleb64
            | RelocKind::MemAddrLeb
            | RelocKind::MemAddrTlsSleb => self.0.datas.get(place)?.as_u32(),
        })
    }

    /// The place of a source position.
    pub(super) fn loc_place(&self, loc: u32) -> Option<u32> {
        self.0.locs.find(SrcLoc(loc))
    }

    /// The source position at a place.
    pub(super) fn loc(&self, place: u32) -> Option<u32> {
        Some(self.0.locs.get(place)?.0)
    }
}

/// Whether all that a body in canonical form says has a field of its own in emitted code.
fn is_fit(body: &Body) -> bool {
    let imm = |imm: &Imm| match imm {
        Imm::Memarg(_)
        | Imm::MemargLane(..)
        | Imm::Lane(_)
        | Imm::Shuffle(_)
        | Imm::Memory(_)
        | Imm::MemoryMemory(..)
        | Imm::Table(_)
        | Imm::TableTable(..)
        | Imm::Func(_) => true,
        Imm::Heap(heap) => !matches!(heap, HeapType::Concrete(_)),
        Imm::DataMemory(..)
        | Imm::Data(_)
        | Imm::ElemTable(..)
        | Imm::Elem(_)
        | Imm::Ty(_)
        | Imm::TyField(..)
        | Imm::TyTy(..)
        | Imm::TyData(..)
        | Imm::TyElem(..)
        | Imm::TyCount(..) => false,
    };
    // What a handler receives stands in a block type, which has a number unless it is one value at most.
    let received =
        |handler: &Handler| handler.payload.num_results() + usize::from(handler.exnref.is_some());
    let mut handlers = body.pool.handlers.values().flatten();
    !body.locals.values().any(|&ty| names_type(ty))
        && body.pool.imms.values().all(imm)
        && handlers.all(|handler| received(handler) <= 1)
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
    let mut text = format!("{:?}{lines};", plan.mid_end);
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
        mentions.0.globals.place(global);
    }
    let mut body = body.clone();
    mentions.0.rewrite(&mut body);
    if !is_fit(&body) {
        return None;
    }
    let text = surroundings(module, ty, &mentions.0)?;
    let mut hash = Sha256::new();
    for part in [salt, text.as_bytes(), &wasmir::encode_body(&body)] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    Some((hash.finalize().into(), mentions))
}

/// What counts of the things a body mentions.
fn surroundings(module: &Module, ty: TypeId, mentions: &Names) -> Option<String> {
    let mut text = type_text(module.types.func(ty)?)?;
    for &func in mentions.funcs.list() {
        text.push('f');
        text += &type_text(module.func_type(func)?)?;
    }
    for &ty in mentions.types.list() {
        text.push('t');
        match &module.types.get(ty)?.composite {
            CompositeType::Func(f) => text += &type_text(f)?,
            CompositeType::Struct(_) | CompositeType::Array(_) => return None,
        }
    }
    for &global in mentions.globals.list() {
        let global = module.globals.get(global)?;
        if names_type(global.ty) {
            return None;
        }
        text += &format!("g{:?}{}{};", global.ty, global.mutable, global.shared);
    }
    for &table in mentions.tables.list() {
        let table = module.tables.get(table)?;
        if names_type(Type::Ref(table.ty)) {
            return None;
        }
        text += &format!("b{:?}{};", table.ty, table.index64);
    }
    for &data in mentions.datas.list() {
        text.push(if module.datas.get(data)?.symbol.tls {
            'l'
        } else {
            'd'
        });
    }
    for &tag in mentions.tags.list() {
        text.push('e');
        text += &type_text(module.types.func(module.tags.get(tag)?.ty)?)?;
    }
    Some(text)
}
