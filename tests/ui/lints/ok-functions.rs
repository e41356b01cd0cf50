use wasm::FuncRef;

type Handler = extern "C" fn(u32);

#[wasm::host("dom")]
extern "C" {
    fn handler_of(kind: u32) -> usize;
}

extern "C" fn clicked(_times: u32) {}

pub fn of_a_function() -> FuncRef<Handler> {
    FuncRef::new(clicked)
}
pub fn used_at_once(kind: u32) {
    if let Some(handler) = unsafe { FuncRef::<Handler>::from_index(handler_of(kind)) } {
        (handler.get())(1);
    }
}
/// # Safety
///
/// The index must be that of a handler, for as long as the result is used.
pub unsafe fn promised_by_the_caller(index: usize) -> Option<FuncRef<Handler>> {
    unsafe { FuncRef::from_index(index) }
}
pub fn of_its_own_index(handler: FuncRef<Handler>) -> Option<FuncRef<Handler>> {
    let index = handler.index();
    unsafe { FuncRef::from_index(index) }
}
pub fn chosen(kind: u32) -> FuncRef<Handler> {
    let known = unsafe { FuncRef::<Handler>::from_index(handler_of(kind)) }.is_some();
    let _ = known;
    FuncRef::new(clicked)
}
