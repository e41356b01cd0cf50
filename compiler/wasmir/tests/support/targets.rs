//! What is checked for one input. These run under `cargo fuzz` and, with fixed seeds, in the tests.

use wasmir::*;

/// Any text: an error with a position inside it, or a module that prints and parses to itself.
pub(crate) fn text(text: &str) {
    match parse_module(text) {
        Err(error) => {
            assert!(error.line >= 1 && error.col >= 1, "{error}");
            assert!(error.line as usize <= text.lines().count() + 1, "{error}");
        }
        Ok(module) => {
            let printed = print_module(&module).to_string();
            let again = parse_module(&printed).expect("what is printed can be parsed");
            assert_eq!(print_module(&again).to_string(), printed);
            check(module);
        }
    }
}

/// Any bytes: an error, or a valid module that encodes to what decodes to it.
pub(crate) fn binary(bytes: &[u8]) {
    if let Ok(module) = decode_module(bytes) {
        assert!(verify_module(&module).is_ok());
        let again = encode_module(&module);
        assert_eq!(
            decode_module(&again).expect("what is written can be read"),
            module
        );
        // Read lazily, it is the same piece by piece.
        let lazy = LazyModule::open(&again.into()).expect("what is written can be opened");
        for (func, data) in module.funcs.iter() {
            let body = lazy.body(func).expect("a valid body");
            match &data.body {
                FuncBody::Ir(expected) => assert_eq!(body.as_ref(), Some(&**expected)),
                _ => assert!(body.is_none() && !lazy.has_body(func)),
            }
        }
        check(module);
    } else if let Ok(lazy) = LazyModule::open(&bytes.into()) {
        // Then a body is at fault; reading it says so, and no other harm is done.
        let broken = |func| lazy.body(func).is_err();
        assert!(lazy.module().funcs.keys().any(broken));
    }
}

/// Any module: the validator, the linker, reachability and the passes do not panic, and what they
/// make of a valid module is valid.
pub(crate) fn check(module: Module) {
    if verify_module(&module).is_err() {
        return;
    }
    let linked = match link(vec![module.clone(), module.clone()]) {
        Ok(linked) => linked,
        Err(errors) => {
            assert!(!errors.is_empty());
            module
        }
    };
    assert_eq!(
        verify_module(&linked),
        Ok(()),
        "linked:\n{}",
        print_module(&linked)
    );
    let mut optimised = linked;
    passes::fold::run(&mut optimised);
    passes::pipeline::run(&mut optimised, &passes::pipeline::Options::FRONT_END);
    assert_eq!(
        verify_module(&optimised),
        Ok(()),
        "optimised:\n{}",
        print_module(&optimised)
    );
    if reach::run(&mut optimised).is_ok() {
        assert_eq!(
            verify_module(&optimised),
            Ok(()),
            "shaken:\n{}",
            print_module(&optimised)
        );
    }
}

/// Modules as text, one after the other: those that are valid link or do not, and what links is valid; objects are laid
/// out, and what can be laid out is valid and no object any more.
pub(crate) fn link_text(text: &str) {
    let modules: Vec<Module> = text
        .split("wasmir 1\n")
        .skip(1)
        .filter_map(|text| parse_module(&format!("wasmir 1\n{text}")).ok())
        .filter(|module| verify_module(module).is_ok())
        .collect();
    let Ok(mut linked) = link(modules) else {
        return;
    };
    let said = print_module(&linked).to_string();
    assert_eq!(verify_module(&linked), Ok(()), "linked:\n{said}");
    if linked.relocatable && layout::run(&mut linked, &layout::Options::default()).is_ok() {
        assert_eq!(verify_module(&linked), Ok(()), "laid out:\n{said}");
        assert!(!linked.relocatable);
    }
}

/// Any bytes as the body of a function in a wasm file.
pub(crate) fn raw(bytes: &[u8]) {
    let mut same = Vec::new();
    if raw::remap(bytes, &mut same, |_, index| Some(index)).is_ok() {
        assert_eq!(same, bytes);
        let mut moved = Vec::new();
        let shift = |_, index: u32| index.checked_add(1000);
        if raw::remap(bytes, &mut moved, shift).is_ok() {
            let mut back = Vec::new();
            raw::remap(&moved, &mut back, |_, index| index.checked_sub(1000))
                .expect("what was written can be read");
        }
    }
}
