//! Every mention of an entity, in one place: what reachability follows and what renumbering rewrites.

use crate::body::{Body, Pool};
use crate::entities::*;
use crate::inst::*;
use crate::module::{ConstOp, ElemItems};
use crate::symbol::{Reloc, RelocTarget};
use crate::types::{HeapType, Type};

/// Receives mentions of entities and may replace them.
///
/// All methods do nothing unless implemented.
pub trait EntityVisitor {
    /// A function that is called, or whose index is otherwise needed.
    fn func(&mut self, _: &mut Func) {}
    /// A table.
    fn table(&mut self, _: &mut Table) {}
    /// A memory.
    fn memory(&mut self, _: &mut Memory) {}
    /// A global.
    fn global(&mut self, _: &mut Global) {}
    /// A tag.
    fn tag(&mut self, _: &mut Tag) {}
    /// A data segment or symbol.
    fn data(&mut self, _: &mut Data) {}
    /// An element segment.
    fn elem(&mut self, _: &mut Elem) {}
    /// A type.
    fn ty(&mut self, _: &mut TypeId) {}

    /// Any item; passes it on.
    fn item(&mut self, item: &mut Item) {
        match item {
            Item::Func(x) => self.func(x),
            Item::Table(x) => self.table(x),
            Item::Memory(x) => self.memory(x),
            Item::Global(x) => self.global(x),
            Item::Tag(x) => self.tag(x),
            Item::Data(x) => self.data(x),
        }
    }
}

/// Visits the concrete types in a value type.
pub fn visit_type(ty: &mut Type, v: &mut dyn EntityVisitor) {
    if let Type::Ref(r) = ty {
        visit_heap(&mut r.heap, v);
    }
}

fn visit_heap(heap: &mut HeapType, v: &mut dyn EntityVisitor) {
    if let HeapType::Concrete(id) = heap {
        v.ty(id);
    }
}

/// Visits the entities in immediates.
pub fn visit_imm(imm: &mut Imm, v: &mut dyn EntityVisitor) {
    match imm {
        Imm::Memarg(arg) | Imm::MemargLane(arg, _) => v.memory(&mut arg.memory),
        Imm::Lane(_) | Imm::Shuffle(_) => {}
        Imm::Memory(m) => v.memory(m),
        Imm::MemoryMemory(a, b) => {
            v.memory(a);
            v.memory(b);
        }
        Imm::DataMemory(d, m) => {
            v.data(d);
            v.memory(m);
        }
        Imm::Data(d) => v.data(d),
        Imm::Table(t) => v.table(t),
        Imm::TableTable(a, b) => {
            v.table(a);
            v.table(b);
        }
        Imm::ElemTable(e, t) => {
            v.elem(e);
            v.table(t);
        }
        Imm::Elem(e) => v.elem(e),
        Imm::Ty(t) | Imm::TyField(t, _) | Imm::TyCount(t, _) => v.ty(t),
        Imm::TyTy(a, b) => {
            v.ty(a);
            v.ty(b);
        }
        Imm::TyData(t, d) => {
            v.ty(t);
            v.data(d);
        }
        Imm::TyElem(t, e) => {
            v.ty(t);
            v.elem(e);
        }
        Imm::Heap(h) => visit_heap(h, v),
        Imm::Func(f) => v.func(f),
    }
}

fn visit_callee(callee: &mut Callee, v: &mut (impl EntityVisitor + ?Sized)) {
    match callee {
        Callee::Direct(f) => v.func(f),
        Callee::Indirect { table, ty } => {
            v.table(table);
            v.ty(ty);
        }
        Callee::Ref(ty) => v.ty(ty),
    }
}

/// Visits the entities in a constant expression.
pub fn visit_const_expr(expr: &mut [ConstOp], v: &mut dyn EntityVisitor) {
    for op in expr {
        match op {
            ConstOp::GlobalGet(g) => v.global(g),
            ConstOp::RefNull(h) => visit_heap(h, v),
            ConstOp::RefFunc(f) => v.func(f),
            ConstOp::SymAddr(item, _) => v.item(item),
            ConstOp::Op(_, Some(imm)) => visit_imm(imm, v),
            _ => {}
        }
    }
}

