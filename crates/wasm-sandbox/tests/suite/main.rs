//! Everything that must hold for every backend, and what each backend adds.
//!
//! One binary, because linking an engine is the slowest part of a test.

mod attacks;
mod calls;
mod canonical;
mod capabilities;
mod components;
mod concurrency;
mod conformance;
mod documentation;
mod embedding;
mod fixtures;
mod function_cache;
mod fuzzed;
mod limits;
mod memory_abi;
mod messagepack;
mod network;
mod rpc;
mod traits;
mod values;
