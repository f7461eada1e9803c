//! Games of a fixed number of decisions in which the last one is rewarded.
//!
//! `reset`, `step`, `preview`, `fork` and replay are written here once; a game only says what its
//! decisions mean.

use std::sync::{Arc, atomic::AtomicBool};

use cgym_teachers::{Error, graph::Graph, weights::Weights};

use crate::{
    Action, Env, EnvError, EnvSpec, Info, Outcome, Preview, ResetOptions, Space, Step,
    fields::refuse,
    play::{Compressed, Play, ScoreTimes, Scoring},
    score::{Constant, Maker, Memoised, Score, Scorer},
};

/// A finished episode's candidate.
pub enum Finished<C> {
    /// A network that can be scored.
    Candidate(C),
    /// No network, or none that is worth scoring, and why.
    Degenerate(String),
}

/// What the environments of a game show before an episode.
pub struct Interface {
    /// Id, decisions, reward and budget.
    pub spec: EnvSpec,
    /// Shape and bounds of observations.
    pub observation_space: Space,
    /// Legal actions.
    pub action_space: Space,
}

/// The rules of a game with one network: the same for all episodes and forks. Nothing in it is
/// random, and nothing in it changes.
pub trait Game: Send + Sync + 'static {
    /// The decisions taken so far.
    type Episode: Clone + Send + Sync;
    /// How one action is executed.
    type Choice;
    /// What is scored.
    type Candidate: Send + Sync + 'static;

    /// Spec and spaces of the game's environments.
    fn interface(&self) -> &Interface;

    /// Id, decisions, reward and budget.
    fn spec(&self) -> &EnvSpec {
        &self.interface().spec
    }

    /// An episode without decisions.
    ///
    /// # Errors
    /// Options that the game cannot play with.
    fn start(&self, options: &ResetOptions) -> Result<Self::Episode, EnvError>;

    /// Number of decisions taken.
    fn taken(&self, episode: &Self::Episode) -> usize;

    /// How the next decision's `action` is executed. Changes nothing.
    ///
    /// # Errors
    /// [`EnvError::IllegalAction`].
    fn choose(&self, episode: &Self::Episode, action: &Action) -> Result<Self::Choice, EnvError>;

    /// The action that a choice amounts to, and whether the budget lowered it.
    fn executed(&self, episode: &Self::Episode, choice: &Self::Choice) -> (Action, bool);

    /// Takes a decision.
    fn take(&self, episode: &mut Self::Episode, choice: Self::Choice);

    /// What the agent sees before the next decision; after the last one, that one again.
    fn observe(&self, episode: &Self::Episode) -> Vec<f32>;

    /// Cost of the candidate over the cost of the whole network, undecided sites whole.
    ///
    /// # Errors
    /// A graph that cannot be measured.
    fn preserve_ratio(&self, episode: &Self::Episode) -> Result<f64, EnvError>;

    /// The candidate of an episode in which every decision is taken.
    ///
    /// # Errors
    /// A network that cannot be built for another reason than the decisions.
    fn finish(&self, episode: &Self::Episode) -> Result<Finished<Self::Candidate>, EnvError>;

    /// The result of a candidate with this score.
    ///
    /// # Errors
    /// A graph that cannot be measured.
    fn outcome(
        &self,
        episode: &Self::Episode,
        candidate: &Self::Candidate,
        score: Score,
    ) -> Result<Outcome, EnvError>;

    /// The reward of an outcome.
    fn reward(&self, episode: &Self::Episode, outcome: &Outcome) -> f64;

    /// The reward of a degenerate candidate.
    fn degenerate_reward(&self) -> f64 {
        -1.0
    }

    /// The reason why a candidate that could not be scored counts as degenerate.
    ///
    /// # Errors
    /// The error itself where it is no property of the candidate, by default always.
    fn unscored(&self, error: Error) -> Result<String, EnvError> {
        Err(error.into())
    }

    /// Whether an outcome meets the game's own budget and constraints.
    fn admits(&self, outcome: &Outcome) -> bool {
        self.spec().budget.is_none_or(|budget| outcome.preserve_ratio <= budget)
    }

    /// The candidate that `kept` of a recorded outcome stands for.
    ///
    /// # Errors
    /// [`EnvError::Setting`] when the outcome is not one of this game.
    fn recall(&self, outcome: &Outcome) -> Result<Self::Candidate, EnvError>;
}

/// A game as an environment.
pub struct GameEnv<G: Game> {
    game: Arc<G>,
    scorer: Arc<dyn Scorer<G::Candidate>>,
    running: Option<(ResetOptions, G::Episode)>,
}

impl<G: Game> Clone for GameEnv<G> {
    fn clone(&self) -> Self {
        Self { game: self.game.clone(), scorer: self.scorer.clone(), running: self.running.clone() }
    }
}

impl<G: Game> GameEnv<G> {
    /// An environment of `game` whose candidates are scored by `scorer`.
    pub fn new(game: Arc<G>, scorer: Arc<dyn Scorer<G::Candidate>>) -> Self {
        Self { game, scorer, running: None }
    }

    /// The rules.
    pub fn game(&self) -> &Arc<G> {
        &self.game
    }
}

impl<G: Game> Env for GameEnv<G> {
    fn spec(&self) -> &EnvSpec {
        self.game.spec()
    }

    fn observation_space(&self) -> &Space {
        &self.game.interface().observation_space
    }

