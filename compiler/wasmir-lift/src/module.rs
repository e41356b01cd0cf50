//! Lifts a module: every section but the code of functions, which stays as it came.
//!
//! # Algorithm
//! One walk over the sections; each is validated before it is read. Function bodies are validated in parallel once the
//! walk is over (a body may refer to what later sections declare), and kept as ranges of the input.
//!
//! # Cost
//! Linear in the size of the module; memory is the input, shared, plus a few hundred bytes for each function.

use std::sync::Arc;

use rayon::prelude::*;
use wasmir::entity::PrimaryMap;
use wasmir::entity::packed_option::PackedOption;
use wasmir::{
    Bytes, CustomSection, Data, DataData, DataKind, ElemData, ElemItems, ElemKind, Export, Func,
    FuncBody, FuncData, Global, GlobalData, Import, Item, Memory, MemoryData, Module, RawBody,
    RefType, SectionPlace, Symbol, Table, TableData, Tag, TagData, TypeId, Unit, UnitData,
};
use wasmparser::{
    ExternalKind, FuncToValidate, FuncValidatorAllocations, FunctionBody, Parser, Payload, TypeRef,
    ValidPayload, Validator, ValidatorResources, WasmFeatures,
};

use crate::convert::Convert;
use crate::decode::const_expr;
use crate::{LiftError, dwarf, names, object};

/// What modules may use: everything that `wasmparser` enables by default, and custom page sizes.
pub(crate) fn features() -> WasmFeatures {
    WasmFeatures::default() | WasmFeatures::CUSTOM_PAGE_SIZES
}

type Body<'a> = (FuncToValidate<ValidatorResources>, FunctionBody<'a>);

/// Lifts a module that others share the bytes of; see [`crate::lift`].
///
/// # Errors
/// If the bytes are not a valid core module, or use what WasmIR does not have.
pub fn lift_shared(source: &Arc<[u8]>) -> Result<Module, LiftError> {
    let bytes: &[u8] = source;
    let mut reader = Reader {
        source,
        module: Module::new(),
        unit: UnitData::default(),
        place: SectionPlace::Start,
        declared: Vec::new(),
        bodies: Vec::new(),
        customs: Vec::new(),
        code_start: 0,
        data_starts: Vec::new(),
        kinds: Vec::new(),
    };
    let mut validator = Validator::new_with_features(features());
    let mut parser = Parser::new(0);
    parser.set_features(features());
    for payload in parser.parse_all(bytes) {
        let payload = payload?;
        match validator.payload(&payload)? {
            ValidPayload::Func(to_validate, body) => reader.bodies.push((to_validate, body)),
            ValidPayload::Parser(_) => return Err(LiftError::Component),
            ValidPayload::Ok | ValidPayload::End(_) => {}
        }
        reader.payload(payload)?;
    }
    reader.finish()
}

struct Reader<'a> {
    source: &'a Arc<[u8]>,
    module: Module,
    unit: UnitData,
    place: SectionPlace,
    /// Types of the functions defined, before their bodies come.
    declared: Vec<TypeId>,
    bodies: Vec<Body<'a>>,
    /// Custom sections that need the whole module to be understood.
    customs: Vec<(SectionPlace, wasmparser::CustomSectionReader<'a>)>,
    code_start: u64,
    /// For each segment where its bytes start in the data section's contents.
    data_starts: Vec<u32>,
    /// What each section is, in the order of the file.
    kinds: Vec<object::SectionKind>,
}

