#[derive(wasm::Record)]
pub struct Tree {
    pub children: Vec<Tree>,
}

#[wasm::export]
pub fn grow() -> Tree {
    Tree { children: Vec::new() }
}
