//! Run untrusted WebAssembly behind object-safe traits
