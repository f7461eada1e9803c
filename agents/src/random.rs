//! Random search: uniformly drawn actions, the baseline that every agent should beat.

use std::path::Path;

use cgym_env::{Action, Env, ResetOptions, Space, table};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    Agent, AgentContext, AgentError, Mode, Transition,
    bounds::Bounds,
    budget::{at, filled, look_ahead},
    checkpoint,
    rollout::SIDE_BY_SIDE,
    settings::recorded,
};

pub(crate) const NAME: &str = "random";

table! {
    /// The hyper-parameter of [`Random`].
    pub struct RandomSettings {
        /// Add one number to all actions of a drawn sequence, the greatest for which the budget clips none
        /// of them. Needs actions in a box, and look-ahead. Off in environments without a budget.
        pub fill_budget: bool = false,
    }
}

impl RandomSettings {
    /// Turns `fill_budget` off without a budget.
    fn resolve(mut self, context: &AgentContext<'_>) -> Self {
        self.fill_budget &= context.env.spec().budget.is_some();
        self
    }
}

/// Draws every action uniformly; an exploiting episode repeats the best episode so far.
pub struct Random {
    settings: RandomSettings,
    space: Space,
    /// A copy of the environment that previews what the budget clips, and the bounds of actions; `None`
    /// without `fill_budget`.
    filler: Option<(Box<dyn Env>, Bounds)>,
    /// A copy of the generator for exploiting episodes before the first exploring one, so that they do
    /// not change what exploring episodes draw.
    aside: ChaCha8Rng,
    state: State,
}

#[derive(Serialize, Deserialize)]
struct State {
    rng: ChaCha8Rng,
    /// The actions of the running episode; only with `fill_budget`.
    planned: Vec<Action>,
    step: usize,
    played: Vec<Action>,
    episodic_return: f64,
    best: Option<(f64, Vec<Action>)>,
}

impl Random {
    /// An agent for the action space of `context`'s environment.
    ///
    /// # Errors
    /// With `fill_budget`, an action space that is not a box with finite bounds, or an environment
    /// without look-ahead.
    pub fn new(settings: &RandomSettings, context: &AgentContext<'_>) -> Result<Self, AgentError> {
        let rng = ChaCha8Rng::seed_from_u64(context.seed);
        let settings = settings.clone().resolve(context);
        let filler = if settings.fill_budget {
            let bounds = Bounds::new(NAME, context.env.action_space())?;
            Some((look_ahead(NAME, context.env, "; with fill_budget = false it needs none")?, bounds))
        } else {
            None
        };
        Ok(Self {
            settings,
            filler,
            space: context.env.action_space().clone(),
            aside: rng.clone(),
            state: State {
                rng,
                planned: Vec::new(),
                step: 0,
                played: Vec::new(),
                episodic_return: 0.0,
                best: None,
            },
        })
    }
}

impl Agent for Random {
    fn name(&self) -> &str {
        NAME
    }

    fn settings(&self) -> Value {
        recorded(&self.settings)
    }

    fn begin(&mut self, mode: Mode) -> Result<ResetOptions, AgentError> {
        self.aside = self.state.rng.clone();
        self.state.played.clear();
        self.state.episodic_return = 0.0;
        self.state.step = 0;
        self.state.planned.clear();
        if let (Mode::Explore, Some((env, bounds))) = (mode, &self.filler) {
            let count = env.spec().steps() * bounds.length();
            let units: Vec<f32> = (0..count).map(|_| self.state.rng.random()).collect();
            self.state.planned = bounds.actions(&filled(&**env, bounds, &units)?);
        }
        Ok(ResetOptions::default())
    }

    fn act(&mut self, _observation: &[f32], mode: Mode) -> Result<Action, AgentError> {
        self.state.step += 1;
        Ok(match (mode, &self.state.best) {
            (Mode::Explore, _) if self.filler.is_some() => at(&self.state.planned, self.state.step - 1)?,
            (Mode::Explore, _) => self.space.sample(&mut self.state.rng),
            (Mode::Exploit, Some((_, actions))) => at(actions, self.state.step - 1)?,
            (Mode::Exploit, None) => self.space.sample(&mut self.aside),
        })
    }

    fn learn(&mut self, transition: &Transition<'_>) -> Result<(), AgentError> {
        let state = &mut self.state;
        state.played.push(transition.action.clone());
        state.episodic_return += transition.reward;
        if transition.ending.is_some() {
            // `begin` is not called between the episodes of a batch that are learned from.
            let (episodic_return, played) =
                (std::mem::take(&mut state.episodic_return), std::mem::take(&mut state.played));
            if state.best.as_ref().is_none_or(|(best, _)| episodic_return > *best) {
                state.best = Some((episodic_return, played));
            }
        }
        Ok(())
    }

    fn batch(&self) -> usize {
        SIDE_BY_SIDE
    }

    fn save(&self, directory: &Path) -> Result<(), AgentError> {
        checkpoint::write(directory, NAME, &self.state, &[])
    }

    fn load(&mut self, directory: &Path) -> Result<(), AgentError> {
        self.state = checkpoint::Checkpoint::read(directory, NAME)?.state;
        Ok(())
    }
}
