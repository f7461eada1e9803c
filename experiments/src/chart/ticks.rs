//! Round numbers along an axis.

/// How the numbers of an axis are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// As they are.
    Plain,
    /// Shares of 1 as percentages.
    Percent,
    /// Large whole numbers, in thousands, millions or billions.
    Count,
    /// Small whole numbers, like those of episodes.
    Whole,
}

/// The numbers of an axis: multiples of 1, 2 or 5 times a power of ten, each with its label.
#[derive(Debug, Clone, PartialEq)]
pub struct Ticks {
    /// Lower end of the axis.
    pub low: f64,
    /// Upper end of the axis, greater than the lower one.
    pub high: f64,
    /// Positions and labels, rising.
    pub marks: Vec<(f64, String)>,
}

/// A unit of labels: what values are divided by, and what is written behind them.
struct Scale {
    divisor: f64,
    suffix: String,
    /// Whether numbers between two whole ones mean nothing.
    whole: bool,
}

impl Format {
    fn scale(self, greatest: f64) -> Scale {
        let scale = |divisor, suffix: &str, whole| Scale { divisor, suffix: suffix.to_owned(), whole };
        match self {
            Self::Percent => scale(0.01, " %", false),
            Self::Whole => scale(1.0, "", true),
            Self::Count if greatest >= 1e9 => scale(1e9, " G", false),
            Self::Count if greatest >= 1e6 => scale(1e6, " M", false),
            Self::Count if greatest >= 1e3 => scale(1e3, " k", false),
            Self::Count => scale(1.0, "", true),
            Self::Plain if (1e-4..1e6).contains(&greatest) => scale(1.0, "", false),
            Self::Plain => {
                let exponent = greatest.log10().floor() as i32;
                scale(10_f64.powi(exponent), &format!("e{exponent}"), false)
            }
        }
    }

    /// A single value, precise enough to be compared.
    pub fn value(self, value: f64) -> String {
        match self {
            _ if !value.is_finite() => "-".to_owned(),
            Self::Percent => format!("{:.2} %", 100.0 * value),
            Self::Whole => format!("{value:.0}"),
            Self::Count => crate::report::count((value >= 0.0).then_some(value.round() as u64)),
            Self::Plain => {
                let text = format!("{value:.4}");
                if text.trim_start_matches('-').starts_with("0.000") && value != 0.0 {
                    format!("{value:.2e}")
                } else {
                    text
                }
            }
        }
    }
}

impl Ticks {
    /// An axis that begins and ends with a tick and contains `low` and `high`, with about `most` ticks
    /// at most.
    pub fn over(low: f64, high: f64, most: usize, format: Format) -> Self {
        let (low, high, marks) = marks(low, high, most, format);
        let ends = (marks.first().map_or(low, |mark| mark.0), marks.last().map_or(high, |mark| mark.0));
        Self { low: low.min(ends.0), high: high.max(ends.1), marks }
    }

    /// An axis from `low` to `high` exactly, with the ticks between them.
    pub fn inside(low: f64, high: f64, most: usize, format: Format) -> Self {
        let (low, high, mut marks) = marks(low, high, most, format);
        let room = 1e-9 * (high - low);
        marks.retain(|mark| mark.0 >= low - room && mark.0 <= high + room);
        if marks.len() < 2 {
            return Self::over(low, high, most, format);
        }
        Self { low, high, marks }
    }

    /// The ticks that `make` gives for the greatest number of them, from `most` down, whose labels fit
    /// into `width` side by side.
    pub(super) fn fitting(width: f64, most: usize, make: impl Fn(usize) -> Self) -> Self {
        let fits = |ticks: &Self| ticks.marks.len() as f64 * (ticks.widest() + 10.0) <= width;
        (1..=most).rev().map(&make).find(fits).unwrap_or_else(|| make(1))
    }

    /// The width of the longest label.
    pub(super) fn widest(&self) -> f64 {
        self.marks.iter().map(|(_, label)| super::svg::width_of(label)).fold(0.0, f64::max)
    }
}

/// A range that is not empty, and round numbers that contain it.
fn marks(low: f64, high: f64, most: usize, format: Format) -> (f64, f64, Vec<(f64, String)>) {
    let (mut low, mut high) = match low.is_finite() && high.is_finite() && low <= high {
        true => (low, high),
        false => (0.0, 1.0),
    };
    let greatest = low.abs().max(high.abs());
    // Shares that differ by less than a hundredth of a percent are drawn as one.
    let least = if format == Format::Percent { 1e-4_f64.max(1e-6 * greatest) } else { 1e-6 * greatest };
    if greatest < 1e-12 {
        (low, high) = (0.0, 1.0);
    } else if high - low < least {
        // A single value, or as good as one, lies in the middle.
        let room = if format == Format::Percent { 0.005 } else { 0.05 * greatest };
        (low, high) = (low - room, high + room);
    }
    let scale = format.scale(low.abs().max(high.abs()));
    let (from, to) = (low / scale.divisor, high / scale.divisor);
    let (mantissa, exponent) = step((to - from) / most.max(1) as f64, scale.whole);
    let power = 10_f64.powi(exponent.abs());
    let value = |index: i64| match exponent < 0 {
        true => index as f64 * mantissa / power,
        false => index as f64 * mantissa * power,
    };
    let width = value(1);
    let first = (from / width + 1e-9).floor() as i64;
    let last = (to / width - 1e-9).ceil() as i64;
    let decimals = exponent.min(0).unsigned_abs() as usize;
    let marks = (first..=last).map(|index| {
        // Adding 0 turns -0 into 0.
        (value(index) * scale.divisor, format!("{:.decimals$}{}", value(index) + 0.0, scale.suffix))
    });
    (low, high, marks.collect())
}

