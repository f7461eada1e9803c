//! The best that can be played, found by playing everything.

use crate::{Action, Env, EnvError, ResetOptions, Space};

/// Most episodes that are played.
const MOST: usize = 1 << 20;

/// The actions of the best episode of `env` and what it is worth, by trying all of them; of equals
/// the first. For small games only: an N2N removal of up to 20 layers.
///
/// # Errors
/// [`EnvError::Setting`] where actions are not discrete or episodes are more than 2²⁰; the
/// environment's own.
pub fn optimum(env: &dyn Env) -> Result<(Vec<Action>, f64), EnvError> {
    let refuse = |reason: String| EnvError::Setting { key: "env".to_owned(), reason };
    let steps = env.spec().steps();
    let Space::Discrete { count } = *env.action_space() else {
        return Err(refuse("not all actions of a box can be tried".to_owned()));
    };
    let episodes = u32::try_from(steps).ok().and_then(|steps| count.checked_pow(steps));
    if episodes.is_none_or(|episodes| episodes > MOST) {
        return Err(refuse(format!("{count} actions at each of {steps} steps are too many to try")));
    }
    let no_look_ahead = || EnvError::NoLookAhead { id: env.spec().id.clone() };
    let mut start = env.fork().ok_or_else(no_look_ahead)?;
    start.reset(0, &ResetOptions::default())?;
    let mut best = (Vec::new(), f64::NEG_INFINITY);
    // Positions reached, each with the actions and rewards that led there.
    let mut open = vec![(start, Vec::new(), 0.0)];
    while let Some((position, actions, worth)) = open.pop() {
        // The first action comes last onto the stack and is tried first.
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
