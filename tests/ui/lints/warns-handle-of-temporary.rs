use wasm::{ExternId, ExternRef};

pub struct Element;

#[wasm::host("dom")]
extern "C" {
    fn create(kind: u32) -> ExternRef<Element>;
}

pub fn kept() -> bool {
    let id = create(1).id();
    id.upgrade().is_some()
}
pub fn returned() -> ExternId<Element> {
    let element = create(1);
    element.id()
}
