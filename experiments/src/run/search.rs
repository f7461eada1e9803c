//! The search loop: play, record, save; the same bytes however often it was stopped and resumed.
//!
//! After a stop the agent is taken from a checkpoint, and the episodes recorded since are played
//! again: the agent acts and learns as it did, and the evaluator answers from memory. An episode
//! that comes out unlike its record ends the search.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
    time::Instant,
};

use cgym_agents::{Agent, AgentContext, Mode, make};
use cgym_env::{Action, Env, EnvSpec, EpisodeRecord, Layout};
use serde_json::Value;

use super::{EpisodeLog, RunDirectory, best, checkpoint, compare, directory::PRETRAINED};
use crate::{
    Error, play,
    profile::Profile,
    progress::Progress,
    report::{self, Summary},
    tensorboard::{HParam, Outcome, TensorBoard},
    world::World,
};

/// Policies that a search is compared with.
const BASELINES: [&str; 4] = ["uniform", "shallow", "deep", "random"];

/// What a search is played with.
pub struct Setup<'a> {
    /// Teacher, data, environment.
    pub world: &'a World,
    /// Where everything goes.
    pub directory: &'a RunDirectory,
    /// Set from outside to stop after the running episodes: one, or as many as are learned from at once.
    pub stop: &'a AtomicBool,
    /// When the command was started.
    pub started: Instant,
    /// Whether other policies are played at the end to compare with.
    pub compare: bool,
    /// Whether the summary tells where the time of episodes went.
    pub profile: bool,
}

/// Plays the search in `setup.directory` from where `log` and the checkpoints leave off.
///
/// # Errors
/// A failed evaluation, an episode that replays unlike its record, or a full disk; what was saved
/// before stays valid.
pub fn search(setup: &Setup<'_>, log: EpisodeLog) -> Result<Summary, Error> {
    let mut search = Search::start(setup, log)?;
    let done = search.play()?;
    search.save()?;
    let Setup { world, directory, stop, started, compare: compares, profile } = *setup;
    let config = &world.config;
    let mut summary = Summary::new(world);
    summary.agent = Some(config.agent.clone());
    summary.played = search.log.records().len() as u64;
    summary.best_episode = search.best.map(|best| best as u64);
    summary.run = Some(directory.path().to_owned());
    summary.profile = profile.then_some(search.profile);

    let mut policies = Vec::new();
    if done {
        let names = if compares { baselines(world) } else { Vec::new() };
        let file = directory.join("baselines.jsonl");
        let played = compare::baselines(world, &names, summary.played, false, Some(&file), stop)?;
        summary.finished = played.is_some();
        policies = played.unwrap_or_default();
    }
    policies.push((config.agent.clone(), search.log.records().to_vec()));
    compare::compare(world, &mut summary, &policies)?;
    summary.evaluated = world.game.evaluations();
    summary.seconds = started.elapsed().as_secs_f64();
    if summary.finished {
        crate::files::write_json(&directory.join("summary.json"), &summary)?;
        search.board.finish(Outcome::Success);
    }
    Ok(summary)
}

/// The baselines that play this environment, but for the agent itself.
fn baselines(world: &World) -> Vec<String> {
    let context = AgentContext { env: &*world.env, episodes: world.config.episodes, seed: 0 };
    let plays = |name: &&str| make(name, &Value::Null, &context).is_ok();
    let others = BASELINES.into_iter().filter(|name| *name != world.config.agent);
    others.filter(plays).map(ToOwned::to_owned).collect()
}

struct Search<'a> {
    setup: &'a Setup<'a>,
    env: Box<dyn Env>,
    agent: Box<dyn Agent>,
    log: EpisodeLog,
    board: TensorBoard,
    progress: Progress,
    profile: Profile,
    /// Episodes played by the agent as it is now.
    played: usize,
    best: Option<usize>,
    /// The episode that `best/` holds.
    saved_best: Option<usize>,
}

