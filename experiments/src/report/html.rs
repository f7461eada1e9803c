//! Elements of a page: everything that is text is escaped here.

use crate::chart::{self, Chart, DataTable, STYLE, THEME, escape};

/// The style sheet of pages, beside those of charts.
const PAGE: &str = include_str!("page.css");

/// A whole page: valid HTML 5 that loads nothing.
pub fn page(title: &str, body: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{}</title>\n<style>{THEME}{STYLE}{PAGE}</style>\n\
         </head>\n<body>\n{body}\n</body>\n</html>\n",
        escape(title)
    )
}

/// A table; the first column are the names of its rows. `strong` are the rows that stand out.
pub fn table(caption: &str, table: &DataTable, strong: &[usize]) -> String {
    let mut text = format!(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{c}\"><table><caption>{c}</caption><thead><tr>",
        c = escape(caption)
    );
    // Columns of words are flush left.
    let has_digit = |cell: &String| cell.bytes().any(|byte| byte.is_ascii_digit());
    let words = |column: usize| {
        let mut cells = table.rows.iter().filter_map(|row| row.get(column));
        column > 0
            && !table.rows.is_empty()
            && !cells.clone().any(has_digit)
            && cells.any(|cell| cell.len() > 1)
    };
    let classes: Vec<&str> =
        (0..table.head.len()).map(|column| if words(column) { " class=\"t\"" } else { "" }).collect();
    for (cell, class) in table.head.iter().zip(&classes) {
        text += &format!("<th scope=\"col\"{class}>{}</th>", escape(cell));
    }
    text += "</tr></thead><tbody>";
    for (number, row) in table.rows.iter().enumerate() {
        text += if strong.contains(&number) { "<tr class=\"strong\">" } else { "<tr>" };
        for (column, cell) in row.iter().enumerate() {
            text += &match column {
                0 => format!("<th scope=\"row\">{}</th>", escape(cell)),
                _ => {
                    let class = classes.get(column).copied().unwrap_or_default();
                    format!("<td{class}>{}</td>", escape(cell))
                }
            };
        }
        text += "</tr>";
    }
    text + "</tbody></table></div>"
}

/// A chart with its heading of `level`, what is seen in it, and its data below. `id` is unique on the
/// page.
pub fn figure(chart: &dyn Chart, id: &str, level: u8) -> String {
    let is_wide = chart.draw().width > chart::WIDTH;
    let wide = if is_wide { " wide" } else { "" };
    // A wide drawing can be moved sideways on a narrow screen, with keys too.
    let movable = match is_wide {
        true => format!(" tabindex=\"0\" role=\"region\" aria-label=\"{}\"", escape(chart.title())),
        false => String::new(),
    };
    format!(
        "<figure class=\"card{wide}\"><figcaption><h{level}>{}</h{level}><p>{}</p></figcaption>\
         <div class=\"drawing\"{movable}>{}</div><details><summary>Data<span class=\"sr\"> of: {}</span></summary>{}</details>\
         </figure>",
        escape(chart.title()),
        escape(chart.description()),
        chart::inline(chart, id),
        escape(chart.title()),
        table(chart.title(), &chart.table(), &[]),
    )
}

/// Names and values.
pub fn facts(facts: &[(&str, String)]) -> String {
    let fact =
        |(name, value): &(&str, String)| format!("<div><dt>{name}</dt><dd>{}</dd></div>", escape(value));
    format!("<dl class=\"facts\">{}</dl>", facts.iter().map(fact).collect::<String>())
}

/// A number that stands out, what it is, and more about it.
pub fn tile(name: &str, value: &str, more: &str, drawing: &str) -> String {
    format!(
        "<div class=\"tile\"><dt>{}</dt><dd><strong>{}</strong>{drawing}<small>{}</small></dd></div>",
        escape(name),
        escape(value),
        escape(more)
    )
}

/// A share as a bar; what it is stands beside it.
pub fn meter(share: f64) -> String {
    let percent = 100.0 * if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
    format!("<span class=\"meter\" aria-hidden=\"true\"><i style=\"width:{percent:.1}%\"></i></span>")
}
