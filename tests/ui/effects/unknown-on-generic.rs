#[wasm::effect(thread, threads)]
pub fn f<T: Send>(x: T) -> T {
    x
}
