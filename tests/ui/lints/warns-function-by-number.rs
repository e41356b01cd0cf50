use wasm::FuncRef;

type Handler = extern "C" fn(u32);

#[wasm::host("dom")]
extern "C" {
    fn handler_of(kind: u32) -> usize;
}

pub struct Button {
    handler: Option<FuncRef<Handler>>,
}

pub fn returned(kind: u32) -> Option<FuncRef<Handler>> {
    unsafe { FuncRef::from_index(handler_of(kind)) }
}
pub fn unwrapped(kind: u32) -> FuncRef<Handler> {
    let handler = unsafe { FuncRef::<Handler>::from_index(handler_of(kind)) };
    handler.expect("the host has one")
}
pub fn in_a_struct(kind: u32) -> Button {
    Button { handler: unsafe { FuncRef::from_index(handler_of(kind)) } }
}
impl Button {
    pub fn kept(&mut self, kind: u32) {
        self.handler = unsafe { FuncRef::from_index(handler_of(kind)) };
    }
}
