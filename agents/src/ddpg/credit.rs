//! Credit assignment by ridge regression of returns on the actions of whole episodes.
//!
//! All steps of an episode share one return, in which the effect of a single action is hidden among
//! those of the others. The regression explains returns by every action and its square. A step is
//! credited with the return less the part that the other steps' actions explain. Under a budget that
//! is always used up the actions are collinear, and the ridge selects the solution of least norm:
//! it values an action relative to the others, as a policy under a budget needs it.
//!
//! The weight of an episode falls with its age: the value of an action beside those of the current
//! policy differs from its value beside uniform ones, and a parabola fits only locally.

/// The actions and returns of all exploring episodes, and the regression on them.
pub(super) struct History {
    /// Numbers per episode: steps × numbers per action.
    width: usize,
    /// Numbers per action.
    action: usize,
    /// Age in episodes at which the weight of an episode is 1/e.
    memory: f64,
    /// One row per episode, in unit coordinates.
    actions: Vec<f32>,
    returns: Vec<f64>,
    fit: Fit,
}

/// The regression `return ≈ mean + Σ (linear · u + square · u²)`, u the centred action.
#[derive(Default)]
struct Fit {
    mean: f64,
    centres: Vec<f64>,
    /// Per number: the linear coefficient, the coefficient of the square, and the mean of the square.
    terms: Vec<[f64; 3]>,
    /// Predicted return of each episode.
    predictions: Vec<f64>,
}

impl History {
    pub(super) fn new(width: usize, action: usize, memory: f64) -> Self {
        Self { width, action, memory, actions: Vec::new(), returns: Vec::new(), fit: Fit::default() }
    }

    /// Episodes stored.
    pub(super) fn len(&self) -> usize {
        self.returns.len()
    }

    pub(super) fn actions(&self) -> &[f32] {
        &self.actions
    }

    pub(super) fn returns(&self) -> &[f64] {
        &self.returns
    }

    /// Adds an episode; its actions are cut or filled with zeros to the width.
    pub(super) fn push(&mut self, actions: &[f32], episodic_return: f64) {
        self.actions.extend(actions.iter().take(self.width));
        self.returns.push(episodic_return);
        self.actions.resize(self.width * self.returns.len(), 0.0);
    }

    pub(super) fn accepts(&self, actions: &[f32], returns: &[f64]) -> bool {
        actions.len() == self.width * returns.len()
    }

    pub(super) fn restore(&mut self, actions: Vec<f32>, returns: Vec<f64>) {
        (self.actions, self.returns, self.fit) = (actions, returns, Fit::default());
    }

    /// Standard deviation of all returns; 1 where they are all equal.
    pub(super) fn spread(&self) -> f64 {
        let average = |sum: f64| sum / self.returns.len().max(1) as f64;
        let mean = average(self.returns.iter().sum());
        let spread = average(self.returns.iter().map(|value| (value - mean).powi(2)).sum()).sqrt();
        if spread > 1e-9 { spread } else { 1.0 }
    }

    /// Predicted return of `episode` without the contribution of the action at `step`.
    pub(super) fn others(&self, episode: usize, step: usize) -> f32 {
        let own = step * self.action..(step + 1) * self.action;
        let own: f64 = own.map(|number| self.part(episode, number)).sum();
        (self.fit.predictions.get(episode).copied().unwrap_or(self.fit.mean) - own) as f32
    }

    fn part(&self, episode: usize, number: usize) -> f64 {
        let (Some(&[linear, square, offset]), Some(&value)) =
            (self.fit.terms.get(number), self.actions.get(episode * self.width + number))
        else {
            return 0.0;
        };
        let centred = f64::from(value) - self.fit.centres[number];
        linear * centred + square * (centred * centred - offset)
    }

