//! Parses declarations.

use super::TEXT_VERSION;
use super::lexer::Tok;
use super::parser::{Parser, Result};
use crate::entities::*;
use crate::inst::SrcLoc;
use crate::module::*;
use cranelift_entity::EntityRef;

impl Parser {
    pub(super) fn module(&mut self) -> Result<Module> {
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
            "imports" => {
                while self.same_line() {
                    m.import_order.push(self.item()?);
                }
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
            "names" => {
                if self.eat_word("type") {
                    let ty = self.type_id()?;
                    let mut names = TypeNames::default();
                    if matches!(self.tok(), Tok::Str(_)) {
                        names.name = Some(self.string()?);
                    }
                    if self.eat_word("fields") {
                        names.fields = self.numbered_names()?;
                    }
                    m.names.types.insert(ty, names);
                } else {
                    let func = self.func()?;
                    let mut names = FuncNames::default();
                    if self.eat_word("locals") {
                        names.locals = self.numbered_names()?;
                    }
                    if self.eat_word("labels") {
                        names.labels = self.numbered_names()?;
                    }
                    m.names.funcs.insert(func, names);
                }
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
        if self.eat_word("alias") {
            let (of, offset) = (self.data()?, self.u32()?);
            self.keyword("size")?;
            let size = self.u32()?;
            return Ok(DataKind::Alias { of, offset, size });
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
