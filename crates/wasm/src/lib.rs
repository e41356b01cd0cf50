//! Guest API of WasmRust: exports, imports, resources and WIT on stable Rust
