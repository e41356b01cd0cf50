//! A component that greets. Call it with `cargo wasm run -- greet World`.

/// A friendly sentence.
#[wasm::export]
pub fn greet(name: String) -> String {
    format!("Hello, {name}!")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn greets_by_name() {
        assert_eq!(greet("World".into()), "Hello, World!");
    }
}
