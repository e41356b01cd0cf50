//! Gives the entities of a module new numbers, everywhere they are mentioned.
//!
//! Reachability (which removes entities) and the linker (which puts modules into one) both move
//! entities; this is the one place that rewrites what refers to them. Raw bodies keep their bytes:
//! the maps of their unit change instead.

use crate::entities::*;
use crate::module::*;
use crate::refs::*;
use crate::symbol::RelocTarget;
use crate::types::Type;
use cranelift_entity::packed_option::{PackedOption, ReservedValue};
use cranelift_entity::{EntityRef, SecondaryMap};
use rayon::prelude::*;
use std::mem;

/// Old to new numbers; none for what is removed.
#[derive(Default)]
pub(crate) struct Renumber {
    pub(crate) funcs: SecondaryMap<Func, PackedOption<Func>>,
    pub(crate) tables: SecondaryMap<Table, PackedOption<Table>>,
    pub(crate) memories: SecondaryMap<Memory, PackedOption<Memory>>,
    pub(crate) globals: SecondaryMap<Global, PackedOption<Global>>,
    pub(crate) tags: SecondaryMap<Tag, PackedOption<Tag>>,
    pub(crate) datas: SecondaryMap<Data, PackedOption<Data>>,
    pub(crate) elems: SecondaryMap<Elem, PackedOption<Elem>>,
    /// New types; types stay as they are where this is empty.
    pub(crate) types: Vec<TypeId>,
    /// Added to the positions of custom sections.
    pub(crate) sections: u32,
}

macro_rules! replace {
    ($($method:ident $map:ident $ty:ty),*) => {$(
        fn $method(&mut self, x: &mut $ty) {
            // What something live mentions is live, so there is always a new number.
            if let Some(new) = self.$map[*x].expand() {
                *x = new;
            }
        }
    )*};
}

impl EntityVisitor for &Renumber {
    replace!(func funcs Func, table tables Table, memory memories Memory, global globals Global,
        tag tags Tag, data datas Data, elem elems Elem);

    fn ty(&mut self, ty: &mut TypeId) {
        *ty = self.new_type(*ty);
    }
}

fn remap<K: EntityRef + ReservedValue>(
    ids: &mut [PackedOption<K>],
    map: &SecondaryMap<K, PackedOption<K>>,
) {
    for id in ids {
        *id = id.expand().and_then(|id| map[id].expand()).into();
    }
}

impl Renumber {
    fn new_type(&self, ty: TypeId) -> TypeId {
        self.types.get(ty.index()).copied().unwrap_or(ty)
    }

    fn is_live(&self, target: RelocTarget) -> bool {
        match target {
            RelocTarget::Item(Item::Func(x)) => self.funcs[x].is_some(),
            RelocTarget::Item(Item::Table(x)) => self.tables[x].is_some(),
            RelocTarget::Item(Item::Memory(x)) => self.memories[x].is_some(),
            RelocTarget::Item(Item::Global(x)) => self.globals[x].is_some(),
            RelocTarget::Item(Item::Tag(x)) => self.tags[x].is_some(),
            RelocTarget::Item(Item::Data(x)) => self.datas[x].is_some(),
            RelocTarget::Type(_) | RelocTarget::Section(_) => true,
        }
    }

    fn ref_type(&self, ty: &mut crate::types::RefType) {
        let mut value = Type::Ref(*ty);
        visit_type(&mut value, &mut &*self);
        if let Type::Ref(new) = value {
            *ty = new;
        }
    }

    /// Rewrites every mention in `module`, bodies in parallel; the entities themselves have been moved or are yet to be.
    pub(crate) fn rewrite(&self, module: &mut Module) {
        let funcs = module.funcs.values_mut().into_slice();
        funcs.par_iter_mut().with_min_len(64).for_each(|func| {
            let mut v = self;
            v.ty(&mut func.ty);
            match &mut func.body {
                FuncBody::None => {}
                FuncBody::Raw(raw) => self.relocs(&mut raw.relocs),
                FuncBody::Ir(body) => visit_body(body, &mut v),
            }
        });
        let mut v = self;
        for table in module.tables.values_mut() {
            self.ref_type(&mut table.ty);
            table
                .init
                .iter_mut()
                .for_each(|e| visit_const_expr(e, &mut v));
        }
        for global in module.globals.values_mut() {
            visit_type(&mut global.ty, &mut v);
            global
                .init
                .iter_mut()
                .for_each(|e| visit_const_expr(e, &mut v));
        }
        for tag in module.tags.values_mut() {
            v.ty(&mut tag.ty);
        }
        for data in module.datas.values_mut() {
            if let DataKind::Active { memory, offset } = &mut data.kind {
                v.memory(memory);
                visit_const_expr(offset, &mut v);
            }
            if let DataKind::Alias { of, .. } = &mut data.kind {
                v.data(of);
            }
            self.relocs(&mut data.relocs);
        }
        for elem in module.elems.values_mut() {
            self.ref_type(&mut elem.ty);
            if let ElemKind::Active { table, offset } = &mut elem.kind {
                v.table(table);
                visit_const_expr(offset, &mut v);
            }
            visit_elem_items(&mut elem.items, &mut v);
        }
        module
            .exports
            .iter_mut()
            .for_each(|export| v.item(&mut export.item));
        let mut order = mem::take(&mut module.import_order);
        order.retain(|item| self.is_live(RelocTarget::Item(*item)));
        order.iter_mut().for_each(|item| v.item(item));
        module.import_order = order;
        module.start.iter_mut().for_each(|f| v.func(f));
        module.init_funcs.iter_mut().for_each(|(_, f)| v.func(f));
        for custom in &mut module.customs {
            // Debug information mentions what it does not keep.
            custom.relocs.retain(|reloc| self.is_live(reloc.target));
            self.relocs(&mut custom.relocs);
        }
        module.contracts = mem::take(&mut module.contracts)
            .into_iter()
            .filter_map(|(f, c)| Some((self.funcs[f].expand()?, c)))
            .collect();
        let names = mem::take(&mut module.names);
        module.names.types = names
            .types
            .into_iter()
            .map(|(ty, names)| (self.new_type(ty), names))
            .collect();
        module.names.funcs = names
            .funcs
            .into_iter()
            .filter_map(|(f, names)| Some((self.funcs[f].expand()?, names)))
            .collect();
        for unit in module.units.values_mut() {
            for ty in &mut unit.types {
                *ty = self.new_type(*ty);
            }
            remap(&mut unit.funcs, &self.funcs);
            remap(&mut unit.tables, &self.tables);
            remap(&mut unit.memories, &self.memories);
            remap(&mut unit.globals, &self.globals);
            remap(&mut unit.tags, &self.tags);
            remap(&mut unit.datas, &self.datas);
            remap(&mut unit.elems, &self.elems);
        }
    }

    fn relocs(&self, relocs: &mut [crate::symbol::Reloc]) {
        for reloc in relocs.iter_mut() {
            if let RelocTarget::Section(index) = &mut reloc.target {
                *index += self.sections;
            }
        }
        visit_relocs(relocs, &mut &*self);
    }
}
