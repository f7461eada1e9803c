//! Fitting sequences of actions to a budget by bisection on [`Env::preview`].

use cgym_env::{Action, Env, EnvError, ResetOptions};

use crate::{AgentError, bounds::Bounds};

/// Halvings of a bisection: beyond the precision of an `f32` action.
const HALVINGS: usize = 32;

/// Whether `env` previews actions.
pub(crate) fn previews(env: &dyn Env) -> bool {
    !matches!(env.preview(&ResetOptions::default(), &[]), Err(EnvError::NoLookAhead { .. }))
}

/// A fork of `env` that the agent `agent` plans with.
///
/// # Errors
/// [`AgentError::LookAhead`] where `env` lacks look-ahead; its message ends with `remedy`.
pub(crate) fn look_ahead(
    agent: &str,
    env: &dyn Env,
    remedy: &'static str,
) -> Result<Box<dyn Env>, AgentError> {
    let fork = if previews(env) { env.fork() } else { None };
    fork.ok_or_else(|| lacks_look_ahead(agent, env, remedy))
}

/// The error that the agent `agent` cannot plan in `env`.
pub(crate) fn lacks_look_ahead(agent: &str, env: &dyn Env, remedy: &'static str) -> AgentError {
    AgentError::LookAhead { agent: agent.to_owned(), env: env.spec().id.clone(), remedy }
}

/// The greatest value in [`low`, `high`] that `fits`; `None` where not even `low` does. Wherever a
/// value fits, all lesser ones must fit too.
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

/// Cost of `actions` without any budget, as a share of the whole network's cost.
pub(crate) fn cost(env: &dyn Env, actions: &[Action]) -> Result<f64, AgentError> {
    Ok(env.preview(&ResetOptions::with_budget(1.0), actions)?.preserve_ratio)
}

/// `units`, a whole episode's actions in unit coordinates, plus the greatest number for which the
/// environment's own budget clips none of them; the sums are clamped to [0, 1].
pub(crate) fn filled(env: &dyn Env, bounds: &Bounds, units: &[f32]) -> Result<Vec<f32>, AgentError> {
    let shifted =
        |shift: f64| -> Vec<f32> { units.iter().map(|unit| (unit + shift as f32).clamp(0.0, 1.0)).collect() };
    let fits = |shift: f64| fits_unclipped(env, &bounds.actions(&shifted(shift)));
    Ok(shifted(largest(-1.0, 1.0, fits)?.unwrap_or(0.0)))
}

/// The action for step `step` of a fixed sequence.
pub(crate) fn at(actions: &[Action], step: usize) -> Result<Action, AgentError> {
    Ok(actions.get(step).cloned().ok_or(EnvError::NeedsReset)?)
}
