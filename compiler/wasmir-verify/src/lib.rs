//! Whole-program contracts on WasmIR: effects, memory regions, component ABI
