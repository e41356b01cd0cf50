//! Prints modules.

use super::TEXT_VERSION;
use super::lexer::is_name_char;
use super::print_body::{self, list};
use crate::body::Body;
use crate::entities::*;
use crate::module::*;
use crate::symbol::*;
use crate::types::*;
use cranelift_entity::{EntityRef, PrimaryMap, SecondaryMap};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter, Write};

/// A module as text, through `Display`; see [`print_module`].
#[derive(Debug)]
pub struct ModulePrinter<'a> {
    module: &'a Module,
    only: Option<Func>,
}

/// The text of a module.
pub fn print_module(module: &Module) -> ModulePrinter<'_> {
    ModulePrinter { module, only: None }
}

/// The text of one function of a module.
pub fn print_func(module: &Module, func: Func) -> ModulePrinter<'_> {
    ModulePrinter {
        module,
        only: Some(func),
    }
}

/// How entities are spelled: by name where it is unique among its kind, else by number.
pub(super) struct Names<'a> {
    funcs: SecondaryMap<Func, Option<&'a str>>,
    tables: SecondaryMap<Table, Option<&'a str>>,
    memories: SecondaryMap<Memory, Option<&'a str>>,
    globals: SecondaryMap<Global, Option<&'a str>>,
    tags: SecondaryMap<Tag, Option<&'a str>>,
    datas: SecondaryMap<Data, Option<&'a str>>,
}

/// An entity's spelling.
pub(super) enum Spelling<'a, K> {
    Name(&'a str),
    Number(K),
}

impl<K: Display> Display for Spelling<'_, K> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Spelling::Number(id) => id.fmt(f),
            Spelling::Name(name) if !name.is_empty() && name.chars().all(is_name_char) => {
                write!(f, "%{name}")
            }
            Spelling::Name(name) => write!(f, "%{}", Quoted(name.as_bytes())),
        }
    }
}

/// Bytes as a string token.
struct Quoted<'a>(&'a [u8]);

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for &byte in self.0 {
            match byte {
                b' '..=b'~' if byte != b'"' && byte != b'\\' => f.write_char(byte as char)?,
                _ => write!(f, "\\{byte:02x}")?,
            }
        }
        f.write_char('"')
    }
}

fn names_of<'a, K: EntityRef, V>(
    map: &'a PrimaryMap<K, V>,
    symbol: impl Fn(&'a V) -> &'a Symbol,
) -> SecondaryMap<K, Option<&'a str>> {
    let mut uses: FxHashMap<&str, u32> = FxHashMap::default();
    for value in map.values() {
        if let Some(name) = &symbol(value).name {
            *uses.entry(name).or_default() += 1;
        }
    }
    let mut names = SecondaryMap::new();
    for (id, value) in map.iter() {
        let name = symbol(value).name.as_deref();
        names[id] = name.filter(|name| uses[name] == 1);
    }
    names
}

macro_rules! spell {
    ($($method:ident $map:ident $ty:ident),*) => {$(
        pub(super) fn $method(&self, id: $ty) -> Spelling<'a, $ty> {
            match self.$map[id] {
                Some(name) => Spelling::Name(name),
                None => Spelling::Number(id),
            }
        }
    )*};
}

impl<'a> Names<'a> {
    fn new(module: &'a Module) -> Names<'a> {
        Names {
            funcs: names_of(&module.funcs, |x| &x.symbol),
            tables: names_of(&module.tables, |x| &x.symbol),
            memories: names_of(&module.memories, |x| &x.symbol),
            globals: names_of(&module.globals, |x| &x.symbol),
            tags: names_of(&module.tags, |x| &x.symbol),
            datas: names_of(&module.datas, |x| &x.symbol),
        }
    }

    spell!(func funcs Func, table tables Table, memory memories Memory, global globals Global,
        tag tags Tag, data datas Data);

    pub(super) fn item(&self, item: Item) -> String {
        match item {
            Item::Func(x) => format!("func {}", self.func(x)),
            Item::Table(x) => format!("table {}", self.table(x)),
            Item::Memory(x) => format!("memory {}", self.memory(x)),
            Item::Global(x) => format!("global {}", self.global(x)),
            Item::Tag(x) => format!("tag {}", self.tag(x)),
            Item::Data(x) => format!("data {}", self.data(x)),
        }
    }
}

impl Display for ModulePrinter<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let p = Printer {
            m: self.module,
            names: Names::new(self.module),
        };
        match self.only {
            Some(func) => p.func(f, func),
            None => p.module(f),
        }
    }
}

