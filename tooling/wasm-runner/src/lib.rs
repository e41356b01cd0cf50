//! Runs WebAssembly modules and components
