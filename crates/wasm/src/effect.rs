//! What `#[wasm::effect(…)]` expands to: lines of the custom section `wasmrust.effects`.
//!
//! The format is defined in `docs/compiler-contract.md`. A line is evaluated by the compiler and exists in the section only, not in the
//! program's memory.

/// The bytes of a text, for a static in a custom section.
///
/// ```
/// const TEXT: &str = "fn\t-\tshop::total\t\tsrc/lib.rs:1:4\n";
/// static LINE: [u8; TEXT.len()] = wasm::effect::line(TEXT);
/// assert_eq!(LINE, TEXT.as_bytes());
/// ```
///
/// # Panics
///
/// If the text's length is not `N`: at compile time, in a static.
pub const fn line<const N: usize>(text: &str) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(text.as_bytes());
    bytes
}
