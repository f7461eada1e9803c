//! The search loop: play, record, save; the same bytes however often it was stopped and resumed.
//!
//! After a stop the agent is restored from a checkpoint, and the episodes recorded since are played
//! again: the agent acts and learns as before, and the scorer answers from memory. An episode that
//! comes out unlike its record ends the search.

use std::{
    collections::BTreeSet,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    time::Instant,
};

use cgym_agents::{Agent, AgentContext, Mode, Schedule, make, rollout};
use cgym_env::{Env, EnvError, EpisodeRecord, Outcome as EpisodeOutcome, settings::Table};
use cgym_worlds::{World, WorldError, files};
use serde_json::{Map, Value};

use super::{
    BaselineLog, Baselines, EpisodeLog, Run, RunDirectory,
    best::{self, admitted},
    checkpoint, compare, directory, events, newest_agent,
    remark::remark,
    remember_teacher,
};
use crate::{
    Error,
    config::Config,
    output::note,
    profile::Profile,
    progress::Progress,
    report::Summary,
    seeds,
    tensorboard::{Outcome, TensorBoard},
};

/// Policies that a search is compared with.
const BASELINES: [&str; 4] = ["uniform", "shallow", "deep", "random"];

/// Searches with `agent`, which is new, in the run directory of `run`: a new one, or an unfinished
/// run with the same configuration, which is resumed. A finished one only returns its summary.
///
/// # Errors
/// A directory that holds another run; a failed score, an episode that replays unlike its record, or
/// a full disk. What was saved before stays valid.
pub fn search(world: &World, mut agent: Box<dyn Agent>, run: &Run) -> Result<Summary, Error> {
    static NEVER: AtomicBool = AtomicBool::new(false);
    let started = Instant::now();
    let config = configuration(world, &*agent, run)?;
    let existing = run.out.as_deref().filter(|out| out.symlink_metadata().is_ok());
    let directory = match existing {
        Some(out) => {
            let (directory, saved) = RunDirectory::open(out)?;
            refuse_other(&config, &saved, out)?;
            if let Some(summary) = directory::result(out)? {
                return Ok(summary);
            }
            directory
        }
        None => {
            refuse_extended(&config)?;
            let stem = stem(&config);
            let pretrained = config.run.pretrained.as_deref().map(newest_agent).transpose()?;
            RunDirectory::create(run.out.as_deref(), &stem, &config, pretrained.as_deref())?
        }
    };
    remember_teacher(world, directory.path())?;
    note(format!("saving to {}", directory.path().display()));
    let log = EpisodeLog::open(&directory.join("episodes.jsonl"), config.digests())?;
    let mut known: Vec<EpisodeOutcome> =
        log.records().iter().filter_map(|record| record.outcome.clone()).collect();
    known.extend(directory.baselines().iter().flat_map(|path| compare::recorded(path)));
    world.remember(&known)?;
    let warn = &mut |warning| note(format!("warning: {warning}"));
    let played = checkpoint::restore(directory.path(), &mut *agent, &log, warn)?;
    if let Some(&extended) = log.stage_ends().last().filter(|&&end| played < end) {
        return Err(Error::file(
            &directory.join("checkpoints"),
            format!(
                "the run was extended after {extended} episodes, and the checkpoint of then is missing or damaged"
            ),
        ));
    }
    let stop = run.stop.unwrap_or(&NEVER);
    if let Some(flag) = run.stop {
        world.stop_when(flag);
    }
    let mut search = Search::start(world, agent, &config, &directory, log, played)?;
    let played = search.play(stop)?;
    if played != Played::InPart {
        search.save()?;
    }
    search.conclude(played == Played::ToTheEnd, run, stop, started)
}

/// The name of a new run directory without its number: what tells runs apart in TensorBoard.
fn refuse_extended(config: &Config) -> Result<(), Error> {
    let Some(first) = config.run.extended_from.first() else { return Ok(()) };
    let reason = format!(
        "a new run is not an extended one: give `--set run.extended_from=[] --episodes {first}`, then extend the \
         run with `cgym resume RUN --episodes N`"
    );
    Err(WorldError::setting("run.extended_from", reason).into())
}

fn stem(config: &Config) -> String {
    let (env, agent, episodes) = (config.env.id(), &config.agent, config.episodes());
    format!("{env}-{agent}-{episodes}episodes-seed{}", config.run.seed)
}

