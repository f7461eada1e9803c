//! Bar charts: groups of bars, such as what is left of each layer, before the whole as a track.

use super::{
    Chart, DataTable, Drawing, WIDTH,
    axes::{Axis, Plane},
    svg::{Entry, SERIES, Sign, Svg, width_of},
    ticks::Ticks,
};

const HEIGHT: f64 = 170.0;
/// Width and height of a compact chart.
const COMPACT: (f64, f64) = (230.0, 80.0);
/// Longest name below a bar, in characters.
const LONGEST_NAME: usize = 22;
/// More bars than this are numbered, not named, in a compact chart.
const FEW: usize = 12;

/// One series: a bar for every group; absent where it has none.
#[derive(Debug, Clone, PartialEq)]
pub struct Bars {
    /// Name in the legend.
    pub name: String,
    /// One value per group.
    pub values: Vec<Option<f64>>,
    /// What is written in the data table beside the value, one per group or none at all.
    pub notes: Vec<String>,
}

/// Bars side by side in groups.
#[derive(Debug, Clone, PartialEq)]
pub struct BarChart {
    /// What it shows.
    pub title: String,
    /// What a reader sees in it.
    pub description: String,
    /// What a group is.
    pub group: String,
    /// Names of the groups.
    pub groups: Vec<String>,
    /// The vertical axis; it begins at 0.
    pub y: Axis,
    /// The series.
    pub bars: Vec<Bars>,
    /// What every bar is a part of, drawn behind it: name and value.
    pub whole: Option<(String, f64)>,
    /// Whether the chart is small however many groups there are; groups are numbered then.
    pub compact: bool,
    /// Index of the first series' colour.
    pub colour: usize,
}

impl BarChart {
    /// Whether it is wider than usual, because it has many groups.
    pub fn is_wide(&self) -> bool {
        self.width() > WIDTH
    }

    fn width(&self) -> f64 {
        let room = (8.0 + 14.0 * self.bars.len().max(1) as f64).max(17.0);
        let needed = 50.0 + self.groups.len() as f64 * room;
        match self.compact {
            true => COMPACT.0,
            false if needed <= WIDTH => WIDTH,
            // A whole row of the page.
            false => needed.clamp(2.2 * WIDTH, 1600.0),
        }
    }

    fn greatest(&self) -> f64 {
        let values = self.bars.iter().flat_map(|bars| bars.values.iter().flatten().copied());
        let whole = self.whole.as_ref().map(|whole| whole.1);
        values.chain(whole).filter(|value| value.is_finite()).fold(0.0, f64::max)
    }

    fn hint(&self, series: &Bars, group: usize, value: f64) -> String {
        let name = self.groups.get(group).map_or("", String::as_str);
        let note = series.notes.get(group).map_or(String::new(), |note| format!(" ({note})"));
        format!("{name}, {}: {}{note}", series.name, self.y.format.value(value))
    }
}

/// A name of at most `LONGEST_NAME` characters; its end is kept, which tells layers apart.
fn shortened(name: &str) -> String {
    let length = name.chars().count();
    match length > LONGEST_NAME {
        true => format!("…{}", name.chars().skip(length + 1 - LONGEST_NAME).collect::<String>()),
        false => name.to_owned(),
    }
}

impl Chart for BarChart {
    fn title(&self) -> &str {
        &self.title
    }

    fn description(&self) -> &str {
        &self.description
    }

    fn draw(&self) -> Drawing {
        let (groups, series) = (self.groups.len().max(1), self.bars.len().max(1));
        let mut svg = Svg::default();
        let mut entries = Vec::new();
        if let Some((name, _)) = &self.whole {
            entries.push(Entry { name, index: 0, sign: Sign::Box("track") });
        }
        entries.extend(self.bars.iter().enumerate().map(|(index, bars)| Entry {
            name: &bars.name,
            index: self.colour + index,
            sign: Sign::Box("bar"),
        }));
        let width = self.width();
        let legend = if self.compact && self.bars.len() < 2 { Vec::new() } else { entries };
        let top = 28.0 + svg.legend((2.0, 0.0), width, &legend);
        let y = Ticks::over(0.0, self.greatest(), if self.compact { 2 } else { 5 }, self.y.format);
        let x = Ticks { low: 0.0, high: groups as f64, marks: Vec::new() };
        let height = if self.compact { COMPACT.1 } else { HEIGHT };
        let mut plane = Plane::new(x, y, width, (top, top + height));
        let slant = self.slant(&plane);
        if let Some(degrees) = slant {
            // The first name ends below the middle of its bar and begins left of it.
            let reach = self.widest_name() * degrees.to_radians().cos();
            let own = (plane.right - plane.left) / groups as f64 / 2.0;
            plane.left = plane.left.max(reach - own + 4.0);
        }
        plane.draw_y(&mut svg, &self.y.label);
        let room = (plane.right - plane.left) / groups as f64;
        let each = 0.76 * room / series as f64;
        for group in 0..self.groups.len() {
            let from = plane.x_of(group as f64) + 0.12 * room;
            if let Some((name, whole)) = &self.whole {
                let y = plane.y_of(*whole);
                let hint = format!("{}, {name}", self.groups[group]);
                svg.rect((from, y), (0.76 * room, plane.bottom - y), "track", &hint);
            }
            for (place, bars) in self.bars.iter().enumerate() {
                let Some(value) = bars.values.get(group).copied().flatten().filter(|value| value.is_finite())
                else {
                    continue;
                };
                let (x, y) = (from + place as f64 * each, plane.y_of(value.max(0.0)));
                let class = format!("bar c{}", (self.colour + place) % SERIES);
                let hint = self.hint(bars, group, value);
                svg.rect((x, y), (each.min(each - 0.04 * room), plane.bottom - y), &class, &hint);
            }
        }
        svg.line((plane.left, plane.bottom), (plane.right, plane.bottom), "axis");
        let below = self.draw_names(&mut svg, &plane, slant);
        Drawing { width, height: plane.bottom + below, body: svg.0 }
    }

