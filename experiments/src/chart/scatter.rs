//! Scatter charts with a Pareto front.

use super::{
    Chart, DataTable, Drawing, WIDTH,
    axes::{Axis, BELOW, Plane},
    svg::{Entry, SERIES, Sign, Svg},
    ticks::Ticks,
};

const HEIGHT: f64 = 190.0;
/// Most marks of one series; of more, some are left out evenly, none of the front.
const MOST_MARKS: usize = 1500;

/// One point of a scatter chart.
#[derive(Debug, Clone, PartialEq)]
pub struct Mark {
    /// Where on the horizontal axis.
    pub x: f64,
    /// Where on the vertical axis.
    pub y: f64,
    /// What it is, for the data table and for who points at it.
    pub name: String,
}

/// Points of one kind.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Name in the legend.
    pub name: String,
    /// The points.
    pub marks: Vec<Mark>,
}

/// Points by cost (horizontal; less is better) and value (vertical; more is better).
#[derive(Debug, Clone, PartialEq)]
pub struct Scatter {
    /// What it shows.
    pub title: String,
    /// What a reader sees in it.
    pub description: String,
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// The points.
    pub series: Vec<Series>,
    /// A point of reference, drawn as a ring of its own, and no part of the front.
    pub reference: Option<Mark>,
    /// A limit on the horizontal axis, with its name.
    pub limit: Option<(f64, String)>,
}

/// Indices of the points that no other point beats: none costs as little and is better, or is as good
/// and costs less. They are sorted by cost; of equal points the first is taken.
pub fn pareto(points: &[(f64, f64)]) -> Vec<usize> {
    let finite = |index: &usize| points[*index].0.is_finite() && points[*index].1.is_finite();
    let mut order: Vec<usize> = (0..points.len()).filter(finite).collect();
    order.sort_by(|&a, &b| {
        points[a].0.total_cmp(&points[b].0).then(points[b].1.total_cmp(&points[a].1)).then(a.cmp(&b))
    });
    let mut front: Vec<usize> = Vec::new();
    for index in order {
        if front.last().is_none_or(|&last| points[index].1 > points[last].1) {
            front.push(index);
        }
    }
    front
}

impl Scatter {
    fn marks(&self) -> Vec<(usize, &Mark)> {
        let series = self.series.iter().enumerate();
        let marks = series.flat_map(|(index, series)| series.marks.iter().map(move |mark| (index, mark)));
        marks.filter(|(_, mark)| mark.x.is_finite() && mark.y.is_finite()).collect()
    }

    /// The marks that no other beats, by rising cost.
    pub fn front(&self) -> Vec<(usize, &Mark)> {
        let marks = self.marks();
        let points: Vec<(f64, f64)> = marks.iter().map(|(_, mark)| (mark.x, mark.y)).collect();
        pareto(&points).into_iter().map(|index| marks[index]).collect()
    }
}

impl Chart for Scatter {
    fn title(&self) -> &str {
        &self.title
    }

    fn description(&self) -> &str {
        &self.description
    }

