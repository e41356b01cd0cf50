//! What `crates/wasm` promises, as the whole tool keeps it: references to a host's values, and linear types.

use crate::support::{Output, Project, set_up};
use std::fs;
use wasmtime::{Caller, Engine, ExternRef, Linker, Module, Rooted, Store};

/// Makes two values of the host, finds one of them again by its number, and asks what they weigh.
const DOM: &str = r#"
use wasm::ExternRef;

pub struct Element;

#[wasm::host("dom")]
extern "C" {
    fn create(kind: u32) -> ExternRef<Element>;
    fn weigh(one: &ExternRef<Element>, other: &ExternRef<Element>) -> u32;
}

#[unsafe(no_mangle)]
pub extern "C" fn run(kind: u32) -> u32 {
    let (light, heavy) = (create(kind), create(kind * 10));
    let id = light.id();
    let again = id.upgrade().map_or(0, |again| weigh(&again, &heavy));
    drop(light);
    // The slot may be used again; the number of the old value must not find the new one.
    let _other = create(1);
    again + u32::from(id.upgrade().is_some()) * 1000
}
"#;

#[test]
fn references_reach_the_host_as_references() {
    set_up();
    let project = Project::guest("dom", DOM);
    for (options, profile) in [
        (&["build", "--emit", "core"][..], "debug"),
        (&["build", "--emit", "core", "--no-wasmir"], "debug"),
        (&["build", "--emit", "core", "--release"], "release"),
    ] {
        Output::of(&mut project.cargo_wasm(options)).succeeded();
        let file = format!("target/wasm/{profile}/dom.core.wasm");
        let bytes = fs::read(project.path().join(file)).expect("the module was written");
        assert_eq!(weighed(&bytes, 4), 44, "{options:?}");
    }
}

/// What the export `run` answers, with a host whose values are numbers.
fn weighed(bytes: &[u8], kind: u32) -> u32 {
    let engine = Engine::default();
    let module = Module::new(&engine, bytes).expect("a valid module");
    let mut store = Store::new(&engine, ());
    let mut linker = Linker::new(&engine);
    let create =
        |mut caller: Caller<'_, ()>, kind: u32| ExternRef::new(&mut caller, kind).map(Some);
    linker
        .func_wrap("dom", "create", create)
        .expect("it is defined once");
    let number = |caller: &Caller<'_, ()>, value: Option<Rooted<ExternRef>>| -> u32 {
        let data = value.expect("not null").data(caller).expect("it is alive");
        let data = data.and_then(|data| data.downcast_ref::<u32>());
        *data.expect("a value of ours")
    };
    let weigh = move |caller: Caller<'_, ()>,
                      one: Option<Rooted<ExternRef>>,
                      other: Option<Rooted<ExternRef>>| {
        number(&caller, one) + number(&caller, other)
    };
    linker
        .func_wrap("dom", "weigh", weigh)
        .expect("it is defined once");
    let instance = linker
        .instantiate(&mut store, &module)
        .expect("the imports fit");
    let run = instance.get_typed_func::<u32, u32>(&mut store, "run");
    run.expect("it is exported")
        .call(&mut store, kind)
        .expect("nothing traps")
}

const TICKET: &str = r#"
use wasm::linear::Token;

#[wasm::linear]
pub struct Ticket {
    number: u32,
    open: Token<Self>,
}

impl Ticket {
    pub fn new(number: u32) -> Self {
        Ticket { number, open: Token::new() }
    }

    #[wasm::consume]
    pub fn redeem(self) -> u32 {
        let Ticket { number, open } = self;
        open.consume();
        number
    }
}
"#;

#[test]
fn a_linear_value_that_is_lost_does_not_build() {
    set_up();
    let lost = "
        #[unsafe(no_mangle)]
        pub extern \"C\" fn run(number: u32) -> u32 {
            let ticket = Ticket::new(number);
            if number > 3 { ticket.redeem() } else { 0 }
        }";
    let project = Project::guest("ticket", &format!("{TICKET}{lost}"));
    Output::of(&mut project.cargo_wasm(["build"]))
        .exited(1)
        .says(&["Ticket", "linear"]);
    assert!(project.artefacts().is_empty(), "no artefact is left");

    // Boxes and lists that are consumed whole are fine, since guests abort on a panic.
    let kept = "
        #[unsafe(no_mangle)]
        pub extern \"C\" fn run(number: u32) -> u32 {
            let mut tickets = Vec::new();
            tickets.push(Ticket::new(number));
            let boxed = Box::new(Ticket::new(1));
            let mut sum = (*boxed).redeem();
            wasm::linear::consume_each(tickets, |ticket| sum += ticket.redeem());
            sum
        }";
    project.write("src/lib.rs", &format!("{TICKET}{kept}"));
    Output::of(&mut project.cargo_wasm(["build"])).succeeded();
}
