//! N2N: layers are removed, then shrunk, and the student is trained before it is scored (Ashok et
//! al., "N2N Learning", ICLR 2018).
//!
//! **Removal** walks the layers from input to output: action 0 removes one, 1 keeps it. **Shrinkage**
//! walks the values of the layers that are left: action i multiplies one by (i + 1)/10. A decision
//! is about a node, whatever lies on the shortcuts beside it. Only the last step builds the student,
//! has it trained and scored, and has a reward; see [`N2nReward`].
//!
//! **Observations** are the whole parent network as a table, a row a layer ([`LAYER_FEATURES`]), and
//! a cursor at the layer decided about; in shrinkage it says which value. What was decided before is
//! not shown: policies remember it. The observation after the last decision repeats the last one.
//!
//! **No student** comes of actions that leave layers which do not fit together, a linear layer with
//! more than 50,000 or fewer than 10 features, no fewer parameters than the parent has, or a network
//! that cannot be trained to finite numbers. The reward is then −1, and the step says why.

mod config;
mod distilled;
mod observation;
mod reward;
mod student;
mod world;

use std::sync::Arc;

use cgym_teachers::{architecture, graph::Graph};
use serde::{Deserialize, Serialize};

pub use config::{N2nConfig, N2nOverrides};
pub use distilled::{Distilled, DistilledSetup};
pub use observation::LAYER_FEATURES;
pub use reward::{Constraints, DEGENERATE_REWARD, EASING_UPDATES, N2nReward, TeacherFigures};
pub use student::{MemoisedStudents, StudentEvaluator, SurrogateStudent};
pub use world::LayerDecision;
use world::{Verdict, World};

use crate::{
    Action, Env, EnvError, EnvSpec, Evaluation, Info, Layout, Outcome, Preview, ResetOptions, Space, Step,
    names::named,
};

/// Which of N2N's two games is played: `removal` or `shrinkage`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Stage {
    /// Layers are kept or removed.
    #[default]
    Removal,
    /// Values of layers are made smaller.
    Shrinkage,
}

named!(Stage, "stage", [Removal => "removal", Shrinkage => "shrinkage"]);

/// Rules of the game, whichever network it is played with.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct N2nRules {
    /// Which game.
    pub stage: Stage,
    /// Reward of the last step.
    pub reward: N2nReward,
    /// What `n2n-constrained` asks for.
    pub constraints: Constraints,
    /// Rows of an observation; the layers' up to a multiple of 32 where absent.
    pub rows: Option<usize>,
}

impl N2nRules {
    /// Refuses what no network could be played with.
    ///
    /// # Errors
    /// [`EnvError::Setting`] for the first setting outside its range.
    pub fn check(&self) -> Result<(), EnvError> {
        let refuse = |key: &str, reason: String| Err(EnvError::Setting { key: key.to_owned(), reason });
        match (self.reward, self.constraints.is_empty()) {
            (N2nReward::Constrained, true) => {
                return refuse("constraints", "`n2n-constrained` needs at least one".to_owned());
            }
            (N2nReward::Plain, false) => {
                return refuse("reward", "`n2n` knows no constraints; choose `n2n-constrained`".to_owned());
            }
            _ => (),
        }
        if let Some(least) = self.constraints.min_top1.filter(|least| !(0.0..=1.0).contains(least)) {
            return refuse("min_top1", format!("{least} is not a share in [0, 1]"));
        }
        Ok(())
    }
}

/// N2N's game with one network. Nothing in it is random: the seed of a reset is ignored.
#[derive(Clone)]
pub struct N2nEnv {
    world: Arc<World>,
    episode: Option<Episode>,
}

#[derive(Clone)]
struct Episode {
    options: ResetOptions,
    actions: Vec<usize>,
}

impl N2nEnv {
    /// The environment `id` that makes `parent` smaller, has students scored by `evaluator` and
    /// measured against `teacher`: in the first stage the figures of `parent`, in the second those
    /// of the network that the first stage started from.
    ///
    /// # Errors
    /// [`EnvError::Setting`] for settings outside their range or a network with nothing to decide.
    pub fn new(
        id: &str,
        parent: &Graph,
        teacher: TeacherFigures,
        rules: &N2nRules,
        evaluator: Arc<dyn StudentEvaluator>,
    ) -> Result<Self, EnvError> {
        rules.check()?;
        teacher.check()?;
        let decisions = world::decisions(parent, rules.stage)?;
        if decisions.is_empty() {
            let reason = format!("`{}` has nothing to decide about in `{}`", parent.name, rules.stage);
            return Err(EnvError::Setting { key: "stage".to_owned(), reason });
        }
        let (cursors, actions) = match rules.stage {
            Stage::Removal => (1, 2),
            Stage::Shrinkage => (4, 10),
        };
        let parent_parameters = parent.cost()?.parameters;
        if parent_parameters > teacher.parameters {
            return Err(EnvError::Setting {
                key: "parent".to_owned(),
                reason: format!(
                    "`{}` has {parent_parameters} parameters, more than the {} of the teacher that its students \
                     are measured against",
                    parent.name, teacher.parameters
                ),
            });
        }
        let rows = world::rows(parent, rules.rows)?;
        let columns = observation::MASK + 1 + cursors;
        let world = World {
            spec: EnvSpec {
                id: id.to_owned(),
                decisions: decisions.iter().map(|decision| decision.name.clone()).collect(),
                reward: rules.reward.to_string(),
                unit: "params".to_owned(),
                budget: None,
                settings: String::new(),
                layout: Layout::Table { rows, columns, mask: observation::MASK },
            },
            observation_space: world::observation_space(rows, columns),
            action_space: Space::Discrete { count: actions },
            rules: rules.clone(),
            parent_parameters,
            table: observation::table(parent, rows, columns)?,
            parent: parent.clone(),
            decisions,
            columns,
            teacher,
            evaluator,
        };
        Ok(Self { world: Arc::new(world), episode: None })
    }

