//! The bodies of a module's functions, compiled in parallel or copied.
//!
//! Bodies in WasmIR are translated, optimised and emitted, each thread with its own [`Emitter`], in relocatable form;
//! [`fields`] then writes the numbers of a final module into them. Raw bodies are copied byte for byte; where the
//! numbering changed, only their indices are rewritten, and source positions follow.
//!
//! # Invariants
//! The result depends on module and options alone: not on the number of threads, and not on what the cache held.

use crate::cache::Cache;
use crate::emit::Emitter;
use crate::encode::FunctionBody;
use crate::env::{Environment, Reloc, RelocKind, SideOp};
use crate::error::{Error, ErrorKind, Result};
use crate::fields;
use crate::leb;
use crate::number::Numbers;
use crate::optimize::MidEnd;
use crate::translate::{self, Translation};
use cranelift_codegen::ir::SourceLoc;
use cranelift_frontend::FunctionBuilderContext;
use rayon::prelude::*;
use wasm_encoder as enc;
use wasmir::raw::{IndexForm, IndexSpace, RawIndex};
use wasmir::{
    Body, CompositeType, ConstOp, DataKind, Func, FuncBody, FuncData, Item, Module, RawBody,
    RelocTarget, UnitData,
};

/// How bodies are compiled.
pub(crate) struct Plan<'a> {
    pub(crate) module: &'a Module,
    /// Numbers of the output, in relocatable form.
    pub(crate) numbers: &'a Numbers,
    /// Which functions go through Cranelift's mid-end.
    pub(crate) mid_end: MidEnd,
    /// Source positions of raw bodies are wanted.
    pub(crate) debug: bool,
    /// Finished bodies of earlier runs.
    pub(crate) cache: Option<&'a Cache>,
}

/// The surroundings of a function of a module.
struct FuncEnv<'a> {
    module: &'a Module,
    numbers: &'a Numbers,
    side_ops: &'a [SideOp],
}

impl Environment for FuncEnv<'_> {
    fn side_op(&self, index: u32) -> Option<&SideOp> {
        self.side_ops.get(index as usize)
    }
    fn type_index(&self, params: &[enc::ValType], results: &[enc::ValType]) -> Option<u32> {
        let found = self
            .module
            .types
            .iter()
            .find(|(_, def)| match &def.composite {
                CompositeType::Func(f) => {
                    self.numbers.val_types(&f.params) == params
                        && self.numbers.val_types(&f.results) == results
                }
                _ => false,
            });
        found.map(|(id, _)| id.as_u32())
    }
    fn relocatable(&self) -> bool {
        true
    }
    fn stack_pointer(&self) -> Option<u32> {
        stack_pointer(self.module).map(|id| self.numbers.global(id))
    }
}

/// The global that holds the stack pointer.
pub(crate) fn stack_pointer(module: &Module) -> Option<wasmir::Global> {
    let mut globals = module.globals.iter();
    let found = globals.find(|(_, g)| g.symbol.name.as_deref() == Some("__stack_pointer"));
    found.map(|(id, _)| id)
}

/// Per-thread memory.
pub(crate) struct Worker {
    emitter: Emitter,
    builder: FunctionBuilderContext,
}

pub(crate) fn name_of(func: &FuncData, id: Func) -> String {
    func.symbol.name.clone().unwrap_or_else(|| id.to_string())
}

