//! Fitting families of action sequences to a budget by bisection on [`Env::preview`].

use cgym_env::{Action, Env, ResetOptions};

use crate::{AgentError, bounds::Bounds};

/// Halvings of a bisection: beyond the precision of an `f32` action.
const HALVINGS: usize = 32;

/// The greatest value in [`low`, `high`] that `fits`, where lesser ones fit wherever greater do;
/// `None` where not even `low` does.
pub(crate) fn largest(
    low: f64,
    high: f64,
    mut fits: impl FnMut(f64) -> Result<bool, AgentError>,
) -> Result<Option<f64>, AgentError> {
    if fits(high)? {
        return Ok(Some(high));
    }
    if !fits(low)? {
        return Ok(None);
    }
    let (mut good, mut bad) = (low, high);
    for _ in 0..HALVINGS {
        let middle = 0.5 * (good + bad);
        if fits(middle)? { good = middle } else { bad = middle }
    }
    Ok(Some(good))
}

/// Whether the environment's own budget leaves `actions` as they are.
pub(crate) fn fits_unclipped(env: &dyn Env, actions: &[Action]) -> Result<bool, AgentError> {
    Ok(!env.preview(&ResetOptions::default(), actions)?.clipped)
}

/// What `actions` cost as a share of the teacher's cost when no budget clips them.
pub(crate) fn cost(env: &dyn Env, actions: &[Action]) -> Result<f64, AgentError> {
    Ok(env.preview(&ResetOptions::with_target(1.0), actions)?.preserve_ratio)
}

/// `units`, a whole episode's actions in unit coordinates, shifted all alike and clamped to [0, 1], as
/// high as the environment's own budget does not clip them.
pub(crate) fn filled(env: &dyn Env, bounds: &Bounds, units: &[f32]) -> Result<Vec<f32>, AgentError> {
    let shifted =
        |shift: f64| -> Vec<f32> { units.iter().map(|unit| (unit + shift as f32).clamp(0.0, 1.0)).collect() };
    let fits = |shift: f64| fits_unclipped(env, &bounds.actions(&shifted(shift)));
    Ok(shifted(largest(-1.0, 1.0, fits)?.unwrap_or(0.0)))
}

/// The action for step `step` of a fixed sequence.
pub(crate) fn at(actions: &[Action], step: usize) -> Result<Action, AgentError> {
    Ok(actions.get(step).cloned().ok_or(cgym_env::EnvError::NeedsReset)?)
}