impl<'a> Reader<'a> {
    fn payload(&mut self, payload: Payload<'a>) -> Result<(), LiftError> {
        match &payload {
            Payload::Version { .. } | Payload::CodeSectionEntry(_) | Payload::End(_) => {}
            Payload::CodeSectionStart { .. } => self.kinds.push(object::SectionKind::Code),
            Payload::DataSection(_) => self.kinds.push(object::SectionKind::Data),
            Payload::CustomSection(_) => {
                let number = self.customs.len() as u32;
                self.kinds.push(object::SectionKind::Custom(number));
            }
            _ => self.kinds.push(object::SectionKind::Other),
        }
        match payload {
            Payload::Version { encoding, .. } => {
                if encoding != wasmparser::Encoding::Module {
                    return Err(LiftError::Component);
                }
            }
            Payload::TypeSection(section) => self.types(section)?,
            Payload::ImportSection(section) => self.imports(section)?,
            Payload::FunctionSection(section) => {
                self.place = SectionPlace::Function;
                for index in section {
                    let ty = self.ty(index?);
                    self.declared.push(ty);
                    self.add_func(ty, None);
                }
            }
            Payload::TableSection(section) => self.tables(section)?,
            Payload::MemorySection(section) => {
                self.place = SectionPlace::Memory;
                for ty in section {
                    self.add_memory(ty?, None);
                }
            }
            Payload::TagSection(section) => {
                self.place = SectionPlace::Tag;
                for ty in section {
                    let ty = self.ty(ty?.func_type_idx);
                    self.add_tag(ty, None);
                }
            }
            Payload::GlobalSection(section) => {
                self.place = SectionPlace::Global;
                for global in section.into_iter_with_offsets() {
                    let (offset, global) = global?;
                    let init = const_expr(&global.init_expr, &self.unit)?;
                    self.add_global(global.ty, offset, None, Some(init))?;
                }
            }
            Payload::ExportSection(section) => self.exports(section)?,
            Payload::StartSection { func, .. } => {
                self.place = SectionPlace::StartFunction;
                self.module.start = self.func(func);
            }
            Payload::ElementSection(section) => self.elements(section)?,
            Payload::DataCountSection { count, .. } => {
                self.place = SectionPlace::DataCount;
                // Bodies may name segments that come later.
                self.unit.datas = (0..count).map(|i| Some(Data::from_u32(i)).into()).collect();
            }
            Payload::CodeSectionStart {
                unchecked_range, ..
            } => {
                self.place = SectionPlace::Code;
                self.code_start = unchecked_range.start;
            }
            Payload::DataSection(section) => self.datas(section)?,
            Payload::CustomSection(section) => self.customs.push((self.place, section)),
            Payload::CodeSectionEntry(_) | Payload::End(_) => {}
            _ => return Err(LiftError::Component),
        }
        Ok(())
    }

    // Index spaces. The validator has checked every index.

    fn ty(&self, index: u32) -> TypeId {
        TypeId::from_u32(index)
    }

    fn func(&self, index: u32) -> Option<Func> {
        self.unit
            .funcs
            .get(index as usize)
            .copied()
            .and_then(PackedOption::expand)
    }

    fn table(&self, index: u32) -> Option<Table> {
        self.unit
            .tables
            .get(index as usize)
            .copied()
            .and_then(PackedOption::expand)
    }

    fn memory(&self, index: u32) -> Option<Memory> {
        self.unit
            .memories
            .get(index as usize)
            .copied()
            .and_then(PackedOption::expand)
    }

    fn add_func(&mut self, ty: TypeId, import: Option<Import>) {
        let func = FuncData {
            ty,
            import,
            symbol: Symbol::default(),
            body: FuncBody::None,
        };
        self.unit
            .funcs
            .push(Some(self.module.funcs.push(func)).into());
    }

    fn add_memory(&mut self, ty: wasmparser::MemoryType, import: Option<Import>) {
        let memory = self.module.memories.push(MemoryData {
            index64: ty.memory64,
            shared: ty.shared,
            min: ty.initial,
            max: ty.maximum,
            page_size_log2: ty.page_size_log2,
            import,
            symbol: Symbol::default(),
        });
        self.unit.memories.push(Some(memory).into());
    }

    fn add_table(
        &mut self,
        ty: wasmparser::TableType,
        offset: u64,
        import: Option<Import>,
        init: Option<wasmir::ConstExpr>,
    ) -> Result<(), LiftError> {
        let table = self.module.tables.push(TableData {
            ty: Convert { offset }.reference(ty.element_type)?,
            index64: ty.table64,
            shared: ty.shared,
            min: ty.initial,
            max: ty.maximum,
            init,
            import,
            symbol: Symbol::default(),
        });
        self.unit.tables.push(Some(table).into());
        Ok(())
    }