/// Visits the entities that relocations refer to.
pub fn visit_relocs(relocs: &mut [Reloc], v: &mut dyn EntityVisitor) {
    for reloc in relocs {
        match &mut reloc.target {
            RelocTarget::Item(item) => v.item(item),
            RelocTarget::Type(ty) => v.ty(ty),
            RelocTarget::Section(_) => {}
        }
    }
}

/// Visits the entities in the items of an element segment.
pub fn visit_elem_items(items: &mut ElemItems, v: &mut dyn EntityVisitor) {
    match items {
        ElemItems::Funcs(funcs) => funcs.iter_mut().for_each(|f| v.func(f)),
        ElemItems::Exprs(exprs) => exprs.iter_mut().for_each(|e| visit_const_expr(e, v)),
    }
}

/// Visits the entities in an instruction.
pub fn visit_inst(inst: &mut Inst, pool: &mut Pool, v: &mut dyn EntityVisitor) {
    match inst {
        Inst::Op { imm, .. } => {
            if let Some(id) = imm.expand() {
                visit_imm(&mut pool.imms[id], v);
            }
        }
        _ => visit_operator(inst, v),
    }
}

/// Visits the entities in an instruction, those of an immediate in the pool excepted.
pub(crate) fn visit_operator(inst: &mut Inst, v: &mut (impl EntityVisitor + ?Sized)) {
    match inst {
        Inst::Load { memory, .. } | Inst::Store { memory, .. } => v.memory(memory),
        Inst::SymAddr { item, .. } => v.item(item),
        Inst::GlobalGet { global, .. } | Inst::GlobalSet { global, .. } => v.global(global),
        Inst::Call { callee, .. } => visit_callee(callee, v),
        Inst::Op { .. }
        | Inst::Const { .. }
        | Inst::ConstWide { .. }
        | Inst::Copy { .. }
        | Inst::Unary { .. }
        | Inst::Binary { .. }
        | Inst::Ternary { .. }
        | Inst::StackAddr { .. } => {}
    }
}

/// Visits the entities in a terminator.
pub fn visit_terminator(term: &mut Terminator, pool: &mut Pool, v: &mut dyn EntityVisitor) {
    visit_end(term, v);
    if let Some(id) = term.handlers() {
        for handler in &mut pool.handlers[id] {
            if let Some(tag) = &mut handler.tag {
                v.tag(tag);
            }
        }
    }
}

/// Visits the entities in a terminator, those of handlers in the pool excepted.
pub(crate) fn visit_end(term: &mut Terminator, v: &mut (impl EntityVisitor + ?Sized)) {
    match term {
        Terminator::ReturnCall { callee, .. } | Terminator::Invoke { callee, .. } => {
            visit_callee(callee, v);
        }
        Terminator::Throw { tag, .. } => v.tag(tag),
        _ => {}
    }
}

/// Shows the entities in a body, blocks outside the layout excepted. What the visitor puts in their place is lost.
pub fn read_body(body: &Body, v: &mut impl EntityVisitor) {
    for &ty in body.locals.values() {
        if ty.is_ref() {
            visit_type(&mut ty.clone(), v);
        }
    }
    for &block in &body.layout {
        let data = &body.blocks[block];
        for inst in &data.insts {
            match *inst {
                Inst::Op { imm, .. } => {
                    if let Some(id) = imm.expand() {
                        visit_imm(&mut body.pool.imms[id].clone(), v);
                    }
                }
                mut inst => visit_operator(&mut inst, v),
            }
        }
        visit_end(&mut data.term.clone(), v);
        if let Some(id) = data.term.handlers() {
            for mut tag in body.pool.handlers[id].iter().filter_map(|h| h.tag) {
                v.tag(&mut tag);
            }
        }
    }
}

/// Visits the entities in a body, blocks outside the layout excepted.
pub fn visit_body(body: &mut Body, v: &mut impl EntityVisitor) {
    for ty in body.locals.values_mut().filter(|ty| ty.is_ref()) {
        visit_type(ty, v);
    }
    for &block in &body.layout {
        let data = &mut body.blocks[block];
        for inst in &mut data.insts {
            match inst {
                Inst::Op { .. } => visit_inst(inst, &mut body.pool, v),
                _ => visit_operator(inst, v),
            }
        }
        visit_terminator(&mut data.term, &mut body.pool, v);
    }
}
