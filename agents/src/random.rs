//! The baseline that every agent should beat: uniformly drawn actions.

use std::path::Path;

use cgym_env::{Action, ResetOptions, Space};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::{Agent, AgentContext, AgentError, Mode, Transition, checkpoint};

const NAME: &str = "random";

/// Random search has nothing to set.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RandomSettings {}

/// Draws every action uniformly; exploits by repeating the best episode so far.
pub struct Random {
    space: Space,
    /// For drawing before there is a best episode to repeat, so that exploiting costs no draw.
    aside: ChaCha8Rng,
    state: State,
}

#[derive(Serialize, Deserialize)]
struct State {
    rng: ChaCha8Rng,
    step: usize,
    played: Vec<Action>,
    episodic_return: f64,
    best: Option<(f64, Vec<Action>)>,
}

impl Random {
    /// An agent for the action space of `context`, whatever its kind.
    pub fn new(context: &AgentContext<'_>) -> Self {
        let rng = ChaCha8Rng::seed_from_u64(context.seed);
        Self {
            space: context.env.action_space().clone(),
            aside: rng.clone(),
            state: State { rng, step: 0, played: Vec::new(), episodic_return: 0.0, best: None },
        }
    }
}

impl Agent for Random {
    fn name(&self) -> &str {
        NAME
    }

    fn begin(&mut self, _mode: Mode) -> Result<ResetOptions, AgentError> {
        self.aside = self.state.rng.clone();
        self.state.played.clear();
        self.state.episodic_return = 0.0;
        self.state.step = 0;
        Ok(ResetOptions::default())
    }

    fn act(&mut self, _observation: &[f32], mode: Mode) -> Result<Action, AgentError> {
        self.state.step += 1;
        Ok(match (mode, &self.state.best) {
            (Mode::Explore, _) => self.space.sample(&mut self.state.rng),
            (Mode::Exploit, Some((_, actions))) => crate::budget::at(actions, self.state.step - 1)?,
            (Mode::Exploit, None) => self.space.sample(&mut self.aside),
        })
    }

    fn learn(&mut self, transition: &Transition<'_>) -> Result<(), AgentError> {
        let state = &mut self.state;
        state.played.push(transition.action.clone());
        state.episodic_return += transition.reward;
        let better = state.best.as_ref().is_none_or(|(best, _)| state.episodic_return > *best);
        if transition.ending.is_some() && better {
            state.best = Some((state.episodic_return, state.played.clone()));
        }
        Ok(())
    }

    fn diagnostics(&self) -> Vec<(String, f64)> {
        self.state.best.iter().map(|(best, _)| ("charts/best_return".to_owned(), *best)).collect()
    }

    fn save(&self, directory: &Path) -> Result<(), AgentError> {
        checkpoint::write(directory, NAME, &self.state, &[])
    }

    fn load(&mut self, directory: &Path) -> Result<(), AgentError> {
        self.state = checkpoint::Checkpoint::read(directory, NAME)?.state;
        Ok(())
    }
}
