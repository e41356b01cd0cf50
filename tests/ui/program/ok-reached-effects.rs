#[wasm::effect()]
fn reached(x: u32) -> u32 {
    x + 1
}

pub struct Cart;

impl Cart {
    #[wasm::effect(memory_grow)]
    fn list(&self) -> Vec<u32> {
        vec![1]
    }
}

#[wasm::effect()]
pub mod pure {
    pub fn twice(x: u32) -> u32 {
        x * 2
    }
}

#[wasm::effect()]
fn by_pointer(x: u32) -> u32 {
    x
}

#[allow(wasm_unreached_effect)]
#[wasm::effect()]
pub fn for_later(x: u32) -> u32 {
    x
}

#[unsafe(no_mangle)]
pub extern "C" fn run(x: u32) -> u32 {
    let function: fn(u32) -> u32 = by_pointer;
    function(reached(x)) + pure::twice(x) + Cart.list()[0]
}
