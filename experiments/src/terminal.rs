//! A small picture of a run in text: what its best candidate keeps per layer, and the best so far.

use std::path::Path;

use crate::{
    chart::spark_text,
    report::{Meaning, RunReport, Site, count},
};

/// Most columns of a line.
const COLUMNS: usize = 60;
/// Most lines of bars; more layers share a line.
const LINES: usize = 34;
/// Columns of the longest name.
const NAME: usize = 20;
/// Columns of a whole bar.
const BAR: usize = 14;
/// Columns of the longest amount; a longer one is a percentage.
const AMOUNT: usize = 22;
/// Parts of a block, from an eighth to seven.
const PARTS: [char; 7] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/// One bar.
struct Bar {
    name: String,
    share: f64,
    /// What is kept, in words.
    amount: String,
}

/// The picture of the run in `run`, at most 60 columns wide and 40 lines long; empty where there is
/// nothing to show, or the run cannot be read.
pub fn picture(run: &Path) -> String {
    RunReport::read(run).map_or(String::new(), |run| draw(&run))
}

fn draw(run: &RunReport) -> String {
    let agent = run.agent();
    let mut text = String::new();
    if let (Some(best), false) = (agent.best, agent.shares.is_empty()) {
        let what = match run.meaning {
            Meaning::Amount => format!("{} kept per layer", run.sites.first().map_or("", |site| site.unit)),
            Meaning::Removal => "layers kept".to_owned(),
            Meaning::Shrinkage => "values kept".to_owned(),
        };
        text += &format!("\n{what}, episode {best}\n");
        let bars = bars(&run.sites, run.meaning, &agent.kept, &agent.shares);
        let name = bars.iter().map(|bar| bar.name.chars().count()).max().unwrap_or(0);
        for bar in &bars {
            let line = format!("{:<name$}  {}  {}", bar.name, blocks(bar.share), bar.amount);
            text += line.trim_end();
            text.push('\n');
        }
    }
    let so_far: Vec<f64> = agent.best_so_far().into_iter().flatten().collect();
    if let (Some(first), Some(last)) = (so_far.first(), so_far.last()) {
        text += &format!(
            "\nbest return so far, from {first:.4} to {last:.4}\n{}\n\n",
            spark_text(&so_far, COLUMNS)
        );
    }
    text
}

/// A bar per layer, or per few neighbouring layers of a long network.
fn bars(sites: &[Site], meaning: Meaning, kept: &[usize], shares: &[f64]) -> Vec<Bar> {
    let size = sites.len().div_ceil(LINES).max(1);
    let places: Vec<usize> = (0..sites.len().min(shares.len())).collect();
    let bar = |places: &[usize]| {
        let finite = || places.iter().map(|&place| shares[place]).filter(|share| share.is_finite());
        let mean = finite().sum::<f64>() / finite().count().max(1) as f64;
        let kept: Option<u64> = places.iter().map(|&place| Some(*kept.get(place)? as u64)).sum();
        let whole: Option<u64> = places.iter().map(|&place| sites[place].whole).sum();
        let name = &sites[places[0]].name;
        let (share, amount) = match (meaning, kept, whole) {
            (Meaning::Amount, Some(kept), Some(whole)) if whole > 0 => {
                let share = kept as f64 / whole as f64;
                let amount = format!("{} of {}", count(Some(kept)), count(Some(whole)));
                let fits = amount.chars().count() <= AMOUNT;
                (share, if fits { amount } else { format!("{:.1} %", 100.0 * share) })
            }
            (Meaning::Removal, ..) if places.len() == 1 => {
                (mean, if mean > 0.5 { "kept" } else { "removed" }.to_owned())
            }
            _ => (mean, format!("{:.0} %", 100.0 * mean)),
        };
        let more = match places.len() {
            1 => String::new(),
            count => format!(" +{}", count - 1),
        };
        Bar { name: shortened(name, NAME - more.chars().count()) + &more, share, amount }
    };
    places.chunks(size).map(bar).collect()
}

/// The end of a name, which tells layers apart, in at most `most` characters.
fn shortened(name: &str, most: usize) -> String {
    let length = name.chars().count();
    match length > most {
        true => format!("…{}", name.chars().skip(length + 1 - most).collect::<String>()),
        false => name.to_owned(),
    }
}

/// A share of `BAR` columns.
fn blocks(share: f64) -> String {
    let eighths = (share.clamp(0.0, 1.0) * (BAR * 8) as f64).round() as usize;
    let mut text = "█".repeat(eighths / 8);
    if let Some(part) = (eighths % 8).checked_sub(1) {
        text.push(PARTS[part]);
    }
    let drawn = text.chars().count();
    text + &"·".repeat(BAR - drawn)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_long_as_its_share() {
        assert_eq!(blocks(0.0), "·".repeat(BAR));
        assert_eq!(blocks(1.0), "█".repeat(BAR));
        assert_eq!(blocks(0.5), "█".repeat(7) + &"·".repeat(7));
        assert_eq!(blocks(1.0 / 112.0), "▏".to_owned() + &"·".repeat(13));
        assert_eq!(blocks(f64::NAN).chars().count(), BAR);
    }

    #[test]
    fn neighbours_in_a_long_network_share_a_line() {
        let site =
            |index: usize| Site { name: format!("features.{index}"), whole: Some(100), unit: "channels" };
        for count in [1, 34, 35, 55, 400] {
            let sites: Vec<Site> = (0..count).map(site).collect();
            let (kept, shares) = (vec![25; count], vec![0.25; count]);
            let bars = bars(&sites, Meaning::Amount, &kept, &shares);
            assert!(bars.len() <= LINES && bars.iter().all(|bar| bar.share == 0.25), "{count}");
            assert!(bars.iter().all(|bar| bar.name.chars().count() <= NAME), "{count}");
        }
        let sites: Vec<Site> = (0..35).map(site).collect();
        let first = &bars(&sites, Meaning::Amount, &[25; 35], &[0.25; 35])[0];
        assert_eq!((first.name.as_str(), first.amount.as_str()), ("features.0 +1", "50 of 200"));
        let no_sites = bars(&[], Meaning::Amount, &[], &[]);
        assert!(no_sites.is_empty());
    }

    #[test]
    fn a_shortened_name_keeps_its_end() {
        assert_eq!(shortened("conv1", 8), "conv1");
        assert_eq!(shortened("layer4.1.conv2", 8), "…1.conv2");
    }
}
