//! Values straight to and from the canonical ABI, against wasmtime's own dynamic values: the same bytes
//! in the guest, the same values out of it, for types and bytes that nobody chose.

use std::fmt::Write as _;
use std::sync::Arc;

use wasm_sandbox::value::{Case, Field};
use wasm_sandbox::{
    Capabilities, Error, RuntimeConfig, Trap, Type, Value, WasmRuntime, WasmtimeRuntime,
};
use wasmtime::Store;
use wasmtime::component::{Component, Linker, Val};

use crate::fixtures::{limits, wat};
use crate::values::{Random, any_type, any_value};

/// Bytes of guest memory that are compared.
const WINDOW: usize = 16 << 10;

/// Core types as the canonical ABI flattens a type to them.
fn flatten(ty: &Type, flat: &mut Vec<&'static str>) {
    match ty {
        Type::S64 | Type::U64 => flat.push("i64"),
        Type::F32 => flat.push("f32"),
        Type::F64 => flat.push("f64"),
        Type::String | Type::List(_) => flat.extend(["i32", "i32"]),
        Type::Record(fields) => fields.iter().for_each(|field| flatten(&field.ty, flat)),
        Type::Tuple(types) => types.iter().for_each(|ty| flatten(ty, flat)),
        Type::Option(ty) => flatten_cases([None, Some(&**ty)], flat),
        Type::Result(ok, err) => flatten_cases([ok.as_deref(), err.as_deref()], flat),
        Type::Variant(cases) => flatten_cases(cases.iter().map(|case| case.ty.as_ref()), flat),
        _ => flat.push("i32"),
    }
}

fn flatten_cases<'t>(
    cases: impl IntoIterator<Item = Option<&'t Type>>,
    flat: &mut Vec<&'static str>,
) {
    let mut joined: Vec<&str> = Vec::new();
    for ty in cases.into_iter().flatten() {
        let mut case = Vec::new();
        flatten(ty, &mut case);
        for (index, one) in case.into_iter().enumerate() {
            match joined.get_mut(index) {
                None => joined.push(one),
                Some(other) if *other == one => {}
                Some(other) => {
                    let narrow = ["i32", "f32"];
                    let both = narrow.contains(other) && narrow.contains(&one);
                    *other = if both { "i32" } else { "i64" };
                }
            }
        }
    }
    flat.push("i32");
    flat.extend(joined);
}

/// Writes types as a component's text, naming those that must have a name.
#[derive(Default)]
struct Types {
    text: String,
    count: usize,
}

impl Types {
    fn named(&mut self, definition: &str) -> String {
        self.count += 1;
        let number = self.count;
        let _ = writeln!(
            self.text,
            "(type $d{number} {definition}) (export $t{number} \"t{number}\" (type $d{number}))"
        );
        format!("$t{number}")
    }

    fn write(&mut self, ty: &Type) -> String {
        match ty {
            Type::Record(fields) => {
                let mut text = String::from("(record");
                for Field { name, ty } in fields.iter() {
                    let _ = write!(text, " (field \"{name}\" {})", self.write(ty));
                }
                self.named(&(text + ")"))
            }
            Type::Variant(cases) => {
                let mut text = String::from("(variant");
                for Case { name, ty } in cases.iter() {
                    let payload = ty.as_ref().map(|ty| self.write(ty)).unwrap_or_default();
                    let _ = write!(text, " (case \"{name}\" {payload})");
                }
                self.named(&(text + ")"))
            }
            Type::Enum(names) => self.names("enum", names),
            Type::Flags(names) => self.names("flags", names),
            Type::List(ty) => format!("(list {})", self.write(ty)),
            Type::Option(ty) => format!("(option {})", self.write(ty)),
            Type::Tuple(types) => {
                let parts: Vec<_> = types.iter().map(|ty| self.write(ty)).collect();
                format!("(tuple {})", parts.join(" "))
            }
            Type::Result(ok, err) => {
                let ok = ok.as_ref().map(|ty| self.write(ty)).unwrap_or_default();
                let err = err
                    .as_ref()
                    .map(|ty| format!("(error {})", self.write(ty)))
                    .unwrap_or_default();
                format!("(result {ok} {err})")
            }
            simple => simple.to_string(),
        }
    }

    fn names(&mut self, kind: &str, names: &[Arc<str>]) -> String {
        let names: Vec<_> = names.iter().map(|name| format!("\"{name}\"")).collect();
        self.named(&format!("({kind} {})", names.join(" ")))
    }
}

