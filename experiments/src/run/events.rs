//! What TensorBoard shows of a run.
//!
//! The events of the agent lie in the run directory itself, those of each baseline and of the teacher in
//! `baselines/<policy>/`. TensorBoard shows each folder as a run, so that tags of the same name share
//! a chart: `charts/best_return` compares the agent with its baselines, and `test/top1` has one value
//! for each of them, at the last episode.

use cgym_env::{Action, Env, EnvSpec, EpisodeRecord};

use super::{Played, RunDirectory, best::admitted};
use crate::{
    Error,
    config::Config,
    report::{self, Row},
    tensorboard::{HParam, TensorBoard},
};

/// Tag of the greatest return of an admissible candidate so far.
pub(super) const BEST_RETURN: &str = "charts/best_return";
/// Tag of an episode's return.
const RETURN: &str = "charts/episodic_return";
/// Tag of the accuracy on the test split, once at the end.
pub(super) const TEST_TOP1: &str = "test/top1";
/// Tag of the accuracy on the reward split.
const TOP1: &str = "info/accuracy";

/// Logs an episode: its return, the best so far, costs and actions.
pub(super) fn episode(
    board: &mut TensorBoard,
    record: &EpisodeRecord,
    best: Option<&EpisodeRecord>,
    spec: &EnvSpec,
    step: usize,
) {
    board.scalar(RETURN, record.episodic_return, step);
    if let Some(best) = best {
        board.scalar(BEST_RETURN, best.episodic_return, step);
    }
    for (tag, value) in figures(record, spec) {
        board.scalar(&tag, value, step);
    }
    let executed: Vec<f64> = record.executed.iter().flat_map(Action::to_floats).map(f64::from).collect();
    let discrete = record.executed.iter().any(|action| matches!(action, Action::Discrete(_)));
    board.histogram(if discrete { "actions" } else { "preserve_ratios" }, &executed, step);
}

/// The scalars of an episode beside its return.
fn figures(record: &EpisodeRecord, spec: &EnvSpec) -> Vec<(String, f64)> {
    let mut figures = Vec::new();
    if let Some(outcome) = &record.outcome {
        figures.extend([
            (TOP1.to_owned(), outcome.top1),
            ("info/macs".to_owned(), outcome.macs as f64),
            ("info/parameters".to_owned(), outcome.parameters as f64),
            ("info/bytes".to_owned(), outcome.bytes as f64),
            ("info/preserve_ratio".to_owned(), outcome.preserve_ratio),
            ("info/compression".to_owned(), 1.0 - outcome.preserve_ratio),
        ]);
        figures.extend(outcome.loss.map(|loss| ("losses/distillation".to_owned(), loss)));
    }
    // Candidates that are built from decisions can fail to be networks.
    if record.outcome.as_ref().is_none_or(|outcome| outcome.architecture.is_some()) {
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

/// Logs the baselines and the teacher, each in a folder of its own. `rows` are those of the summary;
/// `last` is the number of the agent's last episode, up to which a policy of fewer episodes keeps its
/// best return.
pub(super) fn baselines(
    directory: &RunDirectory,
    env: &dyn Env,
    played: &[Played],
    rows: &[Row],
    last: usize,
) {
    let test_top1 = |policy: &str| rows.iter().find(|row| row.policy == policy).and_then(|row| row.test_top1);
    for (policy, records) in played {
        let mut board = TensorBoard::create(&directory.join("baselines").join(policy));
        let mut best: Option<&EpisodeRecord> = None;
        for (step, record) in records.iter().enumerate() {
            let better = |best: &EpisodeRecord| record.episodic_return > best.episodic_return;
            if admitted(env, record) && best.is_none_or(better) {
                best = Some(record);
            }
            episode(&mut board, record, best, env.spec(), step);
        }
        if let Some(best) = best.filter(|_| records.len() <= last) {
            board.scalar(BEST_RETURN, best.episodic_return, last);
        }
        if let Some(top1) = test_top1(policy) {
            board.scalar(TEST_TOP1, top1, last);
        }
    }
    let Some(teacher) = rows.iter().find(|row| row.policy == "teacher") else { return };
    let mut board = TensorBoard::create(&directory.join("baselines").join("teacher"));
    if let Some(top1) = teacher.reward_top1 {
        board.scalar(TOP1, top1, 0);
        board.scalar(TOP1, top1, last.max(1));
    }
    if let Some(top1) = teacher.test_top1 {
        board.scalar(TEST_TOP1, top1, last);
    }
}

/// Logs the configuration, and the hyper-parameters of TensorBoard's table of runs: what tells runs
/// apart comes first, and `learning_rate` is written `lr`.
///
/// # Errors
/// When a value has no spelling in TOML.
pub(super) fn describe(board: &mut TensorBoard, config: &Config, hash: &str) -> Result<(), Error> {
    board.text("config", &format!("```toml\n{}```\n", config.to_toml()?));
    let mut hparams = vec![
        ("agent".to_owned(), HParam::Text(config.agent.clone())),
        ("seed".to_owned(), HParam::Number(config.run.seed as f64)),
        ("env".to_owned(), HParam::Text(config.env.id())),
        ("budget".to_owned(), HParam::Text(budget(config))),
        ("episodes".to_owned(), HParam::Number(config.episodes() as f64)),
    ];
    let known = hparams.len();
    for (key, value) in &config.agent_settings {
        let name = key.replace("learning_rate", "lr");
        let taken = hparams[..known].iter().any(|(other, _)| *other == name);
        hparams.push((if taken { format!("agent.{name}") } else { name }, HParam::from(value)));
    }
    hparams.push(("settings".to_owned(), HParam::Text(hash.to_owned())));
    board.hparams(&hparams, &[BEST_RETURN, RETURN, TEST_TOP1]);
    Ok(())
}

/// The budget in short, like `MACs 0.3`.
fn budget(config: &Config) -> String {
    let budget = &config.env.budget;
    budget
        .share
        .map_or("none".to_owned(), |share| format!("{} {share}", report::unit_title(budget.unit.as_str())))
}
