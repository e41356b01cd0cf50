//! Every value type of the component model through the `wasm` crate's macros, in and out of exports and imports.
//!
//! The guest (`tests/fixtures/all-types`) hands each argument to an import of the same type and returns the answer; the host here answers
//! with what it was given. Values are written as WAVE text. The guest is built by `cargo wasm` like any other.

use crate::support::{Output, cargo_wasm, root, set_up, shared_target};
use std::path::PathBuf;
use std::sync::OnceLock;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::wasm_wave;
use wasmtime::component::{
    Component, Instance, Linker, Resource, ResourceAny, ResourceTable, ResourceType, Val,
};
use wasmtime::{Engine, Store, StoreLimits, StoreLimitsBuilder};

/// The built guest, once for all tests.
fn guest() -> &'static (Engine, Component) {
    static GUEST: OnceLock<(Engine, Component)> = OnceLock::new();
    GUEST.get_or_init(|| {
        set_up();
        let mut command = cargo_wasm();
        command
            .current_dir(root())
            .args(["build", "tests/fixtures/all-types", "--target-dir"])
            .arg(shared_target());
        let built = Output::of(&mut command).succeeded();
        let last = built
            .stderr
            .lines()
            .last()
            .expect("a last line that names the artefact");
        let path = last
            .split_whitespace()
            .find(|word| word.ends_with(".wasm"))
            .unwrap_or_else(|| panic!("{last}"));
        let engine = Engine::default();
        let component = Component::from_file(&engine, root().join(PathBuf::from(path)))
            .expect("a valid component");
        (engine, component)
    })
}

/// A value as text, for NaN equals no NaN, with flags in one order, for WAVE's parser has none.
fn comparable(value: &Val) -> String {
    let sorted = match value {
        Val::Flags(flags) => {
            let mut flags = flags.clone();
            flags.sort();
            Val::Flags(flags)
        }
        Val::List(items) => {
            return format!(
                "[{}]",
                items.iter().map(comparable).collect::<Vec<_>>().join(", ")
            );
        }
        other => other.clone(),
    };
    wasm_wave::to_string(&sorted).expect("a value that WAVE can write")
}

/// What the host keeps for a token.
struct Token(u32);

/// The state of one guest's host.
struct Host {
    table: ResourceTable,
    limits: StoreLimits,
}

struct Running {
    store: Store<Host>,
    instance: Instance,
}

impl Running {
    fn start() -> Self {
        let (engine, component) = guest();
        let mut linker = Linker::new(engine);
        link_echo(engine, component, &mut linker);
        link_tokens(&mut linker).expect("each name is defined once");
        let mut store = Store::new(
            engine,
            Host {
                table: ResourceTable::new(),
                limits: StoreLimitsBuilder::new().memory_size(8 << 20).build(),
            },
        );
        let instance = linker
            .instantiate(&mut store, component)
            .expect("every import is there");
        Self { store, instance }
    }

    fn function(&mut self, interface: &str, name: &str) -> wasmtime::component::Func {
        let interface = format!("component:all-types/{interface}@1.0.0");
        let instance = self
            .instance
            .get_export_index(&mut self.store, None, &interface)
            .expect("the interface is exported");
        let function = self
            .instance
            .get_export_index(&mut self.store, Some(&instance), name);
        let function = function.unwrap_or_else(|| panic!("`{name}` is exported"));
        self.instance
            .get_func(&mut self.store, function)
            .expect("it is a function")
    }

    fn call(&mut self, interface: &str, name: &str, arguments: &[Val]) -> Result<Vec<Val>, String> {
        let function = self.function(interface, name);
        let mut results = vec![Val::Bool(false); function.ty(&self.store).results().len()];
        function
            .call(&mut self.store, arguments, &mut results)
            .map_err(|error| format!("{error:?}"))?;
        Ok(results)
    }

