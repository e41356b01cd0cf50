#[wasm::effect()]
fn reached(x: u32) -> u32 {
    x + 1
}

#[wasm::effect()]
pub fn left_over(x: u32) -> u32 {
    x * 2
}

pub struct Cart;

impl Cart {
    #[wasm::effect(memory_grow)]
    pub fn list(&self) -> Vec<u32> {
        vec![1]
    }
}

// Of a generic function, any instance will do.
#[wasm::effect()]
fn instantiated<T: Copy>(x: T) -> T {
    x
}

#[wasm::effect()]
pub fn never_instantiated<T: Copy>(x: T) -> T {
    x
}

#[unsafe(no_mangle)]
pub extern "C" fn run(x: u32) -> u32 {
    instantiated(reached(x))
}
