//! Parses modules. Bodies are in `parse_body.rs`.
//!
//! # Algorithm
//! Two passes over the tokens: the first numbers the entities that lines declare, so that a name can
//! be used before its declaration; the second parses by recursive descent without recursion deeper
//! than a type. Time and memory are linear in the text.

use super::TEXT_VERSION;
use super::lexer::{Tok, Token, tokens};
use crate::entities::*;
use crate::inst::*;
use crate::module::*;
use crate::op::{ImmKind, Opcode};
use crate::symbol::*;
use crate::types::*;
use cranelift_entity::EntityRef;
use rustc_hash::FxHashMap;

/// What is wrong with a text and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub col: u32,
    /// What is wrong.
    pub message: String,
}

impl std::fmt::Display for ParseError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.col, self.message)
    }
}

impl std::error::Error for ParseError {}

pub(super) type Result<T> = std::result::Result<T, ParseError>;

/// Kinds of entities that have names, and all others that have numbers.
const KINDS: [(&str, &str); 10] = [
    ("func", "func"),
    ("table", "table"),
    ("memory", "mem"),
    ("global", "global"),
    ("tag", "tag"),
    ("data", "data"),
    ("elem", "elem"),
    ("type", "type"),
    ("comdat", "comdat"),
    ("unit", "unit"),
];

pub(super) struct Parser {
    toks: Vec<Token>,
    pos: usize,
    /// The line of the token consumed last.
    last_line: u32,
    names: [FxHashMap<String, u32>; KINDS.len()],
    counts: [u32; KINDS.len()],
}

/// Parses the text of a module.
///
/// # Errors
/// At the first thing that is not as `docs/wasmir.md` says. The module still wants validation.
pub fn parse_module(text: &str) -> Result<Module> {
    let toks = tokens(text)?;
    let (names, counts) = Default::default();
    let mut p = Parser {
        toks,
        pos: 0,
        last_line: 0,
        names,
        counts,
    };
    p.declare()?;
    p.module()
}

macro_rules! entity_refs {
    ($($method:ident $kind:literal $ty:ident $text:literal;)*) => {$(
        pub(super) fn $method(&mut self) -> Result<$ty> {
            Ok($ty::from_u32(self.entity($kind, $text)?))
        }
    )*};
}

impl Parser {
    // Tokens.

    pub(super) fn tok(&self) -> &Tok {
        &self.toks[self.pos].tok
    }

    pub(super) fn error<T>(&self, message: impl Into<String>) -> Result<T> {
        let Token { line, col, .. } = self.toks[self.pos];
        Err(ParseError {
            line,
            col,
            message: message.into(),
        })
    }

    fn expected<T>(&self, what: &str) -> Result<T> {
        match self.tok() {
            Tok::End => self.error(format!("expected {what}, found the end of the text")),
            Tok::Word(w) => self.error(format!("expected {what}, found `{w}`")),
            Tok::Name(n) => self.error(format!("expected {what}, found `%{n}`")),
            Tok::Str(_) => self.error(format!("expected {what}, found a string")),
            Tok::Int(..) => self.error(format!("expected {what}, found a number")),
            Tok::Punct(c) => self.error(format!("expected {what}, found `{c}`")),
        }
    }

    pub(super) fn advance(&mut self) {
        self.last_line = self.toks[self.pos].line;
        if self.pos + 1 < self.toks.len() {
            self.pos += 1;
        }
    }

    /// Whether the next token is on the line of the last one.
    pub(super) fn same_line(&self) -> bool {
        let token = &self.toks[self.pos];
        token.tok != Tok::End && token.line == self.last_line
    }

    pub(super) fn position(&self) -> usize {
        self.pos
    }

    /// Goes back to an earlier position, to report an error there.
    pub(super) fn rewind(&mut self, position: usize) {
        self.pos = position;
    }

    pub(super) fn tokens_left(&self) -> u32 {
        u32::try_from(self.toks.len() - self.pos).unwrap_or(u32::MAX)
    }

    pub(super) fn is_punct(&self, c: char) -> bool {
        *self.tok() == Tok::Punct(c)
    }

    pub(super) fn eat(&mut self, c: char) -> bool {
        let found = self.is_punct(c);
        if found {
            self.advance();
        }
        found
    }

