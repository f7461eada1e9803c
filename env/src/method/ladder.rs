//! The legal amounts of a site.

/// Amounts from the most compressed to the whole: `least`, then equal steps, then the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ladder {
    least: u64,
    step: u64,
    whole: u64,
}

impl Ladder {
    /// Multiples of `step` that are `least` or more, and the whole.
    ///
    /// A `least` that is not such an amount is raised to the next one; 0 counts as 1.
    pub fn multiples(least: u64, step: u64, whole: u64) -> Self {
        let (step, whole) = (step.max(1), whole.max(1));
        let least = (least.max(1).div_ceil(step) * step).min(whole);
        Self { least, step, whole }
    }

    /// The least legal amount.
    pub fn least(&self) -> u64 {
        self.least
    }

    /// The distance between amounts, except before the whole.
    pub fn step(&self) -> u64 {
        self.step
    }

    /// The greatest legal amount.
    pub fn whole(&self) -> u64 {
        self.whole
    }

    /// Number of legal amounts.
    pub fn levels(&self) -> u64 {
        (self.whole - self.least).div_ceil(self.step) + 1
    }

    /// The amount at `level`, counted from the least.
    pub fn at(&self, level: u64) -> u64 {
        (self.least + level * self.step).min(self.whole)
    }

    /// The least legal amount that is `amount` or more; the whole where there is none.
    pub fn at_or_above(&self, amount: u64) -> u64 {
        (amount.max(1).div_ceil(self.step) * self.step).min(self.whole).max(self.least)
    }

    /// Whether `amount` is legal.
    pub fn contains(&self, amount: u64) -> bool {
        amount == self.whole
            || (amount >= self.least && amount < self.whole && amount.is_multiple_of(self.step))
    }
}

#[cfg(test)]
mod tests {
    use super::Ladder;

    #[test]
    fn a_ladder_has_the_multiples_and_the_whole() {
        let ladder = Ladder::multiples(3, 4, 10);
        let amounts: Vec<u64> = (0..ladder.levels()).map(|level| ladder.at(level)).collect();
        assert_eq!(amounts, [4, 8, 10]);
        assert!(amounts.iter().all(|&amount| ladder.contains(amount)));
        assert!(![0, 3, 5, 9, 12].iter().any(|&amount| ladder.contains(amount)));
        assert_eq!([0, 5, 9, 99].map(|amount| ladder.at_or_above(amount)), [4, 8, 10, 10]);
    }

    #[test]
    fn a_step_beyond_the_whole_leaves_only_the_whole() {
        let ladder = Ladder::multiples(1, 8, 3);
        assert_eq!((ladder.levels(), ladder.least(), ladder.whole()), (1, 3, 3));
    }
}
