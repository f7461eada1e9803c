//! Line charts with bands.

use std::collections::BTreeMap;

use super::{
    Chart, DataTable, Drawing, WIDTH,
    axes::{Axis, BELOW, Plane},
    svg::{Entry, SERIES, Sign, Svg},
    ticks::Ticks,
};

/// Most points of a curve; a longer one is drawn by bins.
const MOST_POINTS: usize = 400;
/// Height between legend and axis.
const HEIGHT: f64 = 190.0;

/// One value of a curve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Where on the horizontal axis.
    pub x: f64,
    /// The value.
    pub y: f64,
    /// Lower end of the band; the value itself where there is no band.
    pub low: f64,
    /// Upper end of the band.
    pub high: f64,
}

impl Point {
    /// A value without a band.
    pub fn exact(x: f64, y: f64) -> Self {
        Self { x, y, low: y, high: y }
    }
}

/// What a curve is drawn as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Straight lines from point to point.
    Line,
    /// A value holds until the next.
    Steps,
    /// Points alone, in the colour of the series before them: the values that a line sums up.
    Dots,
}

/// One series of a line chart. Points with a number that is not finite are left out.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// Name in the legend.
    pub name: String,
    /// What it is drawn as.
    pub shape: Shape,
    /// Its points, from left to right.
    pub points: Vec<Point>,
}

impl Curve {
    fn finite(&self) -> impl Iterator<Item = Point> {
        let finite =
            |point: &Point| [point.x, point.y, point.low, point.high].iter().all(|it| it.is_finite());
        self.points.iter().copied().filter(finite)
    }

    fn has_band(&self) -> bool {
        self.finite().any(|point| point.low < point.high)
    }

    /// The points that are drawn: all, or one per bin. A bin's band contains its points' bands.
    fn binned(&self) -> Vec<Point> {
        let points: Vec<Point> = self.finite().collect();
        if points.len() <= MOST_POINTS {
            return points;
        }
        let size = points.len().div_ceil(MOST_POINTS);
        let bin = |points: &[Point]| {
            let last = points[points.len() - 1];
            let mean = points.iter().map(|point| point.y).sum::<f64>() / points.len() as f64;
            let extreme = |by: fn(f64, f64) -> f64, of: fn(&Point) -> f64| points.iter().map(of).reduce(by);
            Point {
                x: last.x,
                y: if self.shape == Shape::Line { mean } else { last.y },
                low: extreme(f64::min, |point| point.low).unwrap_or(last.low),
                high: extreme(f64::max, |point| point.high).unwrap_or(last.high),
            }
        };
        match self.shape {
            Shape::Dots => points.into_iter().step_by(size).collect(),
            Shape::Line | Shape::Steps => points.chunks(size).map(bin).collect(),
        }
    }
}

/// Curves on the same axes.
#[derive(Debug, Clone, PartialEq)]
pub struct LineChart {
    /// What it shows.
    pub title: String,
    /// What a reader sees in it.
    pub description: String,
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// The series.
    pub curves: Vec<Curve>,
}

impl LineChart {
    /// The series with the indices of their colours.
    fn coloured(&self) -> Vec<(usize, &Curve)> {
        let mut colours = 0_usize;
        let mut colour = |curve: &Curve| match curve.shape {
            Shape::Dots => colours.saturating_sub(1),
            Shape::Line | Shape::Steps => {
                colours += 1;
                colours - 1
            }
        };
        self.curves.iter().map(|curve| (colour(curve), curve)).collect()
    }

    /// Least and greatest of what `of` says of a point.
    fn extent(&self, low: fn(&Point) -> f64, high: fn(&Point) -> f64) -> (f64, f64) {
        let points = || self.curves.iter().flat_map(Curve::finite);
        let least = points().map(|point| low(&point)).fold(f64::INFINITY, f64::min);
        let greatest = points().map(|point| high(&point)).fold(f64::NEG_INFINITY, f64::max);
        (least, greatest)
    }
}

impl Chart for LineChart {
    fn title(&self) -> &str {
        &self.title
    }

    fn description(&self) -> &str {
        &self.description
    }

