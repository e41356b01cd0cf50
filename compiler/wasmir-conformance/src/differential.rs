//! Runs a module before and after a transform, and compares everything that can be seen from outside.
//!
//! Every exported function is called in an instance of its own, with arguments drawn from the seed, twice; after each
//! call these must agree between original and transformed: results (bits of numbers, nullness and `i31` value of
//! references), the kind of trap or exception, the sequence of imported functions called with their arguments, and the
//! contents of all exported memories, globals and tables.
//!
//! # What is not compared
//!
//! * How deep the stack may grow: when either side exhausts it, the rest of that instance is left out.
//! * Which side uses how much fuel of the engine. Modules end by themselves ([`crate::generate`]); the engine's fuel
//!   only turns an endless loop of a miscompiled function into a difference.
//!
//! # Cost
//!
//! Two compilations by wasmtime, and for each export two instances.

use std::fmt::Write as _;

use wasmtime::{
    AsContextMut, Extern, ExternType, Func, FuncType, Instance, Linker, Module, Store, StoreLimits,
    StoreLimitsBuilder, ThrownException, Trap, Val, ValType,
};

use crate::generate::Stream;
use crate::{Transform, apply, engine};

/// Fuel of one call.
const FUEL: u64 = 20_000_000;
/// No instance may have more memory than this in one memory.
const MEMORY_LIMIT: usize = 16 << 20;

/// How a comparison ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Both sides agree; the number of calls that were compared.
    Same {
        /// Calls compared.
        calls: usize,
        /// Calls among them that returned instead of trapping.
        returned: usize,
    },
    /// The engine refuses the original, or no instance of it can be made: nothing to compare.
    Inconclusive(String),
}

/// What a difference looks like.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Difference {
    /// The transform refused a valid module.
    #[error("the transform refuses a valid module: {0}")]
    Refused(String),
    /// The transform's output is not a module the engine takes.
    #[error("the engine refuses the transformed module: {0}")]
    Invalid(String),
    /// An outcome differs.
    #[error("call {call}: {what} differs: original {original}, transformed {transformed}")]
    Behaviour {
        /// Which call, by export name and number.
        call: String,
        /// What was compared.
        what: String,
        /// Value on the original side.
        original: String,
        /// Value on the transformed side.
        transformed: String,
    },
}

/// State of a store: its limits, and the log of imported functions called.
struct Host {
    limits: StoreLimits,
    log: Vec<String>,
}

/// One side of the comparison.
struct Side {
    store: Store<Host>,
    instance: Instance,
}

/// Compares `wasm` with what `transform` makes of it; `seed` chooses the arguments.
///
/// # Errors
///
/// The first difference found.
pub fn compare(wasm: &[u8], seed: u64, transform: &Transform<'_>) -> Result<Verdict, Difference> {
    let engine = engine::fuelled();
    let original = match Module::new(engine, wasm) {
        Ok(module) => module,
        Err(error) => return Ok(Verdict::Inconclusive(format!("{error:#}"))),
    };
    let output = apply(transform, wasm).map_err(|error| Difference::Refused(error.to_string()))?;
    let transformed =
        Module::new(engine, &output).map_err(|error| Difference::Invalid(format!("{error:#}")))?;
    shape(&original, &transformed)?;

    let functions: Vec<String> = original
        .exports()
        .filter(|export| matches!(export.ty(), ExternType::Func(_)))
        .map(|export| export.name().to_owned())
        .collect();
    let mut stream = Stream::new(seed ^ 0xa5a5_5a5a_a5a5_5a5a);
    let (mut calls, mut returned) = (0, 0);
    if functions.is_empty() {
        match (start(&original), start(&transformed)) {
            (Ok(mut a), Ok(mut b)) => same_state("instantiation", &mut a, &mut b)?,
            (a, b) => same_start(a.err(), b.err())?,
        }
        return Ok(Verdict::Same { calls, returned });
    }
    for name in functions {
        let (mut a, mut b) = match (start(&original), start(&transformed)) {
            (Ok(a), Ok(b)) => (a, b),
            (a, b) => {
                same_start(a.err(), b.err())?;
                return Ok(Verdict::Same { calls, returned });
            }
        };
        for round in 0..2 {
            let call = format!("{name:?} #{round}");
            let Some(func) = a.instance.get_func(&mut a.store, &name) else {
                continue;
            };
            let Some(args) = arguments(&func.ty(&a.store), &mut stream) else {
                break;
            };
            let left = invoke(&mut a, &name, &args);
            let right = invoke(&mut b, &name, &args);
            if [&left, &right]
                .iter()
                .any(|outcome| outcome.as_str() == format!("trap: {}", Trap::StackOverflow))
            {
                break;
            }
            same(&call, "the outcome", &left, &right)?;
            calls += 1;
            returned += usize::from(left.starts_with("returned"));
            same_state(&call, &mut a, &mut b)?;
        }
    }
    Ok(Verdict::Same { calls, returned })
}

