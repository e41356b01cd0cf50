//! Compound values across the border of a component, by serde.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use wasm_sandbox::{
    Backend, Capabilities, Error, HostFunctions, Limit, ModuleKind, ResourceHandle, ResourceLimits,
    Trap, WasmInstance, WasmInstanceExt,
};

use crate::fixtures::{
    COMPONENT, RESOURCES, executor, instance, instance_with, limits, runtime, runtime_hosting, wat,
};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Point {
    x: f64,
    y_axis: f64,
    name: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Circle(f64),
    Square(f64),
    Empty,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Color {
    Red,
    LightGreen,
    Blue,
}

fn component() -> (Box<dyn wasm_sandbox::WasmRuntime>, Box<dyn WasmInstance>) {
    let runtime = runtime(Backend::Wasmtime);
    let made = instance(&*runtime, COMPONENT);
    (runtime, made)
}

#[test]
fn rust_types_become_wit_types_and_come_back() {
    let (_runtime, made) = component();
    executor().block_on(async {
        let point = Point {
            x: 1.0,
            y_axis: 2.0,
            name: "ключ 🗝".into(),
        };
        let moved: Point = made
            .call_function("shift", &(&point, 0.5))
            .await
            .expect("a record");
        assert_eq!(
            moved,
            Point {
                x: 1.5,
                y_axis: 2.5,
                ..point
            }
        );
        let area: Result<f64, String> = made
            .call_function("area", &(Shape::Circle(2.0),))
            .await
            .expect("a variant");
        assert_eq!(area, Ok(12.0));
        let area: Result<f64, String> = made
            .call_function("area", &(Shape::Square(3.0),))
            .await
            .expect("a variant");
        assert_eq!(area, Ok(9.0));
        let area: Result<f64, String> = made
            .call_function("area", &(Shape::Empty,))
            .await
            .expect("an error");
        assert_eq!(area, Err("empty".into()));
        let next: Color = made
            .call_function("next", &(Color::Red,))
            .await
            .expect("an enum");
        assert_eq!(next, Color::LightGreen);
        let some: Option<u32> = made
            .call_function("maybe", &(Some(5),))
            .await
            .expect("an option");
        assert_eq!(some, None, "the guest answers none to some");
        let none: Option<u32> = made
            .call_function("maybe", &(None::<u32>,))
            .await
            .expect("an option");
        assert_eq!(none, Some(100), "and some to none");
        let numbers: Vec<u32> = made
            .call_function("numbers", &(vec![3, 1, 2],))
            .await
            .expect("a list");
        assert_eq!(numbers, [3, 1, 2]);
        let flags: BTreeMap<String, bool> = made
            .call_function("toggle", &(vec!["read", "run-it"],))
            .await
            .expect("flags");
        let set: Vec<_> = flags
            .iter()
            .filter(|(_, set)| **set)
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(set, ["write"]);
        assert_eq!(
            made.call_simple_function("add", &[5, 7])
                .expect("simple calls reach components"),
            12
        );
    });
}

#[test]
fn json_is_as_one_would_write_it() {
    let (_runtime, made) = component();
    executor().block_on(async {
        for (name, params, answer) in [
            ("add", r#"[5, 7]"#, r#"12"#),
            ("add", r#"{"b": 1, "a": 2}"#, r#"3"#),
            (
                "shift",
                r#"[{"name": "n", "x": 1, "y-axis": 2.5}, 1]"#,
                r#"{"x":2.0,"y-axis":3.5,"name":"n"}"#,
            ),
            ("echo", r#""alone""#, r#""alone""#),
            ("area", r#"[{"circle": 1}]"#, r#"{"ok":3.0}"#),
            ("area", r#"["empty"]"#, r#"{"err":"empty"}"#),
            ("next", r#"["light-green"]"#, r#""blue""#),
            ("toggle", r#"[["read"]]"#, r#"["write","run-it"]"#),
            ("maybe", r#"[null]"#, r#"100"#),
            ("maybe", r#"[7]"#, r#"null"#),
            ("numbers", r#"[[]]"#, r#"[]"#),
        ] {
            let found = made.call_function_json_async(name, params).await;
            assert_eq!(
                found.as_deref().ok(),
                Some(answer),
                "{name}({params}) answered {found:?}"
            );
        }
    });
}

#[test]
fn what_does_not_fit_is_refused_with_its_place() {
    let (_runtime, made) = component();
    executor().block_on(async {
        for (name, params, expected) in [
            ("add", r#"[1]"#, "value: expected 2 elements, found 1"),
            (
                "add",
                r#"[1, 2147483648]"#,
                "value at `.b`: 2147483648 does not fit `s32`",
            ),
            (
                "add",
                r#"[1, true]"#,
                "value at `.b`: expected `s32`, found the boolean true",
            ),
            ("add", r#"{"a": 1}"#, "value: field `b` is missing"),
            (
                "add",
                r#"{"a": 1, "c": 1}"#,
                "value: there is no field `c`; expected `a`, `b`",
            ),
            (
                "shift",
                r#"[{"x": 1, "y-axis": 2}, 1]"#,
                "value at `.point`: field `name` is missing",
            ),
            (
                "shift",
                r#"[{"x": "one"}, 1]"#,
                "value at `.point.x`: expected `f64`, found a string",
            ),
            (
                "area",
                r#"[{"triangle": 1}]"#,
                "value at `.of`: there is no case `triangle`; expected `circle`, `square`, `empty`",
            ),
            (
                "area",
                r#"[{"circle": "1"}]"#,
                "value at `.of(circle)`: expected `f64`, found a string",
            ),
            (
                "numbers",
                r#"[[1, 2, -3]]"#,
                "value at `.list[2]`: -3 does not fit `u32`",
            ),
            (
                "next",
                r#"["pink"]"#,
                "value at `.color`: there is no case `pink`; expected `red`, `light-green`, `blue`",
            ),
        ] {
            let error = made
                .call_function_json_async(name, params)
                .await
                .expect_err(params);
            assert_eq!(error.to_string(), expected);
        }
        let still: i32 = made
            .call_function("add", &(1, 2))
            .await
            .expect("nothing was harmed");
        assert_eq!(still, 3);
    });
}

#[test]
fn guests_that_break_the_canonical_abi_are_stopped() {
    executor().block_on(async {
        for name in ["bad-string", "bad-utf8"] {
            let (_runtime, made) = component();
            let outcome = made.call_function::<_, String>(name, &()).await;
            assert!(
                matches!(
                    outcome,
                    Err(Error::Trap {
                        trap: Trap::InvalidValue,
                        ..
                    })
                ),
                "{name}: {outcome:?}"
            );
            assert!(matches!(
                made.call_simple_function("add", &[1, 2]),
                Err(Error::Poisoned { .. })
            ));
        }
        let (_runtime, made) = component();
        // 4 GiB of text out of 64 KiB of memory.
        let outcome = made.call_function::<_, Vec<String>>("bomb", &()).await;
        assert_eq!(
            outcome.err().and_then(|error| error.limit()),
            Some(Limit::ValueBytes)
        );
    });
}

#[test]
fn resources_are_opaque_handles_of_their_instance() {
    let runtime = runtime(Backend::Wasmtime);
    let few = ResourceLimits {
        resources: 2,
        ..limits()
    };
    let made = instance_with(&*runtime, RESOURCES, few, Capabilities::minimal()).expect("made");
    executor().block_on(async {
        let first: ResourceHandle = made
            .call_function("make", &(10,))
            .await
            .expect("a resource");
        let second: ResourceHandle = made.call_function("make", &(20,)).await.expect("another");
        assert_ne!(first, second);
        assert_eq!(
            made.call_function::<_, u32>("bump", &(first,))
                .await
                .expect("borrowed"),
            11
        );
        assert_eq!(
            made.call_function::<_, u32>("bump", &(first,))
                .await
                .expect("borrowed again"),
            12
        );
        assert_eq!(
            made.call_function::<_, u32>("bump", &(second,))
                .await
                .expect("the other"),
            21
        );
        let () = made
            .call_function("consume", &(first,))
            .await
            .expect("handed over");
        let gone = made.call_function::<_, u32>("bump", &(first,)).await;
        assert!(
            matches!(gone, Err(Error::UnknownResource { handle }) if handle == first.0),
            "{gone:?}"
        );
        made.drop_resource(second).expect("dropped by the host");
        assert!(matches!(
            made.drop_resource(second),
            Err(Error::UnknownResource { .. })
        ));
        assert_eq!(
            made.call_function::<_, u32>("dropped", &())
                .await
                .expect("counted"),
            2
        );
        let unknown = made
            .call_function::<_, u32>("bump", &(ResourceHandle(999),))
            .await;
        assert!(matches!(
            unknown,
            Err(Error::UnknownResource { handle: 999 })
        ));
        for _ in 0..2 {
            made.call_function::<_, ResourceHandle>("make", &(1,))
                .await
                .expect("within the limit");
        }
        let third = made.call_function::<_, ResourceHandle>("make", &(1,)).await;
        assert_eq!(
            third.err().and_then(|error| error.limit()),
            Some(Limit::Resources)
        );
    });
}

#[test]
fn components_call_typed_host_functions() {
    let text = r#"(component
      (import "host:math/ops" (instance $ops (export "twice" (func (param "n" u32) (result u32)))))
      (core func $twice (canon lower (func $ops "twice")))
      (core module $m (import "ops" "twice" (func $t (param i32) (result i32)))
        (func (export "run") (param i32) (result i32) (call $t (call $t (local.get 0)))))
      (core instance $i (instantiate $m (with "ops" (instance (export "twice" (func $twice))))))
      (func $run (param "n" u32) (result u32) (canon lift (core func $i "run")))
      (instance $api (export "run" (func $run)))
      (export "test:api/entry" (instance $api)))"#;
    let mut functions = HostFunctions::default();
    functions.add("host:math/ops", "twice", |(n,): (u32,)| {
        n.checked_mul(2)
            .ok_or_else(|| format!("{n} is too large").into())
    });
    let runtime = runtime_hosting(Backend::Wasmtime, functions);
    let module = runtime.load_module(&wat(text)).expect("linked");
    assert_eq!(module.kind(), ModuleKind::Component);
    assert_eq!(module.imports()[0].interface, "host:math/ops");
    let name = "test:api/entry#run";
    assert_eq!(&*module.exports()[0].name, name);
    let make = || {
        runtime
            .create_instance(module.as_ref(), limits(), Capabilities::minimal())
            .expect("made")
    };
    assert_eq!(make().call_simple_function(name, &[3]).expect("called"), 12);
    let failed = executor().block_on(make().call_function::<_, u32>(name, &(u32::MAX,)));
    assert!(
        matches!(&failed, Err(Error::HostFunctionFailed { name, .. }) if name == "host:math/ops#twice"),
        "{failed:?}"
    );
    let missing = crate::fixtures::runtime(Backend::Wasmtime)
        .load_module(&wat(text))
        .err();
    assert!(
        matches!(&missing, Some(Error::MissingImports { imports }) if imports[0].to_string() == "host:math/ops#twice")
    );
}

#[test]
fn an_interpreter_says_that_it_has_no_components() {
    let refused = runtime(Backend::Wasmi).load_module(&wat(COMPONENT)).err();
    assert!(matches!(
        refused,
        Some(Error::Unsupported {
            runtime: "wasmi",
            operation: "components"
        })
    ));
}
