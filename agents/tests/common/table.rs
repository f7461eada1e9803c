//! An environment whose observations are tables, small enough to try every candidate.

use cgym_env::{Action, Env, EnvError, EnvSpec, Info, Layout, Outcome, Preview, ResetOptions, Space, Step};

/// Worth and cost of the rows; later rows repeat them.
const ROWS: [[f32; 2]; 8] =
    [[0.9, 0.3], [0.2, 0.7], [0.45, 0.5], [0.1, 0.6], [0.7, 0.2], [0.8, 0.6], [0.3, 0.8], [0.6, 0.1]];
/// Rows of padding.
const PADDING: usize = 3;
/// Worth, cost, mask, cursor.
const COLUMNS: usize = 4;
/// Penalty for removing two neighbours.
const GAP: f64 = 0.1;

/// An environment without a budget and with one decision per row: the share of it to keep. The return,
/// given at the last step, is the mean over rows of `share · (worth − cost)`, less penalties for gaps.
#[derive(Clone)]
pub struct TableToy {
    spec: EnvSpec,
    observations: Space,
    actions: Space,
    rows: usize,
    /// A row that is kept whatever the action.
    fixed: Option<usize>,
    kept: Vec<f64>,
    running: bool,
}

impl TableToy {
    /// `rows` rows, to keep or to remove.
    pub fn new(rows: usize) -> Self {
        Self {
            spec: EnvSpec {
                id: "TableToy-v0".to_owned(),
                decisions: (0..rows).map(|row| format!("layer{row}")).collect(),
                reward: "worth".to_owned(),
                unit: "params".to_owned(),
                budget: None,
                layout: Layout::Table { rows: rows + PADDING, columns: COLUMNS, mask: 2 },
                settings: String::new(),
            },
            observations: Space::vector((rows + PADDING) * COLUMNS, 0.0, 1.0),
            actions: Space::Discrete { count: 2 },
            rows,
            fixed: None,
            kept: Vec::new(),
            running: false,
        }
    }

    pub fn with_actions(mut self, actions: Space) -> Self {
        self.actions = actions;
        self
    }

    pub fn with_fixed(mut self, row: usize) -> Self {
        self.fixed = Some(row);
        self
    }

    pub fn score(&self, kept: &[f64]) -> f64 {
        let worth = |(row, share): (usize, &f64)| share * f64::from(ROWS[row % 8][0] - ROWS[row % 8][1]);
        let own: f64 = kept.iter().enumerate().map(worth).sum();
        let gaps: f64 = kept.windows(2).map(|pair| (1.0 - pair[0]) * (1.0 - pair[1])).sum();
        (own - GAP * gaps) / self.rows as f64
    }

    /// The best return, found by trying all candidates.
    pub fn best_return(&self) -> f64 {
        let candidate =
            |bits: u32| (0..self.rows).map(|row| f64::from(bits >> row & 1)).collect::<Vec<f64>>();
        (0..1 << self.rows).map(|bits| self.score(&candidate(bits))).fold(f64::NEG_INFINITY, f64::max)
    }

    pub fn observation(&self) -> Vec<f32> {
        let row = |row: usize| {
            let [worth, cost] = ROWS[row % 8];
            [worth, cost, 1.0, f32::from(u8::from(row == self.kept.len()))]
        };
        let layers = (0..self.rows).flat_map(row);
        layers.chain(std::iter::repeat_n(0.0, PADDING * COLUMNS)).collect()
    }

    fn share(&self, action: &Action) -> f64 {
        match (&self.actions, action) {
            (Space::Discrete { count }, Action::Discrete(index)) => *index as f64 / (count - 1) as f64,
            (_, action) => f64::from(action.to_floats()[0]),
        }
    }
}

impl Env for TableToy {
    fn spec(&self) -> &EnvSpec {
        &self.spec
    }

    fn observation_space(&self) -> &Space {
        &self.observations
    }

    fn action_space(&self) -> &Space {
        &self.actions
    }

    fn reset(&mut self, _seed: u64, _options: &ResetOptions) -> Result<Vec<f32>, EnvError> {
        self.kept.clear();
        self.running = true;
        Ok(self.observation())
    }

    fn step(&mut self, action: &Action) -> Result<Step, EnvError> {
        if !self.running {
            return Err(EnvError::NeedsReset);
        }
        if !self.actions.contains_action(action) {
            return Err(EnvError::IllegalAction {
                action: format!("{action:?}"),
                decision: self.spec.decisions[self.kept.len()].clone(),
                expected: format!("{:?}", self.actions),
            });
        }
        let executed = match (&self.actions, self.fixed == Some(self.kept.len())) {
            (_, false) => action.clone(),
            (Space::Discrete { count }, true) => Action::Discrete(count - 1),
            (Space::Box { .. }, true) => Action::scalar(1.0),
        };
        self.kept.push(self.share(&executed));
        let mut info = Info { executed: Some(executed), ..Info::default() };
        if self.kept.len() < self.rows {
            return Ok(Step::transition(self.observation(), 0.0, info));
        }
        self.running = false;
        info.outcome = Some(Box::new(Outcome {
            top1: 0.0,
            macs: 0,
            parameters: 0,
            bytes: 0,
            preserve_ratio: self.kept.iter().sum::<f64>() / self.rows as f64,
            kept: Vec::new(),
            architecture: None,
            loss: None,
        }));
        Ok(Step::termination(self.observation(), self.score(&self.kept), info))
    }

    fn preview(&self, options: &ResetOptions, actions: &[Action]) -> Result<Preview, EnvError> {
        let mut copy = self.clone();
        copy.reset(0, options)?;
        let mut executed = Vec::new();
        for action in actions {
            executed.extend(copy.step(action)?.info().executed.clone());
        }
        Ok(Preview {
            executed,
            clipped: false,
            preserve_ratio: copy.kept.iter().sum::<f64>() / self.rows as f64,
        })
    }

    fn fork(&self) -> Option<Box<dyn Env>> {
        Some(Box::new(self.clone()))
    }
}