    fn draw(&self) -> Drawing {
        let mut svg = Svg::default();
        let mut entries: Vec<Entry<'_>> = self
            .series
            .iter()
            .enumerate()
            .map(|(index, series)| Entry { name: &series.name, index, sign: Sign::Mark(index) })
            .collect();
        if let Some(reference) = &self.reference {
            entries.push(Entry { name: &reference.name, index: 0, sign: Sign::Star });
        }
        entries.push(Entry { name: "Pareto front", index: 0, sign: Sign::Front });
        let top = 28.0 + svg.legend((2.0, 0.0), WIDTH, &entries);
        let marks = self.marks();
        let all = || marks.iter().map(|(_, mark)| *mark).chain(&self.reference);
        let over = |of: fn(&Mark) -> f64, more: Option<f64>| {
            let values = || all().map(of).chain(more);
            (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max))
        };
        let (left, right) = over(|mark| mark.x, self.limit.as_ref().map(|limit| limit.0));
        let (low, high) = over(|mark| mark.y, None);
        let x = Ticks::fitting(WIDTH - 70.0, 6, |most| Ticks::over(left, right, most, self.x.format));
        let plane = Plane::new(x, Ticks::over(low, high, 5, self.y.format), WIDTH, (top, top + HEIGHT));
        plane.draw_y(&mut svg, &self.y.label);
        if let Some((limit, name)) = &self.limit {
            let x = plane.x_of(*limit);
            svg.line((x, plane.top), (x, plane.bottom), "limit");
            let (x, anchor) = if x > f64::midpoint(plane.left, plane.right) {
                (x - 4.0, "end")
            } else {
                (x + 4.0, "start")
            };
            svg.text((x, plane.bottom - 6.0), "small", anchor, name);
        }
        for (index, series) in self.series.iter().enumerate() {
            let every = series.marks.len().div_ceil(MOST_MARKS).max(1);
            for mark in
                series.marks.iter().step_by(every).filter(|mark| mark.x.is_finite() && mark.y.is_finite())
            {
                self.draw_mark(&mut svg, &plane, index, mark, 2.6);
            }
        }
        let front = self.front();
        let mut path: Vec<(f64, f64)> = Vec::new();
        for (index, mark) in &front {
            let at = plane.at((mark.x, mark.y));
            if let Some(&(_, before)) = path.last() {
                path.push((at.0, before));
            }
            path.push(at);
            self.draw_mark(&mut svg, &plane, *index, mark, 3.6);
        }
        svg.path(&path, false, "front");
        if let Some(mark) = &self.reference {
            svg.mark(plane.at((mark.x, mark.y)), 3, 5.0, "star", &self.hint(mark));
        }
        plane.draw_x(&mut svg, &self.x.label);
        Drawing { width: WIDTH, height: plane.bottom + BELOW, body: svg.0 }
    }

    /// The front alone: the other points are in the run's files.
    fn table(&self) -> DataTable {
        let head = vec![
            "on the front".to_owned(),
            "candidate".to_owned(),
            self.x.label.clone(),
            self.y.label.clone(),
        ];
        let row = |(index, mark): (usize, &Mark)| {
            let (x, y) = (self.x.format.value(mark.x), self.y.format.value(mark.y));
            vec![self.series[index].name.clone(), mark.name.clone(), x, y]
        };
        DataTable { head, rows: self.front().into_iter().map(row).collect() }.thinned()
    }
}

impl Scatter {
    fn hint(&self, mark: &Mark) -> String {
        format!("{}: {} at {}", mark.name, self.y.format.value(mark.y), self.x.format.value(mark.x))
    }

    fn draw_mark(&self, svg: &mut Svg, plane: &Plane, index: usize, mark: &Mark, size: f64) {
        let hint = format!("{}, {}", self.series[index].name, self.hint(mark));
        svg.mark(plane.at((mark.x, mark.y)), index, size, &format!("mark c{}", index % SERIES), &hint);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_front_has_what_nothing_beats() {
        let points =
            [(0.5, 0.9), (0.3, 0.8), (0.4, 0.8), (0.3, 0.7), (0.6, 0.9), (0.2, f64::NAN), (0.1, 0.1)];
        assert_eq!(pareto(&points), [6, 1, 0]);
        assert!(pareto(&[]).is_empty());
        // Of equal points the first.
        assert_eq!(pareto(&[(1.0, 1.0), (1.0, 1.0)]), [0]);
    }

    #[test]
    fn the_front_of_random_points_is_the_one_by_definition() {
        use rand::{RngExt, SeedableRng};
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(3);
        for _ in 0..200 {
            let mut points = Vec::new();
            for _ in 0..rng.random_range(1..40) {
                points.push((f64::from(rng.random_range(0..12)), f64::from(rng.random_range(0..12))));
            }
            let beats = |a: (f64, f64), b: (f64, f64)| a.0 <= b.0 && a.1 >= b.1 && a != b;
            let first = |index: usize| points.iter().position(|&point| point == points[index]) == Some(index);
            let mut expected: Vec<usize> = (0..points.len())
                .filter(|&index| first(index) && !points.iter().any(|&other| beats(other, points[index])))
                .collect();
            expected.sort_by(|&a, &b| points[a].0.total_cmp(&points[b].0));
            assert_eq!(pareto(&points), expected, "{points:?}");
        }
    }

    #[test]
    fn the_table_is_the_front_with_names() {
        let mark = |x: f64, y: f64| Mark { x, y, name: format!("episode {x}") };
        let chart = Scatter {
            title: "cost".to_owned(),
            description: "d".to_owned(),
            x: Axis::percent("MACs kept"),
            y: Axis::percent("top-1"),
            series: vec![Series { name: "ddpg".to_owned(), marks: vec![mark(0.3, 0.8), mark(0.4, 0.7)] }],
            reference: Some(mark(1.0, 0.99)),
            limit: Some((0.3, "budget".to_owned())),
        };
        assert_eq!(chart.table().rows, [["ddpg", "episode 0.3", "30.00 %", "80.00 %"]]);
        let body = chart.draw().body;
        assert!(
            body.contains("class=\"front\"") && body.contains("budget") && body.contains("class=\"star\"")
        );
    }
}
