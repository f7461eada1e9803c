//! The conformance suite finds what it is there for.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::sync::atomic::{AtomicU64, Ordering};

use cgym_env::{
    Action, Env, EnvError, EnvSpec, Outcome, Preview, ResetOptions, Space, Step, check_env, optimum,
};
use common::{NO_OPTIONS, Setup, digits_env, digits_network, n2n};

#[derive(Clone, Copy, PartialEq, Debug)]
enum Fault {
    None,
    ObservationOutside,
    RewardNotFinite,
    Random,
    EndsEarly,
    ClampsActions,
    StepsBeforeReset,
    RefusalCosts,
    ForkForgets,
    PreviewLies,
    BudgetStays,
    AnyBudget,
    EmptySpace,
}

/// A good environment with one fault.
struct Broken {
    inner: Box<dyn Env>,
    fault: Fault,
    space: Space,
    budget: Option<f64>,
}

fn broken(fault: Fault) -> Box<dyn Env> {
    let mut inner: Box<dyn Env> = Box::new(digits_env("resnet8", &Setup::default()));
    if fault == Fault::StepsBeforeReset {
        inner.reset(0, &ResetOptions::default()).unwrap();
    }
    let space = match fault {
        Fault::EmptySpace => Space::Box { low: vec![1.0], high: vec![0.0], shape: vec![1] },
        _ => inner.action_space().clone(),
    };
    Box::new(Broken { inner, fault, space, budget: None })
}

static DRAWS: AtomicU64 = AtomicU64::new(0);

impl Env for Broken {
    fn spec(&self) -> &EnvSpec {
        self.inner.spec()
    }

    fn observation_space(&self) -> &Space {
        self.inner.observation_space()
    }

    fn action_space(&self) -> &Space {
        &self.space
    }

    fn reset(&mut self, seed: u64, options: &ResetOptions) -> Result<Vec<f32>, EnvError> {
        let mut options = *options;
        match self.fault {
            Fault::BudgetStays => {
                self.budget = options.budget.filter(|budget| *budget == 1.0).or(self.budget);
                options.budget = options.budget.or(self.budget);
            }
            Fault::AnyBudget => options.budget = options.budget.filter(|budget| (0.5..=1.0).contains(budget)),
            _ => (),
        }
        self.inner.reset(seed, &options)
    }

    fn step(&mut self, action: &Action) -> Result<Step, EnvError> {
        let action = match (self.fault, action) {
            (Fault::ClampsActions, Action::Continuous(values)) => {
                let value = values.first().map_or(0.5, |value| value.clamp(0.2, 1.0));
                Action::scalar(if value.is_nan() { 0.5 } else { value })
            }
            _ => action.clone(),
        };
        let stepped = self.inner.step(&action);
        if self.fault == Fault::RefusalCosts && matches!(stepped, Err(EnvError::IllegalAction { .. })) {
            self.inner.step(&Action::scalar(0.3))?;
        }
        let step = stepped?;
        let (observation, info) = (step.observation().to_vec(), step.info().clone());
        Ok(match self.fault {
            Fault::ObservationOutside => Step::transition(vec![f32::NAN; 11], 0.0, info),
            Fault::RewardNotFinite if step.ending().is_some() => {
                Step::termination(observation, f64::NEG_INFINITY, info)
            }
            Fault::Random if step.ending().is_some() => {
                Step::termination(observation, DRAWS.fetch_add(1, Ordering::Relaxed) as f64, info)
            }
            Fault::EndsEarly => Step::truncation(observation, 0.0, info),
            _ => step,
        })
    }

    fn preview(&self, options: &ResetOptions, actions: &[Action]) -> Result<Preview, EnvError> {
        let mut preview = self.inner.preview(options, actions)?;
        if self.fault == Fault::PreviewLies {
            preview.preserve_ratio *= 0.9;
        }
        Ok(preview)
    }

    fn fork(&self) -> Option<Box<dyn Env>> {
        match self.fault {
            Fault::ForkForgets => Some(broken(self.fault)),
            _ => Some(Box::new(Self {
                inner: self.inner.fork()?,
                fault: self.fault,
                space: self.space.clone(),
                budget: self.budget,
            })),
        }
    }
}

#[test]
fn a_good_environment_passes() {
    check_env(|| broken(Fault::None)).unwrap();
}

#[test]
fn each_fault_is_found_and_named() {
    for (fault, expected) in [
        (Fault::ObservationOutside, "observation 0 is outside the observation space"),
        (Fault::RewardNotFinite, "reward 2 is -inf"),
        (Fault::Random, "the same seed and actions give other steps"),
        (Fault::EndsEarly, "an episode has 1 steps, the spec says 3"),
        (Fault::ClampsActions, "the illegal action Continuous([NaN]) gives Ok"),
        (Fault::StepsBeforeReset, "a step before reset gives Ok"),
        (Fault::RefusalCosts, "refused actions change step 0"),
        (Fault::ForkForgets, "a fork's step 0 is Err"),
        (Fault::PreviewLies, "preview foretells 0."),
        (Fault::BudgetStays, "the options of one reset outlive their episode"),
        (Fault::AnyBudget, "a budget of NaN is not refused"),
        (Fault::EmptySpace, "the action space is not sane"),
    ] {
        let error = check_env(|| broken(fault)).unwrap_err();
        let found = error.failures.iter().any(|failure| failure.contains(expected));
        assert!(found, "{fault:?} gives\n{error}");
    }
}

/// An environment that can neither preview nor fork.
struct Forward(Box<dyn Env>);

impl Env for Forward {
    fn spec(&self) -> &EnvSpec {
        self.0.spec()
    }

    fn observation_space(&self) -> &Space {
        self.0.observation_space()
    }

    fn action_space(&self) -> &Space {
        self.0.action_space()
    }

    fn reset(&mut self, seed: u64, options: &ResetOptions) -> Result<Vec<f32>, EnvError> {
        self.0.reset(seed, options)
    }

    fn step(&mut self, action: &Action) -> Result<Step, EnvError> {
        self.0.step(action)
    }

    fn admits(&self, outcome: &Outcome) -> bool {
        self.0.admits(outcome)
    }
}

#[test]
fn an_environment_without_look_ahead_passes_and_says_that_it_lacks_it() {
    let layerwise = || Forward(Box::new(digits_env("resnet8", &Setup::default())));
    let removal = || Forward(Box::new(n2n::env_of(&digits_network("resnet8"), &n2n::removal())));
    check_env(|| Box::new(layerwise())).unwrap();
    check_env(|| Box::new(removal())).unwrap();
    let env = layerwise();
    assert!(env.fork().is_none());
    let error = env.preview(&NO_OPTIONS, &vec![Action::scalar(0.5); 3]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`AMC-Test-v0` has no look-ahead: it can neither preview actions nor be forked"
    );
    assert!(matches!(optimum(&removal()), Err(EnvError::NoLookAhead { .. })));
}
