#![deny(warnings)]
//! Methods, `impl` blocks and traits.

pub struct Cart<T>(Vec<T>);

impl<T: Clone> Cart<T> {
    #[wasm::effect()]
    pub fn new(items: Vec<T>) -> Self {
        Self(items)
    }
    #[wasm::effect()]
    pub fn total(&self) -> usize {
        self.0.len()
    }
    #[wasm::effect(io)]
    pub fn take(mut self) -> Option<T> {
        self.0.pop()
    }
}

#[wasm::effect(fs)]
impl Cart<u8> {
    pub const EMPTY: Self = Self(Vec::new());
    pub fn save(&self) {}
    #[wasm::effect()]
    pub fn sum(&self) -> u32 {
        self.0.iter().copied().map(u32::from).sum()
    }
}

#[wasm::effect(..)]
pub trait Store {
    /// What is stored.
    type Item;
    #[wasm::effect(fs)]
    fn get(&self) -> u32;
    #[wasm::effect()]
    fn twice(&self) -> u32 {
        2
    }
    fn anything(&self);
}

impl Store for Cart<u8> {
    type Item = u8;
    #[wasm::effect(fs)]
    fn get(&self) -> u32 {
        3
    }
    fn anything(&self) {}
}

#[wasm::effect()]
impl Drop for Guard {
    fn drop(&mut self) {}
}
pub struct Guard;

/// Still usable as an object.
pub fn object(store: &dyn Store<Item = u8>) -> u32 {
    store.get() + store.twice()
}
