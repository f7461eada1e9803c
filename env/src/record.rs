//! Episode records: actions, return and outcome of an episode, and its replay.

use serde::{Deserialize, Serialize};

use crate::{Action, Ending, Env, EnvError, EnvSpec, Outcome, ResetOptions, Step};

/// The data to replay an episode, and its result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpisodeRecord {
    /// Environment id.
    pub env: String,
    /// Hash of the environment's resolved settings.
    #[serde(default)]
    pub settings: String,
    /// Digest of all settings of the run that recorded the episode; empty outside of runs.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub run: String,
    /// Seed of the reset.
    pub seed: u64,
    /// Options of the reset.
    #[serde(default)]
    pub options: ResetOptions,
    /// Actions of the agent, one per step.
    pub actions: Vec<Action>,
    /// Actions that took effect, one per step.
    pub executed: Vec<Action>,
    /// Sum of the rewards.
    pub episodic_return: f64,
    /// Why the episode ended; absent before its end.
    pub ending: Option<Ending>,
    /// Score and cost of the candidate.
    pub outcome: Option<Outcome>,
    /// Why the candidate is invalid, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl EpisodeRecord {
    /// The record of an episode that has just been reset.
    pub fn new(spec: &EnvSpec, seed: u64, options: ResetOptions) -> Self {
        Self {
            env: spec.id.clone(),
            settings: spec.settings.clone(),
            run: String::new(),
            seed,
            options,
            actions: Vec::new(),
            executed: Vec::new(),
            episodic_return: 0.0,
            ending: None,
            outcome: None,
            reason: None,
        }
    }

    /// Appends one step.
    pub fn push(&mut self, action: Action, executed: Action, step: &Step) {
        self.actions.push(action);
        self.executed.push(executed);
        self.episodic_return += step.reward();
        self.ending = step.ending();
        self.outcome = step.info().outcome.as_deref().cloned();
        self.reason.clone_from(&step.info().reason);
    }

    /// Replays the recorded actions and lists every difference from the record; empty if there is none.
    ///
    /// # Errors
    /// If the environment refuses the reset or an action.
    pub fn validate(&self, env: &mut dyn Env) -> Result<Vec<String>, EnvError> {
        let mut differences = Vec::new();
        if env.spec().id != self.env {
            differences.push(format!("environment `{}`, recorded `{}`", env.spec().id, self.env));
        }
        if env.spec().settings != self.settings {
            differences.push(format!("settings hash {}, recorded {}", env.spec().settings, self.settings));
        }
        let mut replayed = Self::new(env.spec(), self.seed, self.options);
        env.reset(self.seed, &self.options)?;
        for action in &self.actions {
            if replayed.ending.is_some() {
                break;
            }
            let step = env.step(action)?;
            let executed = step.info().executed.clone().unwrap_or_else(|| action.clone());
            replayed.push(action.clone(), executed, &step);
        }
        self.compare(&replayed, &env.spec().decisions, &mut differences);
        Ok(differences)
    }

    /// Adds every difference of `now`, this record played again, to `differences`.
    fn compare(&self, now: &Self, decisions: &[String], differences: &mut Vec<String>) {
        let (steps, recorded) = (now.actions.len(), self.actions.len());
        if steps != recorded {
            differences.push(format!("{steps} steps, recorded {recorded}"));
        }
        differences.extend(first_action(&now.executed, &self.executed, decisions));
        if now.episodic_return != self.episodic_return {
            let (now, then) = (now.episodic_return, self.episodic_return);
            differences.push(format!("return {now}, recorded {then}"));
        }
        if now.ending != self.ending {
            differences.push(format!("{}, recorded that it {}", ends(now.ending), ends(self.ending)));
        }
        match (&now.outcome, &self.outcome) {
            (Some(now), Some(then)) => differences.extend(outcomes(now, then, decisions)),
            (Some(_), None) => differences.push("a candidate is scored, recorded none".to_owned()),
            (None, Some(_)) => differences.push("no candidate is scored, recorded one".to_owned()),
            (None, None) => (),
        }
        if now.reason != self.reason {
            let told = |reason: &Option<String>| reason.clone().unwrap_or_else(|| "none".to_owned());
            let (now, then) = (told(&now.reason), told(&self.reason));
            differences.push(format!("reason why it is not scored: {now}, recorded: {then}"));
        }
    }
}

/// How an episode ends, as the end of a sentence.
fn ends(ending: Option<Ending>) -> &'static str {
    match ending {
        Some(Ending::Terminated) => "ends after its last decision",
        Some(Ending::Truncated) => "is cut off by a limit",
        None => "does not end",
    }
}

/// The name of a decision by its number.
fn name(decisions: &[String], place: usize) -> String {
    decisions.get(place).map_or_else(|| format!("decision {}", place + 1), |name| format!("`{name}`"))
}

