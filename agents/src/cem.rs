//! Cross-entropy search over the whole sequence of actions (Rubinstein & Kroese, 2004).
//!
//! Sequences are drawn from a truncated normal distribution with a mean and a deviation per number.
//! After each population both move towards those of its best sequences, the elite. Observations are
//! not used: the search finds one sequence, not a policy. With `fill_budget` one number is added to
//! all numbers of a drawn sequence, the greatest for which the budget clips none of them; otherwise
//! the clipping of late decisions hides the differences between sequences.
//!
//! With discrete actions each decision has its own probabilities, which move towards the shares that
//! the indices have in the elite.

mod domain;

use std::{collections::VecDeque, path::Path};

use cgym_env::{Action, Env, ResetOptions, table};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    Agent, AgentContext, AgentError, Mode, Transition,
    budget::{at, filled, look_ahead, previews},
    checkpoint::{self, Checkpoint},
    profile,
    rollout::SIDE_BY_SIDE,
    settings::{recorded, require},
};
use domain::Domain;

pub(crate) const NAME: &str = "cem";

table! {
    /// Hyper-parameters of [`Cem`]; deviations are shares of the action range.
    pub struct CemSettings {
        /// Sequences per update of the distribution, 2 to 100,000.
        pub population: usize = 16,
        /// Share of a population that is its elite, in (0, 1].
        pub elite_fraction: f64 = 0.25,
        /// Weight of the elite in an update of the distribution, in (0, 1].
        pub smoothing: f64 = 0.9,
        /// Mean at the start, as a share of the action range, in [0, 1]; if absent the greatest for which
        /// the budget does not clip the sequence of equal actions: 1 without a budget, and 0.5 where there
        /// is no look-ahead to find it. Boxes only: indices start with equal probabilities.
        pub initial_mean: Option<f64> = None,
        /// Deviation at the start. Boxes only.
        pub initial_deviation: f64 = 0.3,
        /// Least deviation in a box; with discrete actions the share of the probability that is always
        /// spread evenly over the indices.
        pub deviation_floor: f64 = 0.05,
        /// Add one number to all numbers of a drawn sequence, the greatest for which the budget clips none
        /// of them. Needs look-ahead. Off for discrete actions and in environments without a budget; the
        /// distribution then learns from the actions that were executed.
        pub fill_budget: bool = true,
    }
}

impl CemSettings {
    /// Checks every range; filling the budget is off without a budget and with discrete actions.
    fn resolve(mut self, domain: &Domain, context: &AgentContext<'_>) -> Result<Self, AgentError> {
        let share = |x: f64| x > 0.0 && x <= 1.0;
        require((2..=100_000).contains(&self.population), "population", "must lie in 2..=100000")?;
        require(share(self.elite_fraction), "elite_fraction", "must lie in (0, 1]")?;
        require(share(self.smoothing), "smoothing", "must lie in (0, 1]")?;
        let mean = self.initial_mean.unwrap_or(0.5);
        require((0.0..=1.0).contains(&mean), "initial_mean", "must lie in [0, 1]")?;
        require(share(self.initial_deviation), "initial_deviation", "must lie in (0, 1]")?;
        require((0.0..=1.0).contains(&self.deviation_floor), "deviation_floor", "must lie in [0, 1]")?;
        self.fill_budget &= context.env.spec().budget.is_some() && matches!(domain, Domain::Box(_));
        Ok(self)
    }

    fn elites(&self) -> usize {
        ((self.elite_fraction * self.population as f64).ceil() as usize).clamp(1, self.population)
    }
}

/// Plays drawn sequences; an exploiting episode plays the best so far, or the mean before the first.
pub struct Cem {
    settings: CemSettings,
    /// A copy of the environment that previews what the budget clips; `None` without `fill_budget`.
    planner: Option<Box<dyn Env>>,
    domain: Domain,
    state: State,
}

/// A sequence of actions as numbers in [0, 1], and its return.
#[derive(Clone, Serialize, Deserialize)]
struct Scored {
    units: Vec<f32>,
    episodic_return: f64,
}

#[derive(Serialize, Deserialize)]
struct State {
    rng: ChaCha8Rng,
    mean: Vec<f32>,
    deviation: Vec<f32>,
    /// The sequences of the exploring episodes that are not scored yet, in the order of playing.
    candidates: VecDeque<Vec<f32>>,
    population: Vec<Scored>,
    best: Option<Scored>,
    /// Executed actions of the running episode, as numbers.
    executed: Vec<f32>,
    episodic_return: f64,
    step: usize,
}

impl Cem {
    /// A search of the whole action sequence of `context`'s environment.
    ///
    /// # Errors
    /// A setting out of its range, a box without finite bounds, `fill_budget` in an environment without
    /// look-ahead, or a failed preview.
    pub fn new(settings: &CemSettings, context: &AgentContext<'_>) -> Result<Self, AgentError> {
        let domain = Domain::new(NAME, context.env.action_space())?;
        let settings = settings.clone().resolve(&domain, context)?;
        let planner = if settings.fill_budget {
            Some(look_ahead(NAME, context.env, "; with fill_budget = false it needs none")?)
        } else {
            None
        };
        let mean = match (&domain, settings.initial_mean) {
            (Domain::Discrete { count }, _) => 1.0 / *count as f64,
            (Domain::Box(_), Some(mean)) => mean,
            // Without look-ahead it is unknown which sequences the budget clips.
            (Domain::Box(_), None) if context.env.spec().budget.is_some() && !previews(context.env) => 0.5,
            (Domain::Box(bounds), None) => profile::fit(NAME, context.env, bounds, 0.0)?.0,
        };
        let length = domain.width() * context.env.spec().steps();
        let state = State {
            rng: ChaCha8Rng::seed_from_u64(context.seed),
            mean: vec![mean as f32; length],
            deviation: vec![settings.initial_deviation as f32; length],
            candidates: VecDeque::new(),
            population: Vec::new(),
            best: None,
            executed: Vec::new(),
            episodic_return: 0.0,
            step: 0,
        };
        Ok(Self { settings, planner, domain, state })
    }

