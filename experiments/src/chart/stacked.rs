//! Stacked bars: what a whole is made of.

use super::{
    Chart, DataTable, Drawing, WIDTH,
    svg::{Entry, SERIES, Sign, Svg, width_of},
    ticks::Format,
};

const BAR: f64 = 30.0;

/// One bar.
#[derive(Debug, Clone, PartialEq)]
pub struct Stack {
    /// What the whole is; empty if there is only one.
    pub name: String,
    /// One value per part.
    pub values: Vec<f64>,
}

/// Bars of equal length, each divided into the same parts.
#[derive(Debug, Clone, PartialEq)]
pub struct StackedBars {
    /// What it shows.
    pub title: String,
    /// What a reader sees in it.
    pub description: String,
    /// Names of the parts.
    pub parts: Vec<String>,
    /// The bars.
    pub stacks: Vec<Stack>,
    /// What values are counted in.
    pub unit: String,
}

impl StackedBars {
    /// The parts that some bar has.
    fn present(&self) -> Vec<usize> {
        let has = |part: &usize| self.stacks.iter().any(|stack| share(stack, *part) > 0.0);
        (0..self.parts.len()).filter(has).collect()
    }
}

/// The share that a part has of its bar.
fn share(stack: &Stack, part: usize) -> f64 {
    let finite = |value: f64| if value.is_finite() { value.max(0.0) } else { 0.0 };
    let whole: f64 = stack.values.iter().copied().map(finite).sum();
    let value = stack.values.get(part).copied().map_or(0.0, finite);
    if whole > 0.0 { value / whole } else { 0.0 }
}

impl Chart for StackedBars {
    fn title(&self) -> &str {
        &self.title
    }

    fn description(&self) -> &str {
        &self.description
    }

    fn draw(&self) -> Drawing {
        let mut svg = Svg::default();
        let present = self.present();
        let entries: Vec<Entry<'_>> = present
            .iter()
            .enumerate()
            .map(|(index, &part)| Entry { name: &self.parts[part], index, sign: Sign::Box("bar") })
            .collect();
        let mut y = 10.0 + svg.legend((2.0, 0.0), WIDTH, &entries);
        for stack in &self.stacks {
            if !stack.name.is_empty() {
                svg.text((2.0, y + 10.0), "label", "start", &stack.name);
                y += 16.0;
            }
            let mut x = 2.0;
            for (index, &part) in present.iter().enumerate() {
                let (share, value) = (share(stack, part), stack.values[part]);
                let width = share * (WIDTH - 4.0);
                let percent = format!("{:.0} %", 100.0 * share);
                let hint =
                    format!("{}: {} {} ({percent})", self.parts[part], Format::Plain.value(value), self.unit);
                svg.rect((x, y), (width, BAR), &format!("part c{}", index % SERIES), &hint);
                if width_of(&percent) + 6.0 < width {
                    svg.text((x + width / 2.0, y + BAR / 2.0 + 4.0), "inside", "middle", &percent);
                }
                x += width;
            }
            y += BAR + 10.0;
        }
        Drawing { width: WIDTH, height: y, body: svg.0 }
    }

    fn table(&self) -> DataTable {
        let mut head = vec!["part".to_owned()];
        for stack in &self.stacks {
            let name = if stack.name.is_empty() { String::new() } else { format!("{}: ", stack.name) };
            head.extend([format!("{name}{}", self.unit), format!("{name}share")]);
        }
        let row = |part: usize| {
            let mut cells = vec![self.parts[part].clone()];
            for stack in &self.stacks {
                let value = stack.values.get(part).copied().unwrap_or(0.0);
                cells.extend([format!("{value:.3}"), format!("{:.1} %", 100.0 * share(stack, part))]);
            }
            cells
        };
        DataTable { head, rows: (0..self.parts.len()).map(row).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_fill_the_bar_and_nothing_else_is_drawn() {
        let chart = StackedBars {
            title: "time".to_owned(),
            description: "d".to_owned(),
            parts: ["act", "learn", "never"].map(str::to_owned).to_vec(),
            stacks: vec![Stack { name: String::new(), values: vec![1.0, 3.0, 0.0] }],
            unit: "seconds".to_owned(),
        };
        let body = chart.draw().body;
        assert!(
            body.contains("width=\"99\"") && body.contains("width=\"297\"") && !body.contains("never"),
            "{body}"
        );
        assert!(body.contains(">75 %<"), "{body}");
        assert_eq!(chart.table().rows[1], ["learn", "3.000", "75.0 %"]);
        let empty =
            StackedBars { stacks: vec![Stack { name: "x".to_owned(), values: vec![f64::NAN] }], ..chart };
        assert!(!empty.draw().body.contains("NaN"));
    }
}
