//! Symmetric matrices for least squares: Gram matrices, Cholesky factors, triangular solves.
//!
//! All matrices are dense, square ones of side n as `[n][n]` in row-major order, in f64. Sums run in
//! a fixed order on one thread, so results do not depend on the number of threads.
#![expect(unsafe_code, reason = "calls a matrix product with pointers into checked slices")]

use crate::KernelError;
use crate::error::check_length;
use gemm::Parallelism;

/// Rows and columns that are eliminated together.
const BLOCK: usize = 64;

/// A part of a row-major matrix: where it starts, and how far apart its rows and columns are.
#[derive(Clone, Copy)]
struct View {
    start: usize,
    row_stride: usize,
    column_stride: usize,
}

impl View {
    fn last(self, rows: usize, columns: usize) -> usize {
        self.start + (rows - 1) * self.row_stride + (columns - 1) * self.column_stride
    }

    fn transposed(self) -> Self {
        Self { row_stride: self.column_stride, column_stride: self.row_stride, ..self }
    }
}

/// `c -= a · b` for views of one matrix, of `[m][k]` and `[k][n]`, the part `c` read by neither.
fn subtract_product(matrix: &mut [f64], [m, n, k]: [usize; 3], c: View, a: View, b: View) {
    if m == 0 || n == 0 || k == 0 {
        return;
    }
    assert!(c.last(m, n) < matrix.len() && a.last(m, k) < matrix.len() && b.last(k, n) < matrix.len());
    let base = matrix.as_mut_ptr();
    // SAFETY: all views end within `matrix`, as asserted; the callers below pass a `c` whose
    // elements are in neither `a` nor `b`, so nothing is read while it is written.
    unsafe { product(base.add(c.start), c, base.add(a.start), a, base.add(b.start), b, [m, n, k], -1.0) }
}

/// `c += sign · a · b`.
///
/// # Safety
/// The pointers reach all elements of their views and `c` overlaps neither of the others.
#[expect(clippy::too_many_arguments, reason = "three strided matrices are what a product takes")]
unsafe fn product<T: gemm_number::Number>(
    c: *mut T,
    c_view: View,
    a: *const T,
    a_view: View,
    b: *const T,
    b_view: View,
    [m, n, k]: [usize; 3],
    sign: T,
) {
    // SAFETY: as the caller promises; strides are those of slices and so fit `isize`.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            c,
            c_view.column_stride as isize,
            c_view.row_stride as isize,
            true,
            a,
            a_view.column_stride as isize,
            a_view.row_stride as isize,
            b,
            b_view.column_stride as isize,
            b_view.row_stride as isize,
            T::ONE,
            sign,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

mod gemm_number {
    /// The numbers that are multiplied here.
    pub trait Number: 'static {
        /// One.
        const ONE: Self;
    }

    impl Number for f32 {
        const ONE: Self = 1.0;
    }

    impl Number for f64 {
        const ONE: Self = 1.0;
    }
}

/// Adds `rowsᵀ · rows` to `gram`; `rows` is `[count][width]`, `gram` `[width][width]`.
///
/// Products are summed in f32 within this call and in f64 over calls: pass a few hundred rows at
/// a time.
///
/// # Errors
/// [`KernelError::Length`] when a slice has another length.
pub fn add_gram(rows: &[f32], width: usize, gram: &mut [f64]) -> Result<(), KernelError> {
    let count = rows.len().checked_div(width).unwrap_or(0);
    check_length("rows", rows.len(), count * width)?;
    check_length("gram", gram.len(), width * width)?;
    if count == 0 {
        return Ok(());
    }
    let mut part = vec![0.0f32; width * width];
    let view = View { start: 0, row_stride: width, column_stride: 1 };
    // SAFETY: `part` has width × width elements, `rows` count × width, as checked above; they are
    // different allocations.
    unsafe {
        let rows = rows.as_ptr();
        product(part.as_mut_ptr(), view, rows, view.transposed(), rows, view, [width, width, count], 1.0f32);
    }
    gram.iter_mut().zip(&part).for_each(|(sum, value)| *sum += f64::from(*value));
    Ok(())
}

/// `left · right` for `[m][k]` and `[k][n]`.
///
/// # Errors
/// [`KernelError::Length`] when a slice has another length.
pub fn multiply(left: &[f64], right: &[f64], [m, k, n]: [usize; 3]) -> Result<Vec<f64>, KernelError> {
    check_length("left", left.len(), m * k)?;
    check_length("right", right.len(), k * n)?;
    let mut result = vec![0.0; m * n];
    if m * n * k > 0 {
        let view = |columns: usize| View { start: 0, row_stride: columns, column_stride: 1 };
        // SAFETY: the lengths are those of the views, as checked above; `result` is its own
        // allocation.
        unsafe {
            let (left, right) = (left.as_ptr(), right.as_ptr());
            product(result.as_mut_ptr(), view(n), left, view(k), right, view(n), [m, n, k], 1.0f64);
        }
    }
    Ok(result)
}