/// A function's spelling.
pub(crate) fn spell_func(module: &Module, func: Func) -> String {
    Names::new(module).func(func).to_string()
}

/// One instruction of a body; the terminator comes after the last.
pub(crate) fn print_at(module: &Module, body: &Body, block: Block, index: usize) -> String {
    struct At<'a>(&'a Module, &'a Body, Block, usize);
    impl Display for At<'_> {
        fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
            let At(module, body, block, index) = *self;
            let (names, data) = (Names::new(module), &body.blocks[block]);
            match data.insts.get(index) {
                Some(inst) => print_body::inst(f, body, inst, &names),
                None => print_body::terminator(f, body, &data.term, &names),
            }
        }
    }
    At(module, body, block, index).to_string()
}

struct Printer<'a> {
    m: &'a Module,
    names: Names<'a>,
}

impl Printer<'_> {
    fn module(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let m = self.m;
        writeln!(f, "wasmir {TEXT_VERSION}")?;
        if let Some(name) = &m.name {
            writeln!(f, "module {}", Quoted(name.as_bytes()))?;
        }
        if m.relocatable {
            writeln!(f, "relocatable")?;
        }
        for group in m.types.groups() {
            let single = group.len() == 1;
            if !single {
                writeln!(f, "rec {}", group.len())?;
            }
            for id in group.map(TypeId::from_u32) {
                self.type_def(f, id, &m.types[id])?;
            }
        }
        for (id, name) in m.comdats.iter() {
            writeln!(f, "comdat {id} {}", Quoted(name.as_bytes()))?;
        }
        for (id, t) in m.tables.iter() {
            write!(f, "table {} {}", self.names.table(id), t.ty)?;
            self.limits(f, t.index64, t.shared, t.min, t.max)?;
            self.symbol(f, &t.symbol, self.names.tables[id])?;
            self.import(f, &t.import)?;
            self.init(f, &t.init)?;
        }
        for (id, t) in m.memories.iter() {
            write!(f, "memory {}", self.names.memory(id))?;
            self.limits(f, t.index64, t.shared, t.min, t.max)?;
            if let Some(log2) = t.page_size_log2 {
                write!(f, " page {log2}")?;
            }
            self.symbol(f, &t.symbol, self.names.memories[id])?;
            self.import(f, &t.import)?;
            writeln!(f)?;
        }
        for (id, g) in m.globals.iter() {
            write!(f, "global {}", self.names.global(id))?;
            f.write_str(if g.shared { " shared" } else { "" })?;
            write!(f, "{} {}", if g.mutable { " mut" } else { "" }, g.ty)?;
            self.symbol(f, &g.symbol, self.names.globals[id])?;
            self.import(f, &g.import)?;
            self.init(f, &g.init)?;
        }
        for (id, t) in m.tags.iter() {
            write!(f, "tag {} {}", self.names.tag(id), t.ty)?;
            self.symbol(f, &t.symbol, self.names.tags[id])?;
            self.import(f, &t.import)?;
            writeln!(f)?;
        }
        for (id, unit) in m.units.iter() {
            self.unit(f, id, unit)?;
        }
        for func in m.funcs.keys() {
            self.func(f, func)?;
        }
        for (id, data) in m.datas.iter() {
            self.data(f, id, data)?;
        }
        for (id, elem) in m.elems.iter() {
            self.elem(f, id, elem)?;
        }
        for export in &m.exports {
            let name = Quoted(export.name.as_bytes());
            writeln!(f, "export {name} {}", self.names.item(export.item))?;
        }
        if !m.import_order.is_empty() {
            write!(f, "imports")?;
            for item in &m.import_order {
                write!(f, " {}", self.names.item(*item))?;
            }
            writeln!(f)?;
        }
        if let Some(start) = m.start {
            writeln!(f, "start {}", self.names.func(start))?;
        }
        for (priority, func) in &m.init_funcs {
            writeln!(f, "init {priority} {}", self.names.func(*func))?;
        }
        for custom in &m.customs {
            let name = Quoted(custom.name.as_bytes());
            write!(
                f,
                "custom {name} {} {}",
                custom.place.name(),
                Quoted(&custom.bytes)
            )?;
            self.relocs(f, &custom.relocs)?;
            writeln!(f)?;
        }
        for (func, contract) in &m.contracts {
            write!(f, "contract {}", self.names.func(*func))?;
            let lists = [
                ("effects", contract.effects.as_ref()),
                (
                    "consumes",
                    Some(&contract.consumes).filter(|l| !l.is_empty()),
                ),
                ("hints", Some(&contract.hints).filter(|l| !l.is_empty())),
            ];
            for (word, items) in lists {
                if let Some(items) = items {
                    write!(f, " {word}(")?;
                    list(f, items.iter().map(|s| Quoted(s.as_bytes())))?;
                    f.write_str(")")?;
                }
            }
            writeln!(f)?;
        }
        for (ty, names) in &m.names.types {
            write!(f, "names type {ty}")?;
            if let Some(name) = &names.name {
                write!(f, " {}", Quoted(name.as_bytes()))?;
            }
            numbered(f, "fields", &names.fields)?;
            writeln!(f)?;
        }
        for (func, names) in &m.names.funcs {
            write!(f, "names {}", self.names.func(*func))?;
            numbered(f, "locals", &names.locals)?;
            numbered(f, "labels", &names.labels)?;
            writeln!(f)?;
        }
        for file in &m.debug.files {
            writeln!(f, "file {}", Quoted(file.as_bytes()))?;
        }
        for row in &m.debug.rows {
            match row.file {
                Some(file) => writeln!(f, "line @{} {file} {} {}", row.start.0, row.line, row.col)?,
                None => writeln!(f, "line @{} end", row.start.0)?,
            }
        }
        Ok(())
    }

    fn type_def(&self, f: &mut Formatter<'_>, id: TypeId, def: &TypeDef) -> fmt::Result {
        write!(f, "type {id} =")?;
        f.write_str(if def.is_final { "" } else { " open" })?;
        f.write_str(if def.shared { " shared" } else { "" })?;
        if let Some(supertype) = def.supertype {
            write!(f, " sub {supertype}")?;
        }
        let field =
            |field: &FieldType| format!("{}{}", if field.mutable { "mut " } else { "" }, field.ty);
        match &def.composite {
            CompositeType::Func(ty) => {
                f.write_str(" func(")?;
                list(f, &ty.params)?;
                f.write_str(") -> (")?;
                list(f, &ty.results)?;
                writeln!(f, ")")
            }
            CompositeType::Struct(fields) => {
                f.write_str(" struct(")?;
                list(f, fields.iter().map(field))?;
                writeln!(f, ")")
            }
            CompositeType::Array(element) => writeln!(f, " array({})", field(element)),
        }
    }

    fn limits(
        &self,
        f: &mut Formatter<'_>,
        index64: bool,
        shared: bool,
        min: u64,
        max: Option<u64>,
    ) -> fmt::Result {
        f.write_str(if index64 { " i64" } else { "" })?;
        f.write_str(if shared { " shared" } else { "" })?;
        write!(f, " {min}")?;
        max.map_or(Ok(()), |max| write!(f, " max {max}"))
    }

    fn symbol(&self, f: &mut Formatter<'_>, s: &Symbol, shown: Option<&str>) -> fmt::Result {
        if let (Some(name), None) = (&s.name, shown) {
            write!(f, " name {}", Quoted(name.as_bytes()))?;
        }
        f.write_str(match s.linkage {
            Linkage::Local => "",
            Linkage::Weak => " weak",
            Linkage::Strong => " strong",
            Linkage::Undefined => " undefined",
            Linkage::UndefinedWeak => " undefined_weak",
        })?;
        for (set, word) in [(s.hidden, " hidden"), (s.used, " used"), (s.tls, " tls")] {
            f.write_str(if set { word } else { "" })?;
        }
        s.comdat.map_or(Ok(()), |comdat| write!(f, " {comdat}"))
    }

    fn import(&self, f: &mut Formatter<'_>, import: &Option<Import>) -> fmt::Result {
        let Some(import) = import else { return Ok(()) };
        let (module, name) = (import.module.as_bytes(), import.name.as_bytes());
        write!(f, " import {} {}", Quoted(module), Quoted(name))
    }

    fn init(&self, f: &mut Formatter<'_>, init: &Option<ConstExpr>) -> fmt::Result {
        if let Some(expr) = init {
            f.write_str(" = ")?;
            self.const_expr(f, expr)?;
        }
        writeln!(f)
    }

    fn const_expr(&self, f: &mut Formatter<'_>, expr: &[ConstOp]) -> fmt::Result {
        f.write_str("(")?;
        for (i, op) in expr.iter().enumerate() {
            f.write_str(if i == 0 { "" } else { ", " })?;
            match op {
                ConstOp::I32(x) => write!(f, "i32.const {x}")?,
                ConstOp::I64(x) => write!(f, "i64.const {x}")?,
                ConstOp::F32(x) => write!(f, "f32.const 0x{x:x}")?,
                ConstOp::F64(x) => write!(f, "f64.const 0x{x:x}")?,
                ConstOp::V128(x) => write!(f, "v128.const 0x{x:x}")?,
                ConstOp::GlobalGet(g) => write!(f, "global.get {}", self.names.global(*g))?,
                ConstOp::RefNull(h) => write!(f, "ref.null {h}")?,
                ConstOp::RefFunc(func) => write!(f, "ref.func {}", self.names.func(*func))?,
                ConstOp::SymAddr(item, addend) => {
                    write!(f, "sym_addr {} {addend}", self.names.item(*item))?;
                }
                ConstOp::Op(op, imm) => {
                    write!(f, "{op}")?;
                    if let Some(imm) = imm {
                        f.write_str(" ")?;
                        print_body::imm(f, imm, &self.names)?;
                    }
                }
            }
        }
        f.write_str(")")
    }

    fn func(&self, f: &mut Formatter<'_>, id: Func) -> fmt::Result {
        let func = &self.m.funcs[id];
        write!(f, "func {} {}", self.names.func(id), func.ty)?;
        self.symbol(f, &func.symbol, self.names.funcs[id])?;
        self.import(f, &func.import)?;
        match &func.body {
            FuncBody::None => writeln!(f),
            FuncBody::Raw(raw) => {
                let bytes = Quoted(&raw.bytes);
                write!(f, " raw {} {} {bytes}", raw.unit, raw.code_offset)?;
                self.relocs(f, &raw.relocs)?;
                writeln!(f)
            }
            FuncBody::Ir(body) => {
                writeln!(f, " {{")?;
                print_body::body(f, body, &self.names)?;
                writeln!(f, "}}")
            }
        }
    }

    fn relocs(&self, f: &mut Formatter<'_>, relocs: &[Reloc]) -> fmt::Result {
        if relocs.is_empty() {
            return Ok(());
        }
        writeln!(f, " relocs {{")?;
        for r in relocs {
            write!(f, "  {} {} ", r.offset, r.kind.name())?;
            match r.target {
                RelocTarget::Item(item) => f.write_str(&self.names.item(item))?,
                RelocTarget::Type(ty) => write!(f, "type {ty}")?,
                RelocTarget::Section(index) => write!(f, "section {index}")?,
            }
            writeln!(f, " {}", r.addend)?;
        }
        f.write_str("}")
    }

    fn data(&self, f: &mut Formatter<'_>, id: Data, data: &DataData) -> fmt::Result {
        write!(f, "data {}", self.names.data(id))?;
        self.symbol(f, &data.symbol, self.names.datas[id])?;
        match &data.kind {
            DataKind::Active { memory, offset } => {
                write!(f, " active {} ", self.names.memory(*memory))?;
                self.const_expr(f, offset)?;
            }
            DataKind::Passive => f.write_str(" passive")?,
            DataKind::Symbol {
                align_log2,
                section,
                size,
                strings,
                undefined,
            } => {
                write!(
                    f,
                    " symbol {} align {}",
                    Quoted(section.as_bytes()),
                    1u128 << align_log2
                )?;
                write!(f, " size {size}")?;
                f.write_str(if *strings { " strings" } else { "" })?;
                f.write_str(if *undefined { " undefined_data" } else { "" })?;
            }
            DataKind::Alias { of, offset, size } => {
                let of = self.names.data(*of);
                write!(f, " alias {of} {offset} size {size}")?;
            }
        }
        write!(f, " {}", Quoted(&data.bytes))?;
        self.relocs(f, &data.relocs)?;
        writeln!(f)
    }

    fn elem(&self, f: &mut Formatter<'_>, id: Elem, elem: &ElemData) -> fmt::Result {
        write!(f, "elem {id}")?;
        if let Some(name) = &elem.name {
            write!(f, " name {}", Quoted(name.as_bytes()))?;
        }
        match &elem.kind {
            ElemKind::Active { table, offset } => {
                write!(f, " active {} ", self.names.table(*table))?;
                self.const_expr(f, offset)?;
            }
            ElemKind::Passive => f.write_str(" passive")?,
            ElemKind::Declared => f.write_str(" declared")?,
        }
        write!(f, " {}", elem.ty)?;
        match &elem.items {
            ElemItems::Funcs(funcs) => {
                f.write_str(" funcs(")?;
                list(f, funcs.iter().map(|x| self.names.func(*x)))?;
            }
            ElemItems::Exprs(exprs) => {
                f.write_str(" exprs(")?;
                for (i, expr) in exprs.iter().enumerate() {
                    f.write_str(if i == 0 { "" } else { ", " })?;
                    self.const_expr(f, expr)?;
                }
            }
        }
        writeln!(f, ")")
    }

    fn unit(&self, f: &mut Formatter<'_>, id: Unit, unit: &UnitData) -> fmt::Result {
        write!(f, "unit {id}")?;
        macro_rules! ids {
            ($($word:literal $map:ident $method:ident),*) => {$(
                if !unit.$map.is_empty() {
                    write!(f, " {}(", $word)?;
                    list(f, unit.$map.iter().map(|id| match id.expand() {
                        Some(id) => self.names.$method(id).to_string(),
                        None => "none".to_owned(),
                    }))?;
                    f.write_str(")")?;
                }
            )*};
        }
        if !unit.types.is_empty() {
            f.write_str(" types(")?;
            list(f, &unit.types)?;
            f.write_str(")")?;
        }
        ids!("funcs" funcs func, "tables" tables table, "memories" memories memory,
            "globals" globals global, "tags" tags tag, "datas" datas data);
        if !unit.elems.is_empty() {
            f.write_str(" elems(")?;
            list(
                f,
                unit.elems.iter().map(|id| match id.expand() {
                    Some(id) => id.to_string(),
                    None => "none".to_owned(),
                }),
            )?;
            f.write_str(")")?;
        }
        writeln!(f)
    }
}

/// A list of names by number, with its word before it, unless it is empty.
fn numbered(f: &mut Formatter<'_>, word: &str, names: &BTreeMap<u32, String>) -> fmt::Result {
    if names.is_empty() {
        return Ok(());
    }
    write!(f, " {word}(")?;
    let name = |(number, name): (&u32, &String)| format!("{number} {}", Quoted(name.as_bytes()));
    list(f, names.iter().map(name))?;
    f.write_str(")")
}
