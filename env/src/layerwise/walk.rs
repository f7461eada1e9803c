//! A running episode: what is decided, what it costs, and what the budget still allows.
//!
//! This is Algorithm 1 of AMC (section 3.2, "resource-constrained compression") for any monotone
//! cost and any legal amounts: an action is lowered as far as the remaining sites could not make up
//! for it. The paper states it for the parameters of fine-grained pruning, where costs add up.

use crate::method::{CostFunction, Site};

/// The network as if every undecided site kept one certain amount.
#[derive(Debug, Clone)]
struct Outlook {
    /// Amount kept at each site.
    kept: Vec<u64>,
    cost: u64,
}

impl Outlook {
    fn new(kept: Vec<u64>, cost: &dyn CostFunction) -> Self {
        let cost = cost.total(&kept);
        Self { kept, cost }
    }

    /// The cost with another amount at one site.
    fn probe(&self, cost: &dyn CostFunction, site: usize, amount: u64) -> u64 {
        cost.with(&self.kept, self.cost, site, amount)
    }

    fn set(&mut self, site: usize, amount: u64, cost: u64) {
        self.kept[site] = amount;
        self.cost = cost;
    }
}

/// How one decision is executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Executed {
    /// Amount kept.
    pub(super) amount: u64,
    /// Whether the budget lowered what the action asked for.
    pub(super) clipped: bool,
    least_cost: u64,
    whole_cost: u64,
}

/// Decisions taken, and the least and the greatest cost that the remaining ones can lead to.
///
/// The budget holds by construction: at the start `least` costs no more than the limit, and no
/// decision is executed that would change this. Once all decisions are taken, `least` is the
/// candidate.
#[derive(Debug, Clone)]
pub struct Walk {
    /// Decisions taken.
    pub(super) taken: usize,
    /// Preserve ratio executed at the last decision; 1 before the first.
    pub(super) previous: f32,
    /// Most that the candidate may cost; no limit without a budget.
    limit: u64,
    /// Undecided sites at their least legal amounts.
    least: Outlook,
    /// Undecided sites whole.
    whole: Outlook,
}

impl Walk {
    /// No decisions taken. `limit` must not lie below the least reachable cost.
    pub(super) fn new(sites: &[Site], cost: &dyn CostFunction, limit: u64) -> Self {
        let least = sites.iter().map(|site| site.ladder.least()).collect();
        let whole = sites.iter().map(|site| site.ladder.whole()).collect();
        Self {
            taken: 0,
            previous: 1.0,
            limit,
            least: Outlook::new(least, cost),
            whole: Outlook::new(whole, cost),
        }
    }

    /// How `preserve_ratio` is executed at the next site. Changes nothing.
    ///
    /// The amount is lowered to the greatest legal one with which the network meets the limit if all
    /// undecided sites keep their least. With `exhaust` it is first raised to the least legal one
    /// with which the limit can still be reached if all undecided sites stay whole.
    pub(super) fn execute(
        &self,
        site: &Site,
        cost: &dyn CostFunction,
        preserve_ratio: f32,
        exhaust: bool,
    ) -> Executed {
        let least = |amount| self.least.probe(cost, self.taken, amount);
        let whole = |amount| self.whole.probe(cost, self.taken, amount);
        let (ladder, asked) = (site.ladder, site.round(preserve_ratio));
        let mut amount = asked;
        if exhaust && whole(amount) < self.limit {
            amount = ladder.at(first(ladder.levels(), |level| whole(ladder.at(level)) >= self.limit));
        }
        if least(amount) > self.limit {
            let level = first(ladder.levels(), |level| least(ladder.at(level)) > self.limit);
            amount = ladder.at(level.saturating_sub(1));
        }
        // Taking back what `exhaust` raised is no clipping.
        Executed { amount, clipped: amount < asked, least_cost: least(amount), whole_cost: whole(amount) }
    }

    /// Takes the decision that [`Walk::execute`] returned.
    pub(super) fn take(&mut self, executed: Executed, previous: f32) {
        self.least.set(self.taken, executed.amount, executed.least_cost);
        self.whole.set(self.taken, executed.amount, executed.whole_cost);
        self.taken += 1;
        self.previous = previous;
    }

    /// Cost with the decisions taken and all other sites whole.
    pub(super) fn cost(&self) -> u64 {
        self.whole.cost
    }

    /// Amount kept at each site, undecided ones whole.
    pub(super) fn kept(&self) -> &[u64] {
        &self.whole.kept
    }
}

/// The first of `0..count` that `holds`, where it also holds for all after it; `count − 1` when it
/// holds for none.
fn first(count: u64, holds: impl Fn(u64) -> bool) -> u64 {
    let (mut low, mut high) = (0, count - 1);
    while low < high {
        let middle = low.midpoint(high);
        if holds(middle) { high = middle } else { low = middle + 1 }
    }
    low
}
