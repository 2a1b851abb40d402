//! The bootstrap (Efron 1979): resampling with replacement, percentiles of the resamples' medians.

/// A 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    pub low: f64,
    pub high: f64,
}

const RESAMPLES: usize = 4000;

/// The median and its 95 % interval. Deterministic: the generator has a fixed seed.
pub fn interval_of_median(values: &[f64]) -> (f64, Interval) {
    if values.is_empty() {
        return (
            f64::NAN,
            Interval {
                low: f64::NAN,
                high: f64::NAN,
            },
        );
    }
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut medians: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            median(
                (0..values.len())
                    .map(|_| values[next(&mut state) as usize % values.len()])
                    .collect(),
            )
        })
        .collect();
    medians.sort_by(f64::total_cmp);
    let at = |share: f64| medians[((RESAMPLES - 1) as f64 * share).round() as usize];
    (
        median(values.to_vec()),
        Interval {
            low: at(0.025),
            high: at(0.975),
        },
    )
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 {
        values[middle]
    } else {
        (values[middle - 1] + values[middle]) / 2.0
    }
}

/// xorshift64* (Vigna 2016).
fn next(state: &mut u64) -> u64 {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_holds_the_median_and_shrinks_with_agreement() {
        let (middle, wide) = interval_of_median(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]);
        assert_eq!(middle, 5.0);
        assert!(wide.low >= 2.0 && wide.low < 5.0 && wide.high > 5.0 && wide.high <= 8.0);
        let (_, narrow) = interval_of_median(&[2.0; 15]);
        assert_eq!(narrow, Interval { low: 2.0, high: 2.0 });
    }

    #[test]
    fn one_outlier_moves_neither_median_nor_interval() {
        let mut values = vec![1.0; 20];
        values.push(100.0);
        assert_eq!(interval_of_median(&values), (1.0, Interval { low: 1.0, high: 1.0 }));
    }

    #[test]
    fn nothing_measured_holds_nothing() {
        let limit = super::super::Limit {
            work: "x",
            at_most: 1.0,
            unit: "×",
        };
        assert!(!super::super::Measured::of(limit, &[]).is_held());
    }
}
