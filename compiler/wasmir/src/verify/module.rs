//! Checks everything but bodies.

use super::{Place, Subtyping, VerifyError};
use crate::entities::*;
use crate::inst::Imm;
use crate::module::*;
use crate::op::{Opcode, OperandTy};
use crate::refs::{EntityVisitor, visit_imm, visit_relocs, visit_type};
use crate::symbol::*;
use crate::types::*;
use rustc_hash::FxHashSet;

/// Finds the first reference to an entity that does not exist.
pub(super) struct Bounds<'m> {
    module: &'m Module,
    pub(super) missing: Option<String>,
}

macro_rules! bounds {
    ($($method:ident $map:ident $ty:ty),*) => {$(
        fn $method(&mut self, id: &mut $ty) {
            if !self.module.$map.is_valid(*id) {
                self.missing.get_or_insert_with(|| id.to_string());
            }
        }
    )*};
}

impl<'m> Bounds<'m> {
    pub(super) fn new(module: &'m Module) -> Bounds<'m> {
        Bounds {
            module,
            missing: None,
        }
    }
}

impl EntityVisitor for Bounds<'_> {
    bounds!(func funcs Func, table tables Table, memory memories Memory, global globals Global,
        tag tags Tag, data datas Data, elem elems Elem);

    fn ty(&mut self, id: &mut TypeId) {
        if self.module.types.get(*id).is_none() {
            self.missing.get_or_insert_with(|| id.to_string());
        }
    }
}

struct Checker<'m, 'e> {
    m: &'m Module,
    s: &'m Subtyping,
    errors: &'e mut Vec<VerifyError>,
}

fn error(errors: &mut Vec<VerifyError>, place: Option<String>, message: impl Into<String>) {
    let place = Place::Module(place);
    errors.push(VerifyError {
        place,
        func: None,
        inst: None,
        message: message.into(),
    });
}

/// Checks the type section; nothing can be said about a module whose types are wrong.
pub(super) fn types(m: &Module, errors: &mut Vec<VerifyError>) -> Option<Subtyping> {
    let before = errors.len();
    for group in m.types.groups() {
        for id in group.clone().map(TypeId::from_u32) {
            let def = &m.types[id];
            let mut limit = |t: TypeId, end: u32, what: &str| {
                if t.as_u32() >= end {
                    error(
                        errors,
                        Some(id.to_string()),
                        format!("{what} `{t}`, which comes later"),
                    );
                }
            };
            if let Some(supertype) = def.supertype {
                limit(supertype, id.as_u32(), "extends");
            }
            let mut ty = |ty: &Type| {
                if let Type::Ref(RefType {
                    heap: HeapType::Concrete(t),
                    ..
                }) = ty
                {
                    limit(*t, group.end, "refers to");
                }
            };
            match &def.composite {
                CompositeType::Func(f) => f.params.iter().chain(&f.results).for_each(ty),
                CompositeType::Struct(fields) => fields.iter().for_each(|f| ty(&f.ty)),
                CompositeType::Array(element) => ty(&element.ty),
            }
        }
    }
    if errors.len() > before {
        return None;
    }
    let s = Subtyping::new(&m.types);
    for (id, def) in m.types.iter() {
        let Some(supertype) = def.supertype else {
            continue;
        };
        let sup = &m.types[supertype];
        if sup.is_final {
            error(
                errors,
                Some(id.to_string()),
                format!("extends `{supertype}`, which is final"),
            );
        } else if !extends(&s, &def.composite, &sup.composite) {
            error(
                errors,
                Some(id.to_string()),
                format!("does not match `{supertype}`"),
            );
        }
    }
    (errors.len() == before).then_some(s)
}

fn extends(s: &Subtyping, sub: &CompositeType, sup: &CompositeType) -> bool {
    let field = |a: &FieldType, b: &FieldType| {
        a.mutable == b.mutable
            && s.is_subtype(a.ty, b.ty)
            && (!a.mutable || s.is_subtype(b.ty, a.ty))
    };
    match (sub, sup) {
        (CompositeType::Func(a), CompositeType::Func(b)) => {
            a.params.len() == b.params.len()
                && a.results.len() == b.results.len()
                && a.params
                    .iter()
                    .zip(&b.params)
                    .all(|(a, b)| s.is_subtype(*b, *a))
                && a.results
                    .iter()
                    .zip(&b.results)
                    .all(|(a, b)| s.is_subtype(*a, *b))
        }
        (CompositeType::Struct(a), CompositeType::Struct(b)) => {
            a.len() >= b.len() && a.iter().zip(b).all(|(a, b)| field(a, b))
        }
        (CompositeType::Array(a), CompositeType::Array(b)) => field(a, b),
        _ => false,
    }
}

