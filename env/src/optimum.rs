//! The optimal episode of a small environment, by exhaustive search.

use crate::{Action, Env, EnvError, ResetOptions, Space};

/// Greatest number of episodes that are tried.
const MOST: usize = 1 << 20;

/// The actions and the return of the best episode of `env`, by exhaustive search; ties go to the
/// lexicographically first actions. It suits small environments, such as N2N removal of up to 20
/// layers.
///
/// # Errors
/// [`EnvError::Setting`] if actions are not discrete or there are more than 2²⁰ episodes;
/// [`EnvError::NoLookAhead`]; the errors of the environment.
pub fn optimum(env: &dyn Env) -> Result<(Vec<Action>, f64), EnvError> {
    let refuse = |reason: String| EnvError::Setting { key: "env".to_owned(), reason };
    let steps = env.spec().steps();
    let Space::Discrete { count } = *env.action_space() else {
        return Err(refuse("exhaustive search needs discrete actions".to_owned()));
    };
    let episodes = u32::try_from(steps).ok().and_then(|steps| count.checked_pow(steps));
    if episodes.is_none_or(|episodes| episodes > MOST) {
        return Err(refuse(format!("{count} actions at each of {steps} steps are too many to try")));
    }
    let no_look_ahead = || EnvError::NoLookAhead { id: env.spec().id.clone() };
    let mut start = env.fork().ok_or_else(no_look_ahead)?;
    start.reset(0, &ResetOptions::default())?;
    let mut best = (Vec::new(), f64::NEG_INFINITY);
    // Environments in mid-episode, each with the actions and the sum of the rewards so far.
    let mut open = vec![(start, Vec::new(), 0.0)];
    while let Some((position, actions, worth)) = open.pop() {
        // The first action is pushed last, so that it is tried first.
        for index in (0..count).rev() {
            let mut next = position.fork().ok_or_else(no_look_ahead)?;
            let step = next.step(&Action::Discrete(index))?;
            let mut actions: Vec<Action> = actions.clone();
            actions.push(Action::Discrete(index));
            let worth = worth + step.reward();
            if step.ending().is_none() {
                open.push((next, actions, worth));
            } else if worth > best.1 || (worth == best.1 && order(&actions) < order(&best.0)) {
                best = (actions, worth);
            }
        }
    }
    Ok(best)
}

fn order(actions: &[Action]) -> Vec<usize> {
    let index = |action: &Action| if let Action::Discrete(index) = action { *index } else { 0 };
    actions.iter().map(index).collect()
}
