use wasm::{ExternId, ExternRef};

pub struct Element;

#[wasm::host("dom")]
extern "C" {
    fn create(kind: u32) -> ExternRef<Element>;
}

pub struct Page {
    root: ExternRef<Element>,
}

pub struct Kept {
    id: Option<ExternId<Element>>,
}

pub fn dropped_by_hand() -> bool {
    let element = create(1);
    let id = element.id();
    drop(element);
    id.upgrade().is_some()
}
pub fn in_an_option(element: ExternRef<Element>) -> Option<ExternId<Element>> {
    Some(element.id())
}
pub fn of_an_inner_scope() -> bool {
    let id = {
        let element = create(1);
        element.id()
    };
    id.upgrade().is_some()
}
pub fn of_a_part() -> ExternId<Element> {
    let page = Page { root: create(1) };
    page.root.id()
}
pub fn on_both_branches(early: bool) -> Option<ExternRef<Element>> {
    let element = create(1);
    let id = element.id();
    if early {
        drop(element);
    } else {
        drop(element);
    }
    let _ = early;
    id.upgrade()
}
pub fn kept_elsewhere(kept: &mut Kept) {
    let element = create(1);
    kept.id = Some(element.id());
}
pub fn after_assignment() -> bool {
    let mut element = create(1);
    let id = element.id();
    element = create(2);
    id.upgrade().is_some() || element.is_null()
}