/// Checks all entities but the bodies of functions.
pub(super) fn entities(m: &Module, s: &Subtyping, errors: &mut Vec<VerifyError>) {
    let mut c = Checker { m, s, errors };
    c.funcs();
    c.storage();
    c.segments();
    c.rest();
}

impl Checker<'_, '_> {
    fn error(&mut self, place: impl ToString, message: impl Into<String>) {
        error(self.errors, Some(place.to_string()), message);
    }

    fn func_type(&mut self, place: impl ToString, ty: TypeId) -> Option<FuncType> {
        let found = self.m.types.func(ty).cloned();
        if found.is_none() {
            self.error(place, format!("`{ty}` is not a function type"));
        }
        found
    }

    fn symbol(&mut self, place: impl ToString, symbol: &Symbol) {
        if let Some(comdat) = symbol.comdat
            && !self.m.comdats.is_valid(comdat)
        {
            self.error(place.to_string(), format!("there is no `{comdat}`"));
        }
        let linked = symbol.linkage != Linkage::Local;
        if linked && symbol.name.is_none() {
            self.error(place, "a symbol that links has no name");
        }
    }

    fn check_type(&mut self, place: impl ToString, ty: Type) {
        let mut bounds = Bounds::new(self.m);
        visit_type(&mut ty.clone(), &mut bounds);
        if let Some(missing) = bounds.missing {
            self.error(place, format!("there is no `{missing}`"));
        }
    }

    fn relocs(&mut self, place: impl ToString, relocs: &[Reloc], len: usize) {
        let mut bounds = Bounds::new(self.m);
        visit_relocs(&mut relocs.to_vec(), &mut bounds);
        if let Some(missing) = bounds.missing {
            self.error(
                place.to_string(),
                format!("a relocation refers to `{missing}`, which does not exist"),
            );
        }
        if relocs.iter().any(|r| r.offset as usize >= len) {
            self.error(place.to_string(), "a relocation lies outside");
        }
        if !relocs.is_sorted_by_key(|r| r.offset) {
            self.error(place, "relocations are not in order");
        }
    }

    fn funcs(&mut self) {
        for (id, func) in self.m.funcs.iter() {
            self.func_type(id, func.ty);
            self.symbol(id, &func.symbol);
            let undefined = matches!(
                func.symbol.linkage,
                Linkage::Undefined | Linkage::UndefinedWeak
            );
            match &func.body {
                FuncBody::None if func.import.is_none() && !undefined => {
                    self.error(id, "neither imported nor undefined, and has no body");
                }
                FuncBody::None => {}
                _ if func.import.is_some() || undefined => {
                    self.error(id, "imported or undefined, yet has a body");
                }
                FuncBody::Raw(raw) => {
                    if !self.m.units.is_valid(raw.unit) {
                        self.error(id, format!("there is no `{}`", raw.unit));
                    } else if let Err(e) = crate::raw::for_each_index(&raw.bytes, |_| {}) {
                        self.error(id, e.to_string());
                    } else if let Ok(Some(offset)) =
                        crate::raw::misplaced_reloc(&raw.bytes, &raw.relocs)
                    {
                        let message =
                            format!("the relocation at {offset} stands on nothing of its kind");
                        self.error(id, message);
                    }
                    self.relocs(id, &raw.relocs, raw.bytes.len());
                }
                FuncBody::Ir(_) => {}
            }
        }
        for (id, tag) in self.m.tags.iter() {
            self.symbol(id, &tag.symbol);
            if self
                .func_type(id, tag.ty)
                .is_some_and(|ty| !ty.results.is_empty())
            {
                self.error(id, "the type of a tag has results");
            }
        }
    }

    fn storage(&mut self) {
        for (id, t) in self.m.tables.iter() {
            self.symbol(id, &t.symbol);
            self.check_type(id, Type::Ref(t.ty));
            if t.max.is_some_and(|max| max < t.min) {
                self.error(id, "the maximum is below the minimum");
            }
            match &t.init {
                Some(init) => self.const_expr(id, init, Type::Ref(t.ty)),
                None if !t.ty.nullable && t.import.is_none() => {
                    self.error(id, "elements that cannot be null need an initial value");
                }
                None => {}
            }
        }
        for (id, t) in self.m.memories.iter() {
            self.symbol(id, &t.symbol);
            if t.max.is_some_and(|max| max < t.min) {
                self.error(id, "the maximum is below the minimum");
            }
            if t.shared && t.max.is_none() {
                self.error(id, "a shared memory needs a maximum");
            }
        }
        for (id, g) in self.m.globals.iter() {
            self.symbol(id, &g.symbol);
            self.check_type(id, g.ty);
            match &g.init {
                Some(_) if g.import.is_some() => self.error(id, "imported, yet has a value"),
                Some(init) => self.const_expr(id, init, g.ty),
                None if g.import.is_none() && g.symbol.linkage != Linkage::Undefined => {
                    self.error(id, "has no value");
                }
                None => {}
            }
        }
    }

