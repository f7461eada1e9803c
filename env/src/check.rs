//! The conformance suite: checks that an environment implements the contract.
//!
//! A new environment is tested in a few lines:
//!
//! ```
//! # use std::sync::Arc;
//! # use cgym_env::{Budget, Header, Layerwise, LayerwiseEnv, Reward, check_env};
//! # use cgym_env::method::channels::{ChannelMethod, ChannelSettings};
//! # use cgym_teachers::zoo::{self, ModelOptions};
//! # let budget = Budget { share: Some(0.5), ..Budget::default() };
//! # let header = Header { id: "Mine-v0".to_owned(), settings: String::new(), budget };
//! # let graph = zoo::build("resnet8", &ModelOptions::new([1, 8, 8], 10))?;
//! # let method = Arc::new(ChannelMethod::new(&graph, &ChannelSettings::default())?);
//! let my_env = LayerwiseEnv::surrogate(Layerwise::new(&header, method, Reward::Error, 0.2)?);
//! check_env(|| Box::new(my_env.clone()))?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::{Action, Env, EnvError, EpisodeRecord, Preview, ResetOptions, Space, Step};

/// All violations of the contract by an environment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the environment violates the contract:\n- {}", failures.join("\n- "))]
pub struct CheckError {
    /// One sentence per violation.
    pub failures: Vec<String>,
}

/// Number of episodes played with random actions.
const EPISODES: u64 = 4;

/// Plays episodes in environments from `make` and checks that they implement the contract.
///
/// `make` must return a new, equal environment at each call. The checks:
///
/// - spaces and specification are valid, and observations are in the observation space;
/// - an episode has the number of steps in the specification, and rewards are finite;
/// - the same seed and actions give the same steps;
/// - a step before `reset`, a step after the end and every illegal action are refused and change
///   nothing;
/// - a fork is independent, and `preview` returns what the episode then executes (both are skipped in
///   environments without look-ahead);
/// - the last step, and no other, has an outcome or a reason for its absence;
/// - records replay, also after conversion to JSON and back;
/// - the options of a reset apply to one episode only.
///
/// # Errors
/// [`CheckError`] with all violations found.
pub fn check_env(make: impl FnMut() -> Box<dyn Env>) -> Result<(), CheckError> {
    let mut check = Check { make, failures: Vec::new() };
    check.spaces();
    // The other checks need actions to sample.
    if check.failures.is_empty() {
        for seed in 0..EPISODES {
            check.episode(seed);
        }
        check.refusals();
        check.fork();
        check.options();
    }
    check.failures.dedup();
    if check.failures.is_empty() { Ok(()) } else { Err(CheckError { failures: check.failures }) }
}

struct Check<M> {
    make: M,
    failures: Vec<String>,
}

impl<M: FnMut() -> Box<dyn Env>> Check<M> {
    fn expect(&mut self, holds: bool, failure: impl FnOnce() -> String) {
        if !holds {
            self.failures.push(failure());
        }
    }

    /// Unwraps the result of a call that must succeed.
    fn must<T>(&mut self, what: &str, result: Result<T, EnvError>) -> Option<T> {
        result.map_err(|error| self.failures.push(format!("{what} is refused: {error}"))).ok()
    }

    /// Unwraps a preview; `None` without a failure if the environment lacks look-ahead.
    fn foretold(&mut self, what: &str, result: Result<Preview, EnvError>) -> Option<Preview> {
        match result {
            Err(EnvError::NoLookAhead { .. }) => None,
            other => self.must(what, other),
        }
    }

    fn spaces(&mut self) {
        let env = (self.make)();
        let spec = env.spec().clone();
        self.expect(!spec.id.is_empty(), || "the id is empty".to_owned());
        self.expect(spec.steps() > 0, || "there is nothing to decide".to_owned());
        self.expect(spec.budget.is_none_or(|share| share > 0.0 && share <= 1.0), || {
            format!("the budget {:?} is not in (0, 1]", spec.budget)
        });
        self.expect(matches!(env.observation_space(), Space::Box { .. }), || {
            "the observation space is not a box".to_owned()
        });
        for (name, space) in [("observation", env.observation_space()), ("action", env.action_space())] {
            let sane = match space {
                Space::Box { low, high, shape } => {
                    let elements = shape.iter().product::<usize>();
                    let ordered = low.iter().zip(high).all(|(l, h)| l <= h && l.is_finite() && h.is_finite());
                    elements > 0 && low.len() == elements && high.len() == elements && ordered
                }
                Space::Discrete { count } => *count > 0,
            };
            self.expect(sane, || format!("the {name} space is not sane: {space:?}"));
        }
    }

    fn actions(&mut self, seed: u64) -> Vec<Action> {
        let env = (self.make)();
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        (0..env.spec().steps()).map(|_| env.action_space().sample(&mut rng)).collect()
    }

