//! Quantiles and lines through points.

/// Returns the value below which the share `q` of all lies (nearest rank), or 0 without any. Sorts.
pub fn quantile(values: &mut [u64], q: f64) -> u64 {
    values.sort_unstable();
    let rank = (q * values.len() as f64).ceil() as usize;
    values.get(rank.max(1) - 1).copied().unwrap_or(0)
}

/// Median and quartiles of a few runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    pub low: f64,
    pub median: f64,
    pub high: f64,
    pub count: usize,
}

impl Spread {
    /// Returns the spread, or none without values.
    pub fn of(mut values: Vec<f64>) -> Option<Self> {
        values.retain(|value| value.is_finite());
        values.sort_unstable_by(f64::total_cmp);
        let count = values.len();
        let at = |q: f64| {
            let place = q * count.checked_sub(1)? as f64;
            let (below, above) = (place.floor() as usize, place.ceil() as usize);
            Some(values[below] + (values[above] - values[below]) * place.fract())
        };
        Some(Self {
            low: at(0.25)?,
            median: at(0.5)?,
            high: at(0.75)?,
            count,
        })
    }

    /// Returns the spread of all values, each times a factor.
    pub fn times(self, factor: f64) -> Self {
        Self {
            low: self.low * factor,
            median: self.median * factor,
            high: self.high * factor,
            count: self.count,
        }
    }
}

/// Returns the slope of the line of least squares, or none when all x are the same.
pub fn slope(points: &[(f64, f64)]) -> Option<f64> {
    let count = points.len() as f64;
    let mean_x = points.iter().map(|(x, _)| x).sum::<f64>() / count;
    let mean_y = points.iter().map(|(_, y)| y).sum::<f64>() / count;
    let above: f64 = points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    let below: f64 = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    Some(above / below).filter(|slope| slope.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_nearest_ranks() {
        let mut values: Vec<u64> = (1..=100).rev().collect();
        assert_eq!(quantile(&mut values, 0.5), 50);
        assert_eq!(quantile(&mut values, 0.99), 99);
        assert_eq!(quantile(&mut [7], 0.99), 7);
        assert_eq!(quantile(&mut [], 0.5), 0);
    }

    #[test]
    fn a_spread_interpolates() {
        let spread = Spread::of(vec![4.0, 1.0, f64::NAN, 2.0, 3.0]).unwrap();
        assert_eq!(
            (spread.low, spread.median, spread.high, spread.count),
            (1.75, 2.5, 3.25, 4)
        );
        assert_eq!(Spread::of(vec![]), None);
    }

    #[test]
    fn a_slope_is_of_least_squares() {
        assert_eq!(slope(&[(0.0, 1.0), (1.0, 3.0), (2.0, 5.0)]), Some(2.0));
        assert_eq!(slope(&[(1.0, 1.0), (1.0, 3.0)]), None);
    }
}