    fn segments(&mut self) {
        for (id, data) in self.m.datas.iter() {
            self.symbol(id, &data.symbol);
            let mut len = data.bytes.len();
            match &data.kind {
                DataKind::Active { memory, offset } if self.m.memories.is_valid(*memory) => {
                    self.const_expr(id, offset, self.m.memory_index_type(*memory));
                }
                DataKind::Active { memory, .. } => {
                    self.error(id, format!("there is no `{memory}`"));
                }
                DataKind::Passive => {}
                DataKind::Symbol {
                    size,
                    undefined,
                    align_log2,
                    ..
                } => {
                    if data.bytes.len() > *size as usize {
                        self.error(id, "has more bytes than its size");
                    }
                    if *align_log2 > 31 {
                        self.error(id, "its alignment is too large");
                    }
                    if *undefined && !data.bytes.is_empty() {
                        self.error(id, "undefined, yet has bytes");
                    }
                    len = *size as usize;
                }
                DataKind::Alias { of, offset, size } => {
                    len = 0;
                    match self.m.datas.get(*of) {
                        Some(DataData {
                            kind:
                                DataKind::Symbol {
                                    size: whole,
                                    undefined: false,
                                    ..
                                },
                            symbol,
                            ..
                        }) => {
                            if offset.checked_add(*size).is_none_or(|end| end > *whole) {
                                self.error(id, format!("reaches beyond `{of}`"));
                            }
                            if symbol.linkage != Linkage::Local {
                                self.error(id, format!("`{of}`, which it names, is not local"));
                            }
                        }
                        _ => self.error(id, format!("names `{of}`, which is no data of its own")),
                    }
                    if matches!(
                        data.symbol.linkage,
                        Linkage::Undefined | Linkage::UndefinedWeak
                    ) {
                        self.error(id, "undefined, yet names data");
                    }
                    if !data.bytes.is_empty() {
                        self.error(id, "a further symbol of data, yet has bytes");
                    }
                }
            }
            self.relocs(id, &data.relocs, len);
        }
        for (id, elem) in self.m.elems.iter() {
            self.check_type(id, Type::Ref(elem.ty));
            if let ElemKind::Active { table, offset } = &elem.kind {
                match self.m.tables.get(*table) {
                    None => self.error(id, format!("there is no `{table}`")),
                    Some(t) => {
                        self.const_expr(id, offset, self.m.table_index_type(*table));
                        if !self.s.is_subtype(Type::Ref(elem.ty), Type::Ref(t.ty)) {
                            self.error(id, format!("its elements do not fit `{table}`"));
                        }
                    }
                }
            }
            match &elem.items {
                ElemItems::Funcs(funcs) => {
                    for func in funcs {
                        if !self.m.funcs.is_valid(*func) {
                            self.error(id, format!("there is no `{func}`"));
                        }
                    }
                }
                ElemItems::Exprs(exprs) => {
                    for expr in exprs {
                        self.const_expr(id, expr, Type::Ref(elem.ty));
                    }
                }
            }
        }
    }

    /// Checks a constant expression by running it on a stack of types.
    fn const_expr(&mut self, place: impl ToString, expr: &[ConstOp], want: Type) {
        let mut stack: Vec<Type> = Vec::new();
        for op in expr {
            match self.const_op(op, &mut stack) {
                Ok(ty) => stack.push(ty),
                Err(message) => return self.error(place, message),
            }
        }
        match stack[..] {
            [ty] if self.s.is_subtype(ty, want) => {}
            [ty] => self.error(place, format!("its initial value is `{ty}`, not `{want}`")),
            _ => self.error(
                place,
                format!("its initial value is {} values", stack.len()),
            ),
        }
    }

    fn const_op(&self, op: &ConstOp, stack: &mut Vec<Type>) -> Result<Type, String> {
        let mut bounds = Bounds::new(self.m);
        crate::refs::visit_const_expr(&mut [*op], &mut bounds);
        if let Some(missing) = bounds.missing {
            return Err(format!("there is no `{missing}`"));
        }
        Ok(match *op {
            ConstOp::I32(_) => Type::I32,
            ConstOp::I64(_) => Type::I64,
            ConstOp::F32(_) => Type::F32,
            ConstOp::F64(_) => Type::F64,
            ConstOp::V128(_) => Type::V128,
            ConstOp::GlobalGet(g) if self.m.globals[g].mutable => {
                return Err(format!("reads `{g}`, which is mutable"));
            }
            ConstOp::GlobalGet(g) => self.m.globals[g].ty,
            ConstOp::RefNull(heap) => Type::Ref(RefType {
                nullable: true,
                heap,
            }),
            ConstOp::RefFunc(f) => {
                let heap = HeapType::Concrete(self.m.funcs[f].ty);
                Type::Ref(RefType {
                    nullable: false,
                    heap,
                })
            }
            // The width of an address is the linker's business.
            ConstOp::SymAddr(..) => Type::I32,
            ConstOp::Op(op, imm) => return self.const_operator(op, imm, stack),
        })
    }