impl<'a> Search<'a> {
    fn start(setup: &'a Setup<'a>, log: EpisodeLog) -> Result<Self, Error> {
        let (world, config) = (setup.world, &setup.world.config);
        let env = world.env.fork();
        let pretrained = config.pretrained.is_some().then(|| setup.directory.join(PRETRAINED));
        let mut agent = super::agent(config, &*env, pretrained.as_deref())?;
        let folder = setup.directory.join("checkpoints");
        let warn = &mut |warning| eprintln!("warning: {warning}");
        let played = checkpoint::restore(&folder, &mut *agent, &log, warn);
        if played.is_none() {
            agent = super::agent(config, &*env, pretrained.as_deref())?;
        }
        let played = played.unwrap_or(0);
        if !log.records().is_empty() {
            eprintln!("resuming after episode {played}, {} recorded", log.records().len());
        }
        let mut board = TensorBoard::create_from(setup.directory.path(), played);
        describe(&mut board, world)?;
        let best = play::best(&*world.env, &log.records()[..played]);
        let progress = Progress::new(&config.agent, config.episodes, played as u64);
        let profile = Profile::default();
        Ok(Self { setup, env, agent, log, board, progress, profile, played, best, saved_best: None })
    }

    /// Plays to the end; false where it was stopped before.
    fn play(&mut self) -> Result<bool, Error> {
        let config = &self.setup.world.config;
        let replayed = self.log.records().len();
        while let Some(mode) = play::next_mode(&*self.agent, self.played as u64, config.episodes) {
            // What is recorded already is played in any case: it costs little.
            if self.played >= self.log.records().len() && self.setup.stop.load(Ordering::SeqCst) {
                return Ok(false);
            }
            let before = self.played;
            self.batch(mode)?;
            // Once all that was recorded is replayed, so that even a run that is stopped all the
            // time gets on; from then on at every so many episodes.
            let periods = |episodes: usize| episodes as u64 / config.checkpoint_every;
            let due = (before..=self.played).contains(&replayed) && before < replayed
                || periods(self.played) > periods(before);
            if due && self.played == self.log.records().len() {
                self.save()?;
            }
        }
        if self.played < self.log.records().len() {
            return Err(Error::Check(format!(
                "{} episodes are recorded, but the agent is finished after {}",
                self.log.records().len(),
                self.played
            )));
        }
        Ok(true)
    }

    /// Plays as many episodes as the agent decides about before it learns from them.
    fn batch(&mut self, mode: Mode) -> Result<(), Error> {
        let world = self.setup.world;
        let (env, first, config) = (&mut *self.env, self.played as u64, &world.config);
        let count = play::batch(&*self.agent, first, config.episodes, mode);
        let started = Instant::now();
        let records = self.profile.episodes(&mut *self.agent, &|| world.game.times(), |agent| {
            play::episodes(env, agent, config.seed, first..first + count, mode)
        })?;
        let ended = Instant::now();
        let steps: usize = records.iter().map(|record| record.actions.len()).sum();
        let speed = steps as f64 / ended.duration_since(started).as_secs_f64().max(1e-9);
        for record in records {
            self.record(record)?;
            self.tell(self.played - 1, speed);
        }
        self.histograms();
        self.board.flush();
        self.profile.recorded(ended);
        Ok(())
    }

    /// Writes an episode down, or compares it with what is written already.
    fn record(&mut self, record: EpisodeRecord) -> Result<(), Error> {
        let index = self.played;
        if index < self.log.records().len() {
            if !self.log.is(index, &record)? {
                return Err(Error::Check(format!(
                    "episode {index}: played again it is unlike its record; was the run directory changed, or is \
                     this another version or processor? `cgym validate` lists the differences"
                )));
            }
        } else {
            self.log.append(record)?;
        }
        self.played += 1;
        let records = self.log.records();
        let better = |best: usize| records[index].episodic_return > records[best].episodic_return;
        if play::admitted(&*self.env, &records[index]) && self.best.is_none_or(better) {
            self.best = Some(index);
        }
        Ok(())
    }

