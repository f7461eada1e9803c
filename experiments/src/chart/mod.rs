//! Charts as SVG text: data in, text out, without scripts.
//!
//! A [`Chart`] knows its data, its drawing and its data table. [`inline`] makes an element for an HTML
//! page whose style sheet contains [`THEME`] and [`STYLE`]; [`sheet`] makes a file of its own with
//! both. All colours are CSS variables, so that a page can be read in a dark scheme too.
//!
//! Series are told apart by colour (Okabe and Ito's, which colour-blind readers can distinguish) and
//! by dashes or the shape of their marks. Everything that is drawn also stands in [`Chart::table`].

mod axes;
mod bars;
mod line;
mod scatter;
mod sparkline;
mod stacked;
mod style;
mod svg;
mod ticks;

pub use axes::Axis;
pub use bars::{BarChart, Bars};
pub use line::{Curve, LineChart, Point, Shape};
pub use scatter::{Mark, Scatter, Series, pareto};
pub use sparkline::{spark_text, sparkline};
pub use stacked::{Stack, StackedBars};
pub use style::{STYLE, THEME};
pub use svg::escape;
pub use ticks::{Format, Ticks};

use svg::{Svg, number};

/// Width of a chart in user units, unless it needs more.
pub const WIDTH: f64 = 400.0;
/// Most rows of a data table; longer ones are thinned evenly.
const MOST_ROWS: usize = 200;
/// Height of the heading in a sheet.
const HEADING: f64 = 26.0;
/// Space between charts of a sheet.
const GAP: f64 = 16.0;

/// What a chart is drawn as.
#[derive(Debug, Clone, PartialEq)]
pub struct Drawing {
    /// Width in user units.
    pub width: f64,
    /// Height in user units.
    pub height: f64,
    /// Elements of SVG.
    pub body: String,
}

/// The data of a chart as text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DataTable {
    /// Names of the columns.
    pub head: Vec<String>,
    /// One cell per column each.
    pub rows: Vec<Vec<String>>,
}

impl DataTable {
    /// The table with at most 200 rows, evenly chosen, the first and the last among them.
    pub fn thinned(mut self) -> Self {
        let count = self.rows.len();
        if count > MOST_ROWS {
            let chosen = (0..MOST_ROWS).map(|place| place * (count - 1) / (MOST_ROWS - 1));
            self.rows = chosen.map(|index| std::mem::take(&mut self.rows[index])).collect();
        }
        self
    }
}

/// A chart.
pub trait Chart {
    /// What it shows, in a few words.
    fn title(&self) -> &str;

    /// What a reader sees in it, in a sentence or two.
    fn description(&self) -> &str;

    /// The drawing, without a heading.
    fn draw(&self) -> Drawing;

    /// Everything that is drawn.
    fn table(&self) -> DataTable;
}

/// The chart as an element of an HTML page; `id` is unique on the page.
pub fn inline(chart: &dyn Chart, id: &str) -> String {
    let Drawing { width, height, body } = chart.draw();
    let wide = if width > WIDTH { " wide" } else { "" };
    let (width, height, id) = (number(width), number(height), escape(id));
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"chart{wide}\" role=\"img\" viewBox=\"0 0 {width} {height}\" \
         aria-labelledby=\"{id}-title {id}-desc\"><title id=\"{id}-title\">{}</title><desc id=\"{id}-desc\">{}</desc>\
         {body}</svg>",
        escape(chart.title()),
        escape(chart.description()),
    )
}

/// Rows of charts as an SVG file of its own, called `title`.
pub fn sheet(title: &str, rows: &[Vec<&dyn Chart>]) -> String {
    let mut body = String::new();
    let (mut top, mut widest): (f64, f64) = (GAP, 0.0);
    let mut described = Vec::new();
    for row in rows {
        let (mut left, mut tallest): (f64, f64) = (GAP, 0.0);
        for chart in row {
            let drawing = chart.draw();
            let mut heading = Svg::default();
            heading.text((left, top + 13.0), "heading", "start", chart.title());
            body += &heading.0;
            body += &format!(
                "<svg class=\"chart\" x=\"{}\" y=\"{}\" width=\"{w}\" height=\"{h}\" viewBox=\"0 0 {w} {h}\">{}</svg>",
                number(left),
                number(top + HEADING),
                drawing.body,
                w = number(drawing.width),
                h = number(drawing.height),
            );
            described.push(format!("{}: {}", chart.title(), chart.description()));
            left += drawing.width + GAP;
            tallest = tallest.max(drawing.height + HEADING);
        }
        top += tallest + GAP;
        widest = widest.max(left);
    }
    let (width, height) = (number(widest.max(WIDTH)), number(top.max(100.0)));
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" aria-labelledby=\"title desc\">\n<title id=\"title\">{}</title>\n\
         <desc id=\"desc\">{}</desc>\n<style>{THEME}{STYLE}</style>\n\
         <rect class=\"paper\" width=\"{width}\" height=\"{height}\"/>\n{body}\n</svg>\n",
        escape(title),
        escape(&described.join(" ")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(title: &str) -> LineChart {
        let points = [(1.0, 0.2), (2.0, 0.4)].map(|(x, y)| Point { x, y, low: y - 0.1, high: y + 0.1 });
        LineChart {
            title: title.to_owned(),
            description: "rises".to_owned(),
            x: Axis::whole("iteration"),
            y: Axis::plain("reward"),
            curves: vec![Curve { name: "scratch".to_owned(), shape: Shape::Line, points: points.to_vec() }],
        }
    }

    #[test]
    fn a_sheet_has_its_own_style_for_light_and_dark_and_says_what_it_shows() {
        let (a, b) = (chart("a to b"), chart("b < a"));
        let text = sheet("curves", &[vec![&a, &b]]);
        assert!(text.starts_with("<svg") && text.trim_end().ends_with("</svg>"));
        for word in ["a to b", "b &lt; a", "scratch", "iteration", "prefers-color-scheme", "<desc", "rises"] {
            assert!(text.contains(word), "{word}");
        }
    }

    #[test]
    fn an_inline_chart_is_named_and_described() {
        let text = inline(&chart("curve"), "figure-1");
        assert!(text.contains("role=\"img\"") && text.contains("<title id=\"figure-1-title\">curve</title>"));
        assert!(text.contains("<desc id=\"figure-1-desc\">rises</desc>"));
    }

    #[test]
    fn a_long_table_keeps_its_ends() {
        let rows: Vec<Vec<String>> = (0..1000).map(|row| vec![row.to_string()]).collect();
        let thinned = DataTable { head: vec!["row".to_owned()], rows }.thinned();
        assert_eq!(thinned.rows.len(), MOST_ROWS);
        assert_eq!((thinned.rows[0][0].as_str(), thinned.rows[MOST_ROWS - 1][0].as_str()), ("0", "999"));
    }
}
