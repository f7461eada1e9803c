//! Products of small f32 matrices, for networks of fully connected and recurrent layers.
//!
//! A tile of the result stays in registers while a row of the right matrix is multiplied by a column
//! of the left one. Sums run in a fixed order on one thread: results depend on the instruction set
//! only.
#![expect(unsafe_code, reason = "reads and writes through pointers into checked slices")]

use crate::{
    Isa,
    vector::{Kernel, Vector, dispatch},
};

/// A matrix that is only read: its numbers, and how far apart its rows and columns are.
#[derive(Debug, Clone, Copy)]
pub struct Matrix<'a> {
    values: &'a [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a> Matrix<'a> {
    /// The matrix `[rows][columns]` of row-major `values`.
    ///
    /// # Panics
    /// When there are not as many values.
    pub fn new(values: &'a [f32], [rows, columns]: [usize; 2]) -> Self {
        assert_eq!(values.len(), rows * columns, "a matrix of {rows} rows and {columns} columns");
        Self { values, rows, columns, row_stride: columns, column_stride: 1 }
    }

    /// The same numbers with rows and columns exchanged; nothing is copied.
    pub fn transposed(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }
}

/// Adds `left · right` to `sum`; `left` is `[m][k]`, `right` `[k][n]` and `sum` `[m][n]` in row-major
/// order.
///
/// # Panics
/// When a slice has another length.
pub fn add_product(left: Matrix<'_>, right: &[f32], sum: &mut [f32]) {
    product_on(Isa::best(), left, right, sum, true);
}

/// Writes `left · right` to `result`, whose numbers before do not matter; shapes as in
/// [`add_product`].
///
/// # Panics
/// As [`add_product`].
pub fn product(left: Matrix<'_>, right: &[f32], result: &mut [f32]) {
    product_on(Isa::best(), left, right, result, false);
}

fn product_on(isa: Isa, left: Matrix<'_>, right: &[f32], sum: &mut [f32], add: bool) {
    let (m, k) = (left.rows, left.columns);
    let n = sum.len().checked_div(m).unwrap_or(0);
    assert_eq!(
        [sum.len(), right.len()],
        [m * n, k * n],
        "the lengths of a product of {m} rows and {k} terms"
    );
    if k == 0 && !add {
        sum.fill(0.0);
    }
    if m == 0 || n == 0 || k == 0 {
        return;
    }
    let done = dispatch(isa, Product { left, right, sum, n, add });
    debug_assert!(done.is_ok(), "the instruction set was found on this processor");
}

/// The arguments of a product whose lengths are checked.
struct Product<'a> {
    left: Matrix<'a>,
    right: &'a [f32],
    sum: &'a mut [f32],
    n: usize,
    /// Whether the numbers in `sum` are added to.
    add: bool,
}

/// Columns of the product that are computed together: where their part of the right matrix and of
/// the sum starts, and how far apart rows of the two are.
#[derive(Clone, Copy)]
struct Panel {
    right: *const f32,
    right_stride: usize,
    sum: *mut f32,
    sum_stride: usize,
    /// As in [`Product`].
    add: bool,
}

impl Kernel for Product<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let (n, add) = (self.n, self.add);
        let (right, sum) = (self.right.as_ptr(), self.sum.as_mut_ptr());
        // SAFETY: a panel starts at a column below n.
        let at = |column: usize| unsafe {
            Panel { right: right.add(column), right_stride: n, sum: sum.add(column), sum_stride: n, add }
        };
        let mut column = 0;
        // SAFETY: the caller has the instruction set; all vectors of a panel end at column n or before
        // it.
        unsafe {
            // Few rows leave registers for more columns.
            while self.left.rows <= 2 && column + 8 * V::LANES <= n {
                rows::<V, 8>(self.left, at(column));
                column += 8 * V::LANES;
            }
            while column + 2 * V::LANES <= n {
                rows::<V, 2>(self.left, at(column));
                column += 2 * V::LANES;
            }
            while column + V::LANES <= n {
                rows::<V, 1>(self.left, at(column));
                column += V::LANES;
            }
            if column < n {
                rest::<V>(self.left, at(column), n - column);
            }
        }
    }
}

/// The last columns, `width` of them, fewer than a vector has lanes: with copies filled up by zeros.
///
/// # Safety
/// The processor has the instruction set of `V`, and `panel` lies in its matrices.
#[inline(always)]
unsafe fn rest<V: Vector>(left: Matrix<'_>, panel: Panel, width: usize) {
    let (m, k) = (left.rows, left.columns);
    let mut copy = vec![0.0f32; (m + k) * V::LANES];
    let (right, sum) = copy.split_at_mut(k * V::LANES);
    // SAFETY: `width` columns of each row lie in the matrices; a row of a copy has `LANES`.
    unsafe {
        for (row, copy) in right.chunks_exact_mut(V::LANES).enumerate() {
            let from = panel.right.add(row * panel.right_stride);
            copy[..width].copy_from_slice(std::slice::from_raw_parts(from, width));
        }
        let padded = Panel {
            right: right.as_ptr(),
            right_stride: V::LANES,
            sum: sum.as_mut_ptr(),
            sum_stride: V::LANES,
            add: false,
        };
        rows::<V, 1>(left, padded);
        for (row, copy) in sum.chunks_exact(V::LANES).enumerate() {
            let to = std::slice::from_raw_parts_mut(panel.sum.add(row * panel.sum_stride), width);
            let before = |sum: f32| if panel.add { sum } else { 0.0 };
            to.iter_mut().zip(copy).for_each(|(sum, more)| *sum = before(*sum) + more);
        }
    }
}