/// A component that, for each type, dumps what a value of it was lowered to, and makes one of bytes.
fn component(types: &[Type]) -> String {
    let (mut core, mut lifts, mut written) = (String::new(), String::new(), Types::default());
    for (index, ty) in types.iter().enumerate() {
        let mut flat = Vec::new();
        flatten(ty, &mut flat);
        let single = match flat.as_slice() {
            [one] => Some(*one),
            _ => None,
        };
        if flat.len() > 16 {
            flat = vec!["i32"];
        }
        let _ = write!(
            core,
            "(func (export \"dump{index}\") (param {}) (result i32)",
            flat.join(" ")
        );
        for (param, ty) in flat.iter().enumerate() {
            let at = 64 + param * 8;
            let _ = write!(core, " ({ty}.store (i32.const {at}) (local.get {param}))");
        }
        let _ = writeln!(
            core,
            " (i32.store (i32.const 20) (i32.const {WINDOW})) (i32.const 16))"
        );
        let _ = match single {
            Some(one) => writeln!(
                core,
                "(func (export \"make{index}\") (param i32 i32) (result {one}) ({one}.load (local.get 0)))"
            ),
            None => writeln!(
                core,
                "(func (export \"make{index}\") (param i32 i32) (result i32) (local.get 0))"
            ),
        };
        let name = written.write(ty);
        let canon = |name: &str| {
            format!(
                "(canon lift (core func $i \"{name}{index}\") (memory (core memory $i \"memory\")) \
                 (realloc (core func $i \"realloc\")))"
            )
        };
        let (dump, make) = (canon("dump"), canon("make"));
        let _ = writeln!(
            lifts,
            "(func (export \"dump{index}\") (param \"value\" {name}) (result (list u8)) {dump})\n\
             (func (export \"make{index}\") (param \"bytes\" (list u8)) (result {name}) {make})"
        );
    }
    format!(
        "(component (core module $m (memory (export \"memory\") 2)
           (global $next (mut i32) (i32.const 4096))
           (func (export \"realloc\") (param i32 i32 i32 i32) (result i32)
             (global.set $next (i32.and (i32.add (global.get $next) (i32.const 15)) (i32.const -8)))
             (global.get $next)
             (global.set $next (i32.add (global.get $next) (local.get 3))))
           {core})
         (core instance $i (instantiate $m))
         {}
         {lifts})",
        written.text
    )
}

/// Our value as wasmtime's, written once more so that the crate's own way is not its own witness.
fn to_val(value: &Value, ty: &Type) -> Val {
    let boxed = |value: &Option<Box<Value>>, ty: Option<&Type>| {
        value
            .as_ref()
            .zip(ty)
            .map(|(value, ty)| Box::new(to_val(value, ty)))
    };
    match (value, ty) {
        (Value::Bool(value), _) => Val::Bool(*value),
        (Value::S8(value), _) => Val::S8(*value),
        (Value::U8(value), _) => Val::U8(*value),
        (Value::S16(value), _) => Val::S16(*value),
        (Value::U16(value), _) => Val::U16(*value),
        (Value::S32(value), _) => Val::S32(*value),
        (Value::U32(value), _) => Val::U32(*value),
        (Value::S64(value), _) => Val::S64(*value),
        (Value::U64(value), _) => Val::U64(*value),
        (Value::F32(value), _) => Val::Float32(*value),
        (Value::F64(value), _) => Val::Float64(*value),
        (Value::Char(value), _) => Val::Char(*value),
        (Value::String(value), _) => Val::String(value.clone()),
        (Value::List(values), Type::List(ty)) => {
            Val::List(values.iter().map(|value| to_val(value, ty)).collect())
        }
        (Value::Tuple(values), Type::Tuple(types)) => {
            let typed = values.iter().zip(types.iter());
            Val::Tuple(typed.map(|(value, ty)| to_val(value, ty)).collect())
        }
        (Value::Record(values), Type::Record(fields)) => {
            let typed = values.iter().zip(fields.iter());
            let named =
                typed.map(|(value, field)| (field.name.to_string(), to_val(value, &field.ty)));
            Val::Record(named.collect())
        }
        (Value::Variant(index, payload), Type::Variant(cases)) => {
            let case = &cases[*index as usize];
            Val::Variant(case.name.to_string(), boxed(payload, case.ty.as_ref()))
        }
        (Value::Enum(index), Type::Enum(names)) => Val::Enum(names[*index as usize].to_string()),
        (Value::Option(value), Type::Option(ty)) => Val::Option(boxed(value, Some(ty))),
        (Value::Result(Ok(value)), Type::Result(ty, _)) => {
            Val::Result(Ok(boxed(value, ty.as_deref())))
        }
        (Value::Result(Err(value)), Type::Result(_, ty)) => {
            Val::Result(Err(boxed(value, ty.as_deref())))
        }
        (Value::Flags(bits), Type::Flags(names)) => {
            let set = names
                .iter()
                .enumerate()
                .filter(|(index, _)| bits >> index & 1 == 1);
            Val::Flags(set.map(|(_, name)| name.to_string()).collect())
        }
        (value, ty) => panic!("{value:?} is not a `{ty}`"),
    }
}

/// The same values, floats compared by their bits.
fn assert_same(ours: &Val, theirs: &Val, context: &str) {
    // `Debug` writes every part of a value and every float with all its digits; NaNs are one.
    assert_eq!(format!("{ours:?}"), format!("{theirs:?}"), "{context}");
}

fn is_resource(ty: &Type) -> bool {
    match ty {
        Type::Own | Type::Borrow => true,
        Type::List(ty) | Type::Option(ty) => is_resource(ty),
        Type::Record(fields) => fields.iter().any(|field| is_resource(&field.ty)),
        Type::Tuple(types) => types.iter().any(is_resource),
        Type::Variant(cases) => cases
            .iter()
            .filter_map(|case| case.ty.as_ref())
            .any(is_resource),
        Type::Result(ok, err) => [ok, err].into_iter().flatten().any(|ty| is_resource(ty)),
        _ => false,
    }
}