/// The first action that took effect in `now` and not in `then`, and how many others there are.
fn first_action(now: &[Action], then: &[Action], decisions: &[String]) -> Option<String> {
    let differs = |place: &usize| now[*place] != then[*place];
    let places: Vec<usize> = (0..now.len().min(then.len())).filter(differs).collect();
    let first = *places.first()?;
    let show = |action: &Action| match action {
        Action::Discrete(index) => index.to_string(),
        Action::Continuous(values) => values.iter().map(f32::to_string).collect::<Vec<_>>().join(" "),
    };
    let (at, now, then) = (name(decisions, first), show(&now[first]), show(&then[first]));
    Some(format!("executed action {now} at {at}, recorded {then}{}", others(places.len())))
}

/// What else differs, at the end of a sentence about the first difference.
fn others(differences: usize) -> String {
    match differences {
        0 | 1 => String::new(),
        2 => " (and 1 more differs)".to_owned(),
        more => format!(" (and {} more differ)", more - 1),
    }
}

/// The figures in which two outcomes differ; what was kept by the first decision that differs.
fn outcomes(now: &Outcome, then: &Outcome, decisions: &[String]) -> Option<String> {
    let figure = |value: f64| format!("{value}");
    let loss = |value: Option<f64>| value.map_or_else(|| "none".to_owned(), figure);
    let hash = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".to_owned());
    let mut figures = vec![
        ("top-1", figure(now.top1), figure(then.top1)),
        ("MACs", now.macs.to_string(), then.macs.to_string()),
        ("parameters", now.parameters.to_string(), then.parameters.to_string()),
        ("bytes", now.bytes.to_string(), then.bytes.to_string()),
        ("preserve ratio", figure(now.preserve_ratio), figure(then.preserve_ratio)),
        ("training loss", loss(now.loss), loss(then.loss)),
        ("architecture", hash(&now.architecture), hash(&then.architecture)),
    ];
    figures.retain(|(_, now, then)| now != then);
    let mut parts: Vec<String> =
        figures.into_iter().map(|(what, now, then)| format!("{what} {now}, recorded {then}")).collect();
    if now.kept.len() != then.kept.len() {
        parts.push(format!("{} amounts kept, recorded {}", now.kept.len(), then.kept.len()));
    } else {
        let places: Vec<usize> =
            (0..now.kept.len()).filter(|&place| now.kept[place] != then.kept[place]).collect();
        if let Some(&first) = places.first() {
            let (at, now, then) = (name(decisions, first), now.kept[first], then.kept[first]);
            parts.push(format!("{now} kept at {at}, recorded {then}{}", others(places.len())));
        }
    }
    (!parts.is_empty()).then(|| parts.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> EpisodeRecord {
        let outcome = Outcome {
            top1: 0.915,
            macs: 100,
            parameters: 20,
            bytes: 80,
            preserve_ratio: 0.5,
            kept: vec![4, 8, 16],
            architecture: None,
            loss: None,
        };
        EpisodeRecord {
            env: "env".to_owned(),
            settings: String::new(),
            run: String::new(),
            seed: 0,
            options: ResetOptions::default(),
            actions: vec![Action::scalar(0.5); 3],
            executed: vec![Action::scalar(0.5); 3],
            episodic_return: -0.085,
            ending: Some(Ending::Terminated),
            outcome: Some(outcome),
            reason: None,
        }
    }

    fn differences(change: impl FnOnce(&mut EpisodeRecord)) -> Vec<String> {
        let mut then = record();
        change(&mut then);
        let decisions = ["conv1", "conv2", "conv3"].map(str::to_owned);
        let mut found = Vec::new();
        then.compare(&record(), &decisions, &mut found);
        found
    }

    #[test]
    fn differences_are_told_in_words_with_the_first_place() {
        assert!(differences(|_| ()).is_empty());
        let of = |record: &mut EpisodeRecord, change: fn(&mut Outcome)| {
            record.outcome.as_mut().map(change);
        };
        let cases = [
            (
                differences(|record| of(record, |outcome| (outcome.top1, outcome.macs) = (0.9125, 90))),
                "top-1 0.915, recorded 0.9125; MACs 100, recorded 90",
            ),
            (
                differences(|record| of(record, |outcome| outcome.kept = vec![4, 7, 15])),
                "8 kept at `conv2`, recorded 7 (and 1 more differs)",
            ),
            (
                differences(|record| record.executed[2] = Action::Discrete(1)),
                "executed action 0.5 at `conv3`, recorded 1",
            ),
            (
                differences(|record| record.ending = None),
                "ends after its last decision, recorded that it does not end",
            ),
            (differences(|record| record.outcome = None), "a candidate is scored, recorded none"),
            (
                differences(|record| record.reason = Some("diverged".to_owned())),
                "reason why it is not scored: none, recorded: diverged",
            ),
        ];
        for (found, words) in cases {
            assert_eq!(found, [words]);
        }
    }
}
