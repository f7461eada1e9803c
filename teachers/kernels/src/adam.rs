//! The Adam optimiser (Kingma & Ba, ICLR 2015) on plain slices, with PyTorch's constants.
//!
//! # Example
//! ```
//! use cgym_kernels::adam::Adam;
//! let mut adam = Adam::new(1);
//! let mut parameters = [3.0];
//! for _ in 0..2000 {
//!     let gradient = [2.0 * (parameters[0] - 1.0)];
//!     adam.step(&mut parameters, &gradient, 0.01);
//! }
//! assert!((parameters[0] - 1.0).abs() < 1e-3);
//! ```

/// Decay of the first moment.
const BETA_1: f32 = 0.9;
/// Decay of the second moment.
const BETA_2: f32 = 0.999;
const EPSILON: f32 = 1e-8;
/// Moments below this are set to zero. They would change no parameter, since ε is far above them,
/// but decay to numbers that processors compute with a hundred times slower.
const LEAST_MOMENT: f32 = 1e-34;

/// Where the moments' bias towards zero is corrected. Both are Adam; the results differ in rounding.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Correction {
    /// In the learning rate and ε, once per step and in double precision: one division per parameter.
    #[default]
    Rate,
    /// In each moment, in single precision, as the paper's algorithm 1 is written.
    Moments,
}

/// The state of the optimiser for one list of parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct Adam {
    /// First and second moment of each parameter's gradient.
    pub moments: [Vec<f32>; 2],
    /// Steps taken.
    pub time: u64,
    /// Where the moments' bias is corrected.
    pub correction: Correction,
    /// This times each parameter is added to its gradient; 0 by default.
    pub weight_decay: f32,
}

impl Adam {
    /// The state before the first step on `length` parameters.
    pub fn new(length: usize) -> Self {
        Self {
            moments: [vec![0.0; length], vec![0.0; length]],
            time: 0,
            correction: Correction::Rate,
            weight_decay: 0.0,
        }
    }

    /// The same with another [`Correction`].
    pub fn with_correction(self, correction: Correction) -> Self {
        Self { correction, ..self }
    }

    /// The same with weight decay, as PyTorch's `Adam` has it: added to the gradient.
    pub fn with_weight_decay(self, weight_decay: f32) -> Self {
        Self { weight_decay, ..self }
    }

    /// Moves the parameters one step against `gradient`.
    ///
    /// # Panics
    /// When parameters or gradient are not as many as the state was made for.
    pub fn step(&mut self, parameters: &mut [f32], gradient: &[f32], learning_rate: f64) {
        let length = self.moments[0].len();
        assert_eq!([parameters.len(), gradient.len()], [length; 2], "one state per parameter");
        self.time = self.time.saturating_add(1);
        let time = self.time.min(i32::MAX as u64) as i32;
        match self.correction {
            Correction::Rate => {
                let correction_1 = 1.0 - f64::from(BETA_1).powi(time);
                let correction_2 = (1.0 - f64::from(BETA_2).powi(time)).sqrt();
                // lr · (m / c1) / (√v / c2 + ε), with one division per parameter.
                let rate = (learning_rate * correction_2 / correction_1) as f32;
                let epsilon = EPSILON * correction_2 as f32;
                self.descend(parameters, gradient, |m, v| rate * m / (v.sqrt() + epsilon));
            }
            Correction::Moments => {
                let rate = learning_rate as f32;
                let [correction_1, correction_2] = [BETA_1, BETA_2].map(|beta| 1.0 - beta.powi(time));
                self.descend(parameters, gradient, |m, v| {
                    rate * (m / correction_1) / ((v / correction_2).sqrt() + EPSILON)
                });
            }
        }
    }

    /// Updates the moments and subtracts what `change` makes of them from each parameter.
    #[inline(always)]
    fn descend(&mut self, parameters: &mut [f32], gradient: &[f32], change: impl Fn(f32, f32) -> f32) {
        let decay = self.weight_decay;
        let [first, second] = &mut self.moments;
        let moments = first.iter_mut().zip(second);
        for ((parameter, &gradient), (first, second)) in parameters.iter_mut().zip(gradient).zip(moments) {
            let gradient = if decay == 0.0 { gradient } else { gradient + decay * *parameter };
            *first = settled(*first + (1.0 - BETA_1) * (gradient - *first));
            *second = settled(*second + (1.0 - BETA_2) * (gradient * gradient - *second));
            *parameter -= change(*first, *second);
        }
    }
}

/// The moment, or zero where it is too small to matter; a NaN stays one.
#[inline(always)]
fn settled(moment: f32) -> f32 {
    if moment.abs() < LEAST_MOMENT { 0.0 } else { moment }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: [Correction; 2] = [Correction::Rate, Correction::Moments];

    #[test]
    fn the_first_steps_are_those_worked_out_by_hand() {
        for correction in BOTH {
            let mut adam = Adam::new(3).with_correction(correction);
            let mut values = [1.0_f32, -1.0, 1.0];
            adam.step(&mut values, &[0.5, -2.0, 0.5], 0.1);
            // The first step has the length of the learning rate, whatever the gradient's size.
            assert!((values[0] - 0.9).abs() < 1e-6 && (values[1] + 0.9).abs() < 1e-6);
            adam.step(&mut values, &[0.5, 2.0, 0.0], 0.1);
            assert!((values[0] - 0.8).abs() < 1e-6);
            // m̂ = (−2·0.9 + 2)·0.1 / 0.19, v̂ = 4: a step of 0.1·0.10526/2.
            assert!((values[1] + 0.9 + 0.1 * (0.02 / 0.19) / 2.0).abs() < 1e-6);
            // m = 0.9·0.05 / 0.19, v = 0.999·0.00025 / 0.001999.
            let expected = 0.9 - 0.1 * (0.045 / 0.19) / (0.000_249_75_f32 / 0.001_999).sqrt();
            assert!((values[2] - expected).abs() < 1e-5, "{values:?}");
        }
    }

    #[test]
    fn weight_decay_pulls_towards_zero() {
        for correction in BOTH {
            let mut adam = Adam::new(1).with_correction(correction).with_weight_decay(0.01);
            let mut values = [1.0_f32];
            adam.step(&mut values, &[0.0], 0.1);
            assert!((values[0] - 0.9).abs() < 1e-5);
        }
    }

    #[test]
    fn moments_without_gradients_end_at_zero_and_not_at_subnormal_numbers() {
        for correction in BOTH {
            let mut adam = Adam::new(1).with_correction(correction);
            let mut values = [1.0_f32];
            adam.step(&mut values, &[1e-3], 1e-3);
            for _ in 0..2000 {
                adam.step(&mut values, &[0.0], 1e-3);
                assert!(adam.moments.iter().all(|moment| moment[0] == 0.0 || moment[0].is_normal()));
            }
            assert_eq!(adam.moments[0], [0.0]);
        }
    }

    #[test]
    fn it_finds_the_bottom_of_a_parabola() {
        for correction in BOTH {
            let mut adam = Adam::new(1).with_correction(correction);
            let mut parameters = [3.0_f32];
            for _ in 0..2000 {
                let gradient = [2.0 * (parameters[0] - 1.0)];
                adam.step(&mut parameters, &gradient, 0.01);
            }
            assert!((parameters[0] - 1.0).abs() < 1e-3);
        }
    }
}