    fn table(&self) -> DataTable {
        let mut head = vec![self.group.clone()];
        head.extend(self.bars.iter().map(|bars| bars.name.clone()));
        let row = |group: usize| {
            let cells = self.bars.iter().map(|bars| {
                let value = bars.values.get(group).copied().flatten();
                let value = value.map_or_else(|| "-".to_owned(), |value| self.y.format.value(value));
                match bars.notes.get(group).filter(|note| !note.is_empty()) {
                    Some(note) => format!("{value} ({note})"),
                    None => value,
                }
            });
            std::iter::once(self.groups[group].clone()).chain(cells).collect()
        };
        DataTable { head, rows: (0..self.groups.len()).map(row).collect() }
    }
}

impl BarChart {
    fn widest_name(&self) -> f64 {
        self.groups.iter().map(|name| width_of(&shortened(name))).fold(0.0, f64::max)
    }

    /// How steep names are, where they would touch in a line.
    fn slant(&self, plane: &Plane) -> Option<f64> {
        let room = (plane.right - plane.left) / self.groups.len().max(1) as f64;
        let touch = !self.compact && self.widest_name() > room;
        touch.then_some(if room > 24.0 { 38.0 } else { 62.0 })
    }

    /// Names, or numbers, below the bars; returns their height.
    fn draw_names(&self, svg: &mut Svg, plane: &Plane, slant: Option<f64>) -> f64 {
        let middle = |group: usize| plane.x_of(group as f64 + 0.5);
        if self.compact {
            let every = self.groups.len().div_ceil(FEW).max(1);
            for group in (0..self.groups.len()).step_by(every) {
                svg.text((middle(group), plane.bottom + 14.0), "tick", "middle", &(group + 1).to_string());
            }
            return 20.0;
        }
        for (group, name) in self.groups.iter().enumerate() {
            match slant {
                None => svg.text((middle(group), plane.bottom + 15.0), "tick", "middle", &shortened(name)),
                Some(degrees) => {
                    svg.turned((middle(group) + 4.0, plane.bottom + 13.0), degrees, "tick", &shortened(name));
                }
            }
        }
        slant.map_or(22.0, |degrees| self.widest_name() * degrees.to_radians().sin() + 20.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(groups: usize, compact: bool) -> BarChart {
        BarChart {
            title: "kept".to_owned(),
            description: "d".to_owned(),
            group: "layer".to_owned(),
            groups: (0..groups).map(|index| format!("layer{index}.0.conv1")).collect(),
            y: Axis::percent("kept"),
            bars: vec![Bars {
                name: "ddpg".to_owned(),
                values: (0..groups).map(|index| Some(index as f64 / groups as f64)).collect(),
                notes: (0..groups).map(|index| format!("{index} of {groups}")).collect(),
            }],
            whole: Some(("before".to_owned(), 1.0)),
            compact,
            colour: 0,
        }
    }

    #[test]
    fn every_group_has_a_bar_its_whole_and_a_name() {
        let drawing = chart(9, false).draw();
        assert_eq!(drawing.body.matches("class=\"bar c0\"").count(), 9 + 1, "with the legend");
        assert_eq!(drawing.body.matches("class=\"track\"").count(), 9);
        for group in 0..9 {
            assert!(drawing.body.contains(&format!(">layer{group}.0.conv1<")), "{group}");
        }
    }

    #[test]
    fn many_groups_are_wide_unless_the_chart_is_compact() {
        assert!(chart(55, false).draw().width > WIDTH);
        assert!(chart(55, true).draw().width < WIDTH);
        assert_eq!(chart(3, false).draw().width, WIDTH);
    }

    #[test]
    fn the_table_says_how_much_of_what() {
        assert_eq!(chart(2, false).table().rows[1], ["layer1.0.conv1", "50.00 % (1 of 2)"]);
    }

    #[test]
    fn a_chart_of_nothing_is_drawn() {
        let body = chart(0, false).draw().body;
        assert!(!body.contains("NaN") && !body.contains("inf"), "{body}");
    }

    #[test]
    fn a_long_name_keeps_its_end() {
        let name = shortened("backbone.features.14.conv.depthwise");
        assert_eq!((name.chars().count(), name.ends_with("depthwise")), (LONGEST_NAME, true));
    }
}
