//! Illegal actions, which are refused and change nothing.

use cgym_env::{Action, Env, EnvError, ResetOptions, Space};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::{
    Failure,
    steps::{IDS, action, env},
};

/// The kinds of illegal actions, each by name.
const KINDS: [&str; 8] = [
    "NaN",
    "infinite",
    "below the least",
    "above the greatest",
    "too long",
    "empty",
    "of the other kind of space",
    "after the end",
];

/// An illegal action of a kind; `None` where the space has none.
fn illegal(kind: &str, space: &Space, rng: &mut ChaCha8Rng) -> Option<Action> {
    let far: f32 = rng.random_range(0.001..1e9);
    Some(match (kind, space) {
        ("NaN", Space::Box { low, .. }) => Action::Continuous(vec![f32::NAN; low.len()]),
        ("infinite", Space::Box { low, .. }) => {
            let sign = if rng.random() { 1.0 } else { -1.0 };
            Action::Continuous(vec![sign * f32::INFINITY; low.len()])
        }
        ("below the least", Space::Box { low, .. }) => {
            Action::Continuous(low.iter().map(|low| low - far).collect())
        }
        ("above the greatest", Space::Box { high, .. }) => {
            Action::Continuous(high.iter().map(|high| high + far).collect())
        }
        ("above the greatest", Space::Discrete { count }) => {
            Action::Discrete(count.saturating_add(rng.random_range(0..usize::MAX / 2)))
        }
        ("too long", Space::Box { low, .. }) => {
            Action::Continuous(vec![low[0]; low.len() + rng.random_range(1..50)])
        }
        ("empty", Space::Box { .. }) => Action::Continuous(Vec::new()),
        ("of the other kind of space", Space::Box { .. }) => Action::Discrete(rng.random_range(0..100)),
        ("of the other kind of space", Space::Discrete { .. }) => Action::scalar(rng.random()),
        _ => return None,
    })
}

pub fn measure(actions: usize, seed: u64) -> Result<bool, Failure> {
    let mut sound = true;
    println!("{:<28} {:>9} {:>9} {:>14}", "illegal action", "taken", "refused", "left no trace");
    for (number, kind) in KINDS.iter().enumerate() {
        let mut rng = ChaCha8Rng::seed_from_u64(seed.wrapping_add(number as u64));
        let (mut taken, mut refused, mut traceless) = (0, 0, 0);
        let games: Vec<&str> = IDS
            .into_iter()
            .filter(|id| {
                env(id).is_ok_and(|env| {
                    *kind == "after the end" || illegal(kind, env.action_space(), &mut rng).is_some()
                })
            })
            .collect();
        for id in &games {
            let [a, b, c] = provoke(kind, id, actions.div_ceil(games.len()), &mut rng)?;
            (taken, refused, traceless) = (taken + a, refused + b, traceless + c);
        }
        println!("{kind:<28} {taken:>9} {refused:>9} {traceless:>14}");
        sound &= taken == refused && taken == traceless && (taken >= actions || games.is_empty());
    }
    Ok(sound)
}

/// Plays an environment beside a twin that sees no illegal action: number of those taken, refused, and
/// after which both go on alike.
fn provoke(kind: &str, id: &str, actions: usize, rng: &mut ChaCha8Rng) -> Result<[usize; 3], Failure> {
    let (mut env, mut twin) = (env(id)?, env(id)?);
    let [mut taken, mut refused, mut traceless] = [0; 3];
    let is_refusal = |result: Result<_, EnvError>| match kind {
        "after the end" => matches!(result, Err(EnvError::NeedsReset)),
        _ => matches!(result, Err(EnvError::IllegalAction { .. })),
    };
    while taken < actions {
        let seed = rng.random_range(0..1 << 40);
        if kind == "after the end" {
            finish(&mut *env, seed, rng)?;
            let next = action(env.action_space(), rng);
            taken += 1;
            refused += usize::from(is_refusal(env.step(&next)));
            // The next episode is the one of a fresh environment.
            let same =
                env.reset(seed, &ResetOptions::default())? == twin.reset(seed, &ResetOptions::default())?;
            traceless += usize::from(same);
            continue;
        }
        let mut same =
            env.reset(seed, &ResetOptions::default())? == twin.reset(seed, &ResetOptions::default())?;
        let mut provoked = 0;
        loop {
            if let Some(wrong) = illegal(kind, env.action_space(), rng) {
                refused += usize::from(is_refusal(env.step(&wrong)));
                provoked += 1;
            }
            let next = action(env.action_space(), rng);
            let (one, other) = (env.step(&next)?, twin.step(&next)?);
            same &= one == other;
            if one.ending().is_some() {
                break;
            }
        }
        taken += provoked;
        traceless += if same { provoked } else { 0 };
    }
    Ok([taken, refused, traceless])
}

fn finish(env: &mut dyn Env, seed: u64, rng: &mut ChaCha8Rng) -> Result<(), Failure> {
    env.reset(seed, &ResetOptions::default())?;
    loop {
        let next = action(env.action_space(), rng);
        if env.step(&next)?.ending().is_some() {
            return Ok(());
        }
    }
}
