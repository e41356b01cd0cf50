use std::collections::HashMap;
use wasm::{ExternId, ExternRef};

pub struct Element;

#[wasm::host("dom")]
extern "C" {
    fn create(kind: u32) -> ExternRef<Element>;
}

pub struct Page {
    root: ExternRef<Element>,
    id: ExternId<Element>,
}

pub fn moved_on() -> Page {
    let root = create(1);
    let id = root.id();
    Page { root, id }
}
pub fn kept_by_another(list: &mut Vec<ExternRef<Element>>) -> ExternId<Element> {
    let element = create(1);
    let id = element.id();
    list.push(element);
    id
}
pub fn of_a_clone(page: &Page) -> ExternId<Element> {
    let _more = page.root.clone();
    page.root.id()
}
pub fn asked_whether_it_is_gone(page: Page) -> bool {
    let id = page.id;
    drop(page);
    id.upgrade().is_none()
}
pub fn as_a_key(names: &mut HashMap<ExternId<Element>, String>, element: ExternRef<Element>) {
    let id = element.id();
    drop(element);
    names.remove(&id);
}
pub fn on_one_branch_only(gone: bool) -> Option<ExternRef<Element>> {
    let element = create(1);
    let id = element.id();
    let mut left = Some(element);
    if gone {
        left = None;
    }
    let again = id.upgrade();
    drop(left);
    again
}
pub fn swapped_out(list: &mut Vec<ExternRef<Element>>) -> ExternId<Element> {
    let mut element = create(1);
    let id = element.id();
    list.push(std::mem::replace(&mut element, create(2)));
    id
}
pub fn in_a_loop(count: u32) -> Vec<(ExternRef<Element>, ExternId<Element>)> {
    let mut all = Vec::new();
    for kind in 0..count {
        let element = create(kind);
        let id = element.id();
        if id.upgrade().is_some() {
            all.push((element, id));
        }
    }
    all
}