/// The configuration that the arguments of [`search`] amount to.
///
/// # Errors
/// A value of `[run]` outside its range.
fn configuration(world: &World, agent: &dyn Agent, run: &Run) -> Result<Config, Error> {
    // The command line has checked them; a caller of the library has not.
    run.settings.check().map_err(|error| match error {
        EnvError::Setting { key, reason } => WorldError::setting(&format!("run.{key}"), reason).into(),
        other => Error::Env(other),
    })?;
    let agent_settings = match agent.settings() {
        Value::Object(settings) => settings.into_iter().filter(|(_, value)| !value.is_null()).collect(),
        _ => Map::new(),
    };
    let mut config = Config {
        env: world.settings().clone(),
        agent: agent.name().to_owned(),
        agent_settings,
        run: run.settings.clone(),
    };
    config.run.episodes = Some(config.episodes());
    config.make_paths_absolute()?;
    Ok(config)
}

/// Refuses to resume a run with another configuration. The number of threads changes no result.
fn refuse_other(config: &Config, saved: &Config, out: &Path) -> Result<(), Error> {
    let comparable = |config: &Config| {
        let mut layer = config.to_layer();
        for key in ["threads", "pretrained", "baselines"] {
            layer.tables.get_mut("run").map(|run| run.remove(key));
        }
        layer
    };
    let (now, then) = (comparable(config), comparable(saved));
    if now == then {
        return Ok(());
    }
    let keys = [&now, &then].into_iter().flat_map(|layer| {
        layer.tables.iter().flat_map(|(table, values)| values.keys().map(move |key| (table, key)))
    });
    let differs: BTreeSet<String> = keys
        .filter(|(table, key)| now.get(table, key) != then.get(table, key))
        .map(|(table, key)| format!("{table}.{key}"))
        .collect();
    let differs: Vec<String> = differs.into_iter().collect();
    Err(Error::file(
        out,
        format!("holds a run with other settings ({}); give another folder", differs.join(", ")),
    ))
}

/// The baselines that play this world, except the agent itself.
pub(super) fn baselines(world: &World, config: &Config) -> Vec<(&'static str, Value)> {
    let env = world.env();
    let context = AgentContext { env: &*env, episodes: config.episodes(), seed: 0 };
    let plays = |name: &&str| make(name, &Value::Null, &context).is_ok();
    let others = BASELINES.into_iter().filter(|name| *name != config.agent);
    others.filter(plays).map(|name| (name, Value::Null)).collect()
}

/// Plays the baselines of a search and records them in its directory.
fn play_baselines(
    world: &World,
    config: &Config,
    episodes: u64,
    directory: &RunDirectory,
    stop: &AtomicBool,
) -> Result<Option<Vec<compare::Played>>, Error> {
    let policies = baselines(world, config);
    let path = directory.join("baselines.jsonl");
    let mut log = BaselineLog::open_or_create(&path, vec![config.digest()])?;
    let schedule = Schedule { episodes, exploit: false };
    let played = Baselines { policies: &policies, schedule, seed: config.run.seed };
    let played = played.play(world, Some(&mut log), stop)?;
    log.sync()?;
    Ok(played)
}

/// How far a search was played.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Played {
    ToTheEnd,
    /// It was stopped between two episodes.
    UpToAnEpisode,
    /// It was stopped within an episode: the agent is not as it was after the last recorded one.
    InPart,
}

