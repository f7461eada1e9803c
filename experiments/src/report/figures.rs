//! The figures of a run and of groups of runs.

use super::{
    data::{Candidate, Policy, RunReport},
    group::Group,
    sites::{Meaning, Site},
    unit_title,
};
use crate::{
    chart::{
        Axis, BarChart, Bars, Curve, LineChart, Mark, Point, Scatter, Series, Shape, Stack, StackedBars,
    },
    statistics::{Estimate, spread_of},
};

/// Returns and the best so far, per episode.
pub fn search(run: &RunReport) -> LineChart {
    let agent = run.agent();
    let random = run.policies[1..].iter().find(|policy| policy.name == "random");
    let best = |policy: &Policy, name: String| Curve {
        name,
        shape: Shape::Steps,
        points: numbered(policy.best_so_far()),
    };
    let returns = agent.candidates.iter().map(|candidate| Some(candidate.episodic_return)).collect();
    let mut curves = vec![
        best(agent, format!("best so far, {}", agent.name)),
        Curve {
            name: format!("each episode, {}", agent.name),
            shape: Shape::Dots,
            points: numbered(returns),
        },
    ];
    curves.extend(random.map(|random| best(random, "best so far, random".to_owned())));
    let from = agent.best_so_far().into_iter().flatten().next();
    let description = match (from, agent.best_return()) {
        (Some(from), Some(best)) => format!(
            "The best return rises from {from:.4} to {best:.4} over {} episodes; an episode's return is its reward.",
            agent.candidates.len()
        ),
        _ => "No admissible candidate yet.".to_owned(),
    };
    LineChart {
        title: "Return per episode".to_owned(),
        description,
        x: Axis::whole("episode"),
        y: Axis::plain("return"),
        curves,
    }
}

/// Cost and accuracy of every candidate of a run.
pub fn candidates(run: &RunReport) -> Scatter {
    let series =
        run.policies.iter().map(|policy| Series { name: policy.name.clone(), marks: marks(policy, "") });
    scatter(run, series.collect())
}

/// Cost and accuracy of every candidate of groups of runs in one environment.
pub fn all_candidates(runs: &[RunReport], groups: &[Group]) -> Scatter {
    let series = groups.iter().map(|group| {
        let own = group.runs.iter().map(|&run| &runs[run]);
        let marks = own.flat_map(|run| marks(run.agent(), &format!("{}, ", run.name)));
        Series { name: group.name.clone(), marks: marks.collect() }
    });
    scatter(&runs[groups[0].runs[0]], series.collect())
}

fn marks(policy: &Policy, prefix: &str) -> Vec<Mark> {
    let mark = |candidate: &Candidate| {
        let (x, y) = (candidate.preserve_ratio?, candidate.top1?);
        Some(Mark { x, y, name: format!("{prefix}episode {}", candidate.episode) })
    };
    policy.candidates.iter().filter_map(mark).collect()
}

/// A chart of `series` in the environment of `run`.
fn scatter(run: &RunReport, series: Vec<Series>) -> Scatter {
    // A budget makes all costs alike; the teacher would be alone at the other end of the axis.
    let teacher = run.summary.rows.iter().find(|row| row.policy == "teacher" && run.summary.budget.is_none());
    let reference = teacher.and_then(|teacher| {
        Some(Mark { x: teacher.preserve_ratio?, y: teacher.reward_top1?, name: "teacher".to_owned() })
    });
    let mut chart = Scatter {
        title: "Cost and accuracy of all candidates".to_owned(),
        description: String::new(),
        x: Axis::percent(&format!("{} kept", unit_title(&run.summary.unit))),
        y: Axis::percent("top-1 on the reward images"),
        series,
        reference,
        limit: run.summary.budget.map(|share| (share, "budget".to_owned())),
    };
    let count: usize = chart.series.iter().map(|series| series.marks.len()).sum();
    chart.description = format!(
        "{count} candidates; {} of them on the Pareto front: none is both as cheap and more accurate.",
        chart.front().len()
    );
    chart
}