    /// Calls with arguments in WAVE.
    fn call_wave(&mut self, interface: &str, name: &str, arguments: &[&str]) -> Vec<Val> {
        let function = self.function(interface, name);
        let types: Vec<_> = function
            .ty(&self.store)
            .params()
            .map(|(_, ty)| ty)
            .collect();
        assert_eq!(types.len(), arguments.len(), "{name}");
        let parse = |(ty, text): (_, &&str)| {
            wasm_wave::from_str::<Val>(ty, text).unwrap_or_else(|e| panic!("{name}({text}): {e}"))
        };
        let arguments: Vec<Val> = types.iter().zip(arguments).map(parse).collect();
        self.call(interface, name, &arguments)
            .unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Expects the values to come back as they went, twice, for the second call reuses what the first one freed.
    fn echoes(&mut self, name: &str, values: &[&str]) {
        for text in values {
            let function = self.function("echo", name);
            let ty = function
                .ty(&self.store)
                .params()
                .next()
                .expect("a parameter")
                .1;
            let value: Val = wasm_wave::from_str(&ty, text)
                .unwrap_or_else(|error| panic!("{name}({text}): {error}"));
            for _ in 0..2 {
                let results = self
                    .call("echo", name, std::slice::from_ref(&value))
                    .unwrap_or_else(|e| panic!("{name}({text}): {e}"));
                assert_eq!(comparable(&results[0]), comparable(&value), "{name}");
            }
        }
    }
}

/// Every function of the imported `echo` returns its argument.
fn link_echo(engine: &Engine, component: &Component, linker: &mut Linker<Host>) {
    let name = "test:host/echo@1.0.0";
    let ty = component.component_type();
    let Some(ComponentItem::ComponentInstance(instance)) =
        ty.get_import(engine, name).map(|import| import.ty)
    else {
        panic!("the guest imports `{name}`");
    };
    let mut host = linker.instance(name).expect("a new instance");
    for (function, item) in instance.exports(engine) {
        if !matches!(item.ty, ComponentItem::ComponentFunc(_)) {
            continue;
        }
        let defined = host.func_new(function, |_, _, arguments, results| {
            match (arguments, results) {
                ([one], [result]) => *result = one.clone(),
                (all, [result]) => *result = Val::String(format!("{all:?}")),
                _ => {}
            }
            Ok(())
        });
        defined.expect("each name is defined once");
    }
}

fn link_tokens(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    let mut host = linker.instance("test:host/tokens@1.0.0")?;
    host.resource("token", ResourceType::host::<Token>(), |mut store, rep| {
        store
            .data_mut()
            .table
            .delete(Resource::<Token>::new_own(rep))?;
        Ok(())
    })?;
    host.func_wrap("[constructor]token", |mut store, (number,): (u32,)| {
        Ok((store.data_mut().table.push(Token(number))?,))
    })?;
    host.func_wrap(
        "[method]token.number",
        |store, (token,): (Resource<Token>,)| Ok((store.data().table.get(&token)?.0,)),
    )?;
    host.func_wrap(
        "[static]token.sum",
        |mut store, (tokens,): (Vec<Resource<Token>>,)| {
            let mut sum = 0;
            for token in tokens {
                sum += store.data_mut().table.delete(token)?.0;
            }
            Ok((sum,))
        },
    )?;
    host.func_wrap(
        "larger",
        |mut store, (a, b): (Resource<Token>, Resource<Token>)| {
            let (a, b) = (store.data().table.get(&a)?.0, store.data().table.get(&b)?.0);
            let larger = if a == b {
                None
            } else {
                Some(store.data_mut().table.push(Token(a.max(b)))?)
            };
            Ok((larger,))
        },
    )?;
    Ok(())
}

#[test]
fn numbers_bools_and_chars_keep_their_extremes() {
    let mut guest = Running::start();
    guest.echoes("echo-boolean", &["true", "false"]);
    guest.echoes("echo-unsigned8", &["0", "255"]);
    guest.echoes("echo-signed8", &["-128", "-1", "127"]);
    guest.echoes("echo-unsigned16", &["0", "65535"]);
    guest.echoes("echo-signed16", &["-32768", "-1", "32767"]);
    guest.echoes("echo-unsigned32", &["0", "4294967295"]);
    guest.echoes("echo-signed32", &["-2147483648", "-1", "2147483647"]);
    guest.echoes("echo-unsigned64", &["0", "18446744073709551615"]);
    guest.echoes(
        "echo-signed64",
        &["-9223372036854775808", "-1", "9223372036854775807"],
    );
    guest.echoes(
        "echo-float32",
        &[
            "0",
            "-0",
            "1.5",
            "inf",
            "-inf",
            "nan",
            "1e-45",
            "3.4028235e38",
        ],
    );
    guest.echoes(
        "echo-float64",
        &[
            "0",
            "-0",
            "0.1",
            "inf",
            "-inf",
            "nan",
            "5e-324",
            "1.7976931348623157e308",
        ],
    );
    guest.echoes(
        "echo-character",
        &[
            "'a'",
            "'\\u{0}'",
            "'ß'",
            "'\\u{d7ff}'",
            "'\\u{e000}'",
            "'😀'",
            "'\\u{10ffff}'",
        ],
    );
}

#[test]
fn texts_and_lists_of_any_length() {
    let mut guest = Running::start();
    guest.echoes(
        "echo-text",
        &["\"\"", "\"a\"", "\"\\u{0}\"", "\"Grüße, 世界! 😀\""],
    );
    guest.echoes("echo-bytes", &["[]", "[0]", "[0, 127, 255]"]);
    guest.echoes(
        "echo-numbers",
        &["[]", "[-9223372036854775808, 0, 9223372036854775807]"],
    );
    guest.echoes("echo-floats", &["[nan, -0, inf]"]);
    guest.echoes("echo-booleans", &["[]", "[true, false, true]"]);
    guest.echoes("echo-characters", &["['a', '😀']"]);
    guest.echoes(
        "echo-texts",
        &["[]", "[\"\"]", "[\"a\", \"\", \"bc\", \"😀\"]"],
    );
    guest.echoes("echo-lists", &["[]", "[[]]", "[[1], [], [2, 65535]]"]);
    // Too long for the parser of WAVE.
    for (name, value) in [
        ("echo-text", Val::String("häßlich ".repeat(40_000))),
        (
            "echo-texts",
            Val::List(vec![Val::String("x".to_owned()); 5_000]),
        ),
        (
            "echo-numbers",
            Val::List((0..50_000).map(|i| Val::S64(i * i % 97)).collect()),
        ),
    ] {
        assert_eq!(
            guest
                .call("echo", name, std::slice::from_ref(&value))
                .unwrap(),
            [value],
            "{name}"
        );
    }
}

#[test]
fn tuples_options_and_results() {
    let mut guest = Running::start();
    guest.echoes("echo-tuple", &["(255, \"x\", -0.5)"]);
    guest.echoes(
        "echo-tuples",
        &["[]", "[(1, 2, 'c'), (3, 18446744073709551615, '😀')]"],
    );
    guest.echoes("echo-optional", &["none", "some(0)", "some(255)"]);
    guest.echoes(
        "echo-optional-twice",
        &["none", "some(none)", "some(some(\"x\"))"],
    );
    guest.echoes(
        "echo-optional-list",
        &["none", "some([])", "some([none, some({x: -1, y: 2.5})])"],
    );
    guest.echoes("echo-result", &["ok(7)", "err(\"no\")"]);
    guest.echoes("echo-result-empty", &["ok", "err"]);
    guest.echoes("echo-result-ok-only", &["ok(\"yes\")", "err"]);
    guest.echoes("echo-result-err-only", &["ok", "err(\"no\")"]);
    // Payloads of different core types share a slot.
    guest.echoes("echo-result-floats", &["ok(1.5)", "ok(nan)", "err(-1e300)"]);
    guest.echoes(
        "echo-result-mixed",
        &["ok(-0)", "err((18446744073709551615, 0.25))"],
    );
    // A tuple of one has no WAVE of its own.
    let one = Val::Tuple(vec![Val::U16(9)]);
    assert_eq!(
        guest
            .call("echo", "echo-single", std::slice::from_ref(&one))
            .unwrap(),
        [one]
    );
}

const POINT: &str = "{x: -2147483648, y: 0.1}";

#[test]
fn records_and_variants_nest() {
    let mut guest = Running::start();
    let nested = |shape: &str| {
        format!("{{flag: true, point: {POINT}, names: [\"a\", \"\"], shape: {shape}, small: 255}}")
    };
    let shapes = [
        "empty".to_owned(),
        "circle(1.5)".to_owned(),
        "exact(18446744073709551615)".to_owned(),
        format!("line(({POINT}, {{x: 1, y: inf}}))"),
        "name(\"Dreieck △\")".to_owned(),
        "name(\"\")".to_owned(),
        "many([])".to_owned(),
        format!("many([{POINT}, {POINT}])"),
    ];
    guest.echoes("echo-point", &[POINT]);
    guest.echoes(
        "echo-points",
        &["[]", &format!("[{POINT}, {{x: 1, y: nan}}]")],
    );
    for shape in &shapes {
        guest.echoes("echo-shape", &[shape]);
        for name in ["echo-nested", "echo-boxed", "nested-by-ref"] {
            guest.echoes(name, &[&nested(&format!("some({shape})")), &nested("none")]);
        }
    }
    let all = format!("[{}]", shapes.join(", "));
    guest.echoes("echo-shapes", &["[]", &all]);
    guest.echoes("shapes-by-ref", &["[]", &all]);
    guest.echoes("points-by-ref", &["[]", &format!("[{POINT}]")]);
    guest.echoes("texts-by-ref", &["[]", "[\"a\", \"\"]"]);
    let wide = "{a: 1, b: 2, c: \"c\", d: 0.5, e: 3, f: -0.5, g: [1, 2], h: 'h', i: true, j: (4, 5), k: some(\"k\"), l: -6, m: -7}";
    guest.echoes("echo-wide", &[wide]);
    guest.echoes("echo-wides", &[&format!("[{wide}, {wide}, {wide}]")]);
    guest.echoes(
        "echo-page",
        &[
            "{items: [], next: none}",
            &format!("{{items: [{POINT}], next: some(2)}}"),
        ],
    );
    guest.echoes("echo-other-page", &["{items: [[], [1, 2]], next: some(0)}"]);
}

#[test]
fn enums_and_flags_of_every_width() {
    let mut guest = Running::start();
    guest.echoes("echo-color", &["red", "green", "dark-blue"]);
    guest.echoes("echo-colors", &["[]", "[dark-blue, red]"]);
    guest.echoes("echo-big", &["case0", "case255", "case256", "case259"]);
    guest.echoes("echo-bigs", &["[case259, case0, case256]"]);
    guest.echoes(
        "echo-three",
        &["{}", "{read}", "{write, run-it}", "{read, write, run-it}"],
    );
    guest.echoes("echo-nine", &["{}", "{a, i}"]);
    guest.echoes("echo-seventeen", &["{}", "{a, h, i, p, q}"]);
    guest.echoes(
        "echo-flags",
        &["[]", "[{i}, {}, {a, b, c, d, e, f, g, h, i}]"],
    );
}

#[test]
fn more_parameters_than_core_functions_take() {
    let mut guest = Running::start();
    let arguments = [
        "1",
        "2",
        "0.5",
        "-0.5",
        "'e'",
        "true",
        "-7",
        "-8",
        "\"nine\"",
        "10",
        "11",
        "12",
        "13",
        "14",
        "15",
        "16",
        "[17, 18446744073709551615]",
    ];
    let results = guest.call_wave("echo", "seventeen-parameters", &arguments);
    let expected = "[U8(1), U64(2), Float32(0.5), Float64(-0.5), Char('e'), Bool(true), S8(-7), S16(-8), String(\"nine\"), U32(10), \
                    U32(11), U32(12), U32(13), U32(14), U32(15), U32(16), List([U64(17), U64(18446744073709551615)])]";
    assert_eq!(results, [Val::String(expected.to_owned())]);
}

#[test]
fn nothing_and_borrowed_results() {
    let mut guest = Running::start();
    assert!(guest.call("echo", "nothing", &[]).unwrap().is_empty());
    for _ in 0..2 {
        assert_eq!(
            guest.call("echo", "borrowed", &[Val::Bool(true)]).unwrap(),
            [Val::String("a borrowed text".to_owned())]
        );
        assert_eq!(
            guest.call("echo", "borrowed", &[Val::Bool(false)]).unwrap(),
            [Val::String(String::new())]
        );
    }
}

/// Calls that return memory free it: 150 MB pass through a guest that may have 8 MB.
#[test]
fn results_are_freed_after_the_call() {
    let mut guest = Running::start();
    guest.store.limiter(|host| &mut host.limits);
    let text = Val::String("x".repeat(100_000));
    let texts = Val::List(vec![text.clone(); 3]);
    for _ in 0..250 {
        assert_eq!(
            guest
                .call("echo", "echo-text", std::slice::from_ref(&text))
                .unwrap(),
            std::slice::from_ref(&text)
        );
        assert_eq!(
            guest
                .call("echo", "echo-texts", std::slice::from_ref(&texts))
                .unwrap(),
            std::slice::from_ref(&texts)
        );
        assert_eq!(
            guest
                .call("echo", "texts-by-ref", std::slice::from_ref(&texts))
                .unwrap(),
            std::slice::from_ref(&texts)
        );
    }
}

#[test]
fn exported_resources_live_and_end() {
    let mut guest = Running::start();
    let alive = |guest: &mut Running| match guest.call("counters", "alive", &[]).unwrap()[..] {
        [Val::U32(alive)] => alive,
        ref other => panic!("{other:?}"),
    };
    let one = guest
        .call("counters", "[constructor]counter", &[Val::U32(40)])
        .unwrap()
        .remove(0);
    let call = |guest: &mut Running, name: &str, arguments: &[Val]| {
        guest.call("counters", name, arguments).unwrap()
    };
    assert_eq!(
        call(
            &mut guest,
            "[method]counter.add",
            &[one.clone(), Val::U32(2)]
        ),
        [Val::U32(42)]
    );
    assert_eq!(
        call(
            &mut guest,
            "[method]counter.value",
            std::slice::from_ref(&one)
        ),
        [Val::U32(42)]
    );
    assert_eq!(alive(&mut guest), 1);

    let two = call(
        &mut guest,
        "maybe",
        &[Val::Option(Some(Box::new(Val::U32(8))))],
    )
    .remove(0);
    let Val::Option(Some(two)) = two else {
        panic!("{two:?}")
    };
    call(
        &mut guest,
        "[method]counter.add-counter",
        &[one.clone(), (*two).clone()],
    );
    assert_eq!(alive(&mut guest), 2);
    assert_eq!(
        call(&mut guest, "[static]counter.finish", &[*two]),
        [Val::U32(8)]
    );
    assert_eq!(alive(&mut guest), 1);

    let halves = call(&mut guest, "[static]counter.split", &[one]).remove(0);
    let Val::Tuple(halves) = halves else {
        panic!("{halves:?}")
    };
    assert_eq!(alive(&mut guest), 2);
    assert_eq!(
        call(&mut guest, "total", &[Val::List(halves)]),
        [Val::U32(50)]
    );
    assert_eq!(alive(&mut guest), 0);

    let dropped = call(&mut guest, "[constructor]counter", &[Val::U32(1)]).remove(0);
    let Val::Resource(dropped) = dropped else {
        panic!("{dropped:?}")
    };
    dropped.resource_drop(&mut guest.store).unwrap();
    assert_eq!(alive(&mut guest), 0);
}

#[test]
fn a_resource_that_is_borrowed_twice_traps_instead_of_aliasing() {
    let mut guest = Running::start();
    let one = guest
        .call("counters", "[constructor]counter", &[Val::U32(1)])
        .unwrap()
        .remove(0);
    let error = guest
        .call(
            "counters",
            "[method]counter.add-counter",
            &[one.clone(), one],
        )
        .unwrap_err();
    assert!(error.contains("unreachable"), "{error}");
}

#[test]
fn imported_resources_are_lent_given_and_dropped() {
    let mut guest = Running::start();
    let numbers = Val::List([3, 9, 4].map(Val::U32).to_vec());
    assert_eq!(
        guest.call("counters", "use-tokens", &[numbers]).unwrap(),
        [Val::U32(9_016)]
    );
    assert_eq!(
        guest
            .call("counters", "use-tokens", &[Val::List(Vec::new())])
            .unwrap(),
        [Val::U32(0)]
    );
    assert!(
        guest.store.data().table.is_empty(),
        "the guest dropped every token"
    );

    let token = |guest: &mut Running, number: u32| {
        let token = guest.store.data_mut().table.push(Token(number)).unwrap();
        Val::Resource(ResourceAny::try_from_resource(token, &mut guest.store).unwrap())
    };
    let (lent, given) = (token(&mut guest, 5), token(&mut guest, 6));
    let result = guest
        .call("counters", "take-tokens", &[lent, given])
        .unwrap()
        .remove(0);
    let Val::Tuple(parts) = result else {
        panic!("{result:?}")
    };
    let [Val::U32(5), Val::Resource(back)] = parts[..] else {
        panic!("{parts:?}")
    };
    let back = Resource::<Token>::try_from_resource_any(back, &mut guest.store).unwrap();
    assert_eq!(guest.store.data().table.get(&back).unwrap().0, 6);
}
