//! A running episode: what is decided, what it costs, and what the budget still allows.

use super::Decision;
use crate::cost_model::Form;

/// The network as if every undecided group kept one certain count.
#[derive(Debug, Clone)]
struct Outlook {
    /// Atoms kept at each decision.
    kept: Vec<u64>,
    cost: u64,
}

impl Outlook {
    fn new(kept: Vec<u64>, cost: &Form) -> Self {
        let cost = cost.value(&kept);
        Self { kept, cost }
    }

    /// The cost as it would be with another count at one decision.
    fn probe<'a>(&self, cost: &'a Form, decision: usize) -> Probe<'a> {
        let slope = cost.slope(decision, &self.kept);
        let base = self.cost - cost.part(decision, slope, self.kept[decision]);
        Probe { cost, decision, slope, base }
    }

    fn set(&mut self, decision: usize, count: u64, cost: u64) {
        self.kept[decision] = count;
        self.cost = cost;
    }
}

/// The cost as a function of one decision, all else being equal.
struct Probe<'a> {
    cost: &'a Form,
    decision: usize,
    slope: u64,
    base: u64,
}

impl Probe<'_> {
    fn cost(&self, count: usize) -> u64 {
        self.base + self.cost.part(self.decision, self.slope, count as u64)
    }
}

/// How one decision was executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Executed {
    /// Atoms kept.
    pub(super) atoms: usize,
    /// Whether the budget lowered what the action asked for.
    pub(super) clipped: bool,
    least_cost: u64,
    whole_cost: u64,
}

/// Decisions taken and the two ends of what may become of the others.
///
/// The budget holds by construction: `least` costs no more than the limit at the start, and no
/// decision is executed that would change this. Once all are taken, `least` is the candidate.
#[derive(Debug, Clone)]
pub(super) struct Episode {
    /// Decisions taken.
    pub(super) taken: usize,
    limit: u64,
    /// Undecided groups at their least legal counts.
    least: Outlook,
    /// Undecided groups whole.
    whole: Outlook,
}

impl Episode {
    /// Nothing decided yet. `limit` must not lie below the least reachable cost.
    pub(super) fn new(decisions: &[Decision], cost: &Form, limit: u64) -> Self {
        let least = decisions.iter().map(|decision| decision.least as u64).collect();
        let whole = decisions.iter().map(|decision| decision.atoms as u64).collect();
        Self { taken: 0, limit, least: Outlook::new(least, cost), whole: Outlook::new(whole, cost) }
    }

    /// What the next decision's `preserve_ratio` comes to. Changes nothing.
    ///
    /// The count is lowered to the greatest legal one with which the network still meets the
    /// budget if all undecided groups keep their least. With `fill_budget` it is first raised to
    /// the least legal one with which the budget could still be used up if they stayed whole.
    pub(super) fn execute(
        &self,
        decision: &Decision,
        cost: &Form,
        preserve_ratio: f32,
        fill_budget: bool,
    ) -> Executed {
        let least = self.least.probe(cost, self.taken);
        let whole = self.whole.probe(cost, self.taken);
        let mut atoms = decision.round(preserve_ratio);
        if fill_budget && whole.cost(atoms) < self.limit {
            let level = first(decision.levels(), |level| whole.cost(decision.at_level(level)) >= self.limit);
            atoms = decision.at_level(level);
        }
        let clipped = least.cost(atoms) > self.limit;
        if clipped {
            let level = first(decision.levels(), |level| least.cost(decision.at_level(level)) > self.limit);
            atoms = decision.at_level(level.saturating_sub(1));
        }
        // Taking back what was raised is no clipping.
        let clipped = clipped && atoms < decision.round(preserve_ratio);
        Executed { atoms, clipped, least_cost: least.cost(atoms), whole_cost: whole.cost(atoms) }
    }

    /// Takes the decision that [`Episode::execute`] worked out.
    pub(super) fn take(&mut self, executed: Executed) {
        self.least.set(self.taken, executed.atoms as u64, executed.least_cost);
        self.whole.set(self.taken, executed.atoms as u64, executed.whole_cost);
        self.taken += 1;
    }

    /// Cost with the decisions taken, all others whole.
    pub(super) fn cost(&self) -> u64 {
        self.whole.cost
    }

    /// Atoms kept at each decision, undecided ones whole.
    pub(super) fn kept(&self) -> &[u64] {
        &self.whole.kept
    }
}

/// The first of `0..count` that `holds`, where all after it do; `count − 1` when none does.
fn first(count: usize, holds: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, count - 1);
    while low < high {
        let middle = low.midpoint(high);
        if holds(middle) { high = middle } else { low = middle + 1 }
    }
    low
}
