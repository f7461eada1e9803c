//! Adam (Kingma & Ba, 2015) on flat parameters, with PyTorch's constants.

const BETA_1: f32 = 0.9;
const BETA_2: f32 = 0.999;
const EPSILON: f32 = 1e-8;

/// Moments of one network's gradients.
pub(crate) struct Adam {
    /// First and second moment of each parameter.
    pub(crate) moments: [Vec<f32>; 2],
    /// Steps taken.
    pub(crate) time: u64,
}

impl Adam {
    pub(crate) fn new(length: usize) -> Self {
        Self { moments: [vec![0.0; length], vec![0.0; length]], time: 0 }
    }

    /// One step down `gradient`.
    pub(crate) fn step(&mut self, parameters: &mut [f32], gradient: &[f32], learning_rate: f64) {
        self.time += 1;
        let time = self.time.min(i32::MAX as u64) as i32;
        let correction_1 = 1.0 - f64::from(BETA_1).powi(time);
        let correction_2 = (1.0 - f64::from(BETA_2).powi(time)).sqrt();
        // lr · (m / c1) / (√v / c2 + ε), with one division a parameter.
        let rate = (learning_rate * correction_2 / correction_1) as f32;
        let epsilon = EPSILON * correction_2 as f32;
        let [first, second] = &mut self.moments;
        let moments = first.iter_mut().zip(second.iter_mut());
        for ((parameter, &gradient), (first, second)) in parameters.iter_mut().zip(gradient).zip(moments) {
            *first += (1.0 - BETA_1) * (gradient - *first);
            *second += (1.0 - BETA_2) * (gradient * gradient - *second);
            *parameter -= rate * *first / (second.sqrt() + epsilon);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_steps_are_the_ones_worked_out_by_hand() {
        let mut adam = Adam::new(2);
        let mut parameters = [1.0f32, -1.0];
        adam.step(&mut parameters, &[0.5, -2.0], 0.1);
        // Whatever the gradient's size, the first step has the length of the learning rate.
        assert!((parameters[0] - 0.9).abs() < 1e-6 && (parameters[1] + 0.9).abs() < 1e-6);
        adam.step(&mut parameters, &[0.5, 2.0], 0.1);
        assert!((parameters[0] - 0.8).abs() < 1e-6);
        // m̂ = (−2·0.9 + 2)·0.1 / 0.19, v̂ = 4: a step of 0.1·0.10526/2.
        assert!((parameters[1] + 0.9 + 0.1 * (0.02 / 0.19) / 2.0).abs() < 1e-6);
    }

    #[test]
    fn it_finds_the_bottom_of_a_parabola() {
        let mut adam = Adam::new(1);
        let mut parameters = [3.0f32];
        for _ in 0..2000 {
            let gradient = [2.0 * (parameters[0] - 1.0)];
            adam.step(&mut parameters, &gradient, 0.01);
        }
        assert!((parameters[0] - 1.0).abs() < 1e-3);
    }
}
