//! A guest that takes and returns whole messages. Compile it for a wasm32 target as a `cdylib`:
//! `cargo build -p wasm-memory --example shout --target wasm32-unknown-unknown`.
#![cfg(target_arch = "wasm32")]

wasm_memory::export_memory_abi!();
wasm_memory::export_message!(shout, raw, |text: &[u8]| text.to_ascii_uppercase());
wasm_memory::export_message!(same, json, |text: &[u8]| text.to_vec());