impl Plan<'_> {
    /// Compiles the functions of `list` by `one`, in parallel.
    ///
    /// # Errors
    /// The first function, in order, that cannot be emitted.
    pub(crate) fn each<T: Send>(
        &self,
        list: &[Func],
        one: impl Fn(&mut Worker, Func) -> Result<T> + Sync,
    ) -> Result<Vec<T>, Error> {
        let results: Vec<Result<T>> = list
            .par_iter()
            .with_min_len(8)
            .map_init(
                || {
                    let mut emitter = Emitter::new();
                    emitter.mid_end = self.mid_end;
                    Worker {
                        emitter,
                        builder: FunctionBuilderContext::new(),
                    }
                },
                |worker, &id| one(worker, id),
            )
            .collect();
        let results = list.iter().zip(results).map(|(&id, result)| {
            result.map_err(|kind| Error {
                function: name_of(&self.module.funcs[id], id),
                kind,
            })
        });
        results.collect()
    }

    /// A body for a final module.
    pub(crate) fn resolved(
        &self,
        worker: &mut Worker,
        id: Func,
        identity: &[bool],
    ) -> Result<FunctionBody> {
        let func = &self.module.funcs[id];
        match &func.body {
            FuncBody::None => Err(ErrorKind::Invalid("defined function without a body".into())),
            FuncBody::Raw(raw) => self.renumbered(raw, identity[raw.unit.as_u32() as usize]),
            FuncBody::Ir(ir) => {
                let body = self.compiled(worker, func, ir)?;
                fields::resolve(body, |reloc| self.value(reloc))
            }
        }
    }

    /// A body for an object: every field that names an entity is padded and has a relocation.
    pub(crate) fn relocatable(&self, worker: &mut Worker, id: Func) -> Result<FunctionBody> {
        let func = &self.module.funcs[id];
        match &func.body {
            FuncBody::None => Err(ErrorKind::Invalid("defined function without a body".into())),
            FuncBody::Raw(raw) => self.padded(raw),
            FuncBody::Ir(ir) if names_types(ir) => Err(ErrorKind::Unsupported(
                "a reference to a type of the module in an object".into(),
            )),
            FuncBody::Ir(ir) => self.compiled(worker, func, ir),
        }
    }

    fn compiled(&self, worker: &mut Worker, func: &FuncData, ir: &Body) -> Result<FunctionBody> {
        match self.cache {
            Some(cache) => cache.get_or_make(self, func, ir, || self.emitted(worker, func, ir)),
            None => self.emitted(worker, func, ir),
        }
    }

    fn emitted(&self, worker: &mut Worker, func: &FuncData, ir: &Body) -> Result<FunctionBody> {
        let ty = self.module.types.func(func.ty).ok_or_else(|| {
            ErrorKind::Invalid("function of a type that is not a function type".into())
        })?;
        worker.emitter.clear();
        let Translation { side_ops, abi } = translate::translate(
            self.module,
            self.numbers,
            ty,
            ir,
            worker.emitter.function(),
            &mut worker.builder,
        )?;
        let env = FuncEnv {
            module: self.module,
            numbers: self.numbers,
            side_ops: &side_ops,
        };
        let body = worker.emitter.emit_current(&env, &abi);
        body.map_err(|e| e.kind)
    }

    /// What stands in a relocated field of a final module.
    fn value(&self, reloc: &Reloc) -> Result<i64> {
        let address = || {
            let data = self.module.datas.get(wasmir::Data::from_u32(reloc.target));
            let base = match data.map(|data| &data.kind) {
                Some(DataKind::Active { offset, .. }) => match offset.as_slice() {
                    [ConstOp::I32(c)] => Some(i64::from(*c as u32)),
                    [ConstOp::I64(c)] => Some(*c),
                    _ => None,
                },
                _ => None,
            };
            base.map(|base| base.wrapping_add(reloc.addend))
                .ok_or_else(|| ErrorKind::UnknownName(format!("data symbol {}", reloc.target)))
        };
        Ok(match reloc.kind {
            RelocKind::Func
            | RelocKind::Type
            | RelocKind::Global
            | RelocKind::Table
            | RelocKind::Tag => i64::from(reloc.target),
            RelocKind::MemAddrSleb => i64::from(address()? as i32),
            RelocKind::MemAddrSleb64 => address()?,
            RelocKind::MemAddrLeb => i64::from(address()? as u32),
            RelocKind::TableSlot | RelocKind::TableSlot64 => {
                return Err(ErrorKind::UnknownName(format!(
                    "table slot of function {}",
                    reloc.target
                )));
            }
            RelocKind::MemAddrTlsSleb => {
                return Err(ErrorKind::UnknownName(format!(
                    "place of data symbol {} in a thread's block",
                    reloc.target
                )));
            }
        })
    }

    /// A raw body in the numbering of a final module.
    fn renumbered(&self, raw: &RawBody, identity: bool) -> Result<FunctionBody> {
        if !raw.relocs.is_empty() {
            return Err(ErrorKind::Invalid(
                "relocations in a final module, which was not laid out".into(),
            ));
        }
        let mut out = FunctionBody::default();
        if identity {
            out.bytes = raw.bytes.to_vec();
        } else {
            let unit = &self.module.units[raw.unit];
            out.bytes.reserve(raw.bytes.len());
            wasmir::raw::remap(&raw.bytes, &mut out.bytes, |space, index| {
                self.number(unit, space, index)
            })
            .map_err(malformed)?;
        }
        if self.debug {
            let mut moves = Moves::default();
            if out.bytes != *raw.bytes {
                // Both bodies have the same fields; what lies between them did not change.
                let mut ends = Vec::new();
                wasmir::raw::for_each_index(&raw.bytes, |i| ends.push(i.range.end))
                    .map_err(malformed)?;
                let mut old = ends.iter();
                wasmir::raw::for_each_index(&out.bytes, |i| {
                    if let Some(&old) = old.next() {
                        moves.push(old, i.range.end);
                    }
                })
                .map_err(malformed)?;
            }
            out.locations = self.locations(raw, &moves);
        }
        Ok(out)
    }

    /// The number of an entity that a raw body mentions.
    fn number(&self, unit: &UnitData, space: IndexSpace, index: u32) -> Option<u32> {
        let (n, i) = (self.numbers, index as usize);
        Some(match space {
            IndexSpace::Type => unit.types.get(i)?.as_u32(),
            IndexSpace::Func => n.func(unit.funcs.get(i)?.expand()?),
            IndexSpace::Table => n.table(unit.tables.get(i)?.expand()?),
            IndexSpace::Memory => n.memory(unit.memories.get(i)?.expand()?),
            IndexSpace::Global => n.global(unit.globals.get(i)?.expand()?),
            IndexSpace::Tag => n.tag(unit.tags.get(i)?.expand()?),
            IndexSpace::Data => n.data(unit.datas.get(i)?.expand()?),
            IndexSpace::Elem => n.elem(unit.elems.get(i)?.expand()?),
        })
    }

    /// A raw body with a padded field and a relocation for every index and address.
    fn padded(&self, raw: &RawBody) -> Result<FunctionBody> {
        let unit = &self.module.units[raw.unit];
        let mut fields: Vec<(RawIndex, Option<Reloc>)> = Vec::new();
        wasmir::raw::for_each_index(&raw.bytes, |index| fields.push((index, None)))
            .map_err(malformed)?;
        // Relocations of indices say what the numbering of the unit says; those of addresses are all there is.
        for reloc in &raw.relocs {
            let Some((kind, target)) = self.address_reloc(reloc)? else {
                continue;
            };
            let start = reloc.offset as usize;
            let range = start..start + fields::width(kind);
            if raw.bytes.get(range.clone()).is_none() {
                return Err(ErrorKind::Invalid("a relocation outside its body".into()));
            }
            let new = Reloc {
                offset: 0,
                kind,
                target,
                addend: reloc.addend,
            };
            let index = RawIndex {
                range,
                space: IndexSpace::Data,
                form: IndexForm::Unsigned,
                value: 0,
            };
            fields.push((index, Some(new)));
        }
        fields.sort_by_key(|(index, _)| index.range.start);
        let mut out = FunctionBody::default();
        let mut moves = Moves::default();
        let mut done = 0;
        for (index, reloc) in fields {
            if index.range.start < done {
                return Err(ErrorKind::Invalid("relocations that overlap".into()));
            }
            out.bytes
                .extend_from_slice(&raw.bytes[done..index.range.start]);
            done = index.range.end;
            let offset = out.bytes.len() as u32;
            if let Some(reloc) = reloc {
                out.relocs.push(Reloc { offset, ..reloc });
                out.bytes.extend_from_slice(&raw.bytes[index.range]);
                continue;
            }
            let number = self
                .number(unit, index.space, index.value)
                .ok_or_else(|| ErrorKind::Invalid("a mention of what was removed".into()))?;
            let kind = match index.space {
                IndexSpace::Type => RelocKind::Type,
                IndexSpace::Func => RelocKind::Func,
                IndexSpace::Table => RelocKind::Table,
                IndexSpace::Global => RelocKind::Global,
                IndexSpace::Tag => RelocKind::Tag,
                IndexSpace::Memory if number == index.value => {
                    out.bytes.extend_from_slice(&raw.bytes[index.range]);
                    continue;
                }
                IndexSpace::Memory | IndexSpace::Data | IndexSpace::Elem => {
                    return Err(ErrorKind::Unsupported(
                        "an object that mentions a segment or a second memory".into(),
                    ));
                }
            };
            out.relocs.push(Reloc {
                offset,
                kind,
                target: number,
                addend: 0,
            });
            leb::unsigned_padded(&mut out.bytes, u64::from(number), 5);
            moves.push(done, out.bytes.len());
        }
        out.bytes.extend_from_slice(&raw.bytes[done..]);
        if self.debug {
            out.locations = self.locations(raw, &moves);
        }
        Ok(out)
    }

    /// The kind and target of a raw body's relocation of an address; `None` for one of an index.
    fn address_reloc(&self, reloc: &wasmir::Reloc) -> Result<Option<(RelocKind, u32)>> {
        use wasmir::RelocKind as K;
        let kind = match reloc.kind {
            K::FunctionIndexLeb
            | K::TypeIndexLeb
            | K::GlobalIndexLeb
            | K::TagIndexLeb
            | K::TableNumberLeb => return Ok(None),
            K::TableIndexSleb => RelocKind::TableSlot,
            K::TableIndexSleb64 => RelocKind::TableSlot64,
            K::MemoryAddrLeb => RelocKind::MemAddrLeb,
            K::MemoryAddrSleb => RelocKind::MemAddrSleb,
            K::MemoryAddrSleb64 => RelocKind::MemAddrSleb64,
            K::MemoryAddrTlsSleb => RelocKind::MemAddrTlsSleb,
            other => {
                return Err(ErrorKind::Unsupported(format!(
                    "{} in a body",
                    other.name()
                )));
            }
        };
        match reloc.target {
            RelocTarget::Item(Item::Func(f)) => Ok(Some((kind, self.numbers.func(f)))),
            RelocTarget::Item(Item::Data(d)) => Ok(Some((kind, d.as_u32()))),
            other => Err(ErrorKind::Invalid(format!(
                "a relocation of an address names {other:?}"
            ))),
        }
    }

    /// Where the rows of the line table lie in a raw body whose bytes moved.
    fn locations(&self, raw: &RawBody, moves: &Moves) -> Vec<(u32, SourceLoc)> {
        let rows = &self.module.debug.rows;
        let start = raw.code_offset;
        let end = start.saturating_add(raw.bytes.len() as u32);
        let first = rows
            .partition_point(|row| row.start.0 <= start)
            .saturating_sub(1);
        let mut moves = moves.list.iter().peekable();
        let mut shift = 0i64;
        let rows = rows[first..].iter().take_while(|row| row.start.0 < end);
        rows.map(|row| {
            let at = row.start.0.saturating_sub(start);
            while let Some((_, by)) = moves.next_if(|(from, _)| *from <= at) {
                shift = *by;
            }
            let offset = (i64::from(at) + shift) as u32;
            (offset, SourceLoc::new(row.start.0))
        })
        .collect()
    }
}

/// Whether code for the body names types in a form that no relocation describes.
fn names_types(body: &Body) -> bool {
    use wasmir::{HeapType, Imm, Type};
    let concrete = |heap: HeapType| matches!(heap, HeapType::Concrete(_));
    let locals = body.locals.values();
    let imms = body.pool.imms.values();
    locals
        .into_iter()
        .any(|ty| matches!(ty, Type::Ref(r) if concrete(r.heap)))
        || imms
            .into_iter()
            .any(|imm| matches!(imm, Imm::Heap(heap) if concrete(*heap)))
}

/// How far bytes moved: from each position on, up to the next.
#[derive(Default)]
struct Moves {
    list: Vec<(u32, i64)>,
}

impl Moves {
    fn push(&mut self, old: usize, new: usize) {
        self.list.push((old as u32, new as i64 - old as i64));
    }
}

fn malformed(error: wasmir::Malformed) -> ErrorKind {
    ErrorKind::Invalid(error.to_string())
}
