//! The rules of N2N's game with one network.

use std::sync::Arc;

use cgym_teachers::{
    Error, architecture,
    graph::{Graph, NodeIndex, Op},
    remove::{removable, remove},
    shrink::{Value, configurable, shrink},
};

use super::{
    DEGENERATE_REWARD, MOST_ROWS, N2nRewardSettings, Stage, TeacherFigures,
    observation::{self, MASK, row_of},
};
use crate::{
    Action, BudgetUnit, EnvError, EnvSpec, Layout, Outcome, ResetOptions, Space,
    family::Header,
    fields::{Table, refuse},
    game::{Finished, Game, GameEnv, Interface},
    score::{Score, SurrogateStudent},
};

/// Most inputs of a linear layer that flattening may lead to.
const MOST_FEATURES: usize = 50_000;
/// Fewest.
const FEWEST_FEATURES: usize = 10;

/// One decision about one layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerDecision {
    /// Name of the layer; in shrinkage with the value in brackets.
    pub name: String,
    /// The layer.
    pub node: NodeIndex,
    /// The value that is shrunk; `None` where the layer is kept or removed.
    pub value: Option<Value>,
}

/// One network, and the rules that it is made smaller by.
pub struct N2nGame {
    interface: Interface,
    stage: Stage,
    reward: N2nRewardSettings,
    parent: Graph,
    parent_parameters: u64,
    decisions: Vec<LayerDecision>,
    /// The layers, no cursor set.
    table: Vec<f32>,
    columns: usize,
    teacher: TeacherFigures,
}

/// The decisions taken.
#[derive(Debug, Clone)]
pub struct Taken {
    options: ResetOptions,
    actions: Vec<usize>,
}

/// Environments of N2N.
pub type N2nEnv = GameEnv<N2nGame>;

impl N2nEnv {
    /// An environment whose students have the accuracy of [`SurrogateStudent`].
    ///
    /// # Errors
    /// When shapes do not fit.
    pub fn surrogate(game: N2nGame) -> Result<Self, EnvError> {
        let scorer = SurrogateStudent::new(game.parent())?;
        Ok(Self::new(Arc::new(game), Arc::new(scorer)))
    }
}

impl N2nGame {
    /// The game that makes `parent` smaller and measures students against `teacher`: in the first
    /// stage the figures of `parent`, in the second those of the network that the first stage
    /// started from. Observations have `rows` rows; by default the number of layers, rounded up to
    /// a multiple of 32.
    ///
    /// # Errors
    /// [`EnvError::Setting`] for settings outside their range or a network with nothing to decide.
    pub fn new(
        header: &Header,
        parent: &Graph,
        teacher: TeacherFigures,
        stage: Stage,
        reward: &N2nRewardSettings,
        rows: Option<usize>,
    ) -> Result<Self, EnvError> {
        teacher.check()?;
        reward.check()?;
        let decisions = decisions(parent, stage)?;
        if decisions.is_empty() {
            let reason = format!("`{}` has nothing to decide about in `{stage}`", parent.name);
            return Err(refuse("game.name", reason));
        }
        let (cursors, actions) = match stage {
            Stage::Removal => (1, 2),
            Stage::Shrinkage => (4, 10),
        };
        let parent_parameters = parent.cost()?.parameters;
        if parent_parameters > teacher.parameters {
            let reason = format!(
                "`{}` has {parent_parameters} parameters, more than the {} of the teacher that its students are \
                 measured against",
                parent.name, teacher.parameters
            );
            return Err(refuse("network.from", reason));
        }
        let rows = self::rows(parent, rows)?;
        let columns = observation::MASK + 1 + cursors;
        let length = rows * columns;
        Ok(Self {
            interface: Interface {
                spec: EnvSpec {
                    id: header.id.clone(),
                    decisions: decisions.iter().map(|decision| decision.name.clone()).collect(),
                    reward: reward.name.to_string(),
                    unit: BudgetUnit::PARAMS.to_string(),
                    budget: None,
                    layout: Layout::Table { rows, columns, mask: observation::MASK },
                    settings: header.settings.clone(),
                },
                observation_space: Space::Box {
                    low: vec![0.0; length],
                    high: vec![1.0; length],
                    shape: vec![rows, columns],
                },
                action_space: Space::Discrete { count: actions },
            },
            stage,
            reward: reward.clone(),
            parent_parameters,
            table: observation::table(parent, rows, columns)?,
            parent: parent.clone(),
            decisions,
            columns,
            teacher,
        })
    }

