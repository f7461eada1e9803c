//! Where the time of episodes goes.

use std::{
    fmt::Write,
    time::{Duration, Instant},
};

use cgym_agents::{Observer, Phase};
use cgym_env::{EpisodeRecord, ScoreTimes};
use serde::{Deserialize, Serialize};

use crate::Error;

/// Seconds by what they were spent on; all but `episodes` and `steps` add up to the whole time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// Episodes played.
    pub episodes: u64,
    /// Decisions taken in them.
    pub steps: u64,
    /// The agent's plans and choices, with its look-ahead in forks of the environment.
    pub agent_act: f64,
    /// The agent's learning.
    pub agent_learn: f64,
    /// Resets and steps, without the score of the candidate; 0 where threads scored several candidates
    /// at the same time and took longer, all added up, than the clock shows.
    pub environment: f64,
    /// Making candidates, without refit and training.
    pub prune: f64,
    /// Refitting layers that lost inputs.
    #[serde(default)]
    pub refit: f64,
    /// Training students, with their accuracy after each epoch.
    #[serde(default)]
    pub train: f64,
    /// Compiling the pruned network.
    pub compile: f64,
    /// Running it on the reward split.
    pub evaluate: f64,
    /// Records, checkpoints, the best network's files, TensorBoard and progress.
    pub records: f64,
}

/// Sums of the phases of a rollout.
#[derive(Default)]
struct Phases {
    act: Duration,
    learn: Duration,
    environment: Duration,
}

impl Observer for Phases {
    fn spent(&mut self, phase: Phase, time: Duration) {
        *match phase {
            Phase::Act => &mut self.act,
            Phase::Learn => &mut self.learn,
            Phase::Environment => &mut self.environment,
        } += time;
    }
}

impl Profile {
    /// The mean of one of the episodes.
    pub fn per_episode(self) -> Self {
        let episodes = self.episodes.max(1);
        let mean = |seconds: f64| seconds / episodes as f64;
        Self {
            episodes: self.episodes.min(1),
            steps: self.steps / episodes,
            agent_act: mean(self.agent_act),
            agent_learn: mean(self.agent_learn),
            environment: mean(self.environment),
            prune: mean(self.prune),
            refit: mean(self.refit),
            train: mean(self.train),
            compile: mean(self.compile),
            evaluate: mean(self.evaluate),
            records: mean(self.records),
        }
    }

    /// Plays episodes by `play`, which reports to the observer that it is given, and adds where
    /// their time went; `times` returns what scores have taken so far. Scores that several threads
    /// compute at the same time share the wall time by what each part took.
    ///
    /// # Errors
    /// Those of `play`; nothing is added then.
    pub fn episodes(
        &mut self,
        times: &dyn Fn() -> ScoreTimes,
        play: impl FnOnce(&mut dyn Observer) -> Result<Vec<EpisodeRecord>, Error>,
    ) -> Result<Vec<EpisodeRecord>, Error> {
        let (before, mut phases) = (times(), Phases::default());
        let records = play(&mut phases)?;
        let after = times();
        let part = |of: fn(&ScoreTimes) -> Duration| (of(&after) - of(&before)).as_secs_f64();
        let parts = [
            part(|times| times.make),
            part(|times| times.refit),
            part(|times| times.train),
            part(|times| times.compile),
            part(|times| times.evaluate),
        ];
        let (scored, wall): (f64, f64) = (parts.iter().sum(), phases.environment.as_secs_f64());
        let [prune, refit, train, compile, evaluate] =
            parts.map(|part| if scored > wall { part * wall / scored } else { part });
        self.episodes += records.len() as u64;
        self.steps += records.iter().map(|record| record.actions.len() as u64).sum::<u64>();
        for (sum, part) in [
            (&mut self.agent_act, phases.act.as_secs_f64()),
            (&mut self.agent_learn, phases.learn.as_secs_f64()),
            (&mut self.environment, (wall - scored).max(0.0)),
            (&mut self.prune, prune),
            (&mut self.refit, refit),
            (&mut self.train, train),
            (&mut self.compile, compile),
            (&mut self.evaluate, evaluate),
        ] {
            *sum += part;
        }
        Ok(records)
    }

    /// Adds the time since `started` to that of records and logs.
    pub fn recorded(&mut self, started: Instant) {
        self.records += started.elapsed().as_secs_f64();
    }

    /// What time is spent on, with its seconds.
    pub fn parts(&self) -> [(&'static str, f64); 9] {
        [
            ("agent act", self.agent_act),
            ("agent learn", self.agent_learn),
            ("environment", self.environment),
            ("prune", self.prune),
            ("refit", self.refit),
            ("train", self.train),
            ("compile", self.compile),
            ("evaluate", self.evaluate),
            ("records and logs", self.records),
        ]
    }

    /// All seconds.
    pub fn seconds(&self) -> f64 {
        self.parts().iter().map(|(_, seconds)| seconds).sum()
    }

    /// One line per part: seconds, milliseconds per episode and the share of the whole.
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

#[cfg(test)]
mod tests {
    use super::Profile;

    #[test]
    fn the_parts_add_up_and_every_one_has_a_line() {
        let profile = Profile { episodes: 2, agent_act: 1.0, evaluate: 3.0, ..Profile::default() };
        assert_eq!(profile.seconds(), 4.0);
        let table = profile.table();
        assert_eq!(table.lines().count(), 11);
        assert!(table.contains("evaluate                3.000     1500.000   75.0 %"), "{table}");
    }
}
