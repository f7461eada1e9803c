//! An agent of one's own, written against the public contract: hill climbing.
//!
//! `cargo run --release --example custom_agent`

use cgym_agents::{Agent, AgentError, Mode, Transition, run_episode};
use cgym_env::Action;

/// Repeats the best sequence so far with one decision nudged.
struct HillClimber {
    best: (f64, Vec<f32>),
    trial: Vec<f32>,
    episode: usize,
    step: usize,
}

impl Agent for HillClimber {
    fn name(&self) -> &str {
        "hill-climber"
    }

    fn act(&mut self, _observation: &[f32], _mode: Mode) -> Result<Action, AgentError> {
        self.step += 1;
        Ok(Action::scalar(self.trial[self.step - 1]))
    }

    fn learn(&mut self, transition: &Transition<'_>) -> Result<(), AgentError> {
        if transition.ending.is_some() {
            if transition.reward >= self.best.0 {
                self.best = (transition.reward, self.trial.clone());
            }
            self.trial = self.best.1.clone();
            let nudge = if self.episode.is_multiple_of(2) { -0.15 } else { 0.15 };
            let decision = self.episode * 7 / 2 % self.trial.len();
            self.trial[decision] = (self.trial[decision] + nudge).clamp(0.2, 1.0);
            (self.step, self.episode) = (0, self.episode + 1);
        }
        Ok(())
    }

    fn save(&self, _directory: &std::path::Path) -> Result<(), AgentError> {
        Ok(())
    }

    fn load(&mut self, _directory: &std::path::Path) -> Result<(), AgentError> {
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut env = cgym::environment("AMC-ResNet20-Digits-MACs30-v0")?;
    let start = vec![0.3; env.spec().steps()];
    let mut agent =
        HillClimber { best: (f64::NEG_INFINITY, start.clone()), trial: start, episode: 0, step: 0 };
    for episode in 0..30 {
        let record = run_episode(&mut *env, &mut agent, episode, Mode::Explore)?;
        println!("episode {episode:2}: return {:.4}, best {:.4}", record.episodic_return, agent.best.0);
    }
    Ok(())
}