/// Imports and exports must be the same, in the same order.
fn shape(original: &Module, transformed: &Module) -> Result<(), Difference> {
    let describe = |module: &Module| {
        let mut text = String::new();
        for import in module.imports() {
            let _ = write!(text, "{:?}.{:?} ", import.module(), import.name());
        }
        for export in module.exports() {
            let _ = write!(text, "{:?} ", export.name());
        }
        text
    };
    same(
        "instantiation",
        "the list of imports and exports",
        &describe(original),
        &describe(transformed),
    )
}

fn same(call: &str, what: &str, original: &str, transformed: &str) -> Result<(), Difference> {
    if original == transformed {
        return Ok(());
    }
    Err(Difference::Behaviour {
        call: call.to_owned(),
        what: what.to_owned(),
        original: original.to_owned(),
        transformed: transformed.to_owned(),
    })
}

fn same_start(original: Option<String>, transformed: Option<String>) -> Result<(), Difference> {
    let overflow = format!("trap: {}", Trap::StackOverflow);
    if [&original, &transformed]
        .iter()
        .any(|e| e.as_deref() == Some(overflow.as_str()))
    {
        return Ok(());
    }
    let text = |error: Option<String>| error.unwrap_or_else(|| "succeeded".to_owned());
    same(
        "instantiation",
        "the outcome",
        &text(original),
        &text(transformed),
    )
}

/// Instantiates `module` with imports that answer with default values and write down how they were called.
fn start(module: &Module) -> Result<Side, String> {
    let limits = StoreLimitsBuilder::new()
        .memory_size(MEMORY_LIMIT)
        .table_elements(100_000)
        .build();
    let mut store = Store::new(
        engine::fuelled(),
        Host {
            limits,
            log: Vec::new(),
        },
    );
    store.limiter(|host| &mut host.limits);
    set_fuel(&mut store);
    let mut linker = Linker::new(module.engine());
    linker.allow_shadowing(true);
    for import in module.imports() {
        let ExternType::Func(ty) = import.ty() else {
            continue;
        };
        let name = format!("{}.{}", import.module(), import.name());
        let func = recorder(&mut store, name, ty);
        linker
            .define(&mut store, import.module(), import.name(), func)
            .map_err(|error| describe_error(&error))?;
    }
    linker
        .define_unknown_imports_as_default_values(&mut store, module)
        .map_err(|error| format!("no default import: {error:#}"))?;
    let instance = linker
        .instantiate(&mut store, module)
        .map_err(|error| describe_error(&error))?;
    Ok(Side { store, instance })
}

fn set_fuel(store: &mut Store<Host>) {
    store
        .set_fuel(FUEL)
        .expect("the engine was configured to consume fuel");
}

/// A host function that logs its call and answers with zeros and nulls.
fn recorder(store: &mut Store<Host>, name: String, ty: FuncType) -> Func {
    Func::new(store, ty.clone(), move |mut caller, args, results| {
        let mut line = name.clone();
        for arg in args {
            line.push(' ');
            show(caller.as_context_mut(), arg, &mut line);
        }
        caller.data_mut().log.push(line);
        for (slot, ty) in results.iter_mut().zip(ty.results()) {
            *slot = ty
                .default_value()
                .ok_or_else(|| wasmtime::Error::msg("no default value"))?;
        }
        Ok(())
    })
}

/// Draws arguments, or nothing when a parameter's type has no value that the host can make.
fn arguments(ty: &FuncType, stream: &mut Stream) -> Option<Vec<Val>> {
    // Small numbers, boundaries and noise.
    let mut number = || match stream.next_u64() % 4 {
        0 => stream.next_u64() % 64,
        1 => [
            0,
            1,
            u64::MAX,
            i32::MIN as u64,
            i64::MIN as u64,
            0x7fff_ffff,
        ][(stream.next_u64() % 6) as usize],
        _ => stream.next_u64(),
    };
    ty.params()
        .map(|ty| {
            Some(match ty {
                ValType::I32 => Val::I32(number() as i32),
                ValType::I64 => Val::I64(number() as i64),
                ValType::F32 => Val::F32(canonical32(number() as u32)),
                ValType::F64 => Val::F64(canonical64(number())),
                ValType::V128 => {
                    Val::V128((u128::from(number()) << 64 | u128::from(number())).into())
                }
                other => other.default_value()?,
            })
        })
        .collect()
}

