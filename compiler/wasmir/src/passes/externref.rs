//! Reference types for programs that could not say them: slot numbers become `externref`s of a table.
//!
//! # Input
//! A linked module from a compiler without reference types, in which `crates/wasm` speaks of references by the numbers of slots:
//!
//! * Imports from the module `wasmrust:ref`: `grow (i32) -> i32`, `clear (i32)`, `copy (i32 i32)`, `is-null (i32) -> i32`.
//! * Imports from any module whose name is `wasmrust:ref/PARAMETERS>RESULT/NAME`. PARAMETERS has a letter for each parameter: `r`, an `i32` that is
//!   the slot of a reference, or `v`, a value as it is. RESULT is `v`, `-` for none, or `r`: the import has no result, but one more
//!   parameter, the slot that the resulting reference goes to.
//!
//! # Output
//! A table of `externref`s, `__wasmrust_references`, and in place of each of these imports a function with the same type that executes
//! `table.grow`, `table.set`, `table.get` and `ref.is_null`, or calls the import NAME with `externref` where the letter is `r`. The inliner
//! makes single instructions of them. A module without such imports stays as it is.
//!
//! # Invariants
//! Entities keep their numbers, so raw bodies, tables and exports that name an import of old name the function that stands for it. On an
//! error, which names every malformed import, the module is unchanged.
//!
//! # Cost
//! O(imports).

use crate::builder::BodyBuilder;
use crate::entities::{Func, Item, Local, Table, TypeId};
use crate::inst::{Callee, Imm};
use crate::module::{FuncBody, FuncData, Module, TableData};
use crate::op::Opcode;
use crate::symbol::{Import, Symbol};
use crate::types::{AbstractHeap, FuncType, HeapType, RefType, Type};
use std::fmt;

/// The module of the table's own functions, and the start of the names of imports with references.
const PREFIX: &str = "wasmrust:ref";

/// Whether an import is one that the pass works on.
pub fn is_reference_import(module: &str, name: &str) -> bool {
    module == PREFIX || name.starts_with(PREFIX)
}

/// What the pass did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Imports of the table's functions that became operators.
    pub operators: usize,
    /// Imports that got references in their types.
    pub imports: usize,
}

/// An import that asks for references, but not in the way it must.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// The import.
    pub func: Func,
    /// Its module and name.
    pub import: Import,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with an import.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// The module `wasmrust:ref` has no function of this name.
    Unknown,
    /// The name does not say which parameters are references.
    Name,
    /// The function has another type than its name says.
    Type {
        /// The parameters it should have; `None` stands for any type.
        expected: Vec<Option<Type>>,
    },
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Import { module, name } = &self.import;
        write!(f, "the import `{name}` of `{module}` ")?;
        match &self.problem {
            Problem::Unknown => write!(f, "is none of `clear`, `copy`, `grow` and `is-null`"),
            Problem::Name => write!(
                f,
                "has a name that is not `{PREFIX}/PARAMETERS>RESULT/NAME` with the letters `r` and `v`"
            ),
            Problem::Type { expected } => {
                write!(f, "does not have the parameters that its name says: (")?;
                for (i, ty) in expected.iter().enumerate() {
                    let gap = if i == 0 { "" } else { " " };
                    match ty {
                        Some(ty) => write!(f, "{gap}{ty}")?,
                        None => write!(f, "{gap}_")?,
                    }
                }
                write!(f, "), and the result it says")
            }
        }
    }
}

impl std::error::Error for Malformed {}

/// An operation on the table.
#[derive(Clone, Copy)]
enum Operation {
    Grow,
    Clear,
    Copy,
    IsNull,
}

impl Operation {
    fn named(name: &str) -> Option<Operation> {
        Some(match name {
            "grow" => Operation::Grow,
            "clear" => Operation::Clear,
            "copy" => Operation::Copy,
            "is-null" => Operation::IsNull,
            _ => return None,
        })
    }

    fn ty(self) -> FuncType {
        match self {
            Operation::Grow | Operation::IsNull => FuncType::new([Type::I32], [Type::I32]),
            Operation::Clear => FuncType::new([Type::I32], []),
            Operation::Copy => FuncType::new([Type::I32, Type::I32], []),
        }
    }
}

