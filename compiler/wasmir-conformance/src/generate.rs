//! Modules from seeds, by `wasm-smith`.
//!
//! The same seed gives the same module on every machine. A seed also chooses which features its module may use, so that
//! plain integer code, floats, SIMD, reference types, exceptions, garbage collection and 64-bit memories all get modules
//! of their own instead of drowning one another. Every module ends by itself: a counter that lives in the module traps
//! when loops and calls together pass [`STEPS`], and does so at the same point however the module is compiled.

use arbitrary::Unstructured;
use wasm_smith::{Config, InstructionKind, InstructionKinds, Module};

/// Function entries and loop iterations that one instance may execute.
pub const STEPS: u32 = 500;

/// A stream of pseudo-random numbers (SplitMix64: Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators").
#[derive(Clone, Debug)]
pub struct Stream(u64);

impl Stream {
    /// Starts the stream of `seed`.
    pub fn new(seed: u64) -> Stream {
        Stream(seed)
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// True once in `n` calls.
    pub fn one_in(&mut self, n: u64) -> bool {
        self.next_u64().is_multiple_of(n)
    }

    /// `len` bytes.
    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(len + 8);
        while bytes.len() < len {
            bytes.extend_from_slice(&self.next_u64().to_le_bytes());
        }
        bytes.truncate(len);
        bytes
    }
}

/// What the module of a seed may contain.
pub fn config(stream: &mut Stream) -> Config {
    let full = stream.one_in(3);
    let any = |stream: &mut Stream| full || stream.one_in(4);
    let reference_types = any(stream);
    let mut config = Config {
        export_everything: true,
        allow_start_export: true,
        generate_custom_sections: stream.one_in(4),
        max_funcs: 10,
        min_funcs: 1,
        max_imports: if stream.one_in(2) { 6 } else { 0 },
        max_instructions: if stream.one_in(8) { 1000 } else { 150 },
        max_memories: if any(stream) { 3 } else { 1 },
        max_memory32_bytes: 10 << 16,
        max_memory64_bytes: 10 << 16,
        max_table_elements: 100,
        max_tables: if reference_types { 3 } else { 1 },
        max_types: 20,
        max_type_size: 200,
        max_globals: 8,
        max_data_segments: 4,
        max_element_segments: 4,
        max_elements: 12,
        max_tags: 4,
        memory_max_size_required: true,
        table_max_size_required: true,
        reference_types_enabled: reference_types,
        simd_enabled: any(stream),
        exceptions_enabled: any(stream),
        tail_call_enabled: any(stream),
        memory64_enabled: any(stream),
        wide_arithmetic_enabled: any(stream),
        compact_imports_enabled: false,
        custom_page_sizes_enabled: false,
        ..Config::default()
    };
    // Deterministic here only because the engine is told to be; see `engine::fuelled`.
    config.relaxed_simd_enabled = config.simd_enabled && stream.one_in(4);
    config.gc_enabled = config.reference_types_enabled && stream.one_in(2);
    config.threads_enabled = stream.one_in(4);
    config.allow_floats = full || !stream.one_in(3);
    if stream.one_in(3) {
        // Little but integers, memory and control flow: these modules run longest before they trap.
        config.disallow_traps = true;
    }
    if stream.one_in(4) {
        config.allowed_instructions = InstructionKinds::new(&[
            InstructionKind::Numeric,
            InstructionKind::Memory,
            InstructionKind::Control,
            InstructionKind::Variable,
            InstructionKind::Parametric,
        ]);
    }
    config
}

/// The module of `seed`, or none when the bytes of the seed do not suffice for one.
pub fn module(seed: u64) -> Option<Vec<u8>> {
    module_of(&bytes_of(seed))
}

/// The bytes that stand for the module of `seed`.
pub fn bytes_of(seed: u64) -> Vec<u8> {
    let mut stream = Stream::new(seed);
    config(&mut stream);
    let len = 2000 + (stream.next_u64() % 8000) as usize;
    [&seed.to_le_bytes()[..], &stream.bytes(len)].concat()
}

/// The module that bytes stand for, those of a fuzzer for instance: the first eight choose the features, the others the contents.
pub fn module_of(bytes: &[u8]) -> Option<Vec<u8>> {
    let (seed, contents) = bytes.split_first_chunk()?;
    let config = config(&mut Stream::new(u64::from_le_bytes(*seed)));
    let mut module = Module::new(config, &mut Unstructured::new(contents)).ok()?;
    module.ensure_termination(STEPS).ok()?;
    Some(module.to_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_are_valid_and_reproducible() {
        let mut made = 0;
        for seed in 0..40 {
            let Some(wasm) = module(seed) else { continue };
            made += 1;
            crate::engine::validate(&wasm).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
            assert_eq!(Some(wasm), module(seed));
        }
        assert!(made >= 30, "only {made} of 40 seeds make a module");
    }

    #[test]
    fn too_few_bytes_make_nothing() {
        assert_eq!(module_of(&[1, 2, 3]), None);
    }
}