/// NaNs enter as the canonical one, because payloads need not survive arithmetic.
fn canonical32(bits: u32) -> u32 {
    if f32::from_bits(bits).is_nan() {
        0x7fc0_0000
    } else {
        bits
    }
}

fn canonical64(bits: u64) -> u64 {
    if f64::from_bits(bits).is_nan() {
        0x7ff8_0000_0000_0000
    } else {
        bits
    }
}

fn invoke(side: &mut Side, name: &str, args: &[Val]) -> String {
    let Some(func) = side.instance.get_func(&mut side.store, name) else {
        return "no such export".to_owned();
    };
    set_fuel(&mut side.store);
    let mut results = vec![Val::I32(0); func.ty(&side.store).results().len()];
    match func.call(&mut side.store, args, &mut results) {
        Ok(()) => {
            let mut text = "returned".to_owned();
            for result in &results {
                text.push(' ');
                show(side.store.as_context_mut(), result, &mut text);
            }
            text
        }
        Err(error) => {
            if error.is::<ThrownException>() {
                let _ = side.store.take_pending_exception();
            }
            describe_error(&error)
        }
    }
}

fn describe_error(error: &wasmtime::Error) -> String {
    match error.downcast_ref::<Trap>() {
        // Both are undefined elements of the table; which is reported depends on how the engine compiled the call.
        Some(trap) => format!("trap: {trap}"),
        None if error.is::<ThrownException>() => "threw".to_owned(),
        None => format!("error: {}", error.root_cause()),
    }
}

fn show(mut store: wasmtime::StoreContextMut<'_, Host>, value: &Val, out: &mut String) {
    let _ = match value {
        Val::I32(x) => write!(out, "i32:{x}"),
        Val::I64(x) => write!(out, "i64:{x}"),
        Val::F32(x) => write!(out, "f32:{x:#x}"),
        Val::F64(x) => write!(out, "f64:{x:#x}"),
        Val::V128(x) => write!(out, "v128:{:#x}", x.as_u128()),
        Val::AnyRef(Some(any)) => match any.as_i31(&mut store) {
            Ok(Some(i31)) => write!(out, "i31:{}", i31.get_u32()),
            _ => write!(out, "anyref"),
        },
        Val::FuncRef(None) | Val::ExternRef(None) | Val::AnyRef(None) | Val::ExnRef(None) => {
            write!(out, "null")
        }
        Val::FuncRef(Some(_)) => write!(out, "funcref"),
        Val::ExternRef(Some(_)) => write!(out, "externref"),
        Val::ExnRef(Some(_)) => write!(out, "exnref"),
        other => write!(out, "{other:?}"),
    };
}

/// Compares the call log and every exported memory, global and table.
fn same_state(call: &str, a: &mut Side, b: &mut Side) -> Result<(), Difference> {
    same(
        call,
        "the log of imports called",
        &a.store.data().log.join("\n"),
        &b.store.data().log.join("\n"),
    )?;
    let names: Vec<String> = a
        .instance
        .exports(&mut a.store)
        .map(|export| export.name().to_owned())
        .collect();
    for name in names {
        let left = a.instance.get_export(&mut a.store, &name);
        let right = b.instance.get_export(&mut b.store, &name);
        match (left, right) {
            (Some(Extern::Func(_)), Some(Extern::Func(_)))
            | (Some(Extern::Tag(_)), Some(Extern::Tag(_))) => {}
            (Some(Extern::Global(x)), Some(Extern::Global(y))) => {
                let (mut left, mut right) = (String::new(), String::new());
                let value = x.get(&mut a.store);
                show(a.store.as_context_mut(), &value, &mut left);
                let value = y.get(&mut b.store);
                show(b.store.as_context_mut(), &value, &mut right);
                same(call, &format!("global {name:?}"), &left, &right)?;
            }
            (Some(Extern::Memory(x)), Some(Extern::Memory(y))) => {
                same_bytes(call, &name, x.data(&a.store), y.data(&b.store))?;
            }
            (Some(Extern::SharedMemory(x)), Some(Extern::SharedMemory(y))) => {
                // SAFETY: no other thread runs while the two instances are compared, so that the bytes do not change.
                let (x, y) = unsafe { (bytes_of(x.data()), bytes_of(y.data())) };
                same_bytes(call, &name, x, y)?;
            }
            (Some(Extern::Table(x)), Some(Extern::Table(y))) => {
                let left = nulls(&mut a.store, x);
                let right = nulls(&mut b.store, y);
                same(call, &format!("table {name:?}"), &left, &right)?;
            }
            (left, right) => {
                let text =
                    |e: Option<Extern>| format!("{:?}", e.map(|e| std::mem::discriminant(&e)));
                same(call, &format!("export {name:?}"), &text(left), &text(right))?;
            }
        }
    }
    Ok(())
}