    fn action_space(&self) -> &Space {
        &self.game.interface().action_space
    }

    fn reset(&mut self, _seed: u64, options: &ResetOptions) -> Result<Vec<f32>, EnvError> {
        let episode = self.game.start(options)?;
        let observation = self.game.observe(&episode);
        self.running = Some((*options, episode));
        Ok(observation)
    }

    fn step(&mut self, action: &Action) -> Result<Step, EnvError> {
        let game = &*self.game;
        let decisions = game.spec().steps();
        let running = self.running.as_mut().filter(|(_, episode)| game.taken(episode) < decisions);
        let (_, episode) = running.ok_or(EnvError::NeedsReset)?;
        let choice = game.choose(episode, action)?;
        let mut info = Info { executed: Some(game.executed(episode, &choice).0), ..Info::default() };
        if game.taken(episode) + 1 < decisions {
            game.take(episode, choice);
            return Ok(Step::transition(game.observe(episode), 0.0, info));
        }
        // A failed score leaves the episode at its last decision.
        let mut finished = episode.clone();
        game.take(&mut finished, choice);
        let reward = match score(game, &*self.scorer, &finished)? {
            Ok(outcome) => {
                let reward = game.reward(&finished, &outcome);
                info.outcome = Some(Box::new(outcome));
                reward
            }
            Err(reason) => {
                info.reason = Some(reason);
                game.degenerate_reward()
            }
        };
        *episode = finished;
        Ok(Step::termination(game.observe(episode), reward, info))
    }

    fn admits(&self, outcome: &Outcome) -> bool {
        self.game.admits(outcome)
    }

    fn preview(&self, options: &ResetOptions, actions: &[Action]) -> Result<Preview, EnvError> {
        let game = &*self.game;
        let decisions = game.spec().steps();
        if actions.len() != decisions {
            return Err(refuse("actions", format!("{} for {decisions} decisions", actions.len())));
        }
        let mut episode = game.start(options)?;
        let mut executed = Vec::with_capacity(actions.len());
        let mut clipped = false;
        for action in actions {
            let choice = game.choose(&episode, action)?;
            let (action, lowered) = game.executed(&episode, &choice);
            clipped |= lowered;
            executed.push(action);
            game.take(&mut episode, choice);
        }
        Ok(Preview { executed, clipped, preserve_ratio: game.preserve_ratio(&episode)? })
    }

    fn fork(&self) -> Option<Box<dyn Env>> {
        Some(Box::new(self.clone()))
    }
}

/// The outcome of a finished episode, or why there is none.
fn score<G: Game>(
    game: &G,
    scorer: &dyn Scorer<G::Candidate>,
    episode: &G::Episode,
) -> Result<Result<Outcome, String>, EnvError> {
    let candidate = match game.finish(episode)? {
        Finished::Candidate(candidate) => candidate,
        Finished::Degenerate(reason) => return Ok(Err(reason)),
    };
    match scorer.score(&candidate) {
        Ok(score) => Ok(Ok(game.outcome(episode, &candidate, score)?)),
        Err(error) => Ok(Err(game.unscored(error)?)),
    }
}

/// A game with its scorer and the memory of it.
pub(crate) struct Played<G: Game, S> {
    game: Arc<G>,
    scorer: Arc<S>,
    memory: Arc<Memoised<G::Candidate, Arc<S>>>,
}

impl<G: Game, S: Scorer<G::Candidate> + Maker<G::Candidate> + 'static> Played<G, S> {
    pub(crate) fn new(game: G, scorer: S) -> Self {
        let scorer = Arc::new(scorer);
        Self { game: Arc::new(game), memory: Arc::new(Memoised::new(scorer.clone())), scorer }
    }
}

impl<G, S> Play for Played<G, S>
where
    G: Game,
    S: Scorer<G::Candidate> + Maker<G::Candidate> + 'static,
{
    fn env(&self, scoring: Scoring) -> Box<dyn Env> {
        let game = self.game.clone();
        match scoring {
            Scoring::Memoised => Box::new(GameEnv::new(game, self.memory.clone())),
            Scoring::Always => Box::new(GameEnv::new(game, self.scorer.clone())),
            Scoring::Constant(top1) => Box::new(GameEnv::new(game, Arc::new(Constant(top1)))),
        }
    }

    fn remember(&self, outcomes: &[Outcome]) -> Result<(), EnvError> {
        for outcome in outcomes {
            let candidate = self.game.recall(outcome)?;
            self.memory.remember(&candidate, Score { top1: outcome.top1, loss: outcome.loss });
        }
        Ok(())
    }

    fn evaluations(&self) -> u64 {
        self.memory.evaluations()
    }

    fn times(&self) -> ScoreTimes {
        self.scorer.times()
    }

    fn stop_when(&self, flag: &'static AtomicBool) {
        self.memory.stop_when(flag);
    }

    fn network(&self, outcome: &Outcome) -> Result<Compressed, EnvError> {
        let compressed = self.scorer.make(&self.game.recall(outcome)?)?;
        match &compressed.coded {
            Some((name, file)) if file.len() as u64 != outcome.bytes => {
                let reason = format!("counts {} bytes, {name} has {}", outcome.bytes, file.len());
                Err(refuse("outcome", reason))
            }
            _ => Ok(compressed),
        }
    }

    fn trained(&self, graph: Graph, weights: Weights) -> Result<Compressed, EnvError> {
        Ok(self.scorer.trained(graph, weights)?)
    }
}
