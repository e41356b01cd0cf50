//! What the fuzz targets run: the same functions that the tests run with fixed seeds.

#[path = "../../tests/support/random.rs"]
mod random;
#[path = "../../tests/support/targets.rs"]
mod targets;

/// The text form and all that follows from a parsed module.
pub fn text(text: &str) {
    targets::text(text);
}

/// The reader of the binary form.
pub fn binary(bytes: &[u8]) {
    targets::binary(bytes);
}

/// The scanner of raw bodies.
pub fn raw(bytes: &[u8]) {
    targets::raw(bytes);
}

/// Linker, reachability and passes on a generated module.
pub fn modules(seed: u64) {
    targets::check(module(seed));
}

/// The module that is generated from a seed.
pub fn module(seed: u64) -> wasmir::Module {
    random::module(&mut random::Rng(seed))
}

/// Linker and layout on modules as text.
pub fn link(text: &str) {
    targets::link_text(text);
}
