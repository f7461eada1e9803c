//! Environments of N2N.

use std::sync::Arc;

use cgym_env::{
    Action, Budget, EnvError, Header, Memoised, N2nEnv, N2nGame, ResetOptions, Score, Scorer, Step,
    SurrogateStudent,
    n2n::{N2nRewardSettings, Stage, TeacherFigures},
};
use cgym_teachers::{Error, architecture, graph::Graph};

use super::play;

/// What N2N is played by in a test.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    pub stage: Stage,
    pub reward: N2nRewardSettings,
    pub rows: Option<usize>,
}

pub const TOP1: f64 = 0.9;

pub fn removal() -> Rules {
    Rules::default()
}

pub fn shrinkage() -> Rules {
    Rules { stage: Stage::Shrinkage, ..Rules::default() }
}

/// The figures of a network that is right nine times out of ten.
pub fn figures(graph: &Graph) -> TeacherFigures {
    let cost = graph.cost().unwrap();
    TeacherFigures { top1: TOP1, parameters: cost.parameters, macs: cost.macs }
}

pub fn game(parent: &Graph, teacher: TeacherFigures, rules: &Rules) -> Result<N2nGame, EnvError> {
    let header =
        Header { id: "N2N-Test-v0".to_owned(), settings: "test".to_owned(), budget: Budget::default() };
    N2nGame::new(&header, parent, teacher, rules.stage, &rules.reward, rules.rows)
}

/// An environment of `graph` whose students are scored by `scorer`.
pub fn env_with(graph: &Graph, rules: &Rules, scorer: Arc<dyn Scorer<Graph>>) -> N2nEnv {
    N2nEnv::new(Arc::new(game(graph, figures(graph), rules).unwrap()), scorer)
}

/// An environment of `graph` whose students are scored by a formula, once each.
pub fn env_of(graph: &Graph, rules: &Rules) -> N2nEnv {
    env_with(graph, rules, Arc::new(Memoised::new(SurrogateStudent::new(graph).unwrap())))
}

/// Plays these indices and gives the last step.
pub fn last(env: &mut N2nEnv, options: &ResetOptions, actions: &[usize]) -> Step {
    let mut actions = actions.iter();
    play(env, options, || Action::Discrete(*actions.next().unwrap())).pop().unwrap()
}

/// All layers kept but those of these names.
pub fn without(env: &N2nEnv, names: &[&str]) -> Vec<usize> {
    let keeps = |name: &str| usize::from(!names.contains(&name));
    env.game().decisions().iter().map(|decision| keeps(&decision.name)).collect()
}

/// A scorer that cannot train anything.
pub struct Diverges;

impl Scorer<Graph> for Diverges {
    fn score(&self, _: &Graph) -> Result<Score, Error> {
        Err(Error::NotFinite("the student's loss".to_owned()))
    }

    fn identity(&self, child: &Graph) -> String {
        architecture::hash(child)
    }
}
