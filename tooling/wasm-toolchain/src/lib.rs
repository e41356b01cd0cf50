//! Finds, builds and caches what WasmRust compiles with
