//! What is checked for one input. This runs under `cargo fuzz` and, with fixed seeds, in the tests.

use wasmir::{layout, link, verify_module};
use wasmir_lift::{lift, lift_bodies};

/// Any bytes: an error, or a valid module whose bodies lift to valid bodies, which links with itself or is refused, and
/// which the text and binary forms can say.
pub(crate) fn bytes(bytes: &[u8]) {
    let Ok(mut module) = lift(bytes) else {
        return;
    };
    assert_eq!(verify_module(&module), Ok(()), "as it came");
    if let Ok(linked) = link(vec![module.clone(), module.clone()]) {
        assert_eq!(verify_module(&linked), Ok(()), "linked");
    }
    if lift_bodies(&mut module).is_err() {
        // Relocations that instructions have no form for; everything else lifts.
        assert!(module.relocatable, "a final module's bodies lift");
        return;
    }
    assert_eq!(verify_module(&module), Ok(()), "with instructions");
    let encoded = wasmir::encode_module(&module);
    assert_eq!(wasmir::decode_module(&encoded).as_ref(), Ok(&module));
    let text = wasmir::print_module(&module).to_string();
    let parsed = wasmir::parse_module(&text).unwrap_or_else(|e| panic!("{e}\n{text}"));
    assert_eq!(wasmir::print_module(&parsed).to_string(), text);
    if module.relocatable && layout::run(&mut module, &layout::Options::default()).is_ok() {
        assert_eq!(verify_module(&module), Ok(()), "laid out");
    }
}