    fn add_tag(&mut self, ty: TypeId, import: Option<Import>) {
        let tag = self.module.tags.push(TagData {
            ty,
            import,
            symbol: Symbol::default(),
        });
        self.unit.tags.push(Some(tag).into());
    }

    fn add_global(
        &mut self,
        ty: wasmparser::GlobalType,
        offset: u64,
        import: Option<Import>,
        init: Option<wasmir::ConstExpr>,
    ) -> Result<(), LiftError> {
        let global = self.module.globals.push(GlobalData {
            ty: Convert { offset }.val(ty.content_type)?,
            mutable: ty.mutable,
            shared: ty.shared,
            init,
            import,
            symbol: Symbol::default(),
        });
        self.unit.globals.push(Some(global).into());
        Ok(())
    }

    // Sections.

    fn types(&mut self, section: wasmparser::TypeSectionReader<'a>) -> Result<(), LiftError> {
        self.place = SectionPlace::Type;
        for group in section.into_iter_with_offsets() {
            let (offset, group) = group?;
            let convert = Convert { offset };
            let defs = group
                .types()
                .map(|ty| convert.def(ty))
                .collect::<Result<Vec<_>, _>>()?;
            self.module.types.push_group(defs);
        }
        self.unit.types = (0..self.module.types.len() as u32)
            .map(TypeId::from_u32)
            .collect();
        Ok(())
    }

    fn imports(&mut self, section: wasmparser::ImportSectionReader<'a>) -> Result<(), LiftError> {
        self.place = SectionPlace::Import;
        let mut order = Vec::new();
        for import in section.into_imports_with_offsets() {
            let (offset, import) = import?;
            let from = Some(Import {
                module: import.module.to_owned(),
                name: import.name.to_owned(),
            });
            match import.ty {
                TypeRef::Func(ty) => {
                    order.push(Item::Func(self.module.funcs.next_key()));
                    let ty = self.ty(ty);
                    self.add_func(ty, from);
                }
                TypeRef::Table(ty) => {
                    order.push(Item::Table(self.module.tables.next_key()));
                    self.add_table(ty, offset, from, None)?;
                }
                TypeRef::Memory(ty) => {
                    order.push(Item::Memory(self.module.memories.next_key()));
                    self.add_memory(ty, from);
                }
                TypeRef::Global(ty) => {
                    order.push(Item::Global(self.module.globals.next_key()));
                    self.add_global(ty, offset, from, None)?;
                }
                TypeRef::Tag(ty) => {
                    order.push(Item::Tag(self.module.tags.next_key()));
                    let ty = self.ty(ty.func_type_idx);
                    self.add_tag(ty, from);
                }
                TypeRef::FuncExact(_) => {
                    return Err(LiftError::unsupported("an import of an exact type", offset));
                }
            }
        }
        self.module.set_import_order(order);
        Ok(())
    }

    fn tables(&mut self, section: wasmparser::TableSectionReader<'a>) -> Result<(), LiftError> {
        self.place = SectionPlace::Table;
        for table in section.into_iter_with_offsets() {
            let (offset, table) = table?;
            let init = match &table.init {
                wasmparser::TableInit::RefNull => None,
                wasmparser::TableInit::Expr(expr) => Some(const_expr(expr, &self.unit)?),
            };
            self.add_table(table.ty, offset, None, init)?;
        }
        Ok(())
    }

