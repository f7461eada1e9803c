//! Environments whose best return is known, and helpers that play them.

#![allow(dead_code, reason = "every test file uses another part")]
#![allow(clippy::unwrap_used, missing_docs)]

pub mod table;

use cgym_agents::{Agent, AgentContext, Mode, Schedule, make, rollout, run_episode};
use cgym_env::{
    Action, Env, EnvError, EnvSpec, EpisodeRecord, Info, Layout, Outcome, Preview, ResetOptions, Space, Step,
};
use serde_json::Value;

/// A budgeted environment. Each decision has a share of the cost and a sensitivity, and an action is
/// the share that is kept of it. The budget clips an action so that all later ones can still be at
/// their least. The return, given at the last step, is `-Σ sensitivity·(1 - a)²`, less
/// `interaction·Σ (a - next a)²`.
#[derive(Clone)]
pub struct Toy {
    spec: EnvSpec,
    observations: Space,
    actions: Space,
    weights: Vec<f64>,
    sensitivities: Vec<f64>,
    interaction: f64,
    /// Actions are rounded up to multiples of 1 / grid, like numbers of channels; 0 for no rounding.
    grid: u32,
    /// Budget of the episode; 1 without one.
    budget: f64,
    /// Whether it previews and forks.
    look_ahead: bool,
    /// Factor on all returns.
    scale: f64,
    kept: Vec<f64>,
    running: bool,
}

pub const LOW: f64 = 0.2;

impl Toy {
    /// `decisions` decisions of different costs and sensitivities, and a budget of 0.5.
    pub fn new(decisions: usize) -> Self {
        let weight = |i: usize| 1.0 + ((7 * i + 3) % 5) as f64;
        let total: f64 = (0..decisions).map(weight).sum();
        let sensitivity = |i: usize| [0.02, 0.3, 0.05, 0.8, 0.15, 0.01][(5 * i + i / 6) % 6];
        Self {
            spec: EnvSpec {
                id: "Toy-v0".to_owned(),
                decisions: (0..decisions).map(|i| format!("layer{i}")).collect(),
                reward: "err".to_owned(),
                unit: "macs".to_owned(),
                budget: Some(0.5),
                layout: Layout::Vector,
                settings: String::new(),
            },
            observations: Space::vector(6, 0.0, 1.0),
            actions: Space::vector(1, LOW as f32, 1.0),
            weights: (0..decisions).map(|i| weight(i) / total).collect(),
            sensitivities: (0..decisions).map(|i| sensitivity(i) / decisions as f64 * 6.0).collect(),
            interaction: 0.005,
            grid: 0,
            budget: 0.5,
            look_ahead: true,
            scale: 1.0,
            kept: Vec::new(),
            running: false,
        }
    }

    pub fn with_grid(mut self, grid: u32) -> Self {
        self.grid = grid;
        self
    }

    pub fn with_budget(mut self, budget: f64) -> Self {
        (self.spec.budget, self.budget) = (Some(budget), budget);
        self
    }

    pub fn without_budget(mut self) -> Self {
        (self.spec.budget, self.budget) = (None, 1.0);
        self
    }

    pub fn without_look_ahead(mut self) -> Self {
        self.look_ahead = false;
        self
    }

    pub fn with_scale(mut self, scale: f64) -> Self {
        self.scale = scale;
        self
    }

    pub fn with_actions(mut self, actions: Space) -> Self {
        self.actions = actions;
        self
    }

    fn rest(&self, from: usize) -> f64 {
        self.weights[from..].iter().sum()
    }

    fn spent(&self) -> f64 {
        self.kept.iter().zip(&self.weights).map(|(kept, weight)| kept * weight).sum()
    }

    /// The action that takes effect where `value` is chosen, and whether the budget lowered it.
    fn clip(&self, value: f64) -> (f64, bool) {
        let step = self.kept.len();
        let most = (self.budget - self.spent() - LOW * self.rest(step + 1)) / self.weights[step];
        let grid = f64::from(self.grid);
        let round = |x: f64, up: bool| match (self.grid, up) {
            (0, _) => x,
            (_, true) => (x * grid - 1e-6).ceil() / grid,
            (_, false) => (x * grid + 1e-6).floor() / grid,
        };
        let asked = round(value, true);
        if asked <= most + 1e-9 { (asked, false) } else { (round(most, false).max(LOW), true) }
    }

    fn observation(&self) -> Vec<f32> {
        let step = self.kept.len();
        let at = step.min(self.weights.len() - 1);
        [
            at as f64 / self.weights.len() as f64,
            self.weights[at] * self.weights.len() as f64 / 3.0,
            self.sensitivities[at],
            self.spent(),
            self.rest(step),
            self.kept.last().copied().unwrap_or(1.0),
        ]
        .map(|x| x as f32)
        .to_vec()
    }

    pub fn score(&self, kept: &[f64]) -> f64 {
        let own: f64 = kept.iter().zip(&self.sensitivities).map(|(a, s)| s * (1.0 - a).powi(2)).sum();
        let jumps: f64 = kept.windows(2).map(|pair| (pair[0] - pair[1]).powi(2)).sum();
        self.scale * (-own - self.interaction * jumps)
    }

