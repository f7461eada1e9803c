//! The replay memory: a ring buffer of transitions, sampled uniformly with replacement.

use rand::{Rng, RngExt};

/// One stored step; actions are the executed ones in unit coordinates.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub(super) struct Row {
    pub(super) observation: Vec<f32>,
    pub(super) action: Vec<f32>,
    pub(super) next_observation: Vec<f32>,
    /// Target of the critic, before the baseline is subtracted.
    pub(super) value: f32,
    /// Weight of the next state's value: the discount, or 0 after the last step.
    pub(super) bootstrap: f32,
    /// Number of the exploring episode.
    pub(super) episode: u32,
    /// Number of the step in its episode.
    pub(super) step: u32,
}

/// Rows laid end to end: observation, action, next observation, value, bootstrap, episode, step.
pub(super) struct Replay {
    observation: usize,
    action: usize,
    capacity: usize,
    /// Index of the row that is written next.
    pub(super) next: usize,
    pub(super) rows: Vec<f32>,
}

/// A minibatch, each field row after row.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) observations: Vec<f32>,
    pub(super) actions: Vec<f32>,
    pub(super) next_observations: Vec<f32>,
    pub(super) values: Vec<f32>,
    pub(super) bootstraps: Vec<f32>,
    pub(super) episodes: Vec<usize>,
    pub(super) steps: Vec<usize>,
}

impl Replay {
    pub(super) fn new(observation: usize, action: usize, capacity: usize) -> Self {
        Self { observation, action, capacity, next: 0, rows: Vec::new() }
    }

    fn width(&self) -> usize {
        2 * self.observation + self.action + 4
    }

    /// Rows stored.
    pub(super) fn len(&self) -> usize {
        self.rows.len() / self.width()
    }

    /// Stores `row`, in place of the oldest one where the memory is full.
    pub(super) fn push(&mut self, row: &Row) {
        let mut flat = Vec::with_capacity(self.width());
        flat.extend_from_slice(&row.observation);
        flat.extend_from_slice(&row.action);
        flat.extend_from_slice(&row.next_observation);
        // Whole numbers below 2²⁴ are exact in an f32.
        flat.extend([row.value, row.bootstrap, row.episode as f32, row.step as f32]);
        let start = self.next * self.width();
        if start == self.rows.len() {
            self.rows.extend(flat);
        } else {
            self.rows[start..start + flat.len()].copy_from_slice(&flat);
        }
        self.next = (self.next + 1) % self.capacity;
    }

    /// `count` rows drawn uniformly from a memory that is not empty.
    pub(super) fn sample(&self, count: usize, rng: &mut impl Rng) -> Batch {
        let mut batch = Batch::default();
        for _ in 0..count {
            let row = &self.rows[rng.random_range(0..self.len()) * self.width()..][..self.width()];
            let (observation, rest) = row.split_at(self.observation);
            let (action, rest) = rest.split_at(self.action);
            let (next_observation, rest) = rest.split_at(self.observation);
            batch.observations.extend_from_slice(observation);
            batch.actions.extend_from_slice(action);
            batch.next_observations.extend_from_slice(next_observation);
            batch.values.push(rest[0]);
            batch.bootstraps.push(rest[1]);
            batch.episodes.push(rest[2] as usize);
            batch.steps.push(rest[3] as usize);
        }
        batch
    }

    /// Whether `rows` and `next` are a possible state of this memory.
    pub(super) fn accepts(&self, rows: &[f32], next: usize) -> bool {
        let stored = rows.len() / self.width();
        rows.len().is_multiple_of(self.width())
            && stored <= self.capacity
            && if stored < self.capacity { next == stored } else { next < self.capacity }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    fn row(value: f32) -> Row {
        Row {
            observation: vec![value; 3],
            action: vec![value],
            next_observation: vec![value + 1.0; 3],
            value,
            bootstrap: 1.0,
            episode: 0,
            step: 0,
        }
    }

    #[test]
    fn the_oldest_rows_are_overwritten() {
        let mut replay = Replay::new(3, 1, 4);
        (0..6).for_each(|i| replay.push(&row(i as f32)));
        assert_eq!((replay.len(), replay.next), (4, 2));
        let mut values: Vec<f32> = replay.rows.chunks(11).map(|row| row[7]).collect();
        values.sort_by(f32::total_cmp);
        assert_eq!(values, [2.0, 3.0, 4.0, 5.0]);
    }

    #[test]
    fn a_sample_keeps_rows_together_and_reaches_all_of_them() {
        let mut replay = Replay::new(3, 1, 100);
        (0..10).for_each(|i| replay.push(&row(i as f32)));
        let batch = replay.sample(500, &mut rand_chacha::ChaCha8Rng::seed_from_u64(1));
        for i in 0..500 {
            assert_eq!(batch.observations[3 * i], batch.values[i]);
            assert_eq!(batch.actions[i], batch.values[i]);
            assert_eq!(batch.next_observations[3 * i + 2], batch.values[i] + 1.0);
        }
        assert!((0..10).all(|i| batch.values.contains(&(i as f32))));
    }
}