    /// Plays `actions` after a reset and returns the first observation and all steps.
    fn play(
        &mut self,
        env: &mut dyn Env,
        seed: u64,
        options: &ResetOptions,
        actions: &[Action],
    ) -> Option<(Vec<f32>, Vec<Step>)> {
        let reset = env.reset(seed, options);
        let observation = self.must("reset", reset)?;
        let mut steps = Vec::new();
        for action in actions {
            let step = env.step(action);
            steps.push(self.must("a sampled action", step)?);
            if steps.last().is_some_and(|step| step.ending().is_some()) {
                break;
            }
        }
        Some((observation, steps))
    }

    fn episode(&mut self, seed: u64) {
        let options = ResetOptions::default();
        let actions = self.actions(seed);
        let (mut env, mut other) = ((self.make)(), (self.make)());
        let foretold = env.preview(&options, &actions);
        let Some(played) = self.play(&mut *env, seed, &options, &actions) else { return };
        let again = self.play(&mut *other, seed, &options, &actions);
        self.expect(again.as_ref() == Some(&played), || {
            "the same seed and actions give other steps in another environment".to_owned()
        });
        let replayed = self.play(&mut *env, seed, &options, &actions);
        self.expect(replayed.as_ref() == Some(&played), || {
            "the same seed and actions give other steps in the next episode".to_owned()
        });
        let (first, steps) = played;
        self.expect(env.observation_space().contains(&first), || {
            format!("the observation {first:?} of reset is outside the observation space")
        });
        self.steps(&*env, &actions, &steps);
        if let Some(preview) = self.foretold("preview", foretold) {
            let executed: Vec<_> = steps.iter().filter_map(|step| step.info().executed.clone()).collect();
            self.expect(preview.executed == executed, || {
                format!("preview foretells {:?}, played is {executed:?}", preview.executed)
            });
            let outcome = steps.last().and_then(|step| step.info().outcome.as_ref());
            self.expect(outcome.is_none_or(|o| o.preserve_ratio == preview.preserve_ratio), || {
                format!(
                    "preview foretells {} of the cost, the outcome is {outcome:?}",
                    preview.preserve_ratio
                )
            });
        }
        self.record(seed, options, &actions, &steps);
    }

    fn steps(&mut self, env: &dyn Env, actions: &[Action], steps: &[Step]) {
        self.expect(steps.len() == actions.len(), || {
            format!("an episode has {} steps, the spec says {}", steps.len(), actions.len())
        });
        for (index, step) in steps.iter().enumerate() {
            let last = index + 1 == steps.len();
            self.expect(env.observation_space().contains(step.observation()), || {
                format!("observation {index} is outside the observation space: {:?}", step.observation())
            });
            self.expect(step.reward().is_finite(), || format!("reward {index} is {}", step.reward()));
            self.expect(step.ending().is_some() == last, || {
                format!("step {index} of {} ends with {:?}", steps.len(), step.ending())
            });
            let (outcome, reason) = (step.info().outcome.is_some(), step.info().reason.is_some());
            self.expect(last || !(outcome || reason), || {
                format!("an outcome or the reason for none comes before the last step (step {index})")
            });
            self.expect(!last || outcome != reason, || {
                "the last step has neither an outcome nor a reason for none, or both".to_owned()
            });
            let legal = step.info().executed.as_ref().is_none_or(|a| env.action_space().contains_action(a));
            self.expect(legal, || {
                format!("the executed action {:?} is outside the action space", step.info().executed)
            });
        }
    }

    fn record(&mut self, seed: u64, options: ResetOptions, actions: &[Action], steps: &[Step]) {
        let mut env = (self.make)();
        let mut record = EpisodeRecord::new(env.spec(), seed, options);
        for (action, step) in actions.iter().zip(steps) {
            let executed = step.info().executed.clone().unwrap_or_else(|| action.clone());
            record.push(action.clone(), executed, step);
        }
        let json = serde_json::to_string(&record).and_then(|text| serde_json::from_str(&text));
        self.expect(json.as_ref().is_ok_and(|read: &EpisodeRecord| *read == record), || {
            format!("a record changes when it is converted to JSON and back: {json:?}")
        });
        let validated = record.validate(&mut *env);
        if let Some(differences) = self.must("replaying a record", validated) {
            self.expect(differences.is_empty(), || {
                format!("a record does not replay: {}", differences.join("; "))
            });
        }
    }

