//! The `name` section: names of the module and of its entities.
//!
//! A section that is malformed is no error, as the specification says of custom sections: the names read before the fault are
//! kept. Names of what the module has not are dropped, and so
//! are those of the parameters of types, of which functions have their own.

use std::collections::BTreeMap;
use wasmir::{Data, Elem, Func, FuncNames, Global, Memory, Module, Table, Tag, TypeId, TypeNames};
use wasmparser::{IndirectNameMap, KnownCustom, Name, NameMap, NameSectionReader};

pub(crate) fn read(module: &mut Module, section: &wasmparser::CustomSectionReader<'_>) {
    let KnownCustom::Name(names) = section.as_known() else {
        return;
    };
    read_sections(module, names);
}

fn read_sections(module: &mut Module, names: NameSectionReader<'_>) {
    for section in names {
        let Ok(section) = section else { return };
        match section {
            Name::Module { name, .. } => module.name = Some(name.to_owned()),
            Name::Function(map) => each(map, |i, name| {
                if let Some(func) = module.funcs.get_mut(Func::from_u32(i)) {
                    func.symbol.name = Some(name);
                }
            }),
            Name::Table(map) => each(map, |i, name| {
                if let Some(table) = module.tables.get_mut(Table::from_u32(i)) {
                    table.symbol.name = Some(name);
                }
            }),
            Name::Memory(map) => each(map, |i, name| {
                if let Some(memory) = module.memories.get_mut(Memory::from_u32(i)) {
                    memory.symbol.name = Some(name);
                }
            }),
            Name::Global(map) => each(map, |i, name| {
                if let Some(global) = module.globals.get_mut(Global::from_u32(i)) {
                    global.symbol.name = Some(name);
                }
            }),
            Name::Element(map) => each(map, |i, name| {
                if let Some(elem) = module.elems.get_mut(Elem::from_u32(i)) {
                    elem.name = Some(name);
                }
            }),
            Name::Data(map) => each(map, |i, name| {
                if let Some(data) = module.datas.get_mut(Data::from_u32(i)) {
                    data.symbol.name = Some(name);
                }
            }),
            Name::Tag(map) => each(map, |i, name| {
                if let Some(tag) = module.tags.get_mut(Tag::from_u32(i)) {
                    tag.symbol.name = Some(name);
                }
            }),
            Name::Local(map) => inside(map, module, |m, i| Some(&mut func_names(m, i)?.locals)),
            Name::Label(map) => inside(map, module, |m, i| Some(&mut func_names(m, i)?.labels)),
            Name::Type(map) => each(map, |i, name| {
                if let Some(names) = type_names(module, i) {
                    names.name = Some(name);
                }
            }),
            Name::Field(map) => inside(map, module, |m, i| Some(&mut type_names(m, i)?.fields)),
            Name::Parameter(_) | Name::TagParameter(_) | Name::Unknown { .. } => {}
        }
    }
}

fn each(map: NameMap<'_>, mut f: impl FnMut(u32, String)) {
    for naming in map {
        let Ok(naming) = naming else { return };
        f(naming.index, naming.name.to_owned());
    }
}

/// Keeps the names of things that are numbered within others, in what `of` gives for each of these.
fn inside(
    map: IndirectNameMap<'_>,
    module: &mut Module,
    of: impl Fn(&mut Module, u32) -> Option<&mut BTreeMap<u32, String>>,
) {
    for naming in map {
        let Ok(naming) = naming else { return };
        if let Some(names) = of(module, naming.index) {
            each(naming.names, |i, name| {
                names.insert(i, name);
            });
        }
    }
}

fn func_names(module: &mut Module, index: u32) -> Option<&mut FuncNames> {
    let func = Func::from_u32(index);
    let exists = module.funcs.is_valid(func);
    exists.then(|| module.names.funcs.entry(func).or_default())
}

fn type_names(module: &mut Module, index: u32) -> Option<&mut TypeNames> {
    let ty = TypeId::from_u32(index);
    module.types.get(ty)?;
    Some(module.names.types.entry(ty).or_default())
}
