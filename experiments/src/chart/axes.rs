//! Axes: from values to places.

use super::{
    svg::{Svg, width_of},
    ticks::{Format, Ticks},
};

/// What an axis shows and how its numbers are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Axis {
    /// What it shows.
    pub label: String,
    /// How numbers are written.
    pub format: Format,
}

impl Axis {
    /// Numbers as they are.
    pub fn plain(label: &str) -> Self {
        Self { label: label.to_owned(), format: Format::Plain }
    }

    /// Shares as percentages.
    pub fn percent(label: &str) -> Self {
        Self { label: label.to_owned(), format: Format::Percent }
    }

    /// Large counts.
    pub fn count(label: &str) -> Self {
        Self { label: label.to_owned(), format: Format::Count }
    }

    /// Small whole numbers.
    pub fn whole(label: &str) -> Self {
        Self { label: label.to_owned(), format: Format::Whole }
    }
}

/// Height below the plane: numbers and the label of the horizontal axis.
pub(super) const BELOW: f64 = 36.0;

/// A rectangle with an axis below and one on the left.
pub(super) struct Plane {
    pub(super) x: Ticks,
    pub(super) y: Ticks,
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) top: f64,
    pub(super) bottom: f64,
}

impl Plane {
    /// A plane between `top` and `bottom` in a drawing that is `width` wide.
    pub(super) fn new(x: Ticks, y: Ticks, width: f64, (top, bottom): (f64, f64)) -> Self {
        Self { left: y.widest() + 10.0, right: width - 12.0, top, bottom, x, y }
    }

    pub(super) fn x_of(&self, value: f64) -> f64 {
        self.left + (value - self.x.low) / (self.x.high - self.x.low) * (self.right - self.left)
    }

    pub(super) fn y_of(&self, value: f64) -> f64 {
        self.bottom - (value - self.y.low) / (self.y.high - self.y.low) * (self.bottom - self.top)
    }

    pub(super) fn at(&self, (x, y): (f64, f64)) -> (f64, f64) {
        (self.x_of(x), self.y_of(y))
    }

    /// Horizontal lines with their numbers, and the label above them.
    pub(super) fn draw_y(&self, svg: &mut Svg, label: &str) {
        svg.text((2.0, self.top - 12.0), "label", "start", label);
        for (value, text) in &self.y.marks {
            let y = self.y_of(*value);
            svg.line((self.left, y), (self.right, y), "grid");
            svg.text((self.left - 5.0, y + 4.0), "tick", "end", text);
        }
    }

    /// The lower axis with its numbers, and the label below them.
    pub(super) fn draw_x(&self, svg: &mut Svg, label: &str) {
        svg.line((self.left, self.bottom), (self.right, self.bottom), "axis");
        for (value, text) in &self.x.marks {
            let x = self.x_of(*value);
            svg.line((x, self.bottom), (x, self.bottom + 4.0), "axis");
            // A number at the edge stays in the drawing.
            let over = (x + width_of(text) / 2.0 - self.right - 10.0).max(0.0);
            svg.text((x - over, self.bottom + 16.0), "tick", "middle", text);
        }
        svg.text((f64::midpoint(self.left, self.right), self.bottom + 32.0), "label", "middle", label);
    }
}
