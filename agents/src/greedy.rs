//! Greedy search after NetAdapt (Yang et al., ECCV 2018): each round starts from the actions adopted
//! so far, at first the greatest, and lowers one of them.
//!
//! The budgets of the rounds fall evenly from the cost of the whole network to the environment's own
//! budget. In a round each decision gives one candidate: its action is lowered just enough to meet the
//! round's budget, found by bisection on [`Env::preview`]. Every candidate is played as an episode under
//! the round's budget, and the one of greatest return is adopted. NetAdapt leaves out a decision that
//! cannot meet the budget alone. Here its action is lowered to the least and all others are scaled down
//! together; otherwise a search of few rounds would never lower layers of little cost.

use std::path::Path;

use cgym_env::{Action, Env, ResetOptions, table};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    Agent, AgentContext, AgentError, Mode, Transition,
    bounds::Bounds,
    budget::{at, cost, largest, look_ahead},
    checkpoint::{self, Checkpoint},
    settings::{recorded, require},
};

pub(crate) const NAME: &str = "greedy";

table! {
    /// Hyper-parameters of [`Greedy`].
    pub struct GreedySettings {
        /// Number of rounds; if absent the number of episodes divided by the number of decisions, at least
        /// 1, which uses about all episodes.
        pub rounds: Option<u64> = None,
    }
}

impl GreedySettings {
    /// Fills in the default that depends on the environment and the number of episodes.
    pub(crate) fn resolve(mut self, context: &AgentContext<'_>) -> Result<Self, AgentError> {
        let decisions = context.env.spec().steps().max(1) as u64;
        let rounds = self.rounds.unwrap_or((context.episodes / decisions).max(1));
        require(rounds > 0, "rounds", "must be at least 1")?;
        self.rounds = Some(rounds);
        Ok(self)
    }
}

/// Searches one sequence of actions; finished after its last round.
pub struct Greedy {
    settings: GreedySettings,
    planner: Box<dyn Env>,
    /// Share of the whole network's cost that the last round may keep.
    budget: f64,
    bounds: Bounds,
    rounds: u64,
    state: State,
}

#[derive(Serialize, Deserialize)]
struct State {
    /// Number of the round being played, from 1; greater than the last when finished.
    round: u64,
    /// The adopted actions of all decisions, in unit coordinates.
    adopted: Vec<f32>,
    /// Candidates of this round, written like `adopted`.
    candidates: Vec<Vec<f32>>,
    /// Returns of the candidates played so far.
    returns: Vec<f64>,
    episodic_return: f64,
    step: usize,
}

impl Greedy {
    /// A search that starts from the greatest actions.
    ///
    /// # Errors
    /// No rounds, a discrete action space, an environment without a budget or without look-ahead, or a
    /// failed preview.
    pub fn new(settings: &GreedySettings, context: &AgentContext<'_>) -> Result<Self, AgentError> {
        let settings = settings.clone().resolve(context)?;
        let bounds = Bounds::new(NAME, context.env.action_space())?;
        let Some(budget) = context.env.spec().budget else {
            return Err(AgentError::Spaces {
                agent: NAME.to_owned(),
                reason: format!(
                    "it lowers actions until they meet a budget, and `{}` has none",
                    context.env.spec().id
                ),
            });
        };
        let adopted = vec![1.0; bounds.length() * context.env.spec().steps()];
        let state = State {
            round: 0,
            adopted,
            candidates: Vec::new(),
            returns: Vec::new(),
            episodic_return: 0.0,
            step: 0,
        };
        let planner = look_ahead(NAME, context.env, "")?;
        let rounds = settings.rounds.unwrap_or(1);
        let mut agent = Self { settings, planner, budget, bounds, rounds, state };
        agent.next_round()?;
        Ok(agent)
    }

    /// Budget of the round being played; the environment's own in the last round.
    fn round_budget(&self) -> f64 {
        if self.state.round >= self.rounds {
            return self.budget;
        }
        1.0 - self.state.round as f64 / self.rounds as f64 * (1.0 - self.budget)
    }

    fn meets_budget(&self, units: &[f32]) -> Result<bool, AgentError> {
        Ok(cost(&*self.planner, &self.bounds.actions(units))? <= self.round_budget())
    }