/// Replaces the lower triangle of a symmetric positive definite matrix by its Cholesky factor.
///
/// # Errors
/// [`KernelError::Length`] unless the matrix is `[n][n]`; [`KernelError::NotPositive`] when a pivot
/// is not above zero.
pub fn cholesky(matrix: &mut [f64], n: usize) -> Result<(), KernelError> {
    check_length("matrix", matrix.len(), n * n)?;
    let view = |row: usize, column: usize| View { start: row * n + column, row_stride: n, column_stride: 1 };
    for start in (0..n).step_by(BLOCK) {
        let end = (start + BLOCK).min(n);
        // Everything from `start` down, less what the columns before explain.
        let panel = view(start, 0);
        subtract_product(
            matrix,
            [n - start, end - start, start],
            view(start, start),
            panel,
            panel.transposed(),
        );
        for column in start..end {
            let (before, rest) = matrix.split_at_mut((column + 1) * n);
            let pivot_row = &mut before[column * n..];
            let explained: f64 = pivot_row[start..column].iter().map(|value| value * value).sum();
            let pivot = pivot_row[column] - explained;
            if pivot.is_nan() || pivot <= 0.0 {
                return Err(KernelError::NotPositive { row: column });
            }
            let root = pivot.sqrt();
            pivot_row[column] = root;
            for row in rest.chunks_exact_mut(n) {
                let dot: f64 =
                    row[start..column].iter().zip(&pivot_row[start..column]).map(|(a, b)| a * b).sum();
                row[column] = (row[column] - dot) / root;
            }
        }
    }
    Ok(())
}

/// Solves `L · Lᵀ · x = right` in place for the factor of [`cholesky`]; `right` is `[n][m]`.
///
/// # Errors
/// [`KernelError::Length`] when a slice has another length.
pub fn cholesky_solve(factor: &[f64], n: usize, right: &mut [f64], m: usize) -> Result<(), KernelError> {
    check_length("factor", factor.len(), n * n)?;
    check_length("right", right.len(), n * m)?;
    for row in 0..n {
        let (done, rest) = right.split_at_mut(row * m);
        let current = &mut rest[..m];
        for (column, solved) in done.chunks_exact(m).enumerate() {
            let coefficient = factor[row * n + column];
            current.iter_mut().zip(solved).for_each(|(value, solved)| *value -= coefficient * solved);
        }
        current.iter_mut().for_each(|value| *value /= factor[row * n + row]);
    }
    for row in (0..n).rev() {
        let (before, rest) = right.split_at_mut((row + 1) * m);
        let current = &mut before[row * m..];
        for (offset, solved) in rest.chunks_exact(m).enumerate() {
            let coefficient = factor[(row + 1 + offset) * n + row];
            current.iter_mut().zip(solved).for_each(|(value, solved)| *value -= coefficient * solved);
        }
        current.iter_mut().for_each(|value| *value /= factor[row * n + row]);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(count: usize, mut state: u64) -> Vec<f32> {
        let mut next = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            ((state >> 40) as f32 / (1 << 24) as f32) - 0.5
        };
        (0..count).map(|_| next()).collect()
    }

    #[test]
    fn a_gram_matrix_is_the_sum_of_products_of_columns() {
        let (count, width) = (37, 13);
        let rows = numbers(count * width, 1);
        let mut gram = vec![1.0; width * width];
        add_gram(&rows, width, &mut gram).expect("lengths fit");
        for a in 0..width {
            for b in 0..width {
                let sum: f64 =
                    rows.chunks(width).map(|row| f64::from(row[a]) * f64::from(row[b])).sum::<f64>() + 1.0;
                assert!((gram[a * width + b] - sum).abs() < 1e-4);
            }
        }
    }

    #[test]
    fn a_solved_system_gives_back_its_right_side() {
        for (n, m) in [(1, 1), (5, 3), (63, 2), (64, 1), (65, 4), (200, 17)] {
            let rows = numbers((n + 20) * n, 7);
            let mut matrix = vec![0.0; n * n];
            add_gram(&rows, n, &mut matrix).expect("lengths fit");
            (0..n).for_each(|row| matrix[row * n + row] += 0.5);
            let right: Vec<f64> = numbers(n * m, 9).into_iter().map(f64::from).collect();
            let (mut factor, mut solution) = (matrix.clone(), right.clone());
            cholesky(&mut factor, n).expect("positive");
            cholesky_solve(&factor, n, &mut solution, m).expect("lengths fit");
            let product = multiply(&matrix, &solution, [n, n, m]).expect("lengths fit");
            // Gram matrices summed in f32 are symmetric only up to rounding.
            assert!(product.iter().zip(&right).all(|(a, b)| (a - b).abs() < 1e-4), "n = {n}");
        }
    }

    #[test]
    fn rejects_a_matrix_that_is_not_positive() {
        let mut matrix = vec![1.0, 2.0, 2.0, 1.0];
        assert!(matches!(cholesky(&mut matrix, 2), Err(KernelError::NotPositive { row: 1 })));
        assert!(cholesky(&mut [f64::NAN], 1).is_err());
    }
}