/// The signature that a name says, and the import's own name.
struct Shape<'a> {
    /// Whether each parameter is a reference.
    params: Vec<bool>,
    /// Whether there is a result, and whether it is a reference.
    result: Option<bool>,
    name: &'a str,
}

impl<'a> Shape<'a> {
    /// Reads `PARAMETERS>RESULT/NAME`.
    fn parse(text: &'a str) -> Option<Shape<'a>> {
        let (kinds, name) = text.split_once('/')?;
        let (params, result) = kinds.split_once('>')?;
        let is_ref = |letter: char| match letter {
            'r' => Some(true),
            'v' => Some(false),
            _ => None,
        };
        let params = params.chars().map(is_ref).collect::<Option<_>>()?;
        let result = match result {
            "r" => Some(true),
            "v" => Some(false),
            "-" => None,
            _ => return None,
        };
        Some(Shape {
            params,
            result,
            name,
        })
    }

    /// Whether a function over slots has this shape.
    fn fits(&self, ty: &FuncType) -> bool {
        let expected = self.expected();
        let results = usize::from(self.result == Some(false));
        ty.params.len() == expected.len()
            && ty.results.len() == results
            && ty
                .params
                .iter()
                .zip(&expected)
                .all(|(&actual, expected)| expected.is_none_or(|expected| expected == actual))
    }

    /// The parameters over slots.
    fn expected(&self) -> Vec<Option<Type>> {
        let slot = |&is_ref: &bool| is_ref.then_some(Type::I32);
        let result = (self.result == Some(true)).then_some(Some(Type::I32));
        self.params.iter().map(slot).chain(result).collect()
    }

    /// The type with references.
    fn real(&self, ty: &FuncType) -> FuncType {
        let params: Vec<Type> = self
            .params
            .iter()
            .zip(&ty.params)
            .map(|(&is_ref, &ty)| if is_ref { Type::EXTERNREF } else { ty })
            .collect();
        match self.result {
            Some(true) => FuncType::new(params, [Type::EXTERNREF]),
            Some(false) | None => FuncType::new(params, ty.results.clone()),
        }
    }
}

/// What becomes of an import.
enum Plan {
    Operator(Operation),
    Import {
        params: Vec<bool>,
        result: Option<bool>,
        real: FuncType,
        import: Import,
    },
}

/// Runs the pass.
///
/// # Errors
/// Every import that is malformed, in the order of the functions.
pub fn run(module: &mut Module) -> Result<Stats, Vec<Malformed>> {
    let mut plans: Vec<(Func, TypeId, Plan)> = Vec::new();
    let mut errors = Vec::new();
    for (func, data) in &module.funcs {
        let Some(import) = &data.import else {
            continue;
        };
        match plan(module, data.ty, import) {
            Ok(None) => {}
            Ok(Some(plan)) => plans.push((func, data.ty, plan)),
            Err(problem) => errors.push(Malformed {
                func,
                import: import.clone(),
                problem,
            }),
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let mut stats = Stats::default();
    if plans.is_empty() {
        return Ok(stats);
    }
    let table = module.tables.push(TableData {
        ty: RefType::EXTERNREF,
        index64: false,
        shared: false,
        min: 0,
        max: None,
        init: None,
        import: None,
        symbol: Symbol::local("__wasmrust_references"),
    });
    let mut order = module.imports();
    for (func, ty, plan) in plans {
        let params = match module.types.func(ty) {
            Some(ty) => ty.params.clone(),
            None => Box::default(),
        };
        let body = match plan {
            Plan::Operator(operation) => {
                stats.operators += 1;
                order.retain(|&item| item != Item::Func(func));
                operator(operation, table, &params)
            }
            Plan::Import {
                params: kinds,
                result,
                real,
                import,
            } => {
                stats.imports += 1;
                let ty = module.types.intern_func(real.clone());
                let symbol = Symbol {
                    name: Some(import.name.clone()),
                    ..module.funcs[func].symbol.clone()
                };
                let target = module.funcs.push(FuncData {
                    ty,
                    import: Some(import),
                    symbol,
                    body: FuncBody::None,
                });
                // The real import takes the place of the one it came from.
                for item in &mut order {
                    if *item == Item::Func(func) {
                        *item = Item::Func(target);
                    }
                }
                adapter(&kinds, result, &real, target, table, &params)
            }
        };
        let data = &mut module.funcs[func];
        data.import = None;
        data.symbol = Symbol {
            name: data.symbol.name.take(),
            used: data.symbol.used,
            ..Symbol::default()
        };
        data.body = FuncBody::Ir(Box::new(body));
    }
    module.set_import_order(order);
    Ok(stats)
}

/// What to do with an import; nothing with most.
fn plan(module: &Module, ty: TypeId, import: &Import) -> Result<Option<Plan>, Problem> {
    let no_type = FuncType::default();
    let ty = module.types.func(ty).unwrap_or(&no_type);
    if import.module == PREFIX {
        let operation = Operation::named(&import.name).ok_or(Problem::Unknown)?;
        if operation.ty() != *ty {
            let expected = operation.ty().params.iter().copied().map(Some).collect();
            return Err(Problem::Type { expected });
        }
        return Ok(Some(Plan::Operator(operation)));
    }
    let Some(rest) = import.name.strip_prefix(PREFIX) else {
        return Ok(None);
    };
    let shape = rest
        .strip_prefix('/')
        .and_then(Shape::parse)
        .ok_or(Problem::Name)?;
    if !shape.fits(ty) {
        let expected = shape.expected();
        return Err(Problem::Type { expected });
    }
    let real = shape.real(ty);
    let import = Import {
        module: import.module.clone(),
        name: shape.name.to_owned(),
    };
    Ok(Some(Plan::Import {
        params: shape.params,
        result: shape.result,
        real,
        import,
    }))
}

/// A function whose parameters have these types, in its entry block.
fn start(params: &[Type]) -> BodyBuilder {
    let mut b = BodyBuilder::new(params);
    let entry = b.block();
    b.switch_to(entry);
    b
}

fn null(b: &mut BodyBuilder) -> Local {
    let heap = HeapType::Abstract {
        shared: false,
        kind: AbstractHeap::Extern,
    };
    let null = b.local(Type::EXTERNREF);
    b.op(Opcode::RefNull, Some(Imm::Heap(heap)), &[null], &[]);
    null
}

fn get(b: &mut BodyBuilder, table: Table, slot: Local) -> Local {
    let value = b.local(Type::EXTERNREF);
    b.op(Opcode::TableGet, Some(Imm::Table(table)), &[value], &[slot]);
    value
}

fn set(b: &mut BodyBuilder, table: Table, slot: Local, value: Local) {
    let imm = Some(Imm::Table(table));
    b.op(Opcode::TableSet, imm, &[], &[slot, value]);
}

fn operator(operation: Operation, table: Table, params: &[Type]) -> crate::body::Body {
    let mut b = start(params);
    let first = b.param(0);
    match operation {
        Operation::Grow => {
            let (value, before) = (null(&mut b), b.local(Type::I32));
            let imm = Some(Imm::Table(table));
            b.op(Opcode::TableGrow, imm, &[before], &[value, first]);
            b.ret(&[before]);
        }
        Operation::Clear => {
            let value = null(&mut b);
            set(&mut b, table, first, value);
            b.ret(&[]);
        }
        Operation::Copy => {
            let from = b.param(1);
            let value = get(&mut b, table, from);
            set(&mut b, table, first, value);
            b.ret(&[]);
        }
        Operation::IsNull => {
            let value = get(&mut b, table, first);
            let is_null = b.unary(Opcode::RefIsNull, Type::I32, value);
            b.ret(&[is_null]);
        }
    }
    b.finish()
}

/// The function over slots that calls an import over references.
fn adapter(
    kinds: &[bool],
    result: Option<bool>,
    real: &FuncType,
    target: Func,
    table: Table,
    params: &[Type],
) -> crate::body::Body {
    let mut b = start(params);
    let arguments: Vec<Local> = kinds
        .iter()
        .zip(0..)
        .map(|(&is_ref, index)| {
            let param = b.param(index);
            if is_ref {
                get(&mut b, table, param)
            } else {
                param
            }
        })
        .collect();
    let results: Vec<Local> = real.results.iter().map(|&ty| b.local(ty)).collect();
    b.call(Callee::Direct(target), &results, &arguments);
    match (result, results.as_slice()) {
        (Some(true), &[value]) => {
            let slot = b.param(kinds.len() as u32);
            set(&mut b, table, slot, value);
            b.ret(&[]);
        }
        (_, values) => b.ret(values),
    }
    b.finish()
}
