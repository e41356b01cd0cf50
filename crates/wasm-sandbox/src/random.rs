//! Random numbers for guests.

/// The next number of SplitMix64, the usual generator for seeding others.
pub(crate) fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Fills `target` from the host's cryptographic generator.
#[cfg(feature = "wasmi")]
pub(crate) fn fill(target: &mut [u8]) -> crate::Result<()> {
    wasmtime_wasi::thread_rng().fill_bytes(target);
    Ok(())
}
