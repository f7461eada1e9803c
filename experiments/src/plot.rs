//! Learning curves as SVG files.

use std::path::Path;

use plotters::{
    chart::ChartBuilder,
    coord::Shift,
    drawing::{DrawingArea, IntoDrawingArea},
    prelude::SVGBackend,
    series::LineSeries,
    style::{Color, IntoFont, RGBColor, WHITE},
};
use plotters::{element::Polygon, prelude::SeriesLabelPosition};

use crate::{Error, statistics::Estimate};

/// Colours that colour-blind readers can distinguish (Okabe and Ito).
const COLOURS: [RGBColor; 4] =
    [RGBColor(0, 114, 178), RGBColor(230, 159, 0), RGBColor(0, 158, 115), RGBColor(204, 121, 167)];
const PANEL: (u32, u32) = (460, 340);

/// One line of a panel: an estimate per iteration, counted from 1. Iterations without one are skipped.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// Name in the legend.
    pub name: String,
    /// One per iteration.
    pub points: Vec<Option<Estimate>>,
}

/// Curves on the same axes.
#[derive(Debug, Clone, PartialEq)]
pub struct Panel {
    /// Title above the panel.
    pub title: String,
    /// Label of the vertical axis.
    pub label: String,
    /// The curves to draw.
    pub curves: Vec<Curve>,
}

/// Draws `rows` of panels, as lines with intervals, into the SVG file `path`.
///
/// # Errors
/// [`Error::File`] if the file cannot be written.
pub fn draw(path: &Path, rows: &[Vec<Panel>]) -> Result<(), Error> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0).max(1);
    let size = (PANEL.0 * columns as u32, PANEL.1 * rows.len().max(1) as u32);
    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, size).into_drawing_area();
        let refuse = |error: String| Error::file(path, format!("cannot be drawn: {error}"));
        area.fill(&WHITE).map_err(|error| refuse(error.to_string()))?;
        let areas = area.split_evenly((rows.len().max(1), columns));
        for (row, panels) in rows.iter().enumerate() {
            for (column, panel) in panels.iter().enumerate() {
                draw_panel(&areas[row * columns + column], panel).map_err(refuse)?;
            }
        }
        area.present().map_err(|error| refuse(error.to_string()))?;
    }
    Ok(cgym_worlds::files::write_atomically(path, text.as_bytes())?)
}

fn draw_panel(area: &DrawingArea<SVGBackend<'_>, Shift>, panel: &Panel) -> Result<(), String> {
    let (low, high) = extent(panel);
    let length = panel.curves.iter().map(|curve| curve.points.len()).max().unwrap_or(0).max(2);
    let mut chart = ChartBuilder::on(area)
        .caption(&panel.title, ("sans-serif", 17).into_font())
        .margin(10)
        .x_label_area_size(34)
        .y_label_area_size(52)
        .build_cartesian_2d(1.0..length as f64, low..high)
        .map_err(|error| error.to_string())?;
    chart
        .configure_mesh()
        .x_desc("iteration")
        .y_desc(&panel.label)
        .light_line_style(WHITE)
        .x_label_formatter(&|x| format!("{x:.0}"))
        .y_label_formatter(&|y| format!("{y:.2}"))
        .draw()
        .map_err(|error| error.to_string())?;
    for (curve, colour) in panel.curves.iter().zip(COLOURS.iter().cycle()) {
        let points = || {
            let numbered = curve.points.iter().enumerate();
            numbered.filter_map(|(index, point)| Some((index as f64 + 1.0, (*point)?)))
        };
        let upper = points().map(|(x, point)| (x, point.high));
        let mut outline: Vec<(f64, f64)> = points().map(|(x, point)| (x, point.low)).collect();
        outline.reverse();
        let band = Polygon::new(upper.chain(outline).collect::<Vec<_>>(), colour.mix(0.18));
        chart.draw_series([band]).map_err(|error| error.to_string())?;
        let line = LineSeries::new(points().map(|(x, point)| (x, point.mean)), colour.stroke_width(2));
        let drawn = chart.draw_series(line).map_err(|error| error.to_string())?;
        drawn.label(&curve.name).legend(move |(x, y)| {
            plotters::element::PathElement::new(vec![(x, y), (x + 18, y)], colour.stroke_width(2))
        });
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .background_style(WHITE.mix(0.8))
        .draw()
        .map_err(|error| error.to_string())
}

/// Least and greatest value of a panel, with a margin; they are never equal.
fn extent(panel: &Panel) -> (f64, f64) {
    let points = || panel.curves.iter().flat_map(|curve| curve.points.iter().flatten());
    let low = points().map(|point| point.low).fold(f64::INFINITY, f64::min);
    let high = points().map(|point| point.high).fold(f64::NEG_INFINITY, f64::max);
    if low > high {
        return (0.0, 1.0);
    }
    let room = (0.05 * (high - low)).max(1e-3);
    (low - room, high + room)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panel(title: &str, values: &[f64]) -> Panel {
        let point = |&mean: &f64| Some(Estimate { mean, low: mean - 0.1, high: mean + 0.1, count: 3 });
        let curve = Curve { name: "scratch".to_owned(), points: values.iter().map(point).collect() };
        Panel { title: title.to_owned(), label: "reward".to_owned(), curves: vec![curve] }
    }

    #[test]
    fn panels_are_drawn_with_their_titles_and_names() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("curves.svg");
        draw(&path, &[vec![panel("a to b", &[0.1, 0.5, 0.7]), panel("b to a", &[0.2])]]).expect("drawn");
        let text = std::fs::read_to_string(&path).expect("readable");
        assert!(text.starts_with("<svg") && text.trim_end().ends_with("</svg>"));
        for word in ["a to b", "b to a", "scratch", "iteration"] {
            assert!(text.contains(word), "{word}");
        }
    }

    #[test]
    fn a_panel_without_figures_has_axes_all_the_same() {
        assert_eq!(extent(&panel("empty", &[])), (0.0, 1.0));
        let (low, high) = extent(&panel("flat", &[1.0, 1.0]));
        assert!(low < 0.9 && high > 1.1);
    }
}
