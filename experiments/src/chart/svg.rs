//! Elements of SVG as text.

/// Text for an element or an attribute of HTML and SVG; control characters are replaced.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\'' => escaped += "&#39;",
            '\n' | '\t' => escaped.push(character),
            // Not allowed in XML, whatever their spelling.
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            other if other.is_control() => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    escaped
}

/// A coordinate with at most two decimals.
pub(super) fn number(value: f64) -> String {
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// About how wide a text is in the font size of charts.
pub(super) fn width_of(text: &str) -> f64 {
    6.6 * text.chars().count() as f64
}

/// Elements one after another.
#[derive(Debug, Default)]
pub(super) struct Svg(pub(super) String);

impl Svg {
    pub(super) fn text(&mut self, (x, y): (f64, f64), class: &str, anchor: &str, text: &str) {
        let (x, y) = (number(x), number(y));
        self.0 += &format!(
            "<text x=\"{x}\" y=\"{y}\" class=\"{class}\" text-anchor=\"{anchor}\">{}</text>",
            escape(text)
        );
    }

    /// Text that is turned about its end, rising to the right.
    pub(super) fn turned(&mut self, (x, y): (f64, f64), degrees: f64, class: &str, text: &str) {
        let (x, y, degrees) = (number(x), number(y), number(degrees));
        self.0 += &format!(
            "<text transform=\"translate({x} {y}) rotate(-{degrees})\" class=\"{class}\" text-anchor=\"end\">{}</text>",
            escape(text)
        );
    }

    pub(super) fn line(&mut self, from: (f64, f64), to: (f64, f64), class: &str) {
        self.0 += &format!(
            "<line x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\" class=\"{class}\"/>",
            number(from.0),
            number(from.1),
            number(to.0),
            number(to.1)
        );
    }

    /// A rectangle by its upper left corner and size, with a text that appears when it is pointed at.
    pub(super) fn rect(&mut self, at: (f64, f64), size: (f64, f64), class: &str, hint: &str) {
        let hint = if hint.is_empty() { String::new() } else { format!("<title>{}</title>", escape(hint)) };
        self.0 += &format!(
            "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" class=\"{class}\">{hint}</rect>",
            number(at.0),
            number(at.1),
            number(size.0.max(0.0)),
            number(size.1.max(0.0))
        );
    }

    /// A path through points, closed or not.
    pub(super) fn path(&mut self, points: &[(f64, f64)], closed: bool, class: &str) {
        if points.is_empty() {
            return;
        }
        let mut text = String::new();
        for (place, (x, y)) in points.iter().enumerate() {
            let command = if place == 0 { 'M' } else { 'L' };
            text += &format!("{command}{} {}", number(*x), number(*y));
        }
        if closed {
            text.push('Z');
        }
        self.0 += &format!("<path d=\"{text}\" class=\"{class}\"/>");
    }

    /// The mark of a series; its shape depends on `index`.
    pub(super) fn mark(&mut self, (x, y): (f64, f64), index: usize, size: f64, class: &str, hint: &str) {
        let at = |dx: f64, dy: f64| format!("{} {}", number(x + dx * size), number(y + dy * size));
        let hint = if hint.is_empty() { String::new() } else { format!("<title>{}</title>", escape(hint)) };
        let corners: &[(f64, f64)] = match index % 4 {
            0 => {
                let (x, y, size) = (number(x), number(y), number(size));
                self.0 +=
                    &format!("<circle cx=\"{x}\" cy=\"{y}\" r=\"{size}\" class=\"{class}\">{hint}</circle>");
                return;
            }
            1 => &[(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)],
            2 => &[(0.0, -1.2), (1.1, 0.8), (-1.1, 0.8)],
            _ => &[(0.0, -1.3), (1.3, 0.0), (0.0, 1.3), (-1.3, 0.0)],
        };
        let corners: Vec<String> = corners.iter().map(|&(dx, dy)| at(dx, dy)).collect();
        self.0 += &format!("<path d=\"M{}Z\" class=\"{class}\">{hint}</path>", corners.join("L"));
    }

    /// Names of series from (`left`, `top`) on, in as many lines as `right` asks for; returns their height.
    pub(super) fn legend(&mut self, (left, top): (f64, f64), right: f64, entries: &[Entry<'_>]) -> f64 {
        const LINE: f64 = 17.0;
        let (mut x, mut y) = (left, top);
        for entry in entries {
            let width = 20.0 + width_of(entry.name) + 15.0;
            if x > left && x + width > right {
                (x, y) = (left, y + LINE);
            }
            match entry.sign {
                Sign::Line => {
                    self.line((x, y + 7.0), (x + 15.0, y + 7.0), &format!("line c{}", entry.index % SERIES))
                }
                Sign::Mark(shape) => {
                    self.mark((x + 8.0, y + 7.0), shape, 4.0, &format!("mark c{}", entry.index % SERIES), "");
                }
                Sign::Star => self.mark((x + 8.0, y + 7.0), 3, 4.0, "star", ""),
                Sign::Front => self.line((x, y + 7.0), (x + 15.0, y + 7.0), "front"),
                Sign::Box(class) => {
                    let class = format!("{class} c{}", entry.index % SERIES);
                    self.rect((x + 2.0, y + 2.0), (11.0, 11.0), &class, "");
                }
            }
            self.text((x + 20.0, y + 11.0), "legend", "start", entry.name);
            x += width;
        }
        if entries.is_empty() { 0.0 } else { y + LINE - top }
    }
}

/// Number of colours.
pub(super) const SERIES: usize = 9;

/// How a series is recognised.
pub(super) enum Sign {
    Line,
    Mark(usize),
    /// A point of reference.
    Star,
    /// A Pareto front.
    Front,
    Box(&'static str),
}

/// A name in a legend.
pub(super) struct Entry<'a> {
    pub(super) name: &'a str,
    pub(super) index: usize,
    pub(super) sign: Sign,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_become_markup() {
        assert_eq!(escape("<script a=\"b\">&'\u{0}"), "&lt;script a=&quot;b&quot;&gt;&amp;&#39;\u{fffd}");
    }

    #[test]
    fn coordinates_are_short() {
        assert_eq!([1.0, -0.001, 2.5, 7.123_45].map(number), ["1", "0", "2.5", "7.12"]);
    }

    #[test]
    fn a_long_legend_has_several_lines() {
        let entry = |index| Entry { name: "a name of some length", index, sign: Sign::Line };
        let height =
            |count| Svg::default().legend((0.0, 0.0), 400.0, &(0..count).map(entry).collect::<Vec<_>>());
        assert!(height(0) == 0.0 && height(2) < height(5));
    }
}