    fn exports(&mut self, section: wasmparser::ExportSectionReader<'a>) -> Result<(), LiftError> {
        self.place = SectionPlace::Export;
        for export in section {
            let export = export?;
            let item = match export.kind {
                ExternalKind::Func | ExternalKind::FuncExact => {
                    self.func(export.index).map(Item::Func)
                }
                ExternalKind::Table => self.table(export.index).map(Item::Table),
                ExternalKind::Memory => self.memory(export.index).map(Item::Memory),
                ExternalKind::Global => Some(Item::Global(Global::from_u32(export.index))),
                ExternalKind::Tag => Some(Item::Tag(Tag::from_u32(export.index))),
            };
            if let Some(item) = item {
                self.module.exports.push(Export {
                    name: export.name.to_owned(),
                    item,
                });
            }
        }
        Ok(())
    }

    fn elements(&mut self, section: wasmparser::ElementSectionReader<'a>) -> Result<(), LiftError> {
        self.place = SectionPlace::Element;
        for element in section.into_iter_with_offsets() {
            let (at, element) = element?;
            let kind = match element.kind {
                wasmparser::ElementKind::Passive => ElemKind::Passive,
                wasmparser::ElementKind::Declared => ElemKind::Declared,
                wasmparser::ElementKind::Active {
                    table_index,
                    offset_expr,
                } => {
                    let table = self.table(table_index.unwrap_or(0));
                    ElemKind::Active {
                        table: table.ok_or_else(|| missing("a table", at))?,
                        offset: const_expr(&offset_expr, &self.unit)?,
                    }
                }
            };
            let (ty, items) = match element.items {
                wasmparser::ElementItems::Functions(funcs) => {
                    let mut items = Vec::with_capacity(funcs.count() as usize);
                    for func in funcs {
                        items.push(self.func(func?).ok_or_else(|| missing("a function", at))?);
                    }
                    (
                        RefType {
                            nullable: false,
                            ..RefType::FUNCREF
                        },
                        ElemItems::Funcs(items),
                    )
                }
                wasmparser::ElementItems::Expressions(ty, exprs) => {
                    let mut items = Vec::with_capacity(exprs.count() as usize);
                    for expr in exprs {
                        items.push(const_expr(&expr?, &self.unit)?);
                    }
                    (
                        Convert { offset: at }.reference(ty)?,
                        ElemItems::Exprs(items),
                    )
                }
            };
            let elem = self.module.elems.push(ElemData {
                kind,
                ty,
                items,
                name: None,
            });
            self.unit.elems.push(Some(elem).into());
        }
        Ok(())
    }

    fn datas(&mut self, section: wasmparser::DataSectionReader<'a>) -> Result<(), LiftError> {
        self.place = SectionPlace::Data;
        self.unit.datas.clear();
        let start = section.range().start;
        for segment in section {
            let segment = segment?;
            let kind = match segment.kind {
                wasmparser::DataKind::Passive => DataKind::Passive,
                wasmparser::DataKind::Active {
                    memory_index,
                    offset_expr,
                } => DataKind::Active {
                    memory: self
                        .memory(memory_index)
                        .ok_or_else(|| missing("a memory", segment.range.start))?,
                    offset: const_expr(&offset_expr, &self.unit)?,
                },
            };
            let end = segment.range.end as usize;
            let bytes_start = (end - segment.data.len()) as u64;
            self.data_starts.push((bytes_start - start) as u32);
            let bytes = self.slice(end - segment.data.len()..end, segment.range.start)?;
            let data = DataData {
                kind,
                bytes,
                relocs: Vec::new(),
                symbol: Symbol::default(),
            };
            self.unit
                .datas
                .push(Some(self.module.datas.push(data)).into());
        }
        Ok(())
    }

    fn slice(&self, range: std::ops::Range<usize>, at: u64) -> Result<Bytes, LiftError> {
        Bytes::slice(self.source, range).ok_or_else(|| missing("its bytes", at))
    }

