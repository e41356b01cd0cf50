//! Memory controllers for guest and host over WebAssembly linear memory