struct Search<'a> {
    world: &'a World,
    config: &'a Config,
    directory: &'a RunDirectory,
    schedule: Schedule,
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
    fn start(
        world: &'a World,
        agent: Box<dyn Agent>,
        config: &'a Config,
        directory: &'a RunDirectory,
        log: EpisodeLog,
        played: usize,
    ) -> Result<Self, Error> {
        let env = world.env();
        if !log.records().is_empty() {
            note(format!("resuming after episode {played}, {} recorded", log.records().len()));
        }
        let mut board = TensorBoard::create_from(directory.path(), played);
        events::describe(&mut board, config, &env.spec().settings)?;
        let best = best::best(&*env, &log.records()[..played]);
        let progress = Progress::new(&config.agent, config.episodes(), played as u64);
        Ok(Self {
            world,
            config,
            directory,
            schedule: Schedule { episodes: config.episodes(), exploit: true },
            env,
            agent,
            log,
            board,
            progress,
            profile: Profile::default(),
            played,
            best,
            saved_best: None,
        })
    }

    /// Plays to the end, or until it is stopped.
    fn play(&mut self, stop: &AtomicBool) -> Result<Played, Error> {
        let replayed = self.log.records().len();
        while let Some((mode, count)) = self.schedule.next(&*self.agent, self.played as u64) {
            // Recorded episodes are played again in any case: that costs little.
            if self.played >= self.log.records().len() && stop.load(Ordering::SeqCst) {
                return Ok(Played::UpToAnEpisode);
            }
            let before = self.played;
            match self.batch(mode, count) {
                Err(Error::Agent(error)) if Error::is_stop(&error) => return Ok(Played::InPart),
                done => done?,
            }
            // Once when all recorded episodes are replayed, so that a run that is stopped often
            // still makes progress; from then on after every so many episodes.
            let periods = |episodes: usize| episodes as u64 / self.config.run.checkpoint_every;
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
        Ok(Played::ToTheEnd)
    }

    /// Plays as many episodes as the agent decides before it learns from them.
    fn batch(&mut self, mode: Mode, count: u64) -> Result<(), Error> {
        let (world, first, seed) = (self.world, self.played as u64, self.config.run.seed);
        let (env, agent) = (&mut *self.env, &mut *self.agent);
        let seeds: Vec<u64> =
            (first..first + count).map(|index| seeds::derive(seed, "episode", index)).collect();
        let (started, evaluated) = (Instant::now(), world.evaluations());
        let records = self
            .profile
            .episodes(&|| world.times(), |observer| Ok(rollout(env, agent, &seeds, mode, observer)?))?;
        let ended = Instant::now();
        for record in records {
            self.record(record)?;
            self.tell(self.played - 1);
        }
        // Steps of evaluated candidates: an answer from memory takes no time.
        let steps = (world.evaluations() - evaluated) as f64 * self.env.spec().steps() as f64;
        if steps > 0.0 {
            let speed = steps / ended.duration_since(started).as_secs_f64().max(1e-9);
            self.board.scalar("charts/SPS", speed, self.played.saturating_sub(1));
        }
        for (tag, values) in self.agent.distributions() {
            self.board.histogram(&tag, &values, self.played.saturating_sub(1));
        }
        self.board.flush();
        self.profile.recorded(ended);
        Ok(())
    }

    /// Writes an episode down, or compares it with what is written already.
    fn record(&mut self, record: EpisodeRecord) -> Result<(), Error> {
        let index = self.played;
        if index < self.log.records().len() {
            if !self.log.is(index, &record)? {
                return Err(self.log.unlike(index));
            }
        } else {
            self.log.append(record)?;
        }
        self.played += 1;
        let records = self.log.records();
        let better = |best: usize| records[index].episodic_return > records[best].episodic_return;
        if admitted(&*self.env, &records[index]) && self.best.is_none_or(better) {
            self.best = Some(index);
        }
        Ok(())
    }

    /// Shows an episode in the progress line and TensorBoard.
    fn tell(&mut self, index: usize) {
        let (records, spec) = (self.log.records(), self.env.spec());
        let best = self.best.map(|best| (best, &records[best]));
        self.progress.set(self.played as u64, &remark(best, spec));
        let best = best.map(|(_, record)| record);
        events::episode(&mut self.board, &records[index], best, spec, index);
        for (tag, value) in self.agent.diagnostics() {
            self.board.scalar(&tag, value, index);
        }
    }

    fn save(&mut self) -> Result<(), Error> {
        let started = Instant::now();
        checkpoint::save(self.directory.path(), &*self.agent, &self.log, self.log.stage_ends())?;
        if let Some(index) = self.best.filter(|_| self.best != self.saved_best) {
            best::save(self.directory, self.world, index, &self.log.records()[index])?;
            self.saved_best = Some(index);
        }
        self.board.flush();
        self.profile.recorded(started);
        Ok(())
    }

    /// Plays the baselines of a search that is done, and writes its summary.
    fn conclude(
        mut self,
        done: bool,
        run: &Run,
        stop: &AtomicBool,
        started: Instant,
    ) -> Result<Summary, Error> {
        let (world, config) = (self.world, self.config);
        let mut summary = Summary::of_search(world, config, self.log.records());
        summary.run = Some(self.directory.path().to_owned());
        summary.profile = run.profile.then_some(self.profile);
        let mut policies = Vec::new();
        if done {
            let played = match config.run.baselines {
                true => play_baselines(world, config, summary.played, self.directory, stop)?,
                false => Some(Vec::new()),
            };
            summary.finished = played.is_some();
            policies = played.unwrap_or_default();
        }
        policies.push((config.agent.clone(), self.log.records().to_vec()));
        compare::compare(world, &mut summary, &policies)?;
        policies.pop();
        summary.evaluated = world.evaluations();
        summary.seconds = started.elapsed().as_secs_f64();
        if summary.finished {
            let last = self.played.saturating_sub(1);
            let test_top1 = summary.rows.last().and_then(|row| row.test_top1);
            if let Some(top1) = test_top1 {
                self.board.scalar(events::TEST_TOP1, top1, last);
            }
            events::baselines(self.directory, &*self.env, &policies, &summary.rows, last);
            files::write_json(&self.directory.join("summary.json"), &summary)?;
            self.log.sync()?;
            self.directory.finish()?;
            self.board.finish(Outcome::Success);
        }
        Ok(summary)
    }
}
