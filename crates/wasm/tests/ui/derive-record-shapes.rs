#[derive(wasm::Record)]
pub enum Choice {
    A,
}

#[derive(wasm::Record)]
pub struct Meters(f64);

#[derive(wasm::Record)]
pub struct Empty {}

#[derive(wasm::Record)]
pub struct Borrowing<'a> {
    pub text: &'a str,
}

#[derive(wasm::Record)]
pub struct Array<const N: usize> {
    pub items: Vec<u8>,
}
