//! Rows of a table: samples of two sides, what is compared, and the limit.

use std::time::Duration;

use serde::Serialize;

use super::Cost;

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Measure {
    /// Wall time, in seconds.
    Wall,
    /// CPU time of the command and its descendants, in seconds; wall time where the system does not tell.
    Cpu,
    /// The largest resident set of a process, in bytes; not a number where the system does not tell.
    Memory,
    /// The size of a module without its custom sections, in bytes. It does not vary, so one pair says it all.
    Size,
}

/// What has to hold.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Limit {
    /// The median of subject ÷ peer is at most this.
    Ratio(f64),
    /// The median of subject − peer is at most this.
    Extra(Duration),
    /// None: the ratio is told for orientation.
    None,
}

/// A comparison.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// What was done.
    pub what: String,
    /// What is compared.
    pub measure: Measure,
    /// What has to hold.
    pub limit: Limit,
    /// Our samples in the unit of `measure`; as many as the peer's, measured in turn with them.
    pub subject: Vec<f64>,
    /// The peer's samples.
    pub peer: Vec<f64>,
}

impl Measure {
    /// The part of a command's cost that is compared.
    ///
    /// # Panics
    ///
    /// For [`Measure::Size`], which no command has.
    pub(super) fn of(self, cost: &Cost) -> f64 {
        match self {
            Measure::Wall => cost.wall.as_secs_f64(),
            Measure::Cpu => cost.cpu.unwrap_or(cost.wall).as_secs_f64(),
            Measure::Memory => cost.peak.map_or(f64::NAN, |bytes| bytes as f64),
            Measure::Size => panic!("the size of a command"),
        }
    }
}

impl Row {
    /// Our median.
    pub fn ours(&self) -> f64 {
        median(self.subject.iter().copied())
    }

    /// The peer's median.
    pub fn theirs(&self) -> f64 {
        median(self.peer.iter().copied())
    }

    /// Lowest, median and highest of the pairs' ratios or differences.
    pub fn compared(&self) -> (f64, f64, f64) {
        let pairs: Vec<f64> = self
            .subject
            .iter()
            .zip(&self.peer)
            .map(|(subject, peer)| match self.limit {
                Limit::Ratio(_) | Limit::None => subject / peer,
                Limit::Extra(_) => subject - peer,
            })
            .collect();
        let lowest = pairs.iter().copied().fold(f64::INFINITY, f64::min);
        let highest = pairs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        (lowest, median(pairs.iter().copied()), highest)
    }

    /// Says on standard error how it came out, since a whole run takes long.
    pub(super) fn tell(&self) {
        let (_, median, _) = self.compared();
        eprintln!("  {} ({:?}): {median:.3}", self.what, self.measure);
    }

    /// Whether the limit holds for the median.
    pub fn holds(&self) -> bool {
        let (_, median, _) = self.compared();
        match self.limit {
            Limit::Ratio(limit) => median <= limit,
            Limit::Extra(limit) => median <= limit.as_secs_f64(),
            Limit::None => true,
        }
    }
}

/// The middle value, or the mean of the two middle ones; not a number when there is none.
fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match (values.len(), values.get(middle)) {
        (0, _) | (_, None) => f64::NAN,
        (odd, Some(value)) if odd % 2 == 1 => *value,
        (_, Some(value)) => (values[middle - 1] + value) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(limit: Limit, subject: &[u64], peer: &[u64]) -> Row {
        let costs = |times: &[u64]| times.iter().map(|&time| time as f64 / 1e3).collect();
        Row {
            what: String::new(),
            measure: Measure::Cpu,
            limit,
            subject: costs(subject),
            peer: costs(peer),
        }
    }

    #[test]
    fn medians() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0].into_iter()), 2.5);
        assert!(median(std::iter::empty()).is_nan());
    }

    #[test]
    fn pairs_are_compared_not_medians() {
        // The machine was twice as slow in the second round; the ratios do not see it.
        let row = row(Limit::Ratio(1.05), &[100, 204, 110], &[100, 200, 100]);
        let (lowest, median, highest) = row.compared();
        for (value, expected) in [(lowest, 1.0), (median, 1.02), (highest, 1.1)] {
            assert!((value - expected).abs() < 1e-9, "{value} {expected}");
        }
        assert!(row.holds());
    }

    #[test]
    fn limits() {
        assert!(!row(Limit::Ratio(1.0), &[101], &[100]).holds());
        assert!(row(Limit::Extra(Duration::from_millis(50)), &[150], &[100]).holds());
        assert!(!row(Limit::Extra(Duration::from_millis(49)), &[150], &[100]).holds());
        assert!(row(Limit::None, &[500], &[100]).holds());
        // Without samples nothing is shown to hold.
        assert!(!row(Limit::Ratio(1.0), &[], &[]).holds());
    }
}