/// The least of 1, 2, 5 times a power of ten that is at least `raw`, as factor and exponent.
fn step(raw: f64, whole: bool) -> (f64, i32) {
    let exponent = raw.log10().floor() as i32;
    let rest = raw / 10_f64.powi(exponent);
    let found = [1.0, 2.0, 5.0].into_iter().find(|&factor| rest <= factor * (1.0 + 1e-9));
    let (factor, exponent) = found.map_or((1.0, exponent + 1), |factor| (factor, exponent));
    if whole && exponent < 0 { (1.0, 0) } else { (factor, exponent) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    const FORMATS: [Format; 4] = [Format::Plain, Format::Percent, Format::Count, Format::Whole];

    /// The number that a label says.
    fn said(label: &str) -> f64 {
        let (number, factor) = match label.split_once(' ') {
            Some((number, "%")) => (number, 0.01),
            Some((number, "k")) => (number, 1e3),
            Some((number, "M")) => (number, 1e6),
            Some((number, "G")) => (number, 1e9),
            _ => (label, 1.0),
        };
        factor * number.parse::<f64>().unwrap_or_else(|error| panic!("{label}: {error}"))
    }

    #[test]
    fn labels_are_distinct_round_and_cover_the_range_whatever_it_is() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for round in 0..20_000 {
            let magnitude = 10_f64.powi(rng.random_range(-6..11));
            let low = magnitude * (rng.random::<f64>() - 0.5);
            let high = low + magnitude * 10_f64.powi(rng.random_range(-4..1)) * rng.random::<f64>();
            let (most, format) = (rng.random_range(2..9), FORMATS[round % 4]);
            let ticks = Ticks::over(low, high, most, format);
            let context = format!("{low} to {high}, {most}, {format:?}: {ticks:?}");
            let count = ticks.marks.len();
            assert!((2..=most + 2).contains(&count), "{context}");
            assert!(ticks.low <= low && high <= ticks.high, "{context}");
            let width = ticks.marks[1].0 - ticks.marks[0].0;
            for pair in ticks.marks.windows(2) {
                assert!(pair[0].0 < pair[1].0 && pair[0].1 != pair[1].1, "{context}");
            }
            for (value, label) in &ticks.marks {
                assert!((said(label) - value).abs() < 1e-6 * width, "{label} for {value}; {context}");
                assert!(!label.starts_with("-0 ") && label != "-0", "{context}");
            }
            let factor = width / 10_f64.powf(width.log10().floor());
            let is_round = [1.0, 2.0, 5.0, 10.0].iter().any(|one| (factor - one).abs() < 1e-5);
            assert!(is_round, "{factor}; {context}");
            if format == Format::Whole {
                assert!(ticks.marks.iter().all(|(value, _)| value.fract() == 0.0), "{context}");
            }
        }
    }

    #[test]
    fn axes_that_printed_the_same_number_twice_do_not() {
        let labels = |low, high, format| {
            Ticks::over(low, high, 5, format).marks.into_iter().map(|mark| mark.1).collect::<Vec<_>>()
        };
        assert_eq!(labels(1.0, 4.0, Format::Whole), ["1", "2", "3", "4"]);
        assert_eq!(labels(0.988, 0.9935, Format::Plain), ["0.988", "0.990", "0.992", "0.994"]);
        assert_eq!(labels(0.0, 0.3, Format::Percent), ["0 %", "10 %", "20 %", "30 %"]);
        assert_eq!(labels(0.0, 2_516_608.0, Format::Count), ["0 M", "1 M", "2 M", "3 M"]);
    }

    #[test]
    fn an_axis_without_a_range_is_an_axis_all_the_same() {
        for (low, high) in
            [(0.0, 0.0), (1.0, 1.0), (f64::NAN, 1.0), (1.0, 0.0), (f64::INFINITY, f64::INFINITY)]
        {
            for format in FORMATS {
                let ticks = Ticks::over(low, high, 5, format);
                assert!(ticks.low < ticks.high && ticks.marks.len() > 1, "{low} to {high}: {ticks:?}");
            }
        }
    }

    #[test]
    fn ticks_inside_stay_inside() {
        let ticks = Ticks::inside(1.0, 61.0, 6, Format::Whole);
        assert_eq!((ticks.low, ticks.high), (1.0, 61.0));
        assert!(ticks.marks.iter().all(|mark| (1.0..=61.0).contains(&mark.0)), "{ticks:?}");
    }

    #[test]
    fn long_labels_leave_room_for_each_other() {
        let make = |most| Ticks::over(0.199_97, 0.201, most, Format::Percent);
        let ticks = Ticks::fitting(330.0, 7, make);
        assert!(ticks.marks.len() as f64 * ticks.widest() < 330.0 && ticks.marks.len() > 1, "{ticks:?}");
        let shares = Ticks::over(0.199_997, 0.2, 5, Format::Percent);
        assert!(shares.widest() < 60.0, "{shares:?}");
    }

    #[test]
    fn values_are_written_as_exactly_as_they_are_compared() {
        assert_eq!(Format::Percent.value(0.9194), "91.94 %");
        assert_eq!(Format::Count.value(2_516_608.0), "2 516 608");
        assert_eq!(Format::Plain.value(-0.0806), "-0.0806");
        assert_eq!(Format::Plain.value(0.000_012), "1.20e-5");
    }
}
