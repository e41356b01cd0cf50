use std::collections::HashMap;

#[wasm::export]
pub fn count(words: HashMap<String, u32>) -> u32 {
    words.len() as u32
}
