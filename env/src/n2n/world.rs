//! What all episodes and forks of one N2N environment share.

use std::sync::Arc;

use cgym_teachers::{
    Error, architecture,
    graph::{Graph, NodeIndex, Op},
    remove::{removable, remove},
    shrink::{Value, configurable, shrink},
};

use super::{
    DEGENERATE_REWARD, N2nRules, Stage, StudentEvaluator, TeacherFigures,
    observation::{self, MASK, row_of},
};
use crate::{Action, EnvError, EnvSpec, Evaluation, Outcome, ResetOptions, Space};

/// Most inputs of a linear layer that flattening may lead to.
const MOST_FEATURES: usize = 50_000;
/// Fewest.
const FEWEST_FEATURES: usize = 10;

/// One decision about one layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerDecision {
    /// Name of the layer; with the value in brackets where one is shrunk.
    pub name: String,
    /// The layer.
    pub node: NodeIndex,
    /// What is shrunk of it; `None` where it is kept or removed.
    pub value: Option<Value>,
}

/// One network and the rules that it is made smaller by.
pub(super) struct World {
    pub(super) spec: EnvSpec,
    pub(super) observation_space: Space,
    pub(super) action_space: Space,
    pub(super) rules: N2nRules,
    pub(super) parent: Graph,
    pub(super) parent_parameters: u64,
    pub(super) decisions: Vec<LayerDecision>,
    /// The layers, no cursor set.
    pub(super) table: Vec<f32>,
    pub(super) columns: usize,
    pub(super) teacher: TeacherFigures,
    pub(super) evaluator: Arc<dyn StudentEvaluator>,
}

/// How an episode ends.
pub(super) enum Verdict {
    /// A student with its scores.
    Student(Outcome),
    /// No network, or none that is worth training, and why.
    Degenerate(String),
}

impl World {
    /// What the agent sees at decision number `taken`.
    pub(super) fn observe(&self, taken: usize) -> Vec<f32> {
        let mut observation = self.table.clone();
        let decision = &self.decisions[taken];
        let slot = match decision.value {
            None => 0,
            Some(value) => Value::ALL.iter().position(|&other| other == value).unwrap_or(0),
        };
        observation[row_of(decision.node) * self.columns + MASK + 1 + slot] = 1.0;
        observation
    }

    /// The index of a legal action.
    pub(super) fn index(&self, taken: usize, action: &Action) -> Result<usize, EnvError> {
        match action {
            Action::Discrete(index) if self.action_space.contains_action(action) => Ok(*index),
            _ => Err(EnvError::IllegalAction {
                action: format!("{action:?}"),
                decision: self.decisions[taken].name.clone(),
                expected: match self.rules.stage {
                    Stage::Removal => "0 to remove or 1 to keep, as `Discrete`",
                    Stage::Shrinkage => "an index in 0..10 for 0.1 to 1.0, as `Discrete`",
                }
                .to_owned(),
            }),
        }
    }

    /// N2N has no budget: its constraints are settings.
    pub(super) fn check(&self, options: &ResetOptions) -> Result<(), EnvError> {
        match options.budget {
            None | Some(1.0) => Ok(()),
            Some(target) => Err(EnvError::Setting {
                key: "budget".to_owned(),
                reason: format!(
                    "{target} cannot be a budget here: N2N has none; give constraints to the environment"
                ),
            }),
        }
    }

    /// The network that these actions make, whatever it is worth.
    pub(super) fn child(&self, actions: &[usize]) -> Result<Graph, Error> {
        let decisions = self.decisions.iter().zip(actions);
        match self.rules.stage {
            Stage::Removal => {
                let dropped = decisions.filter(|(_, action)| **action == 0);
                remove(&self.parent, &dropped.map(|(decision, _)| decision.node).collect::<Vec<_>>())
            }
            Stage::Shrinkage => {
                let factor = |(decision, &action): (&LayerDecision, &usize)| {
                    decision.value.map(|value| (decision.node, value, (action + 1) as f64 / 10.0))
                };
                shrink(&self.parent, &decisions.filter_map(factor).collect::<Vec<_>>())
            }
        }
    }

    /// Share of the teacher's parameters that these actions keep; the parent's where they leave no
    /// network.
    pub(super) fn preserve_ratio(&self, actions: &[usize]) -> Result<f64, EnvError> {
        let parameters = match self.child(actions) {
            Ok(child) => child.cost()?.parameters,
            Err(Error::Degenerate { .. }) => self.parent_parameters,
            Err(other) => return Err(other.into()),
        };
        Ok(self.share(parameters))
    }

