//! Random steps in environments of every family.

use cgym::loading;
use cgym_env::{Action, Env, EpisodeRecord, FAMILIES, ResetOptions, Space, settings::EnvSettings};
use cgym_worlds::Blueprint;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::Failure;

/// At least two environments of each family: residual sums, depth-wise layers, plain stacks.
pub const IDS: [&str; 14] = [
    "AMC-ResNet20-Digits-MACs30-v0",
    "AMC-ResNet56-CIFAR10-MACs50-v0",
    "AMC-MobileNetV1-CIFAR10-MACs50-v0",
    "AMC-MobileNetV2-CIFAR10-Params60-v0",
    "AMC-VGG16-CIFAR10-Bytes20-v0",
    "AMC-ResNet20-Digits-v0",
    "AMC-FineGrained-ResNet20-Digits-Params30-v0",
    "AMC-FineGrained-LeNet5-MNIST-Params8-v0",
    "AMC-FineGrained-VGG16-CIFAR10-Bytes10-v0",
    "N2N-Removal-ResNet20-Digits-v0",
    "N2N-Removal-VGG13-MNIST-v0",
    "N2N-Shrinkage-ResNet20-Digits-v0",
    "N2N-Shrinkage-VGG13-MNIST-v0",
    "N2N-Removal-ResNet56-CIFAR10-v0",
];

/// An environment without weights and images, in which a formula stands in for accuracies.
pub fn env(id: &str) -> Result<Box<dyn Env>, Failure> {
    let blueprint = Blueprint::new(EnvSettings::from_id(id)?, &mut loading::observer())?;
    blueprint.outline().env.fork().ok_or_else(|| format!("{id} cannot be copied").into())
}

/// A legal action: uniform, or an end of the range.
pub fn action(space: &Space, rng: &mut ChaCha8Rng) -> Action {
    match (space, rng.random_range(0..4)) {
        (Space::Box { low, .. }, 0) => Action::Continuous(low.clone()),
        (Space::Box { high, .. }, 1) => Action::Continuous(high.clone()),
        (Space::Discrete { count }, 0) => Action::Discrete(count - 1),
        (Space::Discrete { .. }, 1) => Action::Discrete(0),
        _ => space.sample(rng),
    }
}

pub fn measure(steps: usize, seed: u64) -> Result<bool, Failure> {
    let mut played: Vec<&str> = Vec::new();
    let mut sound = true;
    println!("{:<44} {:>9} {:>9} {:>11}", "environment", "steps", "episodes", "violations");
    for (number, id) in IDS.iter().enumerate() {
        let mut rng = ChaCha8Rng::seed_from_u64(seed.wrapping_add(number as u64));
        let (taken, episodes, violations) = play(id, steps.div_ceil(IDS.len()), &mut rng)?;
        println!("{id:<44} {taken:>9} {episodes:>9} {:>11}", violations.len());
        violations.iter().take(3).for_each(|violation| println!("  {violation}"));
        sound &= violations.is_empty();
        played.push(EnvSettings::from_id(id)?.family.name());
    }
    for family in FAMILIES.iter().map(|family| family.name()).filter(|name| !played.contains(name)) {
        println!("no environment of the family {family} was played");
        sound = false;
    }
    Ok(sound)
}

/// Plays whole episodes until that many steps are taken.
fn play(id: &str, steps: usize, rng: &mut ChaCha8Rng) -> Result<(usize, usize, Vec<String>), Failure> {
    let (mut env, mut twin) = (env(id)?, env(id)?);
    let (mut taken, mut episodes, mut violations) = (0, 0, Vec::new());
    while taken < steps {
        let seed = rng.random_range(0..1 << 40);
        let options = options(&*env, rng);
        let budget = options.budget.or(env.spec().budget);
        let mut observation = match env.reset(seed, &options) {
            Ok(observation) => observation,
            // A budget that no candidate meets is refused; the environment's own can be met.
            Err(_) if options.budget.is_some() => continue,
            Err(error) => return Err(error.into()),
        };
        let mut record = EpisodeRecord::new(env.spec(), seed, options);
        let mut check = |holds: bool, what: &str| {
            if !holds {
                violations.push(format!("seed {seed}, {options:?}: {what}"));
            }
        };
        loop {
            check(env.observation_space().contains(&observation), "an observation outside its space");
            let chosen = action(env.action_space(), rng);
            let step = env.step(&chosen)?;
            taken += 1;
            let executed = step.info().executed.clone().unwrap_or_else(|| chosen.clone());
            check(
                env.action_space().contains_action(&executed) || lowered(&executed),
                "an executed action that is none",
            );
            check(step.reward().is_finite(), "a reward that is no number");
            check(step.info().outcome.is_none() || step.ending().is_some(), "an outcome before the end");
            record.push(chosen, executed, &step);
            if step.ending().is_some() {
                break;
            }
            observation = step.into_observation();
            check(record.actions.len() < env.spec().steps(), "an episode longer than its decisions");
        }
        check(record.outcome.is_some() != record.reason.is_some(), "neither a candidate nor a reason");
        if let Some(outcome) = &record.outcome {
            check(budget.is_none_or(|budget| outcome.preserve_ratio <= budget), "a cost above the budget");
            check((0.0..=1.0).contains(&outcome.top1), "an accuracy outside [0, 1]");
            check(outcome.parameters > 0 && outcome.macs > 0, "a network without weights");
        }
        check(env.step(&record.actions[0]).is_err(), "a step after the end");
        if episodes % 8 == 0 {
            let differences = record.validate(&mut *twin)?;
            check(differences.is_empty(), &format!("replayed: {differences:?}"));
        }
        episodes += 1;
    }
    Ok((taken, episodes, violations))
}

/// Now and then a budget of the episode's own.
fn options(env: &dyn Env, rng: &mut ChaCha8Rng) -> ResetOptions {
    match env.spec().budget {
        Some(_) if rng.random_range(0..3) == 0 => ResetOptions::with_budget(rng.random_range(0.05..1.0)),
        _ => ResetOptions::default(),
    }
}

/// The budget may lower a share below the least action.
fn lowered(action: &Action) -> bool {
    matches!(action, Action::Continuous(values) if values.iter().all(|value| (0.0..=1.0).contains(value)))
}
