//! Rows of a table: samples of two sides, what is compared, and the limit.

use std::time::Duration;

use serde::Serialize;

use super::Cost;

/// What of a [`Cost`] is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Measure {
    /// Wall time.
    Wall,
    /// CPU time of the command and its descendants; wall time where the system does not tell.
    Cpu,
}

/// What has to hold.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Limit {
    /// The median of subject ÷ peer is at most this.
    Ratio(f64),
    /// The median of subject − peer is at most this.
    Extra(Duration),
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
    /// Our samples; as many as the peer's, measured in turn with them.
    pub subject: Vec<Cost>,
    /// The peer's samples.
    pub peer: Vec<Cost>,
}

impl Measure {
    fn of(self, cost: &Cost) -> Duration {
        match self {
            Measure::Wall => cost.wall,
            Measure::Cpu => cost.cpu.unwrap_or(cost.wall),
        }
    }
}

impl Row {
    /// Our median, in seconds.
    pub fn ours(&self) -> f64 {
        median(
            self.subject
                .iter()
                .map(|cost| self.measure.of(cost).as_secs_f64()),
        )
    }

    /// The peer's median, in seconds.
    pub fn theirs(&self) -> f64 {
        median(
            self.peer
                .iter()
                .map(|cost| self.measure.of(cost).as_secs_f64()),
        )
    }

    /// Lowest, median and highest of the pairs' ratios or differences (in seconds).
    pub fn compared(&self) -> (f64, f64, f64) {
        let pairs: Vec<f64> = self
            .subject
            .iter()
            .zip(&self.peer)
            .map(|(subject, peer)| {
                let (subject, peer) = (
                    self.measure.of(subject).as_secs_f64(),
                    self.measure.of(peer).as_secs_f64(),
                );
                match self.limit {
                    Limit::Ratio(_) => subject / peer,
                    Limit::Extra(_) => subject - peer,
                }
            })
            .collect();
        let lowest = pairs.iter().copied().fold(f64::INFINITY, f64::min);
        let highest = pairs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        (lowest, median(pairs.iter().copied()), highest)
    }

    /// Whether the limit holds for the median.
    pub fn holds(&self) -> bool {
        let (_, median, _) = self.compared();
        match self.limit {
            Limit::Ratio(limit) => median <= limit,
            Limit::Extra(limit) => median <= limit.as_secs_f64(),
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
        let costs = |times: &[u64]| {
            times
                .iter()
                .map(|&time| Cost {
                    wall: Duration::from_secs(1),
                    cpu: Some(Duration::from_millis(time)),
                    peak: None,
                })
                .collect()
        };
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
        // Without samples nothing is shown to hold.
        assert!(!row(Limit::Ratio(1.0), &[], &[]).holds());
    }
}