/// All rows of `COLUMNS` vectors of columns.
///
/// # Safety
/// As [`rest`].
#[inline(always)]
unsafe fn rows<V: Vector, const COLUMNS: usize>(left: Matrix<'_>, panel: Panel) {
    let mut row = 0;
    // SAFETY: the tiles end at the last row or before it.
    unsafe {
        // Sums of 12 rows fill the registers of AVX-512, of 6 those of AVX2.
        if V::LANES > 8 && COLUMNS <= 2 {
            while row + 12 <= left.rows {
                tile::<V, 12, COLUMNS>(left, panel, row);
                row += 12;
            }
        }
        if COLUMNS <= 2 {
            while row + 6 <= left.rows {
                tile::<V, 6, COLUMNS>(left, panel, row);
                row += 6;
            }
            if row + 4 <= left.rows {
                tile::<V, 4, COLUMNS>(left, panel, row);
                row += 4;
            }
            if row + 2 <= left.rows {
                tile::<V, 2, COLUMNS>(left, panel, row);
                row += 2;
            }
        }
        while row < left.rows {
            tile::<V, 1, COLUMNS>(left, panel, row);
            row += 1;
        }
    }
}

/// `ROWS` rows from `row` on of `COLUMNS` vectors of columns.
///
/// # Safety
/// As [`rest`], and the rows exist.
#[inline(always)]
unsafe fn tile<V: Vector, const ROWS: usize, const COLUMNS: usize>(
    left: Matrix<'_>,
    panel: Panel,
    row: usize,
) {
    // SAFETY: as the caller promises.
    unsafe {
        let first = left.values.as_ptr().add(row * left.row_stride);
        if left.row_stride == 1 {
            accumulate::<V, ROWS, COLUMNS>((first, 1, left.column_stride), left.columns, panel, row);
        } else {
            accumulate::<V, ROWS, COLUMNS>((first, left.row_stride, 1), left.columns, panel, row);
        }
    }
}

/// The sums of a tile over all `terms`; `(left, row_stride, column_stride)` is its part of the left
/// matrix.
///
/// # Safety
/// As [`tile`].
#[inline(always)]
unsafe fn accumulate<V: Vector, const ROWS: usize, const COLUMNS: usize>(
    (left, row_stride, column_stride): (*const f32, usize, usize),
    terms: usize,
    panel: Panel,
    row: usize,
) {
    // SAFETY: as the caller promises.
    unsafe {
        let place =
            |index: usize, column: usize| panel.sum.add((row + index) * panel.sum_stride + column * V::LANES);
        // Indices instead of iterators over arrays: these would be copied to the stack and back.
        let mut sums = [[V::splat(0.0); COLUMNS]; ROWS];
        if panel.add {
            for (index, sums) in sums.iter_mut().enumerate() {
                for (column, sum) in sums.iter_mut().enumerate() {
                    *sum = V::load(place(index, column));
                }
            }
        }
        let mut vectors = [V::splat(0.0); COLUMNS];
        for term in 0..terms {
            let from = panel.right.add(term * panel.right_stride);
            for (column, vector) in vectors.iter_mut().enumerate() {
                *vector = V::load(from.add(column * V::LANES));
            }
            let left = left.add(term * column_stride);
            for (index, sums) in sums.iter_mut().enumerate() {
                let factor = V::splat(*left.add(index * row_stride));
                for (column, sum) in sums.iter_mut().enumerate() {
                    *sum = vectors[column].mul_add(factor, *sum);
                }
            }
        }
        for (index, sums) in sums.iter().enumerate() {
            for (column, sum) in sums.iter().enumerate() {
                sum.store(place(index, column));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(count: usize) -> Vec<f32> {
        (0..count).map(|index| ((index * 7919 + 13) % 101) as f32 / 101.0 - 0.5).collect()
    }

    #[test]
    fn a_product_is_the_sum_over_all_terms_for_every_size_and_instruction_set() {
        for isa in Isa::available() {
            for [m, k, n] in [[1, 1, 1], [13, 5, 300], [300, 64, 33], [2, 30, 120], [5, 40, 7], [27, 11, 16]]
            {
                let (left, right) = (numbers(m * k), numbers(k * n));
                let mut expected = numbers(m * n);
                for row in 0..m {
                    for column in 0..n {
                        expected[row * n + column] +=
                            (0..k).map(|term| left[row * k + term] * right[term * n + column]).sum::<f32>();
                    }
                }
                let flipped: Vec<f32> = (0..m * k).map(|index| left[index % m * k + index / m]).collect();
                let stored = [Matrix::new(&left, [m, k]), Matrix::new(&flipped, [k, m]).transposed()];
                for left in stored {
                    let before = numbers(m * n);
                    let (mut sum, mut alone) = (before.clone(), vec![f32::NAN; m * n]);
                    product_on(isa, left, &right, &mut sum, true);
                    product_on(isa, left, &right, &mut alone, false);
                    let near = |a: f32, b: f32| (a - b).abs() < 1e-4;
                    for (index, &expected) in expected.iter().enumerate() {
                        assert!(near(sum[index], expected), "{isa}: {m} × {k} × {n}");
                        assert!(near(alone[index], expected - before[index]), "{isa}: {m} × {k} × {n}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_product_of_no_terms_is_zero() {
        let mut sum = [1.0, 2.0];
        add_product(Matrix::new(&[], [1, 0]), &[], &mut sum);
        assert_eq!(sum, [1.0, 2.0]);
        product(Matrix::new(&[], [1, 0]), &[], &mut sum);
        assert_eq!(sum, [0.0, 0.0]);
    }
}