/// What the best candidates of groups keep per layer, on average over seeds; absent where the layers
/// differ or nothing is counted.
pub fn kept_by_group(runs: &[RunReport], groups: &[Group]) -> Option<BarChart> {
    let first = &runs[groups[0].runs[0]];
    let of = |group: &Group| group.runs.iter().map(|&run| &runs[run]).collect::<Vec<_>>();
    let all = groups.iter().flat_map(of);
    let alike = |run: &RunReport| run.sites == first.sites && run.agent().shares.len() == first.sites.len();
    if first.meaning != Meaning::Amount || first.sites.is_empty() || !all.clone().all(alike) {
        return None;
    }
    let bars = groups.iter().map(|group| {
        let own = of(group);
        let mean = |site: usize| {
            let shares = own.iter().map(|run| run.agent().shares[site]);
            let mean = shares.sum::<f64>() / own.len() as f64;
            mean.is_finite().then_some(mean)
        };
        Bars {
            name: group.name.clone(),
            values: (0..first.sites.len()).map(mean).collect(),
            notes: Vec::new(),
        }
    });
    let unit = first.sites[0].unit;
    Some(BarChart {
        title: "Kept per layer".to_owned(),
        description: format!("Share of the {unit} that the best candidates keep: means over the seeds."),
        group: "layer".to_owned(),
        groups: first.sites.iter().map(|site| site.name.clone()).collect(),
        y: Axis::percent(&format!("{unit} kept")),
        bars: bars.collect(),
        whole: Some(("before".to_owned(), 1.0)),
        compact: false,
        colour: 0,
    })
}

/// What the best candidate of `policy` keeps per layer.
pub fn kept(run: &RunReport, index: usize, compact: bool) -> Option<BarChart> {
    let policy = &run.policies[index];
    if policy.shares.is_empty() || policy.shares.len() != run.sites.len() {
        return None;
    }
    let note = |(site, kept): (&Site, &usize)| match site.whole {
        Some(whole) => {
            format!("{} of {} {}", super::count(Some(*kept as u64)), super::count(Some(whole)), site.unit)
        }
        None if run.meaning == Meaning::Amount => super::count(Some(*kept as u64)),
        None => String::new(),
    };
    let least = policy.shares.iter().copied().fold(f64::INFINITY, f64::min);
    let most = policy.shares.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let top1 = policy.best.and_then(|best| policy.candidates.get(best)).and_then(|best| best.top1);
    let unit = run.sites.first().map_or("", |site| site.unit);
    Some(BarChart {
        title: format!(
            "{}{}",
            policy.name,
            top1.map_or(String::new(), |top1| format!(": {:.2} %", 100.0 * top1))
        ),
        description: format!(
            "Share of the {unit} that the best candidate of {} keeps at each of {} layers: from {:.0} % to {:.0} %.",
            policy.name,
            run.sites.len(),
            100.0 * least,
            100.0 * most
        ),
        group: "layer".to_owned(),
        groups: run.sites.iter().map(|site| site.name.clone()).collect(),
        y: Axis::percent(&format!("{unit} kept")),
        bars: vec![Bars {
            name: format!("after, {}", policy.name),
            values: policy.shares.iter().map(|share| share.is_finite().then_some(*share)).collect(),
            notes: run.sites.iter().zip(&policy.kept).map(note).collect(),
        }],
        whole: Some(("before".to_owned(), 1.0)),
        compact,
        colour: index,
    })
}

/// Where the time of the episodes went; absent where the run did not measure it.
pub fn time(run: &RunReport) -> Option<StackedBars> {
    let profile = run.summary.profile?;
    let parts = profile.parts();
    let (name, most) = parts.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1))?;
    Some(StackedBars {
        title: "Where the time went".to_owned(),
        description: format!(
            "{:.1} seconds for {} episodes; most of it, {:.0} %, for {name}.",
            profile.seconds(),
            profile.episodes,
            100.0 * most / profile.seconds().max(f64::MIN_POSITIVE)
        ),
        parts: parts.iter().map(|(name, _)| (*name).to_owned()).collect(),
        stacks: vec![Stack {
            name: String::new(),
            values: parts.iter().map(|(_, seconds)| *seconds).collect(),
        }],
        unit: "seconds".to_owned(),
    })
}

/// Curves of groups beside each other: the best so far, or the return of each episode.
pub fn curves(groups: &[Group], title: &str, of: fn(&Group) -> &Vec<Option<Estimate>>) -> LineChart {
    let curve = |group: &Group| {
        let points = of(group).iter().enumerate().filter_map(|(episode, estimate)| {
            let Estimate { mean, low, high, .. } = (*estimate)?;
            Some(Point { x: episode as f64, y: mean, low, high })
        });
        Curve { name: group.name.clone(), shape: Shape::Line, points: points.collect() }
    };
    let mut counts: Vec<usize> = groups.iter().map(|group| group.runs.len()).collect();
    counts.sort_unstable();
    counts.dedup();
    let spreads: Vec<String> = counts.into_iter().map(spread_of).collect();
    LineChart {
        title: title.to_owned(),
        description: format!("Lines are interquartile means; bands: {}.", spreads.join(", ")),
        x: Axis::whole("episode"),
        y: Axis::plain("return"),
        curves: groups.iter().map(curve).collect(),
    }
}

fn numbered(values: Vec<Option<f64>>) -> Vec<Point> {
    let numbered = values.into_iter().enumerate();
    numbered.filter_map(|(index, value)| Some(Point::exact(index as f64, value?))).collect()
}
