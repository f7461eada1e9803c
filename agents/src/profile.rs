//! Hand-crafted profiles over depth: `uniform`, `shallow` and `deep`.
//!
//! The names are AMC's: `shallow` removes most from early layers, `deep` from late ones. Each profile
//! is a straight line over the decisions with a fixed slope. Its height, the level, is the greatest
//! for which the budget clips no action. Without a budget everything is kept.

use std::path::Path;

use cgym_env::{Action, Env, ResetOptions, table};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    Agent, AgentContext, AgentError, Mode, Transition,
    bounds::Bounds,
    budget::{at, fits_unclipped, lacks_look_ahead, largest, previews},
    checkpoint,
    settings::{recorded, require},
};

/// Which layers a profile removes most from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// No layer more than another: every action is the same.
    Uniform,
    /// Early layers: actions rise with depth.
    Shallow,
    /// Late layers: actions fall with depth.
    Deep,
}

impl Shape {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Shallow => "shallow",
            Self::Deep => "deep",
        }
    }

    fn sign(self) -> f64 {
        match self {
            Self::Uniform => 0.0,
            Self::Shallow => 1.0,
            Self::Deep => -1.0,
        }
    }
}

table! {
    /// The hyper-parameter of `shallow` and `deep`.
    pub struct ProfileSettings {
        /// Difference between the first and the last action, as a share of the action range, in [0, 1] (the
        /// papers give no number). uniform ignores it.
        pub slope: f64 = 0.5,
    }
}

/// Plays one fixed profile; finished after one episode.
pub struct Profile {
    shape: Shape,
    settings: ProfileSettings,
    actions: Vec<Action>,
    level: f64,
    state: State,
}

#[derive(Serialize, Deserialize)]
struct State {
    step: usize,
    played: bool,
}

impl Profile {
    /// Fits the profile to the budget of `context`'s environment.
    ///
    /// # Errors
    /// A slope outside [0, 1], a discrete action space, an environment with a budget but without
    /// look-ahead, or a failed preview.
    pub fn new(
        shape: Shape,
        settings: &ProfileSettings,
        context: &AgentContext<'_>,
    ) -> Result<Self, AgentError> {
        settings.check()?;
        let bounds = Bounds::new(shape.name(), context.env.action_space())?;
        let (level, actions) = fit(shape.name(), context.env, &bounds, shape.sign() * settings.slope)?;
        Ok(Self {
            shape,
            settings: settings.clone(),
            actions,
            level,
            state: State { step: 0, played: false },
        })
    }
}

impl ProfileSettings {
    fn check(&self) -> Result<(), AgentError> {
        require((0.0..=1.0).contains(&self.slope), "slope", "must lie in [0, 1]")
    }
}

/// Actions that rise by `slope` from the first decision to the last, with `level` in the middle, in unit
/// coordinates clamped to [0, 1].
fn ramp(bounds: &Bounds, steps: usize, level: f64, slope: f64) -> Vec<Action> {
    let depth = |step: usize| if steps > 1 { step as f64 / (steps - 1) as f64 - 0.5 } else { 0.0 };
    (0..steps).map(|step| bounds.even_action(level + slope * depth(step))).collect()
}

/// The highest level of the ramp of `slope` that the budget does not clip, and its actions. Without
/// a budget every action is at its greatest.
pub(crate) fn fit(
    agent: &str,
    env: &dyn Env,
    bounds: &Bounds,
    slope: f64,
) -> Result<(f64, Vec<Action>), AgentError> {
    let steps = env.spec().steps();
    // At `low` every action is at its least, at `high` every action is at its greatest.
    let (low, high) = (-0.5 * slope.abs(), 1.0 + 0.5 * slope.abs());
    if env.spec().budget.is_none() {
        return Ok((high, ramp(bounds, steps, high, slope)));
    }
    if !previews(env) {
        return Err(lacks_look_ahead(agent, env, ""));
    }
    let level = largest(low, high, |level| fits_unclipped(env, &ramp(bounds, steps, level, slope)))?;
    let level = level.unwrap_or(low);
    Ok((level, ramp(bounds, steps, level, slope)))
}

impl Agent for Profile {
    fn name(&self) -> &str {
        self.shape.name()
    }

    fn settings(&self) -> Value {
        match self.shape {
            Shape::Uniform => Value::Object(Map::new()),
            Shape::Shallow | Shape::Deep => recorded(&self.settings),
        }
    }

    fn begin(&mut self, _mode: Mode) -> Result<ResetOptions, AgentError> {
        self.state.step = 0;
        Ok(ResetOptions::default())
    }

    fn act(&mut self, _observation: &[f32], _mode: Mode) -> Result<Action, AgentError> {
        self.state.step += 1;
        at(&self.actions, self.state.step - 1)
    }

    fn learn(&mut self, transition: &Transition<'_>) -> Result<(), AgentError> {
        self.state.played |= transition.ending.is_some();
        Ok(())
    }

    fn finished(&self) -> bool {
        self.state.played
    }

    fn diagnostics(&self) -> Vec<(String, f64)> {
        vec![("charts/level".to_owned(), self.level)]
    }

    fn save(&self, directory: &Path) -> Result<(), AgentError> {
        checkpoint::write(directory, self.name(), &self.state, &[])
    }

    fn load(&mut self, directory: &Path) -> Result<(), AgentError> {
        self.state = checkpoint::Checkpoint::read(directory, self.shape.name())?.state;
        Ok(())
    }
}