    pub(super) fn punct(&mut self, c: char) -> Result<()> {
        if self.eat(c) {
            Ok(())
        } else {
            self.expected(&format!("`{c}`"))
        }
    }

    pub(super) fn is_word(&self, word: &str) -> bool {
        matches!(self.tok(), Tok::Word(w) if w == word)
    }

    /// Consumes `word` if it comes next on the same line.
    pub(super) fn eat_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word) && self.same_line();
        if found {
            self.advance();
        }
        found
    }

    pub(super) fn word(&mut self, what: &str) -> Result<String> {
        match self.tok() {
            Tok::Word(w) => {
                let w = w.clone();
                self.advance();
                Ok(w)
            }
            _ => self.expected(what),
        }
    }

    pub(super) fn keyword(&mut self, word: &str) -> Result<()> {
        if !self.is_word(word) {
            return self.expected(&format!("`{word}`"));
        }
        self.advance();
        Ok(())
    }

    /// A number between `min` and `max`, as its two's complement.
    fn int_in(&mut self, min: i128, max: u128) -> Result<u128> {
        let Tok::Int(negative, value) = *self.tok() else {
            return self.expected("a number");
        };
        let fits = if negative {
            value <= min.unsigned_abs() && min < 0
        } else {
            value <= max
        };
        if !fits {
            return self.error("the number is out of range");
        }
        self.advance();
        Ok(if negative {
            value.wrapping_neg()
        } else {
            value
        })
    }

    pub(super) fn u32(&mut self) -> Result<u32> {
        Ok(self.int_in(0, u128::from(u32::MAX))? as u32)
    }

    pub(super) fn u64(&mut self) -> Result<u64> {
        Ok(self.int_in(0, u128::from(u64::MAX))? as u64)
    }

    pub(super) fn u8(&mut self) -> Result<u8> {
        Ok(self.int_in(0, 255)? as u8)
    }

    pub(super) fn i32(&mut self) -> Result<i32> {
        Ok(self.int_in(i128::from(i32::MIN), u128::from(u32::MAX))? as u32 as i32)
    }

    pub(super) fn i64(&mut self) -> Result<i64> {
        Ok(self.int_in(i128::from(i64::MIN), u128::from(u64::MAX))? as u64 as i64)
    }

    pub(super) fn u128(&mut self) -> Result<u128> {
        self.int_in(i128::MIN, u128::MAX)
    }

    /// A constant's bits in `bits` bits.
    pub(super) fn bits(&mut self, bits: u32) -> Result<u64> {
        let max = (1u128 << bits) - 1;
        Ok((self.int_in(-(1i128 << (bits - 1)), max)? & max) as u64)
    }

    fn bytes(&mut self) -> Result<Vec<u8>> {
        match self.tok() {
            Tok::Str(bytes) => {
                let bytes = bytes.clone();
                self.advance();
                Ok(bytes)
            }
            _ => self.expected("a string"),
        }
    }

    fn string(&mut self) -> Result<String> {
        if let Tok::Str(bytes) = self.tok()
            && std::str::from_utf8(bytes).is_err()
        {
            return self.error("this string must be UTF-8");
        }
        Ok(String::from_utf8_lossy(&self.bytes()?).into_owned())
    }

    /// A list in parentheses.
    pub(super) fn parens<T>(
        &mut self,
        mut item: impl FnMut(&mut Parser) -> Result<T>,
    ) -> Result<Vec<T>> {
        self.delimited('(', ')', &mut item)
    }

    pub(super) fn delimited<T>(
        &mut self,
        open: char,
        close: char,
        item: &mut dyn FnMut(&mut Parser) -> Result<T>,
    ) -> Result<Vec<T>> {
        self.punct(open)?;
        let mut items = Vec::new();
        if self.eat(close) {
            return Ok(items);
        }
        loop {
            items.push(item(self)?);
            if self.eat(close) {
                return Ok(items);
            }
            self.punct(',')?;
        }
    }

    /// An alignment, as its binary logarithm.
    pub(super) fn align(&mut self) -> Result<u8> {
        self.keyword("align")?;
        if let Tok::Int(false, value) = *self.tok()
            && value.is_power_of_two()
            && value.ilog2() < 64
        {
            self.advance();
            return Ok(value.ilog2() as u8);
        }
        self.expected("a power of two below 2^64")
    }

    // Entities.

    fn declare(&mut self) -> Result<()> {
        let (mut line, mut depth) = (0, 0usize);
        for i in 0..self.toks.len() {
            let first = self.toks[i].line != line;
            line = self.toks[i].line;
            match &self.toks[i].tok {
                Tok::Punct('{') => depth += 1,
                Tok::Punct('}') => depth = depth.saturating_sub(1),
                Tok::Word(word) if first && depth == 0 => {
                    let Some(kind) = KINDS.iter().position(|(k, _)| k == word) else {
                        continue;
                    };
                    if let Some(Tok::Name(name)) = self.toks.get(i + 1).map(|t| t.tok.clone())
                        && self.names[kind]
                            .insert(name.clone(), self.counts[kind])
                            .is_some()
                    {
                        self.pos = i + 1;
                        return self.error(format!("the {word} `%{name}` is declared twice"));
                    }
                    self.counts[kind] += 1;
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn entity(&mut self, kind: usize, what: &str) -> Result<u32> {
        let (_, prefix) = KINDS[kind];
        let found = match self.tok() {
            Tok::Name(name) => match self.names[kind].get(name) {
                Some(&index) => Some(index),
                None => return self.error(format!("there is no {what} `%{name}`")),
            },
            Tok::Word(word) => match word.strip_prefix(prefix).map(str::parse::<u32>) {
                Some(Ok(index)) if index < self.counts[kind] => Some(index),
                Some(Ok(_)) => return self.error(format!("there is no {what} `{word}`")),
                _ => None,
            },
            _ => None,
        };
        match found {
            Some(index) => {
                self.advance();
                Ok(index)
            }
            None => self.expected(&format!("a {what}")),
        }
    }

    entity_refs! {
        func 0 Func "function";
        table 1 Table "table";
        memory 2 Memory "memory";
        global 3 Global "global";
        tag 4 Tag "tag";
        data 5 Data "data segment";
        elem 6 Elem "element segment";
        type_id 7 TypeId "type";
        comdat 8 Comdat "group";
        unit 9 Unit "unit";
    }

    /// The spelling of the entity a line declares: its name, or the number it must have.
    fn declared<K: EntityRef + std::fmt::Display>(&mut self, next: K) -> Result<Option<String>> {
        match self.tok().clone() {
            Tok::Name(name) => {
                self.advance();
                Ok(Some(name))
            }
            Tok::Word(word) if word == next.to_string() => {
                self.advance();
                Ok(None)
            }
            _ => self.expected(&format!("a name or `{next}`")),
        }
    }

    pub(super) fn item(&mut self) -> Result<Item> {
        let word = self.word("`func`, `table`, `memory`, `global`, `tag` or `data`")?;
        Ok(match word.as_str() {
            "func" => Item::Func(self.func()?),
            "table" => Item::Table(self.table()?),
            "memory" => Item::Memory(self.memory()?),
            "global" => Item::Global(self.global()?),
            "tag" => Item::Tag(self.tag()?),
            "data" => Item::Data(self.data()?),
            _ => {
                self.pos -= 1;
                return self.expected("`func`, `table`, `memory`, `global`, `tag` or `data`");
            }
        })
    }

    // Types.

    pub(super) fn val_type(&mut self) -> Result<Type> {
        let ty = match self.tok() {
            Tok::Punct('(') => return Ok(Type::Ref(self.ref_type()?)),
            Tok::Word(word) => match word.as_str() {
                "i8" => Type::I8,
                "i16" => Type::I16,
                "i32" => Type::I32,
                "i64" => Type::I64,
                "i128" => Type::I128,
                "f32" => Type::F32,
                "f64" => Type::F64,
                "v128" => Type::V128,
                _ => return self.expected("a type"),
            },
            _ => return self.expected("a type"),
        };
        self.advance();
        Ok(ty)
    }

    fn ref_type(&mut self) -> Result<RefType> {
        self.punct('(')?;
        self.keyword("ref")?;
        let nullable = self.eat_word("null");
        let heap = self.heap_type()?;
        self.punct(')')?;
        Ok(RefType { nullable, heap })
    }

    pub(super) fn heap_type(&mut self) -> Result<HeapType> {
        let shared = self.eat('(');
        if shared {
            self.keyword("shared")?;
        }
        if let Tok::Word(word) = self.tok()
            && let Some(kind) = AbstractHeap::ALL.iter().find(|k| k.name() == word)
        {
            self.advance();
            if shared {
                self.punct(')')?;
            }
            return Ok(HeapType::Abstract {
                shared,
                kind: *kind,
            });
        }
        if shared {
            self.expected("an abstract heap type")
        } else {
            Ok(HeapType::Concrete(self.type_id()?))
        }
    }

    fn field(&mut self) -> Result<FieldType> {
        let mutable = self.is_word("mut");
        if mutable {
            self.advance();
        }
        Ok(FieldType {
            ty: self.val_type()?,
            mutable,
        })
    }

    fn type_def(&mut self, next: TypeId) -> Result<TypeDef> {
        self.keyword("type")?;
        if self.declared(next)?.is_some() {
            self.pos -= 1;
            return self.error(format!("types have no names; write `{next}`"));
        }
        self.punct('=')?;
        let is_final = !self.eat_word("open");
        let shared = self.eat_word("shared");
        let supertype = if self.eat_word("sub") {
            Some(self.type_id()?)
        } else {
            None
        };
        let composite = if self.eat_word("func") {
            let params = self.parens(Parser::val_type)?;
            self.punct('-')?;
            self.punct('>')?;
            CompositeType::Func(FuncType::new(params, self.parens(Parser::val_type)?))
        } else if self.eat_word("struct") {
            CompositeType::Struct(self.parens(Parser::field)?.into())
        } else if self.eat_word("array") {
            self.punct('(')?;
            let element = self.field()?;
            self.punct(')')?;
            CompositeType::Array(element)
        } else {
            return self.expected("`func`, `struct` or `array`");
        };
        Ok(TypeDef {
            is_final,
            shared,
            supertype,
            composite,
        })
    }

    // Parts of declarations.

    fn symbol(&mut self, name: Option<String>) -> Result<Symbol> {
        let mut s = Symbol {
            name,
            ..Symbol::default()
        };
        if self.eat_word("name") {
            s.name = Some(self.string()?);
        }
        for (word, linkage) in [
            ("weak", Linkage::Weak),
            ("strong", Linkage::Strong),
            ("undefined", Linkage::Undefined),
            ("undefined_weak", Linkage::UndefinedWeak),
        ] {
            if self.eat_word(word) {
                s.linkage = linkage;
                break;
            }
        }
        s.hidden = self.eat_word("hidden");
        s.used = self.eat_word("used");
        s.tls = self.eat_word("tls");
        if matches!(self.tok(), Tok::Word(w) if w.starts_with("comdat")) && self.same_line() {
            s.comdat = Some(self.comdat()?);
        }
        Ok(s)
    }

    fn import(&mut self) -> Result<Option<Import>> {
        if !self.eat_word("import") {
            return Ok(None);
        }
        Ok(Some(Import {
            module: self.string()?,
            name: self.string()?,
        }))
    }

    fn init(&mut self) -> Result<Option<ConstExpr>> {
        if self.eat('=') {
            Ok(Some(self.const_expr()?))
        } else {
            Ok(None)
        }
    }

    fn max(&mut self) -> Result<Option<u64>> {
        if self.eat_word("max") {
            Ok(Some(self.u64()?))
        } else {
            Ok(None)
        }
    }

    fn const_expr(&mut self) -> Result<ConstExpr> {
        self.parens(|p| {
            let word = p.word("an operator")?;
            Ok(match word.as_str() {
                "i32.const" => ConstOp::I32(p.i32()?),
                "i64.const" => ConstOp::I64(p.i64()?),
                "f32.const" => ConstOp::F32(p.bits(32)? as u32),
                "f64.const" => ConstOp::F64(p.bits(64)?),
                "v128.const" => ConstOp::V128(p.u128()?),
                "global.get" => ConstOp::GlobalGet(p.global()?),
                "ref.null" => ConstOp::RefNull(p.heap_type()?),
                "ref.func" => ConstOp::RefFunc(p.func()?),
                "sym_addr" => ConstOp::SymAddr(p.item()?, p.i64()?),
                _ => match Opcode::from_name(&word) {
                    Some(op) => ConstOp::Op(op, p.imm(op)?),
                    None => {
                        p.pos -= 1;
                        return p.error(format!("there is no operator `{word}`"));
                    }
                },
            })
        })
    }

    /// The immediates of an operator, if it has any.
    pub(super) fn imm(&mut self, op: Opcode) -> Result<Option<Imm>> {
        Ok(Some(match op.info().imm {
            ImmKind::None | ImmKind::Fence => return Ok(None),
            ImmKind::Memarg => Imm::Memarg(self.memarg()?),
            ImmKind::MemargLane => {
                let arg = self.memarg()?;
                self.keyword("lane")?;
                Imm::MemargLane(arg, self.u8()?)
            }
            ImmKind::Lane => Imm::Lane(self.u8()?),
            ImmKind::Shuffle => {
                let lanes = self.delimited('[', ']', &mut Parser::u8)?;
                match lanes.try_into() {
                    Ok(lanes) => Imm::Shuffle(lanes),
                    Err(_) => return self.error("a shuffle has sixteen lanes"),
                }
            }
            ImmKind::Memory => Imm::Memory(self.memory()?),
            ImmKind::MemoryMemory => Imm::MemoryMemory(self.memory()?, self.memory()?),
            ImmKind::DataMemory => Imm::DataMemory(self.data()?, self.memory()?),
            ImmKind::Data => Imm::Data(self.data()?),
            ImmKind::Table => Imm::Table(self.table()?),
            ImmKind::TableTable => Imm::TableTable(self.table()?, self.table()?),
            ImmKind::ElemTable => Imm::ElemTable(self.elem()?, self.table()?),
            ImmKind::Elem => Imm::Elem(self.elem()?),
            ImmKind::Ty => Imm::Ty(self.type_id()?),
            ImmKind::TyField => Imm::TyField(self.type_id()?, self.u32()?),
            ImmKind::TyCount => Imm::TyCount(self.type_id()?, self.u32()?),
            ImmKind::TyTy => Imm::TyTy(self.type_id()?, self.type_id()?),
            ImmKind::TyData => Imm::TyData(self.type_id()?, self.data()?),
            ImmKind::TyElem => Imm::TyElem(self.type_id()?, self.elem()?),
            ImmKind::Heap => Imm::Heap(self.heap_type()?),
            ImmKind::Func => Imm::Func(self.func()?),
            _ => return self.error(format!("`{op}` cannot be used as an operator")),
        }))
    }

    fn memarg(&mut self) -> Result<MemArg> {
        let memory = self.memory()?;
        self.punct('+')?;
        let offset = self.u64()?;
        Ok(MemArg {
            memory,
            offset,
            access: self.access()?,
        })
    }

    pub(super) fn access(&mut self) -> Result<Access> {
        let access = Access::new(self.align()?);
        Ok(if self.eat_word("volatile") {
            access.volatile()
        } else {
            access
        })
    }

    fn relocs(&mut self) -> Result<Vec<Reloc>> {
        let mut relocs = Vec::new();
        if !self.eat_word("relocs") {
            return Ok(relocs);
        }
        self.punct('{')?;
        while !self.eat('}') {
            let offset = self.u32()?;
            let word = self.word("a kind of relocation")?;
            let Some(kind) = RelocKind::ALL.iter().copied().find(|k| k.name() == word) else {
                self.pos -= 1;
                return self.error(format!("there is no kind of relocation `{word}`"));
            };
            let target = if self.eat_word("type") {
                RelocTarget::Type(self.type_id()?)
            } else if self.eat_word("section") {
                RelocTarget::Section(self.u32()?)
            } else {
                RelocTarget::Item(self.item()?)
            };
            relocs.push(Reloc {
                offset,
                kind,
                target,
                addend: self.i64()?,
            });
        }
        Ok(relocs)
    }

    // Declarations.

    fn module(&mut self) -> Result<Module> {
        if !self.is_word("wasmir") {
            return self.expected("`wasmir` and a version");
        }
        self.advance();
        if *self.tok() != Tok::Int(false, u128::from(TEXT_VERSION)) {
            return self.expected(&format!("version {TEXT_VERSION}"));
        }
        self.advance();
        let mut m = Module::new();
        while *self.tok() != Tok::End {
            if self.same_line() {
                return self.expected("a new line");
            }
            self.declaration(&mut m)?;
        }
        Ok(m)
    }

    fn declaration(&mut self, m: &mut Module) -> Result<()> {
        if self.is_word("type") {
            let def = self.type_def(TypeId::new(m.types.len()))?;
            m.types.push_group([def]);
            return Ok(());
        }
        let start = self.pos;
        let word = self.word("a declaration")?;
        match word.as_str() {
            "module" => m.name = Some(self.string()?),
            "relocatable" => m.relocatable = true,
            "rec" => {
                let mut group = Vec::new();
                for i in 0..self.u32()? {
                    group.push(self.type_def(TypeId::new(m.types.len() + i as usize))?);
                }
                m.types.push_group(group);
            }
            "comdat" => {
                self.declared(m.comdats.next_key())?;
                let name = self.string()?;
                m.comdats.push(name);
            }
            "table" => {
                let name = self.declared(m.tables.next_key())?;
                let ty = self.ref_type()?;
                let (index64, shared) = (self.eat_word("i64"), self.eat_word("shared"));
                let (min, max) = (self.u64()?, self.max()?);
                let symbol = self.symbol(name)?;
                let import = self.import()?;
                let init = self.init()?;
                m.tables.push(TableData {
                    ty,
                    index64,
                    shared,
                    min,
                    max,
                    init,
                    import,
                    symbol,
                });
            }
            "memory" => {
                let name = self.declared(m.memories.next_key())?;
                let (index64, shared) = (self.eat_word("i64"), self.eat_word("shared"));
                let (min, max) = (self.u64()?, self.max()?);
                let page_size_log2 = if self.eat_word("page") {
                    Some(self.u32()?)
                } else {
                    None
                };
                let symbol = self.symbol(name)?;
                let import = self.import()?;
                let data = MemoryData {
                    index64,
                    shared,
                    min,
                    max,
                    page_size_log2,
                    import,
                    symbol,
                };
                m.memories.push(data);
            }
            "global" => {
                let name = self.declared(m.globals.next_key())?;
                let (shared, mutable) = (self.eat_word("shared"), self.eat_word("mut"));
                let ty = self.val_type()?;
                let symbol = self.symbol(name)?;
                let import = self.import()?;
                let init = self.init()?;
                m.globals.push(GlobalData {
                    ty,
                    mutable,
                    shared,
                    init,
                    import,
                    symbol,
                });
            }
            "tag" => {
                let name = self.declared(m.tags.next_key())?;
                let ty = self.type_id()?;
                let symbol = self.symbol(name)?;
                let import = self.import()?;
                m.tags.push(TagData { ty, import, symbol });
            }
            "unit" => {
                self.declared(m.units.next_key())?;
                let unit = self.unit_data()?;
                m.units.push(unit);
            }
            "func" => {
                let name = self.declared(m.funcs.next_key())?;
                let ty = self.type_id()?;
                let symbol = self.symbol(name)?;
                let import = self.import()?;
                let body = self.func_body()?;
                m.funcs.push(FuncData {
                    ty,
                    import,
                    symbol,
                    body,
                });
            }
            "data" => {
                let name = self.declared(m.datas.next_key())?;
                let symbol = self.symbol(name)?;
                let kind = self.data_kind()?;
                let bytes = self.bytes()?.into();
                let relocs = self.relocs()?;
                m.datas.push(DataData {
                    kind,
                    bytes,
                    relocs,
                    symbol,
                });
            }
            "elem" => {
                self.declared(m.elems.next_key())?;
                let elem = self.elem_data()?;
                m.elems.push(elem);
            }
            "export" => {
                let name = self.string()?;
                let item = self.item()?;
                m.exports.push(Export { name, item });
            }
            "start" => m.start = Some(self.func()?),
            "init" => {
                let priority = self.u32()?;
                let func = self.func()?;
                m.init_funcs.push((priority, func));
            }
            "custom" => {
                let name = self.string()?;
                let word = self.word("a place")?;
                let Some(place) = SectionPlace::ALL.into_iter().find(|p| p.name() == word) else {
                    self.pos -= 1;
                    return self.error(format!("there is no place `{word}`"));
                };
                let bytes = self.bytes()?.into();
                let relocs = self.relocs()?;
                m.customs.push(CustomSection {
                    name,
                    bytes,
                    place,
                    relocs,
                });
            }
            "contract" => {
                let func = self.func()?;
                let mut contract = FuncContract::default();
                if self.eat_word("effects") {
                    contract.effects = Some(self.parens(Parser::string)?);
                }
                if self.eat_word("consumes") {
                    contract.consumes = self.parens(Parser::string)?;
                }
                if self.eat_word("hints") {
                    contract.hints = self.parens(Parser::string)?;
                }
                m.contracts.insert(func, contract);
            }
            "file" => m.debug.files.push(self.string()?),
            "line" => {
                self.punct('@')?;
                let start = SrcLoc(self.u32()?);
                let row = if self.eat_word("end") {
                    crate::debug::LineRow {
                        start,
                        file: None,
                        line: 0,
                        col: 0,
                    }
                } else {
                    let file = Some(self.u32()?);
                    crate::debug::LineRow {
                        start,
                        file,
                        line: self.u32()?,
                        col: self.u32()?,
                    }
                };
                m.debug.rows.push(row);
            }
            _ => {
                self.pos = start;
                return self.expected("a declaration");
            }
        }
        Ok(())
    }

    fn func_body(&mut self) -> Result<FuncBody> {
        if self.eat_word("raw") {
            let unit = self.unit()?;
            let code_offset = self.u32()?;
            let bytes = self.bytes()?.into();
            let relocs = self.relocs()?;
            return Ok(FuncBody::Raw(RawBody {
                bytes,
                unit,
                code_offset,
                relocs,
            }));
        }
        if self.is_punct('{') {
            return Ok(FuncBody::Ir(Box::new(self.body()?)));
        }
        Ok(FuncBody::None)
    }

    fn data_kind(&mut self) -> Result<DataKind> {
        if self.eat_word("active") {
            return Ok(DataKind::Active {
                memory: self.memory()?,
                offset: self.const_expr()?,
            });
        }
        if self.eat_word("passive") {
            return Ok(DataKind::Passive);
        }
        self.keyword("symbol")?;
        let section = self.string()?;
        let align_log2 = self.align()?;
        self.keyword("size")?;
        let size = self.u32()?;
        let (strings, undefined) = (self.eat_word("strings"), self.eat_word("undefined_data"));
        Ok(DataKind::Symbol {
            align_log2,
            section,
            size,
            strings,
            undefined,
        })
    }

    fn elem_data(&mut self) -> Result<ElemData> {
        let name = if self.eat_word("name") {
            Some(self.string()?)
        } else {
            None
        };
        let kind = if self.eat_word("active") {
            ElemKind::Active {
                table: self.table()?,
                offset: self.const_expr()?,
            }
        } else if self.eat_word("passive") {
            ElemKind::Passive
        } else {
            self.keyword("declared")?;
            ElemKind::Declared
        };
        let ty = self.ref_type()?;
        let items = if self.eat_word("funcs") {
            ElemItems::Funcs(self.parens(Parser::func)?)
        } else {
            self.keyword("exprs")?;
            ElemItems::Exprs(self.parens(Parser::const_expr)?)
        };
        Ok(ElemData {
            kind,
            ty,
            items,
            name,
        })
    }

    fn unit_data(&mut self) -> Result<UnitData> {
        fn or_none<T: cranelift_entity::packed_option::ReservedValue>(
            p: &mut Parser,
            item: impl Fn(&mut Parser) -> Result<T>,
        ) -> Result<cranelift_entity::packed_option::PackedOption<T>> {
            if p.is_word("none") {
                p.advance();
                return Ok(None.into());
            }
            Ok(Some(item(p)?).into())
        }
        let mut unit = UnitData::default();
        if self.eat_word("types") {
            unit.types = self.parens(Parser::type_id)?;
        }
        macro_rules! ids {
            ($($word:literal $map:ident $method:ident),*) => {$(
                if self.eat_word($word) {
                    unit.$map = self.parens(|p| or_none(p, Parser::$method))?;
                }
            )*};
        }
        ids!("funcs" funcs func, "tables" tables table, "memories" memories memory,
            "globals" globals global, "tags" tags tag, "datas" datas data, "elems" elems elem);
        Ok(unit)
    }
}