    /// Nearly the best return: projected gradient ascent on the score less a price per cost, which
    /// bisection makes meet the budget.
    pub fn best_return(&self) -> f64 {
        let solve = |price: f64| {
            let mut kept = vec![0.5; self.weights.len()];
            for _ in 0..4000 {
                let old = kept.clone();
                for i in 0..kept.len() {
                    let mut slope = 2.0 * self.sensitivities[i] * (1.0 - old[i]) - price * self.weights[i];
                    for j in [i.wrapping_sub(1), i + 1].into_iter().filter(|&j| j < old.len()) {
                        slope -= 2.0 * self.interaction * (old[i] - old[j]);
                    }
                    kept[i] = (old[i] + 0.1 * slope).clamp(LOW, 1.0);
                }
            }
            kept
        };
        let cost = |kept: &[f64]| kept.iter().zip(&self.weights).map(|(a, w)| a * w).sum::<f64>();
        let (mut cheap, mut dear) = (0.0, 50.0);
        for _ in 0..40 {
            let price = 0.5 * (cheap + dear);
            if cost(&solve(price)) > self.spec.budget.unwrap_or(1.0) { cheap = price } else { dear = price }
        }
        self.score(&solve(dear))
    }
}

impl Env for Toy {
    fn spec(&self) -> &EnvSpec {
        &self.spec
    }

    fn observation_space(&self) -> &Space {
        &self.observations
    }

    fn action_space(&self) -> &Space {
        &self.actions
    }

    fn reset(&mut self, _seed: u64, options: &ResetOptions) -> Result<Vec<f32>, EnvError> {
        self.budget = options.budget.or(self.spec.budget).unwrap_or(1.0);
        self.kept.clear();
        self.running = true;
        Ok(self.observation())
    }

    fn step(&mut self, action: &Action) -> Result<Step, EnvError> {
        if !self.running {
            return Err(EnvError::NeedsReset);
        }
        if !self.actions.contains_action(action) {
            return Err(EnvError::IllegalAction {
                action: format!("{action:?}"),
                decision: self.spec.decisions[self.kept.len()].clone(),
                expected: format!("{:?}", self.actions),
            });
        }
        let value = match action {
            Action::Continuous(values) => f64::from(values[0]),
            Action::Discrete(index) => 0.2 * (*index as f64 + 1.0),
        };
        let kept = self.clip(value).0;
        self.kept.push(kept);
        let executed = match action {
            Action::Continuous(_) => Action::scalar(kept as f32),
            discrete => discrete.clone(),
        };
        let mut info = Info { executed: Some(executed), outcome: None, reason: None };
        if self.kept.len() < self.weights.len() {
            return Ok(Step::transition(self.observation(), 0.0, info));
        }
        self.running = false;
        info.outcome = Some(Box::new(Outcome {
            top1: 0.0,
            macs: 0,
            parameters: 0,
            bytes: 0,
            preserve_ratio: self.spent(),
            kept: Vec::new(),
            architecture: None,
            loss: None,
        }));
        Ok(Step::termination(self.observation(), self.score(&self.kept), info))
    }

    fn preview(&self, options: &ResetOptions, actions: &[Action]) -> Result<Preview, EnvError> {
        if !self.look_ahead {
            return Err(EnvError::NoLookAhead { id: self.spec.id.clone() });
        }
        let mut copy = self.clone();
        copy.reset(0, options)?;
        let (mut executed, mut clipped) = (Vec::new(), false);
        for action in actions {
            clipped |= copy.clip(f64::from(action.to_floats()[0])).1;
            executed.extend(copy.step(action)?.info().executed.clone());
        }
        Ok(Preview { executed, clipped, preserve_ratio: copy.spent() })
    }

    fn fork(&self) -> Option<Box<dyn Env>> {
        self.look_ahead.then(|| Box::new(self.clone()) as Box<dyn Env>)
    }
}

/// A copy of `env`.
pub fn copy(env: &dyn Env) -> Box<dyn Env> {
    env.fork().unwrap()
}

/// One exploring episode per seed, in a batch on a copy of `env`.
pub fn batch(env: &dyn Env, agent: &mut dyn Agent, seeds: &[u64]) -> Vec<EpisodeRecord> {
    rollout(&mut *copy(env), agent, seeds, Mode::Explore, &mut ()).unwrap()
}

/// A whole run of an agent.
pub struct Run {
    pub agent: Box<dyn Agent>,
    pub returns: Vec<f64>,
    /// Return of one exploiting episode at the end.
    pub exploit: f64,
    /// Share of the cost kept in that episode.
    pub preserve_ratio: f64,
}

impl Run {
    /// Best return of all episodes, the exploiting one included.
    pub fn best(&self) -> f64 {
        self.returns.iter().copied().fold(self.exploit, f64::max)
    }
}

pub fn agent(toy: &dyn Env, name: &str, settings: &Value, episodes: u64, seed: u64) -> Box<dyn Agent> {
    make(name, settings, &AgentContext { env: toy, episodes, seed }).unwrap()
}

/// Plays `episodes` episodes, fewer where the agent finishes, then one exploiting.
pub fn play(toy: &Toy, name: &str, settings: &Value, episodes: u64, seed: u64) -> Run {
    let mut env = toy.clone();
    let mut agent = agent(toy, name, settings, episodes, seed);
    let schedule = Schedule { episodes, exploit: false };
    let mut returns: Vec<f64> = Vec::new();
    while let Some((mode, _)) = schedule.next(&*agent, returns.len() as u64) {
        let record = run_episode(&mut env, &mut *agent, returns.len() as u64, mode).unwrap();
        returns.push(record.episodic_return);
    }
    let last = run_episode(&mut env, &mut *agent, 0, Mode::Exploit).unwrap();
    let preserve_ratio = last.outcome.unwrap().preserve_ratio;
    Run { agent, returns, exploit: last.episodic_return, preserve_ratio }
}
