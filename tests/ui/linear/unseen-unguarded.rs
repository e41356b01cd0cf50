//! Without a guard, rustc alone notices nothing.

#[wasm::linear(unguarded)]
pub struct Plain {
    pub id: u32,
}
#[wasm::linear(unguarded)]
pub struct Unit;
pub fn f(plain: Plain) -> u32 {
    plain.id
}