    fn const_operator(
        &self,
        op: Opcode,
        imm: Option<Imm>,
        stack: &mut Vec<Type>,
    ) -> Result<Type, String> {
        use Opcode::*;
        let allowed = matches!(
            op,
            I32Add
                | I32Sub
                | I32Mul
                | I64Add
                | I64Sub
                | I64Mul
                | StructNew
                | StructNewDefault
                | ArrayNew
                | ArrayNewDefault
                | ArrayNewFixed
                | RefI31
                | AnyConvertExtern
                | ExternConvertAny
        );
        if !allowed {
            return Err(format!("`{op}` is not constant"));
        }
        if let Some(imm) = imm {
            visit_imm(&mut imm.clone(), &mut Bounds::new(self.m));
        }
        let sig = super::signature::Signature::of(self.m, op, imm.as_ref())?;
        if stack.len() < sig.params.len() {
            return Err(format!("`{op}` lacks operands"));
        }
        let args = stack.split_off(stack.len() - sig.params.len());
        for (arg, want) in args.iter().zip(&sig.params) {
            let fits = match want {
                Some(want) => self.s.is_subtype(*arg, *want),
                None => arg.is_ref(),
            };
            if !fits {
                return Err(format!("`{op}` has an operand of type `{arg}`"));
            }
        }
        match (&sig.results[..], op.info().results) {
            ([Some(ty)], _) => Ok(*ty),
            (_, [OperandTy::Ref]) => sig.ref_result(&args).ok_or(format!("`{op}` lacks a type")),
            _ => Err(format!("`{op}` has no single result")),
        }
    }

    fn rest(&mut self) {
        for item in &self.m.import_order {
            let mut bounds = Bounds::new(self.m);
            bounds.item(&mut item.clone());
            if let Some(missing) = bounds.missing {
                self.error("order of imports", format!("there is no `{missing}`"));
            }
        }
        let mut names = FxHashSet::default();
        for export in &self.m.exports {
            let mut bounds = Bounds::new(self.m);
            bounds.item(&mut export.item.clone());
            if let Some(missing) = bounds.missing {
                self.error(
                    format!("export {}", export.name),
                    format!("there is no `{missing}`"),
                );
            }
            if matches!(export.item, Item::Data(_)) {
                self.error(format!("export {}", export.name), "data cannot be exported");
            }
            if !names.insert(&export.name) {
                self.error(format!("export {}", export.name), "exported twice");
            }
        }
        for func in self
            .m
            .start
            .iter()
            .chain(self.m.init_funcs.iter().map(|(_, f)| f))
        {
            match self.m.func_type(*func) {
                None => self.error(func, "the start function does not exist"),
                Some(ty) if !ty.params.is_empty() || !ty.results.is_empty() => {
                    self.error(func, "a start function has neither parameters nor results");
                }
                Some(_) => {}
            }
        }
        for custom in &self.m.customs {
            self.relocs(&custom.name, &custom.relocs, custom.bytes.len());
        }
        for func in self.m.contracts.keys() {
            if !self.m.funcs.is_valid(*func) {
                self.error(func, "has a contract but does not exist");
            }
        }
        for func in self.m.names.funcs.keys() {
            if !self.m.funcs.is_valid(*func) {
                self.error(func, "has names inside but does not exist");
            }
        }
        for ty in self.m.names.types.keys() {
            if self.m.types.get(*ty).is_none() {
                self.error(ty, "has names but does not exist");
            }
        }
        for row in &self.m.debug.rows {
            if row
                .file
                .is_some_and(|file| file as usize >= self.m.debug.files.len())
            {
                self.error("line table", "refers to a file that does not exist");
                break;
            }
        }
        if !self.m.debug.rows.is_sorted_by_key(|row| row.start) {
            self.error("line table", "is not in order");
        }
        for (id, unit) in self.m.units.iter() {
            let mut bounds = Bounds::new(self.m);
            unit.types.iter().for_each(|x| bounds.ty(&mut x.clone()));
            macro_rules! ids {
                ($($map:ident $method:ident),*) => {$(
                    unit.$map.iter().filter_map(|x| x.expand()).for_each(|mut x| bounds.$method(&mut x));
                )*};
            }
            ids!(funcs func, tables table, memories memory, globals global, tags tag, datas data,
                elems elem);
            if let Some(missing) = bounds.missing {
                self.error(id, format!("there is no `{missing}`"));
            }
        }
    }
}
