fn main() {
    println!("Hello from {}!", std::env::consts::ARCH);
}

#[cfg(test)]
mod tests {
    #[test]
    fn tests_run_inside_webassembly() {
        assert_eq!(std::env::consts::ARCH, "wasm32");
    }
}
