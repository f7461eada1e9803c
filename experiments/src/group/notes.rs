//! What a reader must know before comparing the rows of a table.

use std::collections::{BTreeMap, BTreeSet};

use super::{Comparison, Group, RecordedRun};

/// Policies without a search: they play one candidate.
pub const HAND_CRAFTED: [&str; 3] = ["uniform", "shallow", "deep"];

/// Appends the notes about `comparison`, which is of the runs `members`.
pub(super) fn of(comparison: &Comparison, members: &[&RecordedRun], notes: &mut Vec<String>) {
    let env = &comparison.env;
    for group in &comparison.groups {
        for run in &group.unfinished {
            let best = run.reward_top1.map(|top1| format!(", best so far {:.2} %", 100.0 * top1));
            notes.push(format!(
                "{}: unfinished, not in the estimates: {} episodes played{}",
                run.run.display(),
                run.played,
                best.unwrap_or_default()
            ));
        }
        let none = group.seeds.len() - group.reward_top1.map_or(0, |estimate| estimate.count);
        if none > 0 {
            notes.push(format!(
                "{env}: {none} of {} runs of {} found no admissible candidate; the estimates are over the others",
                group.seeds.len(),
                group.label
            ));
        }
    }
    for runs in repeated(members).values() {
        let paths: Vec<String> = runs.iter().map(|run| run.path.display().to_string()).collect();
        notes.push(format!("{env}: the same seed and settings, counted once: {}", paths.join(", ")));
    }
    let searches: Vec<&Group> = comparison
        .groups
        .iter()
        .filter(|group| !HAND_CRAFTED.contains(&group.agent.as_str()) && !group.seeds.is_empty())
        .collect();
    let told = |figure: &dyn Fn(&Group) -> String| -> String {
        let words = searches.iter().map(|group| format!("{} {}", group.label, figure(group)));
        words.collect::<Vec<String>>().join(", ")
    };
    let unlike = |figure: &dyn Fn(&Group) -> String| {
        searches.windows(2).any(|pair| figure(pair[0]) != figure(pair[1]))
    };
    let episodes = |group: &Group| group.episodes.to_string();
    let evaluations =
        |group: &Group| group.evaluations.map_or("-".to_owned(), |estimate| format!("{:.0}", estimate.mean));
    if unlike(&episodes) {
        let words: BTreeSet<String> =
            searches.iter().map(|group| format!("{} {}", group.agent, group.episodes)).collect();
        let words = words.into_iter().collect::<Vec<String>>().join(", ");
        notes.push(format!("{env}: not the same number of episodes: {words}"));
    } else if unlike(&evaluations) {
        notes.push(format!("{env}: not the same number of evaluations: {}", told(&evaluations)));
    }
    let seeds = |group: &Group| {
        let seeds: Vec<String> = group.seeds.iter().map(u64::to_string).collect();
        format!("({})", seeds.join(" "))
    };
    if unlike(&seeds) {
        notes.push(format!("{env}: not the same seeds: {}", told(&seeds)));
    }
}

/// Finished runs that differ in nothing at all.
fn repeated<'a>(members: &[&'a RecordedRun]) -> BTreeMap<usize, Vec<&'a RecordedRun>> {
    let mut found = BTreeMap::new();
    let finished: Vec<&RecordedRun> = members.iter().copied().filter(|run| run.finished).collect();
    for (index, run) in finished.iter().enumerate() {
        let same = |other: &&&RecordedRun| other.kind() == run.kind() && other.seed() == run.seed();
        let alike: Vec<&RecordedRun> = finished.iter().filter(same).copied().collect();
        let first = finished.iter().position(|other| same(&other)).unwrap_or(index);
        if alike.len() > 1 {
            found.insert(first, alike);
        }
    }
    found
}