    /// The decisions of every episode in their order.
    pub fn decisions(&self) -> &[LayerDecision] {
        &self.world.decisions
    }

    /// The rules that it was made with.
    pub fn rules(&self) -> &N2nRules {
        &self.world.rules
    }

    /// What students are measured against.
    pub fn teacher(&self) -> &TeacherFigures {
        &self.world.teacher
    }

    /// The network that is made smaller.
    pub fn parent(&self) -> &Graph {
        &self.world.parent
    }

    /// The network that these actions make, one a decision, whatever it is worth.
    ///
    /// # Errors
    /// [`cgym_teachers::Error::Degenerate`] where its layers do not fit together; the wrong number
    /// of actions, or illegal ones.
    pub fn child(&self, actions: &[usize]) -> Result<Graph, EnvError> {
        self.indices(&actions.iter().map(|&action| Action::Discrete(action)).collect::<Vec<_>>())?;
        Ok(self.world.child(actions)?)
    }

    /// A recorded outcome as the evaluator's question and answer, to fill a
    /// [`MemoisedStudents`] with when a run is resumed.
    ///
    /// # Errors
    /// [`EnvError::Setting`] when the outcome is not one of this environment.
    pub fn recall(&self, outcome: &Outcome) -> Result<(String, Evaluation), EnvError> {
        let child = self.child(&outcome.kept)?;
        let (cost, hash) = (child.cost()?, architecture::hash(&child));
        let same = (cost.macs, cost.parameters) == (outcome.macs, outcome.parameters);
        if !same || outcome.architecture.as_ref() != Some(&hash) {
            let reason = format!(
                "is of {} MACs, {} parameters and architecture {:?}; its actions make {}, {} and {hash}",
                outcome.macs, outcome.parameters, outcome.architecture, cost.macs, cost.parameters
            );
            return Err(EnvError::Setting { key: "outcome".to_owned(), reason });
        }
        Ok((
            self.world.evaluator.identity(&child),
            Evaluation { top1: outcome.top1, cost, loss: outcome.loss },
        ))
    }

    /// One legal index a decision.
    fn indices(&self, actions: &[Action]) -> Result<Vec<usize>, EnvError> {
        let decisions = self.world.decisions.len();
        if actions.len() != decisions {
            let reason = format!("{} for {decisions} decisions", actions.len());
            return Err(EnvError::Setting { key: "actions".to_owned(), reason });
        }
        actions.iter().enumerate().map(|(taken, action)| self.world.index(taken, action)).collect()
    }
}

impl Env for N2nEnv {
    fn spec(&self) -> &EnvSpec {
        &self.world.spec
    }

    fn observation_space(&self) -> &Space {
        &self.world.observation_space
    }

    fn action_space(&self) -> &Space {
        &self.world.action_space
    }

    fn reset(&mut self, _seed: u64, options: &ResetOptions) -> Result<Vec<f32>, EnvError> {
        self.world.check(options)?;
        self.episode = Some(Episode { options: *options, actions: Vec::new() });
        Ok(self.world.observe(0))
    }

    fn step(&mut self, action: &Action) -> Result<Step, EnvError> {
        let world = &*self.world;
        let decisions = world.decisions.len();
        let running = self.episode.as_mut().filter(|episode| episode.actions.len() < decisions);
        let episode = running.ok_or(EnvError::NeedsReset)?;
        let taken = episode.actions.len();
        let index = world.index(taken, action)?;
        let mut info = Info { executed: Some(Action::Discrete(index)), outcome: None, reason: None };
        if taken + 1 < decisions {
            episode.actions.push(index);
            return Ok(Step::transition(world.observe(taken + 1), 0.0, info));
        }
        // A failed evaluation leaves the episode at its last decision.
        let mut actions = episode.actions.clone();
        actions.push(index);
        let verdict = world.finish(&actions)?;
        episode.actions = actions;
        let reward = world.reward(&verdict, &episode.options);
        match verdict {
            Verdict::Student(outcome) => info.outcome = Some(Box::new(outcome)),
            Verdict::Degenerate(reason) => info.reason = Some(reason),
        }
        Ok(Step::termination(world.observe(taken), reward, info))
    }

    /// Actions are executed as they are; `preserve_ratio` is the share of the teacher's parameters,
    /// the parent's where the actions leave no network.
    fn preview(&self, options: &ResetOptions, actions: &[Action]) -> Result<Preview, EnvError> {
        self.world.check(options)?;
        let indices = self.indices(actions)?;
        let preserve_ratio = self.world.preserve_ratio(&indices)?;
        Ok(Preview { executed: actions.to_vec(), clipped: false, preserve_ratio })
    }

    /// Only students that keep to all constraints: those that break one are worth something to an
    /// agent for a while, but are not what is looked for.
    fn admits(&self, outcome: &Outcome) -> bool {
        self.world.rules.constraints.hold(outcome)
    }

    fn fork(&self) -> Option<Box<dyn Env>> {
        Some(Box::new(self.clone()))
    }
}
