//! Curves as small as a word.

use super::svg::{Svg, number};

/// Bars of rising height, for a terminal.
const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// `values` as a line of `width` × `height` user units; without a text of its own, so that it stands
/// beside what it shows.
pub fn sparkline(values: &[f64], (width, height): (f64, f64)) -> String {
    let values = binned(values, width as usize);
    let levels = levels(&values);
    let step = (width - 4.0) / (levels.len().max(2) - 1) as f64;
    let at =
        |(place, level): (usize, &f64)| (2.0 + place as f64 * step, height - 2.0 - level * (height - 4.0));
    let points: Vec<(f64, f64)> = levels.iter().enumerate().map(at).collect();
    let mut svg = Svg::default();
    svg.path(&points, false, "spark");
    let (width, height) = (number(width), number(height));
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"sparkline\" aria-hidden=\"true\" width=\"{width}\" \
         height=\"{height}\" viewBox=\"0 0 {width} {height}\">{}</svg>",
        svg.0
    )
}

/// `values` as at most `width` characters.
pub fn spark_text(values: &[f64], width: usize) -> String {
    let binned = binned(values, width);
    let level = |level: f64| LEVELS[((level * 8.0) as usize).min(7)];
    levels(&binned).into_iter().map(level).collect()
}

/// At most `most` values, the last of each bin; what is not finite is left out.
fn binned(values: &[f64], most: usize) -> Vec<f64> {
    let finite: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    let bins = most.max(1).min(finite.len());
    (1..=bins).map(|bin| finite[bin * finite.len() / bins - 1]).collect()
}

/// From 0 for the least to 1 for the greatest; all are half where they are equal.
fn levels(values: &[f64]) -> Vec<f64> {
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let level = |value: &f64| if high > low { (value - low) / (high - low) } else { 0.5 };
    values.iter().map(level).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rise_looks_like_one() {
        assert_eq!(spark_text(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0], 8), "▁▂▃▄▅▆▇█");
        let many: Vec<f64> = (0..1000).map(f64::from).collect();
        assert_eq!(spark_text(&many, 8), "▁▂▃▄▅▆▇█");
        assert_eq!(spark_text(&[2.0, 2.0], 8), "▅▅");
        assert_eq!(spark_text(&[f64::NAN], 8), "");
        assert_eq!(spark_text(&[1.0, 2.0], 0), "▅");
    }

    #[test]
    fn a_line_stays_in_its_box() {
        let text = sparkline(&[1.0, 5.0, 2.0], (100.0, 20.0));
        assert!(text.contains("M2 18L50 2L98 14"), "{text}");
        assert!(!sparkline(&[], (100.0, 20.0)).contains("NaN"));
    }
}