    /// Shows an episode to whoever watches.
    fn tell(&mut self, index: usize, steps_per_second: f64) {
        let records = self.log.records();
        let remark = match self.best.and_then(|best| Some((best, records[best].outcome.as_ref()?))) {
            Some((best, outcome)) => format!(
                "best {:.2} % at {:.1} % of the {} (episode {best})",
                100.0 * outcome.top1,
                100.0 * outcome.preserve_ratio,
                report::unit_name(&self.env.spec().budget)
            ),
            None => "no candidate keeps to the rules yet".to_owned(),
        };
        self.progress.set(self.played as u64, &remark);
        let record = &records[index];
        self.board.scalar("charts/episodic_return", record.episodic_return, index);
        self.board.scalar("charts/SPS", steps_per_second, index);
        if let Some(best) = self.best {
            self.board.scalar("charts/best_return", records[best].episodic_return, index);
        }
        for (tag, value) in figures(record, self.env.spec()) {
            self.board.scalar(&tag, value, index);
        }
        for (tag, value) in self.agent.diagnostics() {
            self.board.scalar(&tag, value, index);
        }
    }

    /// Shows what the agent's choices are drawn from.
    fn histograms(&mut self) {
        for (tag, values) in self.agent.distributions() {
            self.board.histogram(&tag, &values, self.played.saturating_sub(1));
        }
    }

    fn save(&mut self) -> Result<(), Error> {
        let (directory, started) = (self.setup.directory, Instant::now());
        checkpoint::save(&directory.join("checkpoints"), &*self.agent, &self.log)?;
        if let Some(index) = self.best.filter(|_| self.best != self.saved_best) {
            best::save(directory, self.setup.world, index, &self.log.records()[index])?;
            self.saved_best = Some(index);
        }
        self.board.flush();
        self.profile.recorded(started);
        Ok(())
    }
}

/// What TensorBoard shows of an episode beside its return.
fn figures(record: &EpisodeRecord, spec: &EnvSpec) -> Vec<(String, f64)> {
    let mut figures = Vec::new();
    // What is trained before it is scored is a student, and its reward speaks of compression.
    let students = matches!(spec.layout, Layout::Table { .. });
    if let Some(outcome) = &record.outcome {
        figures.extend([
            ("info/accuracy".to_owned(), outcome.top1),
            ("info/macs".to_owned(), outcome.macs as f64),
            ("info/parameters".to_owned(), outcome.parameters as f64),
            ("info/preserve_ratio".to_owned(), outcome.preserve_ratio),
            ("info/compression".to_owned(), 1.0 - outcome.preserve_ratio),
        ]);
        figures.extend(outcome.loss.map(|loss| ("losses/distillation".to_owned(), loss)));
    }
    if students {
        figures.push(("info/degenerate".to_owned(), f64::from(u8::from(record.outcome.is_none()))));
    }
    for (decision, action) in spec.decisions.iter().zip(&record.executed) {
        match action {
            Action::Continuous(values) if values.len() == 1 => {
                figures.push((format!("preserve_ratio/{decision}"), f64::from(values[0])));
            }
            Action::Discrete(index) => figures.push((format!("action/{decision}"), *index as f64)),
            Action::Continuous(_) => (),
        }
    }
    figures
}

/// Configuration and hyper-parameters, for TensorBoard.
fn describe(board: &mut TensorBoard, world: &World) -> Result<(), Error> {
    let config = &world.config;
    board.text("config", &format!("```toml\n{}```\n", config.to_toml()?));
    let mut hparams: BTreeMap<String, HParam> = BTreeMap::new();
    for (key, value) in config.agent_settings.as_object().into_iter().flatten() {
        hparams.insert(key.clone(), value.into());
    }
    hparams.insert("agent".to_owned(), HParam::Text(config.agent.clone()));
    hparams.insert("env".to_owned(), HParam::Text(config.environment.id()));
    hparams.insert("seed".to_owned(), HParam::Number(config.seed as f64));
    hparams.insert("episodes".to_owned(), HParam::Number(config.episodes as f64));
    board.hparams(&hparams, &["charts/best_return", "charts/episodic_return"]);
    Ok(())
}
