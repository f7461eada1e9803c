//! Flat parameters of a network, and the parts of a backward pass that all networks share.
//!
//! The parameters of a network are one flat array: an optimiser step is one pass over it, and a
//! checkpoint stores it as it is. A gradient has the same order.

use std::ops::Range;

use rand::{Rng, RngExt};

/// Arrays `[rows, columns]` laid end to end.
#[derive(Clone, Default)]
pub(crate) struct Parameters {
    shapes: Vec<[usize; 2]>,
    /// Where each array starts.
    starts: Vec<usize>,
    values: Vec<f32>,
}

impl Parameters {
    /// Adds an array drawn from U(-limit, limit) and returns its index.
    pub(crate) fn draw(&mut self, shape: [usize; 2], limit: f32, rng: &mut impl Rng) -> usize {
        self.starts.push(self.values.len());
        self.shapes.push(shape);
        let drawn = (0..shape[0] * shape[1]).map(|_| limit * (2.0 * rng.random::<f32>() - 1.0));
        self.values.extend(drawn);
        self.shapes.len() - 1
    }

    /// All arrays, one after the other.
    pub(crate) fn values(&self) -> &[f32] {
        &self.values
    }

    /// All arrays, to be changed in place.
    pub(crate) fn values_mut(&mut self) -> &mut [f32] {
        &mut self.values
    }

    /// Rows and columns of the array at `index`.
    pub(crate) fn shape(&self, index: usize) -> [usize; 2] {
        self.shapes[index]
    }

    /// The place of the array at `index` in the flat parameters, and in their gradient.
    pub(crate) fn range(&self, index: usize) -> Range<usize> {
        let [rows, columns] = self.shapes[index];
        self.starts[index]..self.starts[index] + rows * columns
    }

    /// The array at `index`, row after row.
    pub(crate) fn array(&self, index: usize) -> &[f32] {
        &self.values[self.range(index)]
    }

    /// Number of arrays.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.shapes.len()
    }
}

/// Side of the blocks that [`transpose`] copies, so that reads and writes stay in the cache.
const BLOCK: usize = 16;

/// Writes the transpose of row-major `values` into `result`, which is resized.
pub(crate) fn transpose_into(values: &[f32], [rows, columns]: [usize; 2], result: &mut Vec<f32>) {
    result.resize(rows * columns, 0.0);
    for first_row in (0..rows).step_by(BLOCK) {
        for first_column in (0..columns).step_by(BLOCK) {
            let width = BLOCK.min(rows - first_row);
            for column in first_column..(first_column + BLOCK).min(columns) {
                let to = &mut result[column * rows + first_row..][..width];
                let from = values[first_row * columns + column..].iter().step_by(columns);
                to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
            }
        }
    }
}

/// The transpose of row-major `values`.
pub(crate) fn transpose(values: &[f32], shape: [usize; 2]) -> Vec<f32> {
    let mut result = Vec::new();
    transpose_into(values, shape, &mut result);
    result
}

/// Adds every row of `rows` to `sums`.
pub(crate) fn add_rows(rows: &[f32], sums: &mut [f32]) {
    for row in rows.chunks_exact(sums.len().max(1)) {
        sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transpose_exchanges_rows_and_columns() {
        let values: Vec<f32> = (0..19 * 37).map(|value| value as f32).collect();
        let flipped = transpose(&values, [19, 37]);
        assert!((0..19 * 37).all(|place| flipped[place] == values[place % 19 * 37 + place / 19]));
        assert_eq!(transpose(&flipped, [37, 19]), values);
        assert!(transpose(&[], [0, 3]).is_empty());
    }
}