/// The bytes of a shared memory.
///
/// # Safety
///
/// Nothing may write to the memory while the slice lives.
unsafe fn bytes_of(cells: &[std::cell::UnsafeCell<u8>]) -> &[u8] {
    // SAFETY: `UnsafeCell<u8>` has the layout of `u8`; the caller promises that nothing writes.
    unsafe { std::slice::from_raw_parts(cells.as_ptr().cast::<u8>(), cells.len()) }
}

fn same_bytes(call: &str, name: &str, a: &[u8], b: &[u8]) -> Result<(), Difference> {
    same(
        call,
        &format!("the size of memory {name:?}"),
        &a.len().to_string(),
        &b.len().to_string(),
    )?;
    match a.iter().zip(b).position(|(x, y)| x != y) {
        None => Ok(()),
        Some(at) => same(
            call,
            &format!("memory {name:?} at {at:#x}"),
            &a[at].to_string(),
            &b[at].to_string(),
        ),
    }
}

/// One character for each element of the table: is it null.
fn nulls(store: &mut Store<Host>, table: wasmtime::Table) -> String {
    let size = table.size(&*store);
    (0..size)
        .map(|i| match table.get(&mut *store, i) {
            Some(element) if element.is_null() => '.',
            Some(_) => 'x',
            None => '?',
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::refuse_invalid;

    /// `(func (export "f") (param i32) (result i32) local.get 0 i32.const 1 i32.add)` and a store of 7 at address 8.
    fn sample() -> Vec<u8> {
        let text = r#"(module
            (memory (export "m") 1)
            (func (export "f") (param i32) (result i32)
                i32.const 8 i32.const 7 i32.store8
                local.get 0 i32.const 77 i32.add))"#;
        let buffer = wast::parser::ParseBuffer::new(text).unwrap();
        wast::parser::parse::<wast::Wat<'_>>(&buffer)
            .unwrap()
            .encode()
            .unwrap()
    }

    fn planted(
        from: &'static [u8],
        to: &'static [u8],
    ) -> impl Fn(&[u8]) -> Result<Vec<u8>, String> {
        move |wasm| {
            let mut out = wasm.to_vec();
            let at = out
                .windows(from.len())
                .rposition(|w| w == from)
                .ok_or("pattern not found")?;
            out[at..at + from.len()].copy_from_slice(to);
            Ok(out)
        }
    }

    #[test]
    fn a_module_equals_itself() {
        assert_eq!(
            compare(&sample(), 1, &refuse_invalid),
            Ok(Verdict::Same {
                calls: 2,
                returned: 2
            })
        );
    }

    #[test]
    fn planted_faults_are_found() {
        // A wrong constant changes the result; a wrong address changes the memory; a wrong operator traps.
        for (from, to, what) in [
            (
                &[0x41, 0xcd, 0x00][..],
                &[0x41, 0xce, 0x00][..],
                "the outcome",
            ),
            (
                &[0x41, 8, 0x41, 7][..],
                &[0x41, 9, 0x41, 7][..],
                "memory \"m\" at 0x8",
            ),
        ] {
            match compare(&sample(), 1, &planted(from, to)) {
                Err(Difference::Behaviour { what: found, .. }) => assert_eq!(found, what),
                other => panic!("fault {what} was not found: {other:?}"),
            }
        }
    }

    #[test]
    fn a_refused_module_is_a_difference() {
        let refuse = |_: &[u8]| Err("no".to_owned());
        assert_eq!(
            compare(&sample(), 1, &refuse),
            Err(Difference::Refused("no".to_owned()))
        );
    }
}
