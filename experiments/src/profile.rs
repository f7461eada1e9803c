//! Where the time of episodes goes.

use std::{
    fmt::Write,
    path::Path,
    time::{Duration, Instant},
};

use cgym_agents::{Agent, AgentError, Mode, Transition};
use cgym_env::{Action, EpisodeRecord, EvaluationTimes, ResetOptions};
use serde::{Deserialize, Serialize};

use crate::Error;

/// Seconds by what they were spent on; all but `episodes` and `steps` add up to the whole time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// Episodes played.
    pub episodes: u64,
    /// Decisions taken in them.
    pub steps: u64,
    /// The agent's plans and choices, its look-ahead in forks of the environment included.
    pub agent_act: f64,
    /// The agent's learning.
    pub agent_learn: f64,
    /// Resets and steps, without the evaluation of the candidate.
    pub environment: f64,
    /// Surgery and refit.
    pub prune: f64,
    /// Compiling the pruned network.
    pub compile: f64,
    /// Running it on the reward split.
    pub evaluate: f64,
    /// Records, checkpoints, the best network's files, TensorBoard and progress.
    pub records: f64,
}

impl Profile {
    /// Plays episodes as `play` does with the agent that it is handed, and adds where their time
    /// went; `times` tells what evaluations have taken so far.
    ///
    /// # Errors
    /// Those of `play`; nothing is added then.
    pub fn episodes(
        &mut self,
        agent: &mut dyn Agent,
        times: &dyn Fn() -> EvaluationTimes,
        play: impl FnOnce(&mut dyn Agent) -> Result<Vec<EpisodeRecord>, Error>,
    ) -> Result<Vec<EpisodeRecord>, Error> {
        let (before, started) = (times(), Instant::now());
        let mut agent = TimedAgent { agent, act: Duration::ZERO, learn: Duration::ZERO };
        let records = play(&mut agent)?;
        let (whole, after) = (started.elapsed(), times());
        let (prune, compile, evaluate) =
            (after.prune - before.prune, after.compile - before.compile, after.evaluate - before.evaluate);
        let elsewhere = agent.act + agent.learn + prune + compile + evaluate;
        self.episodes += records.len() as u64;
        self.steps += records.iter().map(|record| record.actions.len() as u64).sum::<u64>();
        for (sum, part) in [
            (&mut self.agent_act, agent.act),
            (&mut self.agent_learn, agent.learn),
            (&mut self.environment, whole.saturating_sub(elsewhere)),
            (&mut self.prune, prune),
            (&mut self.compile, compile),
            (&mut self.evaluate, evaluate),
        ] {
            *sum += part.as_secs_f64();
        }
        Ok(records)
    }

    /// Adds the time since `started` to that of records and logs.
    pub fn recorded(&mut self, started: Instant) {
        self.records += started.elapsed().as_secs_f64();
    }

    /// What time is spent on, with its seconds.
    pub fn parts(&self) -> [(&'static str, f64); 7] {
        [
            ("agent act", self.agent_act),
            ("agent learn", self.agent_learn),
            ("environment", self.environment),
            ("prune", self.prune),
            ("compile", self.compile),
            ("evaluate", self.evaluate),
            ("records and logs", self.records),
        ]
    }

    /// All seconds.
    pub fn seconds(&self) -> f64 {
        self.parts().iter().map(|(_, seconds)| seconds).sum()
    }

    /// A line a part: seconds, milliseconds an episode and the share of the whole.
    pub fn table(&self) -> String {
        let (whole, episodes) = (self.seconds(), self.episodes.max(1) as f64);
        let mut text = format!("{:<18} {:>10} {:>12} {:>8}\n", "part", "seconds", "ms/episode", "share");
        for (part, seconds) in self.parts().into_iter().chain([("whole", whole)]) {
            let share = 100.0 * seconds / whole.max(f64::MIN_POSITIVE);
            let each = 1e3 * seconds / episodes;
            writeln!(text, "{part:<18} {seconds:>10.3} {each:>12.3} {share:>6.1} %").ok();
        }
        text
    }
}

/// An agent with a stopwatch.
struct TimedAgent<'a> {
    agent: &'a mut dyn Agent,
    act: Duration,
    learn: Duration,
}

impl Agent for TimedAgent<'_> {
    fn name(&self) -> &str {
        self.agent.name()
    }

    fn begin(&mut self, mode: Mode) -> Result<ResetOptions, AgentError> {
        let started = Instant::now();
        let options = self.agent.begin(mode);
        self.act += started.elapsed();
        options
    }

    fn act(&mut self, observation: &[f32], mode: Mode) -> Result<Action, AgentError> {
        let started = Instant::now();
        let action = self.agent.act(observation, mode);
        self.act += started.elapsed();
        action
    }

    fn learn(&mut self, transition: &Transition<'_>) -> Result<(), AgentError> {
        let started = Instant::now();
        let learned = self.agent.learn(transition);
        self.learn += started.elapsed();
        learned
    }

    fn executed(&mut self, executed: &Action) -> Result<(), AgentError> {
        self.agent.executed(executed)
    }

    fn batch(&self) -> usize {
        self.agent.batch()
    }

    fn finished(&self) -> bool {
        self.agent.finished()
    }

    fn distributions(&self) -> Vec<(String, Vec<f64>)> {
        self.agent.distributions()
    }

    fn diagnostics(&self) -> Vec<(String, f64)> {
        self.agent.diagnostics()
    }

    fn save(&self, directory: &Path) -> Result<(), AgentError> {
        self.agent.save(directory)
    }

    fn load(&mut self, directory: &Path) -> Result<(), AgentError> {
        self.agent.load(directory)
    }

    fn load_policy(&mut self, directory: &Path) -> Result<(), AgentError> {
        self.agent.load_policy(directory)
    }
}

#[cfg(test)]
mod tests {
    use super::Profile;

    #[test]
    fn the_parts_add_up_and_every_one_has_a_line() {
        let profile = Profile { episodes: 2, agent_act: 1.0, evaluate: 3.0, ..Profile::default() };
        assert_eq!(profile.seconds(), 4.0);
        let table = profile.table();
        assert_eq!(table.lines().count(), 9);
        assert!(table.contains("evaluate                3.000     1500.000   75.0 %"), "{table}");
    }
}