    /// The decisions of every episode in their order.
    pub fn decisions(&self) -> &[LayerDecision] {
        &self.decisions
    }

    /// The network that is made smaller.
    pub fn parent(&self) -> &Graph {
        &self.parent
    }

    /// The network that these actions make, one per decision, whatever its score.
    ///
    /// # Errors
    /// [`cgym_teachers::Error::Degenerate`] where its layers do not fit together; the wrong number
    /// of actions, or illegal ones.
    pub fn child(&self, actions: &[usize]) -> Result<Graph, EnvError> {
        if actions.len() != self.decisions.len() {
            let reason = format!("{} for {} decisions", actions.len(), self.decisions.len());
            return Err(refuse("actions", reason));
        }
        for (taken, &action) in actions.iter().enumerate() {
            self.index(taken, &Action::Discrete(action))?;
        }
        Ok(self.build(actions)?)
    }

    /// The index of a legal action.
    fn index(&self, taken: usize, action: &Action) -> Result<usize, EnvError> {
        match action {
            Action::Discrete(index) if self.interface.action_space.contains_action(action) => Ok(*index),
            _ => Err(EnvError::IllegalAction {
                action: format!("{action:?}"),
                decision: self.decisions[taken].name.clone(),
                expected: match self.stage {
                    Stage::Removal => "0 to remove or 1 to keep, as `Discrete`",
                    Stage::Shrinkage => "an index in 0..10 for 0.1 to 1.0, as `Discrete`",
                }
                .to_owned(),
            }),
        }
    }