    /// Draws the next candidate.
    fn draw(&mut self) -> Result<(), AgentError> {
        let State { rng, mean, deviation, .. } = &mut self.state;
        let drawn = self.domain.draw(mean, deviation, rng);
        self.state.candidates.push_back(match (&self.domain, &self.planner) {
            (Domain::Box(bounds), Some(planner)) => filled(&**planner, bounds, &drawn)?,
            _ => drawn,
        });
        Ok(())
    }

    /// Moves the distribution towards the elite of the population, and empties the population.
    fn move_distribution(&mut self) {
        let state = &mut self.state;
        // The sort is stable: ties go to the earlier.
        state.population.sort_by(|a, b| b.episodic_return.total_cmp(&a.episodic_return));
        let elite = &state.population[..self.settings.elites()];
        let count = elite.len() as f64;
        let smoothing = self.settings.smoothing;
        let blend = |old: f32, new: f64| ((1.0 - smoothing) * f64::from(old) + smoothing * new) as f32;
        for i in 0..state.mean.len() {
            let average = elite.iter().map(|scored| f64::from(scored.units[i])).sum::<f64>() / count;
            let variance =
                elite.iter().map(|scored| (f64::from(scored.units[i]) - average).powi(2)).sum::<f64>()
                    / count;
            state.mean[i] = blend(state.mean[i], average).clamp(0.0, 1.0);
            state.deviation[i] =
                blend(state.deviation[i], variance.sqrt()).max(self.settings.deviation_floor as f32);
        }
        if let Domain::Discrete { count } = &self.domain {
            let floor = self.settings.deviation_floor as f32;
            state.mean.iter_mut().for_each(|share| *share = (1.0 - floor) * *share + floor / *count as f32);
        }
        state.population.clear();
    }

    /// Adds the finished episode to the population.
    fn score(&mut self) {
        let state = &mut self.state;
        // `begin` is not called between the episodes of a batch that are learned from.
        let executed = std::mem::take(&mut state.executed);
        let candidate = state.candidates.pop_front().unwrap_or_default();
        let units = if self.settings.fill_budget { candidate } else { executed };
        let scored = Scored { units, episodic_return: std::mem::take(&mut state.episodic_return) };
        if state.best.as_ref().is_none_or(|best| scored.episodic_return > best.episodic_return) {
            state.best = Some(scored.clone());
        }
        state.population.push(scored);
        if state.population.len() == self.settings.population {
            self.move_distribution();
        }
    }
}

impl Agent for Cem {
    fn name(&self) -> &str {
        NAME
    }

    fn settings(&self) -> Value {
        recorded(&self.settings)
    }

    fn begin(&mut self, mode: Mode) -> Result<ResetOptions, AgentError> {
        self.state.step = 0;
        self.state.executed.clear();
        self.state.episodic_return = 0.0;
        if mode == Mode::Explore {
            self.draw()?;
        }
        Ok(ResetOptions::default())
    }

    fn act(&mut self, _observation: &[f32], mode: Mode) -> Result<Action, AgentError> {
        self.state.step += 1;
        let units = match (mode, &self.state.best) {
            (Mode::Explore, _) => self.state.candidates.back().unwrap_or(&self.state.mean),
            (Mode::Exploit, Some(best)) => &best.units,
            (Mode::Exploit, None) => &self.state.mean,
        };
        at(&self.domain.actions(units), self.state.step - 1)
    }

    fn learn(&mut self, transition: &Transition<'_>) -> Result<(), AgentError> {
        self.state.executed.extend(self.domain.numbers(NAME, transition.executed)?);
        self.state.episodic_return += transition.reward;
        if transition.ending.is_some() {
            self.score();
        }
        Ok(())
    }

    fn batch(&self) -> usize {
        SIDE_BY_SIDE.min(self.settings.population.saturating_sub(self.state.population.len()))
    }

    fn diagnostics(&self) -> Vec<(String, f64)> {
        let deviation = &self.state.deviation;
        let average = deviation.iter().sum::<f32>() / deviation.len().max(1) as f32;
        vec![("charts/cem_deviation".to_owned(), f64::from(average))]
    }

    fn save(&self, directory: &Path) -> Result<(), AgentError> {
        checkpoint::write(directory, NAME, &self.state, &[])
    }

    fn load(&mut self, directory: &Path) -> Result<(), AgentError> {
        let read = Checkpoint::<State>::read(directory, NAME)?;
        let length = self.state.mean.len();
        let State { mean, deviation, candidates, best, .. } = &read.state;
        let all = [mean, deviation].into_iter().chain(candidates).chain(best.iter().map(|best| &best.units));
        if let Some(other) = all.map(Vec::len).find(|&other| other != length) {
            return Err(
                read.refuse(format!("holds sequences of {other} numbers, this agent's have {length}"))
            );
        }
        self.state = read.state;
        Ok(())
    }
}
