//! Reading observations by their layout: the current decision, and the rows of the whole network.

use cgym_env::{Env, Layout};

use crate::{AgentError, bounds::check_observation};

/// Reads the parts of an observation.
#[derive(Debug, Clone)]
pub(crate) struct Reader {
    layout: Layout,
    /// Numbers in an observation.
    length: usize,
}

impl Reader {
    /// A reader of the observations of `env`.
    ///
    /// # Errors
    /// [`AgentError::Spaces`] when a table's layout does not fit the observation space.
    pub(crate) fn new(agent: &str, env: &dyn Env) -> Result<Self, AgentError> {
        let (layout, length) = (env.spec().layout, env.observation_space().length());
        if let Layout::Table { rows, columns, mask } = layout
            && (rows * columns != length || mask + 1 >= columns)
        {
            return Err(AgentError::Spaces {
                agent: agent.to_owned(),
                reason: format!(
                    "a table of {rows} rows and {columns} columns, the mask in column {mask}, needs observations \
                     of {} numbers and a cursor after the mask; these have {length}",
                    rows * columns
                ),
            });
        }
        Ok(Self { layout, length })
    }

    /// Checks that `observation` has the right length and is finite.
    pub(crate) fn check(&self, agent: &str, observation: &[f32]) -> Result<(), AgentError> {
        check_observation(agent, observation, self.length)
    }

    /// Whether observations are tables.
    pub(crate) fn is_table(&self) -> bool {
        matches!(self.layout, Layout::Table { .. })
    }

    /// Features of a layer: columns before the mask; 0 where there is no table.
    pub(crate) fn features(&self) -> usize {
        match self.layout {
            Layout::Vector => 0,
            Layout::Table { mask, .. } => mask,
        }
    }

    /// Numbers in [`Reader::current`].
    pub(crate) fn width(&self) -> usize {
        match self.layout {
            Layout::Vector => self.length,
            // Features and cursor: all columns but the mask.
            Layout::Table { columns, .. } => columns - 1,
        }
    }

    /// Columns of the cursor; 0 where there is no table.
    pub(crate) fn cursor_width(&self) -> usize {
        if self.is_table() { self.width() - self.features() } else { 0 }
    }

    /// The current decision: the vector itself, or features and cursor of the table's current row;
    /// zeros after the last decision, when no row is current.
    pub(crate) fn current(&self, observation: &[f32]) -> Vec<f32> {
        let Layout::Table { mask, .. } = self.layout else { return observation.to_vec() };
        match self.rows(observation).find(|row| is_current(row, mask)) {
            Some(row) => [&row[..mask], &row[mask + 1..]].concat(),
            None => vec![0.0; self.width()],
        }
    }

    /// Index of the current row among the rows of layers; 0 where there is none.
    pub(crate) fn row(&self, observation: &[f32]) -> usize {
        let mask = self.features();
        self.rows(observation).position(|row| is_current(row, mask)).unwrap_or(0)
    }

    /// Features of all layers, row after row, which are the same in a whole episode; empty where there
    /// is no table.
    pub(crate) fn table(&self, observation: &[f32]) -> Vec<f32> {
        let mask = self.features();
        let mut table = Vec::with_capacity(observation.len());
        self.rows(observation).for_each(|row| table.extend_from_slice(&row[..mask]));
        table
    }

    /// Mean features of all layers; empty where there is no table.
    pub(crate) fn mean(&self, observation: &[f32]) -> Vec<f32> {
        let mut mean = vec![0.0; self.features()];
        let count = self.rows(observation).count().max(1) as f32;
        for row in self.rows(observation) {
            mean.iter_mut().zip(row).for_each(|(sum, feature)| *sum += feature / count);
        }
        mean
    }

    /// The rows of layers, without padding; none where there is no table.
    fn rows<'a>(&self, observation: &'a [f32]) -> impl Iterator<Item = &'a [f32]> {
        let (columns, mask) = match self.layout {
            Layout::Vector => (observation.len() + 1, 0),
            Layout::Table { columns, mask, .. } => (columns, mask),
        };
        observation.chunks_exact(columns).filter(move |row| row[mask] > 0.5)
    }
}

fn is_current(row: &[f32], mask: usize) -> bool {
    row[mask + 1..].iter().any(|&number| number != 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three rows of which the last is padding: two features, the mask, a cursor of two.
    const OBSERVATION: [f32; 15] =
        [0.1, 0.2, 1.0, 0.0, 0.0, 0.3, 0.6, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0];

    fn table() -> Reader {
        Reader { layout: Layout::Table { rows: 3, columns: 5, mask: 2 }, length: 15 }
    }

    #[test]
    fn the_current_row_is_the_one_under_the_cursor() {
        assert_eq!(table().current(&OBSERVATION), [0.3, 0.6, 0.0, 1.0]);
        assert_eq!((table().row(&OBSERVATION), table().width(), table().cursor_width()), (1, 4, 2));
        assert_eq!(table().current(&[0.0; 15]), [0.0; 4]);
    }

    #[test]
    fn padding_is_no_part_of_the_network() {
        assert_eq!(table().table(&OBSERVATION), [0.1, 0.2, 0.3, 0.6]);
        assert_eq!(table().mean(&OBSERVATION), [0.2, 0.4]);
    }

    #[test]
    fn a_vector_is_read_as_it_is() {
        let reader = Reader { layout: Layout::Vector, length: 3 };
        assert_eq!(reader.current(&[1.0, 2.0, 3.0]), [1.0, 2.0, 3.0]);
        assert_eq!((reader.width(), reader.features(), reader.cursor_width()), (3, 0, 0));
        assert!(reader.table(&[1.0, 2.0, 3.0]).is_empty() && reader.mean(&[1.0, 2.0, 3.0]).is_empty());
    }
}
