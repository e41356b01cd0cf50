#![deny(warnings)]
#![deny(missing_docs)]
//! Host functions in every form.

use wasm::{ExternRef, FuncRef};

/// An element.
pub struct Element;

#[wasm::host("dom")]
#[wasm::effect(js_call)]
extern "C" {
    /// Documented.
    pub fn create(kind: u32, x: f64) -> ExternRef<Element>;
    /// The same element as before, or null.
    pub fn r#move(element: &ExternRef<Element>, by: i64) -> wasm::ExternRef<Element>;
    /// Nothing.
    pub fn tick();
    #[wasm::effect()]
    pub(crate) fn now() -> f64;
    /// With a function.
    pub fn on(element: &wasm::ExternRef<Element>, handler: FuncRef<extern "C" fn(u32) -> u32>) -> usize;
    fn private(element: &ExternRef<dyn Send>) -> usize;
}

/// Uses them.
pub fn f(any: &ExternRef<dyn Send>) -> f64 {
    let moved = r#move(&create(1, 2.0), 3);
    assert!(private(any) > 0);
    tick();
    on(&moved.clone(), FuncRef::new(twice)) as f64 + now()
}

extern "C" fn twice(x: u32) -> u32 {
    x * 2
}
