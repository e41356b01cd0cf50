//! Comparing two ways of doing the same thing, on a machine that also does other things.
//!
//! Both sides run in one process, in turns, for many short rounds, and are charged the processor time of
//! this thread rather than the time on the wall: what other programs take does not count, and what
//! slows the processor down slows both sides. The figure is the median of the rounds' ratios; the
//! middle half of them says how far to trust it.

use rustix::time::{ClockId, clock_gettime};

/// Rounds of each comparison; in each, both sides are measured.
const ROUNDS: usize = 61;

/// The median and the ends of the middle half.
struct Spread {
    low: f64,
    median: f64,
    high: f64,
}

impl Spread {
    fn of(mut samples: Vec<f64>) -> Self {
        samples.sort_by(f64::total_cmp);
        let at = |quarter: usize| samples[samples.len() * quarter / 4];
        Self {
            low: at(1),
            median: at(2),
            high: at(3),
        }
    }
}

/// Nanoseconds of processor time that this thread has used.
fn processor_time() -> f64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    now.tv_sec as f64 * 1e9 + now.tv_nsec as f64
}

/// One comparison of ours with another.
pub(crate) struct Row {
    name: String,
    other: Spread,
    ours: Spread,
    ratio: Spread,
    bound: Option<f64>,
}

/// Compares `ours` with `other`, each done `count` times per round. [`None`] as the bound is a row that
/// only informs. [`None`] as the answer: the program was asked for other rows, by a part of their names.
pub(crate) fn compare(
    name: impl Into<String>,
    bound: impl Into<Option<f64>>,
    count: u32,
    mut other: impl FnMut(),
    mut ours: impl FnMut(),
) -> Option<Row> {
    let name = name.into();
    let mut wanted = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with('-'));
    if wanted.next().is_some_and(|part| !name.contains(&part)) {
        return None;
    }
    let time = |operation: &mut dyn FnMut()| {
        let start = processor_time();
        for _ in 0..count {
            operation();
        }
        (processor_time() - start) / f64::from(count)
    };
    // The first round fills caches and pools.
    time(&mut other);
    time(&mut ours);
    let (mut theirs, mut our, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        // Taking turns at being first, so that neither side gets the warmer cache every time.
        let (a, b) = if round % 2 == 0 {
            let a = time(&mut other);
            (a, time(&mut ours))
        } else {
            let b = time(&mut ours);
            (time(&mut other), b)
        };
        theirs.push(a);
        our.push(b);
        ratios.push(b / a);
    }
    Some(Row {
        name,
        other: Spread::of(theirs),
        ours: Spread::of(our),
        ratio: Spread::of(ratios),
        bound: bound.into(),
    })
}

/// Prints the rows as a table; whether all are within their bounds.
pub(crate) fn print(other: &str, rows: &[Row]) -> bool {
    println!("| operation | {other}, ns | wasm-sandbox, ns | ratio | middle half | bound |");
    println!("|---|---|---|---|---|---|");
    for row in rows {
        let bound = row.bound.map_or("–".into(), |bound| bound.to_string());
        println!(
            "| {} | {:.0} | {:.0} | {:.2} | {:.2}–{:.2} | {bound} |",
            row.name,
            row.other.median,
            row.ours.median,
            row.ratio.median,
            row.ratio.low,
            row.ratio.high,
        );
    }
    rows.iter()
        .all(|row| row.bound.is_none_or(|bound| row.ratio.median <= bound))
}

/// Whether the program was asked to fail when a bound is missed.
pub(crate) fn checks() -> bool {
    std::env::args().any(|argument| argument == "--check")
}
