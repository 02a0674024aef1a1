//! The suite: loads against contenders, and the treatment of figures.

pub mod bars;
pub mod contender;
pub mod plan;
pub mod reload;
pub mod report;
pub mod round;
pub mod svg;

use std::collections::BTreeMap;

use crate::load::Figures;
use crate::stats::Spread;
use contender::Contender;

/// One run of a load against a contender.
#[derive(Clone, Debug)]
pub struct Sample {
    pub load: &'static str,
    pub case: String,
    pub round: usize,
    /// Its place in the round.
    pub order: usize,
    pub contender: Contender,
    /// Its figures, or the reason of a failure.
    pub outcome: Result<Figures, String>,
}

impl Sample {
    /// Returns a figure.
    pub fn figure(&self, name: &str) -> Option<f64> {
        self.outcome.as_ref().ok()?.get(name).copied()
    }
}

/// All that the suite has measured.
#[derive(Debug, Default)]
pub struct Results {
    pub samples: Vec<Sample>,
    /// Reasons of unused rounds, by load and number.
    pub disturbed: BTreeMap<(&'static str, usize), String>,
}

impl Results {
    /// Returns true if a sample counts. If all rounds of a load were disturbed, all count.
    pub fn counts(&self, sample: &Sample) -> bool {
        let is_kept = |sample: &Sample| !self.disturbed.contains_key(&(sample.load, sample.round));
        is_kept(sample)
            || !self
                .samples
                .iter()
                .any(|other| other.load == sample.load && is_kept(other))
    }

    /// Returns true if all rounds of a load were disturbed.
    pub fn all_disturbed(&self, load: &str) -> bool {
        let mut of_load = self.samples.iter().filter(|sample| sample.load == load).peekable();
        of_load.peek().is_some() && of_load.all(|sample| self.disturbed.contains_key(&(sample.load, sample.round)))
    }

    /// Returns the samples that count.
    pub fn of<'a>(&'a self, load: &'a str, case: &'a str, contender: Contender) -> impl Iterator<Item = &'a Sample> {
        self.samples.iter().filter(move |sample| {
            sample.load == load && sample.case == case && sample.contender == contender && self.counts(sample)
        })
    }

    /// Returns a figure over all rounds.
    pub fn spread(&self, load: &str, case: &str, contender: Contender, figure: &str) -> Option<Spread> {
        let samples = self.of(load, case, contender);
        Spread::of(samples.filter_map(|sample| sample.figure(figure)).collect())
    }

    /// Returns the ratio of a figure to that of another contender in the same round.
    pub fn ratio(&self, load: &str, case: &str, figure: &str, of: Contender, to: Contender) -> Option<Spread> {
        self.ratio_of_cases(load, figure, (case, of), (case, to))
    }

    /// Returns the ratio of a figure to that of another case in the same round.
    pub fn ratio_of_cases(
        &self,
        load: &str,
        figure: &str,
        of: (&str, Contender),
        to: (&str, Contender),
    ) -> Option<Spread> {
        let pairs = self.of(load, of.0, of.1).filter_map(|sample| {
            let other = self.of(load, to.0, to.1).find(|other| other.round == sample.round)?;
            Some(sample.figure(figure)? / other.figure(figure)?)
        });
        Spread::of(pairs.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(round: usize, contender: Contender, cpu: f64) -> Sample {
        Sample {
            load: "peer",
            case: "4000".into(),
            round,
            order: 0,
            contender,
            outcome: Ok(Figures::from([("cpu_us".into(), cpu)])),
        }
    }

    #[test]
    fn ratios_are_of_pairs_within_a_round_that_counts() {
        let (floor, embedded) = (Contender::Floor, Contender::Embedded);
        let mut results = Results::default();
        for (round, (low, high)) in [(10.0, 20.0), (20.0, 60.0), (1.0, 90.0)].into_iter().enumerate() {
            results
                .samples
                .extend([sample(round, floor, low), sample(round, embedded, high)]);
        }
        let ratio = |results: &Results| results.ratio("peer", "4000", "cpu_us", embedded, floor).unwrap().median;
        assert_eq!(ratio(&results), 3.0);
        results.disturbed.insert(("peer", 2), "noise".into());
        assert_eq!(ratio(&results), 2.5);
        assert!(!results.all_disturbed("peer"));
        results
            .disturbed
            .extend([(("peer", 0), "noise".into()), (("peer", 1), "noise".into())]);
        assert_eq!(ratio(&results), 3.0);
        assert!(results.all_disturbed("peer") && !results.all_disturbed("storm"));
    }
}