    /// Checks that illegal actions and steps outside an episode are refused and change nothing.
    fn refusals(&mut self) {
        let options = ResetOptions::default();
        let actions = self.actions(0);
        let (mut env, mut reference) = ((self.make)(), (self.make)());
        let early = env.step(&actions[0]);
        self.expect(matches!(early, Err(EnvError::NeedsReset)), || {
            format!("a step before reset gives {early:?}")
        });
        let Some((_, expected)) = self.play(&mut *reference, 0, &options, &actions) else { return };
        let reset = env.reset(0, &options);
        if self.must("reset", reset).is_none() {
            return;
        }
        for (index, (action, expected)) in actions.iter().zip(&expected).enumerate() {
            for illegal in illegal_actions(env.action_space(), action) {
                let step = env.step(&illegal);
                self.expect(matches!(step, Err(EnvError::IllegalAction { .. })), || {
                    format!("the illegal action {illegal:?} gives {step:?}")
                });
                let mut foreseen = actions.clone();
                foreseen[index] = illegal;
                let preview = env.preview(&options, &foreseen);
                let refused =
                    matches!(preview, Err(EnvError::IllegalAction { .. } | EnvError::NoLookAhead { .. }));
                self.expect(refused, || {
                    format!("preview of the illegal action {:?} gives {preview:?}", foreseen[index])
                });
            }
            let step = env.step(action);
            self.expect(step.as_ref().is_ok_and(|step| step == expected), || {
                format!("refused actions change step {index}: {step:?}, undisturbed {expected:?}")
            });
        }
        let late = env.step(&actions[0]);
        self.expect(matches!(late, Err(EnvError::NeedsReset)), || {
            format!("a step after the end gives {late:?}")
        });
        let short = env.preview(&options, &actions[1..]);
        self.expect(short.is_err(), || "preview takes the wrong number of actions".to_owned());
    }

    /// Checks that a fork continues from the same state and does not affect its origin.
    fn fork(&mut self) {
        let options = ResetOptions::default();
        let (actions, others) = (self.actions(0), self.actions(1));
        let (mut env, mut reference) = ((self.make)(), (self.make)());
        let Some((_, expected)) = self.play(&mut *reference, 0, &options, &actions) else { return };
        let reset = env.reset(0, &options);
        if self.must("reset", reset).is_none() {
            return;
        }
        for (index, (action, expected)) in actions.iter().zip(&expected).enumerate() {
            let Some(mut fork) = env.fork() else { return };
            let step = fork.step(action);
            self.expect(step.as_ref().is_ok_and(|step| step == expected), || {
                format!("a fork's step {index} is {step:?}, its origin's {expected:?}")
            });
            let reset = fork.reset(1, &options);
            self.must("a fork's reset", reset);
            let foreign = fork.step(&others[0]);
            self.must("a fork's episode", foreign);
            let foretold = fork.preview(&options, &others);
            self.foretold("a fork's preview", foretold);
            let step = env.step(action);
            self.expect(step.as_ref().is_ok_and(|step| step == expected), || {
                format!("what a fork does changes step {index} of its origin")
            });
        }
    }

    /// Checks that a budget in the options applies to one episode, and that invalid ones are refused.
    fn options(&mut self) {
        let actions = self.actions(2);
        let mut env = (self.make)();
        let default = ResetOptions::default();
        let before = self.play(&mut *env, 2, &default, &actions);
        let loose = ResetOptions::with_budget(1.0);
        let foretold = env.preview(&loose, &actions);
        let played = self.play(&mut *env, 2, &loose, &actions);
        if let (Some(preview), Some((_, steps))) = (self.foretold("a budget of 1", foretold), played) {
            let outcome = steps.last().and_then(|step| step.info().outcome.as_ref());
            self.expect(outcome.is_none_or(|o| o.preserve_ratio == preview.preserve_ratio), || {
                "preview and episode differ under a budget in the options".to_owned()
            });
        }
        for share in [f64::NAN, -0.5, 0.0, 1.5, f64::INFINITY] {
            let options = ResetOptions::with_budget(share);
            let refused = env.reset(2, &options).is_err() && env.preview(&options, &actions).is_err();
            self.expect(refused, || format!("a budget of {share} is not refused"));
        }
        let after = self.play(&mut *env, 2, &default, &actions);
        self.expect(before == after, || "the options of one reset outlive their episode".to_owned());
    }
}

/// Actions outside `space`, derived from a `legal` one.
fn illegal_actions(space: &Space, legal: &Action) -> Vec<Action> {
    match space {
        Space::Discrete { count } => {
            vec![Action::Discrete(*count), Action::Discrete(usize::MAX), Action::scalar(0.0)]
        }
        Space::Box { low, high, .. } => {
            let values = legal.to_floats();
            let mut illegal = vec![Action::Continuous(Vec::new()), Action::Discrete(0)];
            illegal.push(Action::Continuous([values.as_slice(), &[values[0]]].concat()));
            for index in 0..values.len() {
                let margin = (high[index] - low[index]).max(1.0);
                let (below, above) = (low[index] - margin, high[index] + margin);
                for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, below, above] {
                    let mut values = values.clone();
                    values[index] = value;
                    illegal.push(Action::Continuous(values));
                }
            }
            illegal
        }
    }
}