/// A component with its functions called in both ways, each on an instance of its own.
struct Both {
    runtime: WasmtimeRuntime,
    raw: Component,
    module: Box<dyn wasm_sandbox::WasmModule>,
}

impl Both {
    fn new(text: &str) -> Self {
        let runtime = WasmtimeRuntime::new(&RuntimeConfig::default()).expect("a runtime");
        let wasm = wat(text);
        let raw = Component::new(runtime.engine(), &wasm).expect("a component");
        let module = runtime.load_module(&wasm).expect("a component");
        Self {
            runtime,
            raw,
            module,
        }
    }

    fn ours(&self, name: &str, value: &Value) -> wasm_sandbox::Result<Vec<Value>> {
        let made = self
            .runtime
            .create_instance(self.module.as_ref(), limits(), Capabilities::minimal())
            .expect("an instance");
        made.function_caller()
            .call_blocking(name, std::slice::from_ref(value))
    }

    fn theirs(&self, name: &str, value: Val) -> wasmtime::Result<Val> {
        let mut store = Store::new(self.runtime.engine(), ());
        store.set_epoch_deadline(1 << 40);
        let instance = Linker::new(self.runtime.engine()).instantiate(&mut store, &self.raw)?;
        let func = instance.get_func(&mut store, name).expect("it is exported");
        let mut results = [Val::Bool(false)];
        func.call(&mut store, &[value], &mut results)?;
        let [result] = results;
        Ok(result)
    }
}

fn bytes_type() -> Type {
    Type::List(Type::U8.into())
}

#[test]
fn values_cross_as_wasmtime_itself_carries_them() {
    let mut random = Random(0xca40);
    let (mut refused, mut made) = (0, 0);
    for _ in 0..3 {
        let mut types = Vec::new();
        while types.len() < 24 {
            let ty = any_type(&mut random, 3);
            if !is_resource(&ty) {
                types.push(ty);
            }
        }
        // More core values than the stack takes, so that the parameters go into memory.
        let deep = types[0].clone();
        types.push(Type::Tuple(
            std::iter::repeat_n(Type::U16, 17).chain([deep]).collect(),
        ));
        let both = Both::new(&component(&types));
        for (index, ty) in types.iter().enumerate() {
            let (dump, make) = (format!("dump{index}"), format!("make{index}"));
            for _ in 0..4 {
                let value = any_value(&mut random, ty);
                let ours = both.ours(&dump, &value).expect("it is lowered");
                let theirs = both
                    .theirs(&dump, to_val(&value, ty))
                    .expect("it is lowered");
                let context = format!("{value:?} as `{ty}`");
                assert_same(&to_val(&ours[0], &bytes_type()), &theirs, &context);
            }
            for round in 0..8 {
                // Small numbers make valid discriminants, lengths and pointers likely.
                let bytes: Vec<u8> = (0..256)
                    .map(|_| match (round % 2, random.below(4)) {
                        (0, 0) => random.next() as u8,
                        (0, _) => 0,
                        (_, 0..3) => random.below(3) as u8,
                        _ => random.next() as u8,
                    })
                    .collect();
                let list = Value::List(bytes.iter().map(|byte| Value::U8(*byte)).collect());
                let ours = both.ours(&make, &list);
                let theirs = both.theirs(&make, to_val(&list, &bytes_type()));
                let context = format!("{bytes:?} as `{ty}`");
                match (ours, theirs) {
                    (Ok(ours), Ok(theirs)) => {
                        made += 1;
                        assert!(ours[0].is(ty), "{context}");
                        assert_same(&to_val(&ours[0], ty), &theirs, &context);
                    }
                    (Err(Error::Trap { trap, .. }), Err(_)) => {
                        refused += 1;
                        assert_eq!(trap, Trap::InvalidValue, "{context}");
                    }
                    (ours, theirs) => panic!("{ours:?} instead of {theirs:?}: {context}"),
                }
            }
        }
    }
    assert!(made > 200 && refused > 50, "{made} made, {refused} refused");
}

#[test]
fn values_of_another_type_never_reach_the_guest() {
    let types = [
        Type::Tuple([Type::U8, Type::String].into()),
        Type::Variant(
            [Case {
                name: "only".into(),
                ty: Some(Type::S64),
            }]
            .into(),
        ),
    ];
    let both = Both::new(&component(&types));
    let wrong = [
        Value::Tuple(vec![Value::U8(1)]),
        Value::Tuple(vec![Value::String("one".into()), Value::U8(1)]),
        Value::Variant(1, None),
        Value::Variant(0, None),
        Value::Variant(0, Some(Box::new(Value::U64(1)))),
        Value::Bool(true),
    ];
    for value in &wrong {
        for name in ["dump0", "dump1"] {
            let refused = both.ours(name, value);
            assert!(matches!(refused, Err(Error::Value(_))), "{refused:?}");
        }
    }
}