    /// Goes to the next round whose budget the adopted actions do not meet.
    fn next_round(&mut self) -> Result<(), AgentError> {
        self.state.candidates.clear();
        self.state.returns.clear();
        while self.state.candidates.is_empty() && self.state.round < self.rounds {
            self.state.round += 1;
            let met = self.meets_budget(&self.state.adopted)?;
            if !met {
                self.state.candidates = self.candidates()?;
            } else if self.state.round == self.rounds {
                // They meet the last budget too: play them, so that their return is known.
                self.state.candidates = vec![self.state.adopted.clone()];
            }
        }
        if self.state.candidates.is_empty() {
            self.state.round = self.rounds + 1;
        }
        Ok(())
    }

    /// One candidate per decision: the adopted actions with this one lowered to meet the round's budget,
    /// and the others only where that is not enough. Equal candidates appear once.
    fn candidates(&self) -> Result<Vec<Vec<f32>>, AgentError> {
        let adopted = &self.state.adopted;
        let width = self.bounds.length();
        let mut candidates: Vec<Vec<f32>> = Vec::new();
        for first in (0..adopted.len()).step_by(width) {
            let own = first..first + width;
            // Scales this action, or with `others` all others while this one is at its least.
            let lowered = |factor: f64, others: bool| -> Vec<f32> {
                let scale = |(i, unit): (usize, &f32)| match (own.contains(&i), others) {
                    (true, true) => 0.0,
                    (true, false) | (false, true) => unit * factor as f32,
                    (false, false) => *unit,
                };
                adopted.iter().enumerate().map(scale).collect()
            };
            let mut candidate = None;
            for others in [false, true] {
                if candidate.is_none() {
                    let meets = |factor| self.meets_budget(&lowered(factor, others));
                    candidate = largest(0.0, 1.0, meets)?.map(|factor| lowered(factor, others));
                }
            }
            candidates.extend(candidate.filter(|candidate| !candidates.contains(candidate)));
        }
        if candidates.is_empty() {
            candidates.push(vec![0.0; adopted.len()]);
        }
        Ok(candidates)
    }

    fn adopt_best(&mut self) {
        let returns = &self.state.returns;
        let best = (1..returns.len()).fold(0, |best, i| if returns[i] > returns[best] { i } else { best });
        self.state.adopted = self.state.candidates[best].clone();
    }
}

impl Agent for Greedy {
    fn name(&self) -> &str {
        NAME
    }

    fn settings(&self) -> Value {
        recorded(&self.settings)
    }

    fn begin(&mut self, mode: Mode) -> Result<ResetOptions, AgentError> {
        self.state.step = 0;
        self.state.episodic_return = 0.0;
        // Exploiting episodes have the environment's own budget in every round.
        Ok(if mode == Mode::Exploit || self.finished() || self.state.round == self.rounds {
            ResetOptions::default()
        } else {
            ResetOptions::with_budget(self.round_budget())
        })
    }

    fn act(&mut self, _observation: &[f32], mode: Mode) -> Result<Action, AgentError> {
        let state = &mut self.state;
        state.step += 1;
        let units = match (mode, state.candidates.get(state.returns.len())) {
            (Mode::Explore, Some(candidate)) => candidate,
            _ => &state.adopted,
        };
        at(&self.bounds.actions(units), state.step - 1)
    }

    fn learn(&mut self, transition: &Transition<'_>) -> Result<(), AgentError> {
        self.state.episodic_return += transition.reward;
        if transition.ending.is_some() && !self.finished() {
            self.state.returns.push(self.state.episodic_return);
            if self.state.returns.len() == self.state.candidates.len() {
                self.adopt_best();
                self.next_round()?;
            }
        }
        Ok(())
    }

    fn finished(&self) -> bool {
        self.state.round > self.rounds
    }

    fn diagnostics(&self) -> Vec<(String, f64)> {
        vec![
            ("charts/round".to_owned(), self.state.round.min(self.rounds) as f64),
            ("charts/round_budget".to_owned(), self.round_budget()),
        ]
    }

    fn save(&self, directory: &Path) -> Result<(), AgentError> {
        checkpoint::write(directory, NAME, &self.state, &[])
    }

    fn load(&mut self, directory: &Path) -> Result<(), AgentError> {
        let read = Checkpoint::<State>::read(directory, NAME)?;
        let length = self.state.adopted.len();
        let all = read.state.candidates.iter().chain([&read.state.adopted]);
        if let Some(other) = all.map(Vec::len).find(|&other| other != length) {
            return Err(
                read.refuse(format!("holds sequences of {other} numbers, this agent's have {length}"))
            );
        }
        self.state = read.state;
        Ok(())
    }
}