    fn finish(mut self) -> Result<Module, LiftError> {
        let unit: Unit = PrimaryMap::<Unit, ()>::new().next_key();
        let imported = self.module.funcs.len() - self.declared.len();
        for (i, (_, body)) in self.bodies.iter().enumerate() {
            let range = body.range();
            let bytes = self.slice(range.start as usize..range.end as usize, range.start)?;
            let code_offset = (range.start - self.code_start) as u32;
            self.module.funcs[Func::from_u32((imported + i) as u32)].body =
                FuncBody::Raw(RawBody {
                    bytes,
                    unit,
                    code_offset,
                    relocs: Vec::new(),
                });
        }
        self.module.units.push(std::mem::take(&mut self.unit));

        let customs = std::mem::take(&mut self.customs);
        let mut debug = dwarf::Sections::default();
        for (_, section) in &customs {
            if let Some(name) = section.name().strip_prefix(".debug_") {
                debug.add(name, section.data());
            }
        }
        // Line tables are read by one thread while others validate.
        let bodies = std::mem::take(&mut self.bodies);
        let (valid, lines) = rayon::join(|| validate_bodies(bodies), || debug.lines());
        valid?;
        self.module.debug = lines;
        let mut linking = object::Sections {
            kinds: std::mem::take(&mut self.kinds),
            data_starts: std::mem::take(&mut self.data_starts),
            ..object::Sections::default()
        };
        let relocatable = customs.iter().any(|(_, s)| s.name() == "linking");
        for (place, section) in &customs {
            let mut kept = None;
            match section.name() {
                "name" => names::read(&mut self.module, section),
                // Offsets of instructions, which change when code is emitted again.
                name if name.starts_with("metadata.code.") => {}
                "linking" => linking.linking = Some(section.clone()),
                name if name.starts_with("reloc.") => linking.relocs.push(section.clone()),
                name => {
                    if !(relocatable && name.starts_with(".debug_")) {
                        let range = section.data_range();
                        let bytes =
                            self.slice(range.start as usize..range.end as usize, range.start)?;
                        let name = name.to_owned();
                        kept = Some(self.module.customs.len() as u32);
                        self.module.customs.push(CustomSection {
                            name,
                            bytes,
                            place: *place,
                            relocs: Vec::new(),
                        });
                    }
                }
            }
            linking.customs.push(kept);
        }
        object::read(&mut self.module, linking)?;
        Ok(self.module)
    }
}

fn missing(what: &str, offset: u64) -> LiftError {
    LiftError::Invalid {
        message: format!("{what} is missing"),
        offset,
    }
}

/// Validates bodies in parallel; of several faults the first in the file is reported, whatever the number of threads.
fn validate_bodies(bodies: Vec<Body<'_>>) -> Result<(), LiftError> {
    let faults: Vec<Option<wasmparser::Error>> = chunks(bodies)
        .into_par_iter()
        .map_init(FuncValidatorAllocations::default, |allocations, chunk| {
            for (to_validate, body) in chunk {
                let mut validator = to_validate.into_validator(std::mem::take(allocations));
                let result = validator.validate(&body);
                *allocations = validator.into_allocations();
                if let Err(error) = result {
                    return Some(error);
                }
            }
            None
        })
        .collect();
    match faults.into_iter().flatten().next() {
        Some(error) => Err(error.into()),
        None => Ok(()),
    }
}

/// Parts of a list in order: enough work for a task to be worth handing out, few enough tasks to share allocations.
fn chunks<T>(list: Vec<T>) -> Vec<Vec<T>> {
    const CHUNK: usize = 64;
    let mut chunks = Vec::with_capacity(list.len().div_ceil(CHUNK));
    let mut list = list.into_iter().peekable();
    while list.peek().is_some() {
        // Collected anew: what is split off a vector leaves it the memory of all that follows.
        chunks.push(list.by_ref().take(CHUNK).collect());
    }
    chunks
}

#[cfg(test)]
mod tests {
    use super::chunks;

    #[test]
    fn chunks_take_no_more_memory_than_the_list() {
        let list: Vec<u32> = (0..10_000).collect();
        let parts = chunks(list.clone());
        assert_eq!(parts.concat(), list);
        let capacity: usize = parts.iter().map(Vec::capacity).sum();
        assert!(capacity <= 2 * list.len(), "{capacity}");
        assert!(chunks(Vec::<u32>::new()).is_empty());
    }
}
