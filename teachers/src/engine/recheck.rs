//! Evaluates images again by direct convolutions where rounding errors could change the prediction.

use cgym_kernels::Algorithm;

use super::{Engine, Images};
use crate::Error;

/// The difference of an image's two greatest logits, in units of the greatest magnitude of its
/// logits, below which it is evaluated again. Rounding errors of the networks that were measured are
/// a hundred times smaller.
pub const AMBIGUITY: f32 = 1e-4;

impl Engine {
    /// Replaces the logits of images for which those of the fast algorithm are not decisive.
    pub(super) fn recheck(&self, images: &Images, logits: &mut [f32]) -> Result<(), Error> {
        if !self.steps.iter().any(|step| step.is_fast()) {
            return Ok(());
        }
        let rows = logits.chunks_exact(self.classes).enumerate();
        let chosen: Vec<usize> = rows.filter(|(_, row)| is_ambiguous(row)).map(|(image, _)| image).collect();
        if chosen.is_empty() {
            return Ok(());
        }
        let found = self.logits_by(Algorithm::Direct, &images.select(&chosen))?;
        for (image, row) in chosen.into_iter().zip(found.chunks_exact(self.classes)) {
            logits[image * self.classes..][..self.classes].copy_from_slice(row);
        }
        Ok(())
    }
}

/// Whether rounding errors could change which logit is the greatest, or a logit is not finite.
fn is_ambiguous(row: &[f32]) -> bool {
    let (mut first, mut second, mut magnitude) = (f32::NEG_INFINITY, f32::NEG_INFINITY, 0.0f32);
    for &logit in row {
        if !logit.is_finite() {
            return true;
        }
        magnitude = magnitude.max(logit.abs());
        second = second.max(first.min(logit));
        first = first.max(logit);
    }
    first - second <= AMBIGUITY * magnitude
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn close_or_infinite_logits_are_ambiguous() {
        assert!(!is_ambiguous(&[1.0, 2.0, 3.0]));
        assert!(!is_ambiguous(&[3.0, 2.0, 2.0]));
        assert!(is_ambiguous(&[-1.0, 3.0, 3.0 + 1e-5]));
        assert!(is_ambiguous(&[1e6, 1e6 + 10.0, 0.0]));
        assert!(is_ambiguous(&[0.0, f32::NAN, 9.0]));
        assert!(is_ambiguous(&[0.0, 1.0, f32::NEG_INFINITY]));
        assert!(is_ambiguous(&[0.0, 0.0]));
        assert!(!is_ambiguous(&[5.0]));
    }
}
