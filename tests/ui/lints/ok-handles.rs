use wasm::{ExternId, ExternRef};

pub struct Element;

#[wasm::host("dom")]
extern "C" {
    fn create(kind: u32) -> ExternRef<Element>;
}

pub fn kept() -> (ExternRef<Element>, ExternId<Element>) {
    let element = create(1);
    let id = element.id();
    (element, id)
}
pub fn of_borrowed(element: &ExternRef<Element>) -> ExternId<Element> {
    element.id()
}
pub fn at_once() -> bool {
    create(1).id().upgrade().is_some()
}