    fn build(&self, actions: &[usize]) -> Result<Graph, Error> {
        let decisions = self.decisions.iter().zip(actions);
        match self.stage {
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

    fn share(&self, parameters: u64) -> f64 {
        parameters as f64 / self.teacher.parameters as f64
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
}

impl Game for N2nGame {
    type Episode = Taken;
    type Choice = usize;
    type Candidate = Graph;

    fn interface(&self) -> &Interface {
        &self.interface
    }

    /// N2N has no budget: its constraints are settings of the reward.
    fn start(&self, options: &ResetOptions) -> Result<Taken, EnvError> {
        match options.budget {
            None | Some(1.0) => Ok(Taken { options: *options, actions: Vec::new() }),
            Some(share) => Err(refuse(
                "budget",
                format!("{share} cannot be met: N2N has no budget; set constraints in [reward]"),
            )),
        }
    }

    fn taken(&self, episode: &Taken) -> usize {
        episode.actions.len()
    }

    fn choose(&self, episode: &Taken, action: &Action) -> Result<usize, EnvError> {
        self.index(episode.actions.len(), action)
    }

    fn executed(&self, _episode: &Taken, choice: &usize) -> (Action, bool) {
        (Action::Discrete(*choice), false)
    }

    fn take(&self, episode: &mut Taken, choice: usize) {
        episode.actions.push(choice);
    }

    fn observe(&self, episode: &Taken) -> Vec<f32> {
        let mut observation = self.table.clone();
        let decision = &self.decisions[episode.actions.len().min(self.decisions.len() - 1)];
        let slot = match decision.value {
            None => 0,
            Some(value) => Value::ALL.iter().position(|&other| other == value).unwrap_or(0),
        };
        observation[row_of(decision.node) * self.columns + MASK + 1 + slot] = 1.0;
        observation
    }

    /// The share of the teacher's parameters; the parent's where the actions leave no network.
    fn preserve_ratio(&self, episode: &Taken) -> Result<f64, EnvError> {
        let parameters = match self.build(&episode.actions) {
            Ok(child) => child.cost()?.parameters,
            Err(Error::Degenerate { .. }) => self.parent_parameters,
            Err(other) => return Err(other.into()),
        };
        Ok(self.share(parameters))
    }

    fn finish(&self, episode: &Taken) -> Result<Finished<Graph>, EnvError> {
        let child = match self.build(&episode.actions) {
            Ok(child) => child,
            Err(Error::Degenerate { node, reason }) => {
                return Ok(Finished::Degenerate(format!("`{node}` {reason}")));
            }
            Err(other) => return Err(other.into()),
        };
        Ok(match self.unworthy(&child)? {
            Some(reason) => Finished::Degenerate(reason),
            None => Finished::Candidate(child),
        })
    }

    fn outcome(&self, episode: &Taken, child: &Graph, score: Score) -> Result<Outcome, EnvError> {
        let cost = child.cost()?;
        Ok(Outcome {
            top1: score.top1,
            macs: cost.macs,
            parameters: cost.parameters,
            bytes: cost.weight_bytes,
            preserve_ratio: self.share(cost.parameters),
            kept: episode.actions.clone(),
            architecture: Some(architecture::hash(child)),
            loss: score.loss,
        })
    }

    fn reward(&self, episode: &Taken, outcome: &Outcome) -> f64 {
        self.reward.of(outcome, &self.teacher, episode.options.progress)
    }

    fn degenerate_reward(&self) -> f64 {
        DEGENERATE_REWARD
    }

    /// A student whose training diverges cannot be scored, and would not be at another attempt.
    fn unscored(&self, error: Error) -> Result<String, EnvError> {
        match error {
            Error::NotFinite(what) => Ok(format!(
                "the student's training diverged: {what} is not finite; a lower score.learning_rate may help"
            )),
            Error::Degenerate { .. } => Ok(error.to_string()),
            other => Err(other.into()),
        }
    }

    /// Only students that meet all constraints: a student that violates one has some reward early
    /// in training, but is not what the search is for.
    fn admits(&self, outcome: &Outcome) -> bool {
        self.reward.hold(outcome)
    }

    fn recall(&self, outcome: &Outcome) -> Result<Graph, EnvError> {
        let child = self.child(&outcome.kept)?;
        let (cost, hash) = (child.cost()?, architecture::hash(&child));
        let same = (cost.macs, cost.parameters) == (outcome.macs, outcome.parameters);
        if !same || outcome.architecture.as_ref() != Some(&hash) {
            let reason = format!(
                "has {} MACs, {} parameters and architecture {:?}; its actions make {}, {} and {hash}",
                outcome.macs, outcome.parameters, outcome.architecture, cost.macs, cost.parameters
            );
            return Err(refuse("outcome", reason));
        }
        Ok(child)
    }
}

/// The decisions about `parent` in the order of its layers.
fn decisions(parent: &Graph, stage: Stage) -> Result<Vec<LayerDecision>, Error> {
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

/// Rows that a table needs or is asked to have.
fn rows(parent: &Graph, asked: Option<usize>) -> Result<usize, EnvError> {
    let needed = observation::layers(parent);
    if needed > MOST_ROWS {
        let reason = format!("`{}` has {needed} layers; N2N takes at most {MOST_ROWS}", parent.name);
        return Err(refuse("game.name", reason));
    }
    match asked {
        Some(rows) if rows < needed => Err(refuse(
            "game.rows",
            format!("{rows} are too few for the {needed} layers of `{}`", parent.name),
        )),
        _ => Ok(asked.unwrap_or_else(|| observation::default_rows(parent))),
    }
}
