//! The policy gradient with respect to the parameters of a policy.

use super::{
    ReinforceSettings,
    distribution::Actions,
    objective::{Step, Update, output_gradient},
    passes::Encoded,
    policy::{Batch, Policy},
};
use crate::AgentError;

/// The gradient of the loss over `episodes`, first with respect to the policy's outputs and then in the
/// order of its flat parameters: one forward and one backward pass.
pub(super) fn policy_gradient(
    policy: &Policy,
    actions: &Actions,
    settings: &ReinforceSettings,
    episodes: &[Vec<Step>],
    tables: &[Vec<f32>],
    baselines: &[f64],
) -> Result<(Update, Vec<f32>), AgentError> {
    let encoded: Vec<Encoded> = tables.iter().map(|table| policy.encode(table)).collect();
    let batch = side_by_side(episodes, policy.shape().input);
    let pass = policy.forward(&encoded, &batch, &mut Vec::new());
    let update = output_gradient(actions, settings, episodes, baselines, &pass.outputs);
    let diverged = |what: &str| Err(AgentError::Diverged { what: what.to_owned() });
    if let Some((name, _)) = update.figures.iter().find(|(_, figure)| !figure.is_finite()) {
        return diverged(name);
    }
    let gradient = policy.backward(&encoded, &batch, &pass, &update.gradient);
    if gradient.iter().any(|slope| !slope.is_finite()) {
        return diverged("the policy's gradient");
    }
    Ok((update, gradient))
}

/// The inputs of `episodes`, step by step; shorter ones are filled up with zeros.
pub(super) fn side_by_side(episodes: &[Vec<Step>], width: usize) -> Batch {
    let steps = episodes.iter().map(Vec::len).max().unwrap_or(0);
    let (mut inputs, mut rows) = (Vec::new(), Vec::new());
    for index in 0..steps {
        for episode in episodes {
            let end = inputs.len() + width;
            inputs.extend(episode.get(index).into_iter().flat_map(|step| &step.input));
            inputs.resize(end, 0.0);
            rows.push(episode.get(index).map_or(0, |step| step.row));
        }
    }
    let tables = episodes.iter().map(|episode| episode.first().map_or(0, |step| step.table)).collect();
    Batch { episodes: episodes.len(), inputs, rows, tables }
}
