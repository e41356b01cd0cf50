#![deny(warnings)]
//! What can declare effects, none of which changes what the functions do.

#[wasm::effect]
pub fn pure_without_parentheses() {}
#[wasm::effect()]
pub fn pure(x: u32) -> u32 {
    x + 1
}
#[wasm::effect(js_call, io, fs, net, clock, random, env, thread, atomic_read, atomic_write, memory_grow, host,)]
pub fn everything() {}
#[wasm::effect(billing, audit_log2)]
pub fn of_ones_own() {}
#[wasm::effect(r#io)]
pub fn raw() {}
#[wasm::effect()]
#[inline]
#[must_use]
pub const fn constant(x: u32) -> u32 {
    x * 2
}
const _: () = assert!(constant(2) == 4);
#[inline(always)]
#[wasm::effect(clock)]
pub unsafe extern "C" fn foreign(x: u32) -> u32 {
    x
}
#[wasm::effect(io)]
pub fn generic<'a, T: Clone + ?Sized, const N: usize>(x: &'a T, _: [u8; N]) -> &'a T
where
    T: Send,
{
    x
}
#[wasm::effect(io)]
pub async fn asynchronous<T: Clone>(x: &T) -> T {
    x.clone()
}
#[wasm::effect()]
pub fn opaque(n: u32) -> impl Iterator<Item = u32> {
    (0..n).map(|x| x + 1)
}
#[wasm::effect(env)]
pub fn never() -> ! {
    std::process::exit(1)
}
#[wasm::effect()]
pub fn recursive(n: u64) -> u64 {
    if n == 0 { 1 } else { n * recursive(n - 1) }
}
