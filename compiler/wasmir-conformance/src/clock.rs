//! Time as this thread spends it.

use std::sync::OnceLock;
use std::time::Instant;

/// CPU time of this thread in seconds, where the system tells (Linux), else the time of day: other programs run
/// meanwhile. Only differences mean anything.
pub fn cpu_seconds() -> f64 {
    static START: OnceLock<Instant> = OnceLock::new();
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanos = told.and_then(|text| text.split(' ').next()?.parse::<f64>().ok());
    nanos.map_or_else(
        || START.get_or_init(Instant::now).elapsed().as_secs_f64(),
        |nanos| nanos / 1e9,
    )
}

/// The least CPU time that `f` takes in `times` runs.
pub fn least<T>(times: usize, mut f: impl FnMut() -> T) -> f64 {
    let mut best = f64::INFINITY;
    for _ in 0..times {
        let start = cpu_seconds();
        let result = f();
        best = best.min(cpu_seconds() - start);
        drop(result);
    }
    best
}