    pub(super) fn share(&self, parameters: u64) -> f64 {
        parameters as f64 / self.teacher.parameters as f64
    }

    /// Builds and scores the candidate of a finished episode.
    pub(super) fn finish(&self, actions: &[usize]) -> Result<Verdict, EnvError> {
        let child = match self.child(actions) {
            Ok(child) => child,
            Err(Error::Degenerate { node, reason }) => {
                return Ok(Verdict::Degenerate(format!("`{node}` {reason}")));
            }
            Err(other) => return Err(other.into()),
        };
        if let Some(reason) = self.unworthy(&child)? {
            return Ok(Verdict::Degenerate(reason));
        }
        match self.evaluator.evaluate(&child) {
            Ok(evaluation) => Ok(Verdict::Student(self.outcome(&child, actions, &evaluation)?)),
            // A student whose training diverges scores nothing, and would so again.
            Err(error @ (Error::NotFinite(_) | Error::Degenerate { .. })) => {
                Ok(Verdict::Degenerate(error.to_string()))
            }
            Err(other) => Err(other.into()),
        }
    }

    fn outcome(&self, child: &Graph, actions: &[usize], scored: &Evaluation) -> Result<Outcome, EnvError> {
        let cost = child.cost()?;
        Ok(Outcome {
            top1: scored.top1,
            macs: cost.macs,
            parameters: cost.parameters,
            bytes: cost.weight_bytes,
            preserve_ratio: self.share(cost.parameters),
            kept: actions.to_vec(),
            architecture: Some(architecture::hash(child)),
            loss: scored.loss,
        })
    }

    /// Why `child` is not worth training, where it is not.
    fn unworthy(&self, child: &Graph) -> Result<Option<String>, EnvError> {
        for node in child.nodes() {
            let Op::Linear { inputs, .. } = node.op else { continue };
            let before = self.parent.find(&node.name).map(|index| &self.parent.nodes()[index].op);
            let Some(&Op::Linear { inputs: before, .. }) = before else { continue };
            if inputs > MOST_FEATURES && before <= MOST_FEATURES {
                return Ok(Some(format!("`{}` reads {inputs} features, over {MOST_FEATURES}", node.name)));
            }
            if inputs < FEWEST_FEATURES && before >= FEWEST_FEATURES {
                return Ok(Some(format!("`{}` reads {inputs} features, under {FEWEST_FEATURES}", node.name)));
            }
        }
        let (parameters, before) = (child.cost()?.parameters, self.parent_parameters);
        let smaller = parameters < before;
        Ok((!smaller).then(|| format!("has {parameters} parameters, not fewer than the {before} before")))
    }

    /// The reward of the last step.
    pub(super) fn reward(&self, verdict: &Verdict, options: &ResetOptions) -> f64 {
        let rules = &self.rules;
        match verdict {
            Verdict::Student(outcome) => {
                rules.reward.of(outcome, &self.teacher, &rules.constraints, options.progress)
            }
            Verdict::Degenerate(_) => DEGENERATE_REWARD,
        }
    }
}

/// The decisions about `parent` in the order of its layers.
pub(super) fn decisions(parent: &Graph, stage: Stage) -> Result<Vec<LayerDecision>, Error> {
    let name = |node: NodeIndex| parent.nodes()[node].name.clone();
    Ok(match stage {
        Stage::Removal => {
            let layers = removable(parent)?.into_iter();
            layers.map(|node| LayerDecision { name: name(node), node, value: None }).collect()
        }
        Stage::Shrinkage => {
            let values = configurable(parent)?.into_iter();
            let decision = |(node, value): (NodeIndex, Value)| LayerDecision {
                name: format!("{} ({})", name(node), format!("{value:?}").to_lowercase()),
                node,
                value: Some(value),
            };
            values.map(decision).collect()
        }
    })
}

/// The space of tables with so many rows and columns.
pub(super) fn observation_space(rows: usize, columns: usize) -> Space {
    let length = rows * columns;
    Space::Box { low: vec![0.0; length], high: vec![1.0; length], shape: vec![rows, columns] }
}

/// Rows that a table needs or is asked to have.
pub(super) fn rows(parent: &Graph, asked: Option<usize>) -> Result<usize, EnvError> {
    let needed = observation::layers(parent);
    match asked {
        Some(rows) if rows < needed => Err(EnvError::Setting {
            key: "rows".to_owned(),
            reason: format!("{rows} are too few for the {needed} layers of `{}`", parent.name),
        }),
        _ => Ok(asked.unwrap_or_else(|| observation::default_rows(parent))),
    }
}
