pub struct Element;
pub struct Window;
#[wasm::host("dom")]
extern "C" {
    fn remove(element: &wasm::ExternRef<Element>);
}
pub fn f(window: &wasm::ExternRef<Window>) {
    remove(window);
}