    /// Fits the regression to all episodes.
    pub(super) fn fit(&mut self) {
        let (count, width) = (self.returns.len(), self.width);
        if count == 0 || width == 0 {
            return;
        }
        let rows = || self.actions.chunks_exact(width);
        // Weights of 1 on average, so that the ridge keeps its strength.
        let weights: Vec<f64> = (0..count)
            .map(|episode| ((episode + 1) as f64 - count as f64) / self.memory)
            .map(f64::exp)
            .collect();
        let total: f64 = weights.iter().sum();
        let average = |values: &mut dyn Iterator<Item = f64>| -> f64 {
            values.zip(&weights).map(|(value, weight)| value * weight).sum::<f64>() / total
        };
        let centres: Vec<f64> =
            (0..width).map(|i| average(&mut rows().map(|row| f64::from(row[i])))).collect();
        let offsets: Vec<f64> = (0..width)
            .map(|i| average(&mut rows().map(|row| (f64::from(row[i]) - centres[i]).powi(2))))
            .collect();
        let features = |row: &[f32]| -> Vec<f64> {
            let centred = row.iter().zip(&centres).map(|(&value, centre)| f64::from(value) - centre);
            let centred: Vec<f64> = centred.collect();
            let squares = centred.iter().zip(&offsets).map(|(value, offset)| value * value - offset);
            centred.iter().copied().chain(squares).collect()
        };
        let table: Vec<Vec<f64>> = rows().map(features).collect();
        // Standardised columns, and a ridge with the weight of as many episodes as an episode has
        // actions: about the inverse of the signal-to-noise ratio of one action.
        let columns = 2 * width;
        let scale = |column: usize| average(&mut table.iter().map(|row| row[column].powi(2))).sqrt();
        let scales: Vec<f64> = (0..columns).map(|column| scale(column).max(1e-6)).collect();
        let mean = average(&mut self.returns.iter().copied());
        let mut system = vec![0.0; columns * columns];
        let mut right = vec![0.0; columns];
        for ((row, episodic_return), weight) in table.iter().zip(&self.returns).zip(&weights) {
            let weight = weight * count as f64 / total;
            let row: Vec<f64> = row.iter().zip(&scales).map(|(value, scale)| value / scale).collect();
            for (i, a) in row.iter().enumerate() {
                let a = weight * a;
                right[i] += a * (episodic_return - mean);
                system[i * columns..=i * columns + i].iter_mut().zip(&row).for_each(|(sum, b)| *sum += a * b);
            }
        }
        (0..columns).for_each(|i| system[i * columns + i] += width as f64);
        solve(&mut system, &mut right);
        let coefficient = |column: usize| right[column] / scales[column];
        let terms = (0..width).map(|i| [coefficient(i), coefficient(width + i), offsets[i]]).collect();
        self.fit = Fit { mean, centres, terms, predictions: Vec::new() };
        let predict = |episode| mean + (0..width).map(|number| self.part(episode, number)).sum::<f64>();
        self.fit.predictions = (0..count).map(predict).collect();
    }
}

/// Solves a symmetric positive definite system, lower triangle given, by Cholesky factors.
fn solve(system: &mut [f64], right: &mut [f64]) {
    let n = right.len();
    for column in 0..n {
        for row in column..n {
            let dot: f64 = (0..column).map(|k| system[row * n + k] * system[column * n + k]).sum();
            let value = system[row * n + column] - dot;
            system[row * n + column] =
                if row == column { value.max(1e-12).sqrt() } else { value / system[column * n + column] };
        }
    }
    for row in 0..n {
        let dot: f64 = (0..row).map(|k| system[row * n + k] * right[k]).sum();
        right[row] = (right[row] - dot) / system[row * n + row];
    }
    for row in (0..n).rev() {
        let dot: f64 = (row + 1..n).map(|k| system[k * n + row] * right[k]).sum();
        right[row] = (right[row] - dot) / system[row * n + row];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};

    #[test]
    fn a_step_is_credited_with_its_own_effect() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(3);
        let mut history = History::new(6, 1, 1e9);
        let effect = |i: usize, u: f32| (i as f64 - 2.5) * f64::from(u) - f64::from(u * u);
        for _ in 0..2000 {
            let actions: Vec<f32> = (0..6).map(|_| rng.random()).collect();
            let total: f64 = actions.iter().enumerate().map(|(i, &u)| effect(i, u)).sum();
            history.push(&actions, total + 5.0);
        }
        history.fit();
        // Up to a constant, the return less the others is the step's own effect.
        for step in 0..6 {
            let error = |episode: usize| {
                let own = history.returns[episode] - f64::from(history.others(episode, step));
                own - effect(step, history.actions[episode * 6 + step])
            };
            let constant = (0..50).map(error).sum::<f64>() / 50.0;
            assert!((0..50).all(|episode| (error(episode) - constant).abs() < 0.05), "step {step}");
        }
    }

    #[test]
    fn the_weight_of_an_episode_falls_with_its_age() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(5);
        let mut history = History::new(2, 1, 20.0);
        for episode in 0..400 {
            let actions: Vec<f32> = (0..2).map(|_| rng.random()).collect();
            // The sign of the effect changes after 200 episodes.
            let sign = if episode < 200 { 1.0 } else { -1.0 };
            history.push(&actions, sign * f64::from(actions[0]));
        }
        history.fit();
        let [linear, ..] = history.fit.terms[0];
        assert!((linear + 1.0).abs() < 0.1, "{linear}");
    }

    #[test]
    fn without_a_fit_nothing_is_explained() {
        let mut history = History::new(3, 1, 10.0);
        history.push(&[0.1, 0.2, 0.3], -1.0);
        assert_eq!(history.others(0, 1), 0.0);
    }
}
