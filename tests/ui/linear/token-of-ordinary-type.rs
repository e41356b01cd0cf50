pub struct Plain {
    pub token: wasm::linear::Token<Plain>,
}