    fn draw(&self) -> Drawing {
        let mut svg = Svg::default();
        let sign = |curve: &Curve| if curve.shape == Shape::Dots { Sign::Mark(0) } else { Sign::Line };
        let entries: Vec<Entry<'_>> = self
            .coloured()
            .into_iter()
            .map(|(index, curve)| Entry { name: &curve.name, index, sign: sign(curve) })
            .collect();
        let top = 28.0 + svg.legend((2.0, 0.0), WIDTH, &entries);
        let (left, right) = self.extent(|point| point.x, |point| point.x);
        let (low, high) = self.extent(|point| point.low, |point| point.high);
        let x = Ticks::fitting(WIDTH - 70.0, 7, |most| Ticks::inside(left, right, most, self.x.format));
        let plane = Plane::new(x, Ticks::over(low, high, 5, self.y.format), WIDTH, (top, top + HEIGHT));
        plane.draw_y(&mut svg, &self.y.label);
        for (index, curve) in self.coloured() {
            let class = index % SERIES;
            let points = curve.binned();
            let steps = |value: fn(&Point) -> f64| -> Vec<(f64, f64)> {
                let mut path: Vec<(f64, f64)> = Vec::new();
                for point in &points {
                    let (x, y) = plane.at((point.x, value(point)));
                    if let (Shape::Steps, Some(&(_, before))) = (curve.shape, path.last()) {
                        path.push((x, before));
                    }
                    path.push((x, y));
                }
                path
            };
            if curve.shape == Shape::Dots {
                for point in &points {
                    let hint = format!(
                        "{}: {} at {}",
                        curve.name,
                        self.y.format.value(point.y),
                        self.x.format.value(point.x)
                    );
                    svg.mark(plane.at((point.x, point.y)), 0, 2.0, &format!("dot c{class}"), &hint);
                }
                continue;
            }
            if curve.has_band() {
                let mut outline = steps(|point| point.high);
                outline.extend(steps(|point| point.low).into_iter().rev());
                svg.path(&outline, true, &format!("band c{class}"));
            }
            svg.path(&steps(|point| point.y), false, &format!("line c{class}"));
            if let [only] = points[..] {
                svg.mark(plane.at((only.x, only.y)), 0, 2.5, &format!("mark c{class}"), "");
            }
        }
        plane.draw_x(&mut svg, &self.x.label);
        Drawing { width: WIDTH, height: plane.bottom + BELOW, body: svg.0 }
    }

    fn table(&self) -> DataTable {
        let mut rows: BTreeMap<u64, (f64, Vec<String>)> = BTreeMap::new();
        for (column, curve) in self.curves.iter().enumerate() {
            for point in curve.finite() {
                // Bits of non-negative numbers have the order of the numbers.
                let row = rows.entry((point.x.max(0.0)).to_bits());
                let (_, cells) = row.or_insert_with(|| (point.x, vec![String::new(); self.curves.len()]));
                let value = |value| self.y.format.value(value);
                cells[column] = match point.low < point.high {
                    true => format!("{} ({} to {})", value(point.y), value(point.low), value(point.high)),
                    false => value(point.y),
                };
            }
        }
        let names = self.curves.iter().map(|curve| curve.name.clone());
        let head = std::iter::once(self.x.label.clone()).chain(names).collect();
        let row = |(x, cells): (f64, Vec<String>)| {
            std::iter::once(self.x.format.value(x)).chain(cells).collect::<Vec<String>>()
        };
        DataTable { head, rows: rows.into_values().map(row).collect() }.thinned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(shape: Shape, values: &[f64]) -> LineChart {
        let point = |(index, &y): (usize, &f64)| Point { x: index as f64, y, low: y - 0.1, high: y + 0.1 };
        LineChart {
            title: "t".to_owned(),
            description: "d".to_owned(),
            x: Axis::whole("episode"),
            y: Axis::plain("return"),
            curves: vec![Curve {
                name: "a<b".to_owned(),
                shape,
                points: values.iter().enumerate().map(point).collect(),
            }],
        }
    }

    #[test]
    fn a_line_has_a_band_and_a_legend() {
        let body = chart(Shape::Line, &[0.1, 0.5, 0.7]).draw().body;
        assert!(body.contains("band c0") && body.contains("line c0") && body.contains("a&lt;b"), "{body}");
        assert!(!body.contains("NaN") && !body.contains("inf"), "{body}");
    }

    #[test]
    fn what_is_not_finite_is_left_out_and_nothing_at_all_still_has_axes() {
        for values in [&[][..], &[f64::NAN], &[f64::INFINITY, 0.5]] {
            let body = chart(Shape::Steps, values).draw().body;
            assert!(!body.contains("NaN") && !body.contains("inf") && body.contains("axis"), "{body}");
        }
    }

    #[test]
    fn points_have_the_colour_of_the_line_before_them() {
        let mut both = chart(Shape::Steps, &[0.1, 0.2]);
        for shape in [Shape::Dots, Shape::Line] {
            both.curves.push(Curve { shape, ..both.curves[0].clone() });
        }
        let colours: Vec<usize> = both.coloured().into_iter().map(|(colour, _)| colour).collect();
        assert_eq!(colours, [0, 0, 1]);
    }

    #[test]
    fn long_curves_are_drawn_by_bins_that_contain_them() {
        let values: Vec<f64> = (0..5000).map(|index| f64::from(index % 10)).collect();
        for shape in [Shape::Line, Shape::Steps, Shape::Dots] {
            let chart = chart(shape, &values);
            let binned = chart.curves[0].binned();
            assert!(binned.len() <= MOST_POINTS, "{}", binned.len());
            if shape != Shape::Dots {
                // The last bin may have fewer points.
                let full = &binned[..binned.len() - 1];
                assert!(full.iter().all(|bin| bin.low <= -0.1 && bin.high >= 9.1), "{shape:?}");
            }
        }
    }

    #[test]
    fn the_table_has_one_row_per_place() {
        let table = chart(Shape::Line, &[0.5, 0.25]).table();
        assert_eq!(table.head, ["episode", "a<b"]);
        assert_eq!(table.rows, [["0", "0.5000 (0.4000 to 0.6000)"], ["1", "0.2500 (0.1500 to 0.3500)"]]);
    }
}
