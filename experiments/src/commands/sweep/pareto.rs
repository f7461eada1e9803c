//! Cost kept against accuracy: the curve of each agent over the budgets.

use serde::Serialize;

use crate::{
    group::{
        Comparisons,
        table::{accuracy, aligned, widths},
    },
    statistics::Estimate,
};

/// One agent under one budget.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Point {
    /// Id of the environment without its budget.
    pub(super) env: String,
    pub(super) unit: String,
    pub(super) budget: Option<f64>,
    pub(super) agent: String,
    /// Cost over the cost of the whole network.
    pub(super) preserve_ratio: Estimate,
    /// Top-1 accuracy on the reward split.
    pub(super) reward_top1: Estimate,
    /// Top-1 accuracy on the test split.
    pub(super) test_top1: Option<Estimate>,
    /// Whether no point of the same environment and unit keeps at most this cost and has more
    /// accuracy on the reward split, or less cost and this accuracy.
    pub(super) optimal: bool,
}

/// The points of every environment, unit and agent, in ascending order of the cost kept.
pub(super) fn points(comparisons: &Comparisons) -> Vec<Point> {
    let mut points: Vec<Point> = Vec::new();
    for comparison in &comparisons.comparisons {
        for group in &comparison.groups {
            let (Some(kept), Some(top1)) = (group.preserve_ratio, group.reward_top1) else { continue };
            points.push(Point {
                env: comparison.stem.clone(),
                unit: comparison.unit.clone(),
                budget: comparison.budget,
                agent: group.label.clone(),
                preserve_ratio: kept,
                reward_top1: top1,
                test_top1: group.test_top1,
                optimal: true,
            });
        }
    }
    let beaten: Vec<bool> =
        points.iter().map(|point| points.iter().any(|other| beats(other, point))).collect();
    for (point, beaten) in points.iter_mut().zip(beaten) {
        point.optimal = !beaten;
    }
    // Agents in order of appearance.
    let curve = |point: &Point| (point.env.clone(), point.unit.clone(), point.agent.clone());
    let mut order = Vec::new();
    for point in &points {
        if !order.contains(&curve(point)) {
            order.push(curve(point));
        }
    }
    let place = |point: &Point| order.iter().position(|known| *known == curve(point));
    points.sort_by(|a, b| {
        place(a).cmp(&place(b)).then(a.preserve_ratio.mean.total_cmp(&b.preserve_ratio.mean))
    });
    points
}

fn beats(one: &Point, other: &Point) -> bool {
    let (kept, top1) = (one.preserve_ratio.mean, one.reward_top1.mean);
    let (other_kept, other_top1) = (other.preserve_ratio.mean, other.reward_top1.mean);
    let same = one.env == other.env && one.unit == other.unit;
    same && kept <= other_kept && top1 >= other_top1 && (kept < other_kept || top1 > other_top1)
}

/// The points as a table; empty where no agent has several.
pub(super) fn table(points: &[Point]) -> String {
    let curves = |point: &Point| points.iter().filter(|other| same_curve(other, point)).count();
    if points.iter().all(|point| curves(point) < 2) {
        return String::new();
    }
    let several = points.iter().any(|point| point.env != points[0].env || point.unit != points[0].unit);
    let head =
        ["agent", "kept", "top-1, reward split", "top-1, test split", "Pareto-optimal"].map(str::to_owned);
    let lines: Vec<[String; 5]> = points
        .iter()
        .map(|point| {
            let agent = match several {
                true => format!("{} {}: {}", point.env, point.unit, point.agent),
                false => point.agent.clone(),
            };
            [
                agent,
                format!("{:.2} %", 100.0 * point.preserve_ratio.mean),
                accuracy(Some(point.reward_top1)),
                accuracy(point.test_top1),
                if point.optimal { "yes".to_owned() } else { "-".to_owned() },
            ]
        })
        .collect();
    let widths = widths(std::iter::once(&head).chain(&lines));
    let lines = std::iter::once(&head).chain(&lines).map(|line| aligned(line, &widths));
    std::iter::once("cost kept against accuracy\n".to_owned()).chain(lines).collect()
}

fn same_curve(one: &Point, other: &Point) -> bool {
    one.env == other.env && one.unit == other.unit && one.agent == other.agent
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(env: &str, agent: &str, kept: f64, top1: f64) -> Point {
        let one = |value: f64| Estimate::of(&[value]).expect("a figure");
        Point {
            env: env.to_owned(),
            unit: "macs".to_owned(),
            budget: Some(kept),
            agent: agent.to_owned(),
            preserve_ratio: one(kept),
            reward_top1: one(top1),
            test_top1: None,
            optimal: true,
        }
    }

    #[test]
    fn a_point_is_beaten_by_less_cost_or_more_accuracy_of_the_same_environment() {
        let one = point("a", "cem", 0.3, 0.8);
        assert!(beats(&point("a", "ddpg", 0.3, 0.9), &one) && beats(&point("a", "ddpg", 0.2, 0.8), &one));
        for other in [("a", 0.3, 0.8), ("a", 0.4, 0.9), ("a", 0.2, 0.7), ("b", 0.2, 0.9)] {
            assert!(!beats(&point(other.0, "ddpg", other.1, other.2), &one), "{other:?}");
        }
    }

    #[test]
    fn only_several_budgets_make_a_table() {
        let mut points = vec![point("a", "cem", 0.3, 0.8), point("a", "ddpg", 0.3, 0.9)];
        assert_eq!(table(&points), "");
        points.push(point("a", "cem", 0.5, 0.9));
        assert_eq!(table(&points).lines().count(), 5);
    }
}
