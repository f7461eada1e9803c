//! Adam on plain arrays (Kingma & Ba 2015), with PyTorch's defaults.

use std::collections::BTreeMap;

/// First and second moments of one tensor.
type Moments = (Vec<f32>, Vec<f32>);

/// Adam's memory: two moments a tensor, by its name, and the steps taken.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Adam {
    moments: BTreeMap<String, Moments>,
    steps: i32,
}

impl Adam {
    const DECAYS: [f32; 2] = [0.9, 0.999];
    const EPSILON: f32 = 1e-8;

    /// Starts a step: all tensors are corrected for the same number of steps.
    pub fn begin_step(&mut self) {
        self.steps = self.steps.saturating_add(1);
    }

    /// Moves `values` against `gradient`; `decay` times each value is added to its gradient.
    pub fn descend(&mut self, name: &str, values: &mut [f32], gradient: &[f32], rate: f32, decay: f32) {
        let [keep_first, keep_second] = Self::DECAYS;
        let correction = [keep_first, keep_second].map(|keep| 1.0 - keep.powi(self.steps.max(1)));
        if !self.moments.contains_key(name) {
            self.moments.insert(name.to_owned(), (vec![0.0; values.len()], vec![0.0; values.len()]));
        }
        let Some((first, second)) = self.moments.get_mut(name) else { return };
        for (((value, gradient), m), v) in values.iter_mut().zip(gradient).zip(first).zip(second) {
            let gradient = gradient + decay * *value;
            *m += (1.0 - keep_first) * (gradient - *m);
            *v += (1.0 - keep_second) * (gradient * gradient - *v);
            let deviation = (*v / correction[1]).sqrt() + Self::EPSILON;
            *value -= rate * (*m / correction[0]) / deviation;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_steps_are_those_of_the_paper() {
        let (mut adam, mut values) = (Adam::default(), [1.0_f32, -2.0]);
        adam.begin_step();
        adam.descend("w", &mut values, &[0.5, -4.0], 0.1, 0.0);
        // Corrected moments are the gradient and its square: a step of the rate, whatever its size.
        assert!((values[0] - 0.9).abs() < 1e-6 && (values[1] + 1.9).abs() < 1e-6);
        adam.begin_step();
        adam.descend("w", &mut values, &[0.0, -4.0], 0.1, 0.0);
        // m = 0.9·0.05 / 0.19, v = 0.999·0.00025 / 0.001999.
        let expected = 0.9 - 0.1 * (0.045 / 0.19) / (0.000_249_75_f32 / 0.001_999).sqrt();
        assert!((values[0] - expected).abs() < 1e-5, "{values:?}");
    }

    #[test]
    fn weight_decay_pulls_towards_zero() {
        let (mut adam, mut values) = (Adam::default(), [1.0_f32]);
        adam.begin_step();
        adam.descend("w", &mut values, &[0.0], 0.1, 0.01);
        assert!((values[0] - 0.9).abs() < 1e-5);
    }
}
