//! Parses modules: tokens, names, types and the parts of declarations. Declarations are in
//! `parse_decl.rs`, bodies in `parse_body.rs`.
//!
//! # Algorithm
//! Two passes over the tokens: the first numbers the entities that lines declare, so that a name can
//! be used before its declaration; the second parses by recursive descent without recursion deeper
//! than a type. Time and memory are linear in the text.

use super::lexer::{Tok, Token, tokens};
use crate::entities::*;
use crate::inst::*;
use crate::module::*;
use crate::op::{ImmKind, Opcode};
use crate::symbol::*;
use crate::types::*;
use cranelift_entity::EntityRef;
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;

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
    pub(super) pos: usize,
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

    pub(super) fn expected<T>(&self, what: &str) -> Result<T> {
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
    pub(super) fn int_in(&mut self, min: i128, max: u128) -> Result<u128> {
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

    pub(super) fn bytes(&mut self) -> Result<Vec<u8>> {
        match self.tok() {
            Tok::Str(bytes) => {
                let bytes = bytes.clone();
                self.advance();
                Ok(bytes)
            }
            _ => self.expected("a string"),
        }
    }

    pub(super) fn string(&mut self) -> Result<String> {
        if let Tok::Str(bytes) = self.tok()
            && std::str::from_utf8(bytes).is_err()
        {
            return self.error("this string must be UTF-8");
        }
        Ok(String::from_utf8_lossy(&self.bytes()?).into_owned())
    }

    /// A list of names by number.
    pub(super) fn numbered_names(&mut self) -> Result<BTreeMap<u32, String>> {
        let names = self.parens(|p| Ok((p.u32()?, p.string()?)))?;
        Ok(names.into_iter().collect())
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

    pub(super) fn declare(&mut self) -> Result<()> {
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

    pub(super) fn entity(&mut self, kind: usize, what: &str) -> Result<u32> {
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
    pub(super) fn declared<K: EntityRef + std::fmt::Display>(
        &mut self,
        next: K,
    ) -> Result<Option<String>> {
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

    pub(super) fn ref_type(&mut self) -> Result<RefType> {
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

    pub(super) fn field(&mut self) -> Result<FieldType> {
        let mutable = self.is_word("mut");
        if mutable {
            self.advance();
        }
        Ok(FieldType {
            ty: self.val_type()?,
            mutable,
        })
    }

    pub(super) fn type_def(&mut self, next: TypeId) -> Result<TypeDef> {
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

    pub(super) fn symbol(&mut self, name: Option<String>) -> Result<Symbol> {
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

    pub(super) fn import(&mut self) -> Result<Option<Import>> {
        if !self.eat_word("import") {
            return Ok(None);
        }
        Ok(Some(Import {
            module: self.string()?,
            name: self.string()?,
        }))
    }

    pub(super) fn init(&mut self) -> Result<Option<ConstExpr>> {
        if self.eat('=') {
            Ok(Some(self.const_expr()?))
        } else {
            Ok(None)
        }
    }

    pub(super) fn max(&mut self) -> Result<Option<u64>> {
        if self.eat_word("max") {
            Ok(Some(self.u64()?))
        } else {
            Ok(None)
        }
    }

    pub(super) fn const_expr(&mut self) -> Result<ConstExpr> {
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

    pub(super) fn memarg(&mut self) -> Result<MemArg> {
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
        let mut access = Access::new(self.align()?);
        if self.eat_word("volatile") {
            access = access.volatile();
        }
        if self.eat_word("notrap") {
            access = access.notrap();
        }
        Ok(access)
    }

    pub(super) fn relocs(&mut self) -> Result<Vec<Reloc>> {
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
}
