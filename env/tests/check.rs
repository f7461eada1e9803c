//! The conformance suite finds what it is there for.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::sync::atomic::{AtomicU64, Ordering};

use cgym_env::{Action, AmcSettings, Env, EnvError, EnvSpec, Preview, ResetOptions, Space, Step, check_env};
use common::digits_env;

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
    TargetStays,
    AnyTarget,
    EmptySpace,
}

/// A good environment with one fault.
struct Broken {
    inner: Box<dyn Env>,
    fault: Fault,
    space: Space,
    target: Option<f64>,
}

fn broken(fault: Fault) -> Box<dyn Env> {
    let mut inner: Box<dyn Env> = Box::new(digits_env("resnet8", &AmcSettings::default()));
    if fault == Fault::StepsBeforeReset {
        inner.reset(0, &ResetOptions::default()).unwrap();
    }
    let space = match fault {
        Fault::EmptySpace => Space::Box { low: vec![1.0], high: vec![0.0], shape: vec![1] },
        _ => inner.action_space().clone(),
    };
    Box::new(Broken { inner, fault, space, target: None })
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
            Fault::TargetStays => {
                self.target = options.target.filter(|target| *target == 1.0).or(self.target);
                options.target = options.target.or(self.target);
            }
            Fault::AnyTarget => options.target = options.target.filter(|target| (0.5..=1.0).contains(target)),
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

    fn fork(&self) -> Box<dyn Env> {
        match self.fault {
            Fault::ForkForgets => broken(self.fault),
            _ => Box::new(Self {
                inner: self.inner.fork(),
                fault: self.fault,
                space: self.space.clone(),
                target: self.target,
            }),
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
        (Fault::TargetStays, "the options of one reset outlive their episode"),
        (Fault::AnyTarget, "a target of NaN is not refused"),
        (Fault::EmptySpace, "the action space is not sane"),
    ] {
        let error = check_env(|| broken(fault)).unwrap_err();
        let found = error.failures.iter().any(|failure| failure.contains(expected));
        assert!(found, "{fault:?} gives\n{error}");
    }
}
