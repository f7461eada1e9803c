//! A custom agent, hill climbing: `cargo run --release --example custom_agent [RUN]`.

use std::{fs, io, path::Path};

use cgym_agents::{Agent, AgentError, Mode, Transition};
use cgym_env::Action;
use serde::{Deserialize, Serialize};

/// Repeats the best actions so far with one action changed.
#[derive(Serialize, Deserialize)]
struct HillClimber {
    best: (Option<f64>, Vec<f32>),
    trial: Vec<f32>,
    steps: usize,
}

impl Agent for HillClimber {
    fn name(&self) -> &str {
        "hill-climber"
    }
    fn act(&mut self, _observation: &[f32], mode: Mode) -> Result<Action, AgentError> {
        let actions = if mode == Mode::Explore { &self.trial } else { &self.best.1 };
        self.steps += 1;
        Ok(Action::scalar(actions[(self.steps - 1) % actions.len()]))
    }
    fn learn(&mut self, transition: &Transition<'_>) -> Result<(), AgentError> {
        if transition.ending.is_some() {
            if self.best.0.is_none_or(|best| transition.reward >= best) {
                self.best = (Some(transition.reward), self.trial.clone());
            }
            self.trial.clone_from(&self.best.1);
            let episode = self.steps / self.trial.len() - 1;
            let action = &mut self.trial[episode * 7 / 2 % self.best.1.len()];
            *action = (*action + [-0.15, 0.15][episode % 2]).clamp(0.2, 1.0);
        }
        Ok(())
    }
    fn save(&self, folder: &Path) -> Result<(), AgentError> {
        fs::write(folder.join("agent.json"), serde_json::to_vec(self).unwrap_or_default()).map_err(refuse)
    }
    fn load(&mut self, folder: &Path) -> Result<(), AgentError> {
        let bytes = fs::read(folder.join("agent.json")).map_err(refuse)?;
        serde_json::from_slice(&bytes).map(|saved| *self = saved).map_err(|error| refuse(error.into()))
    }
}

fn refuse(error: io::Error) -> AgentError {
    AgentError::Checkpoint { path: "agent.json".into(), reason: error.to_string() }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let out = std::env::args().nth(1).unwrap_or_else(|| "runs/hill-climber".to_owned());
    let world = cgym::world("AMC-ResNet20-Digits-MACs30-v0")?;
    let trial = vec![0.3; world.env().spec().steps()];
    let agent = HillClimber { best: (None, trial.clone()), trial, steps: 0 };
    let summary = cgym::search(&world, Box::new(agent), &cgym::Run::new(out).episodes(30))?;
    println!("{}", summary.table());
    Ok(())
}
