fn f(x: i32) -> i32 {
    x
}
pub fn g() -> usize {
    wasm::FuncRef::new(f as fn(i32) -> i32).index()
}
