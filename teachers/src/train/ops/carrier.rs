//! Flex tensors as carriers of the kernels' numbers.

use std::sync::{Arc, Mutex, PoisonError};

use burn::{
    backend::flex::{FlexTensor, Layout},
    tensor::{Shape, TensorData},
};
use cgym_kernels::train::{self, Aligned, Batch};

use super::FITS;

/// The same tensor in contiguous memory.
pub fn contiguous(tensor: &FlexTensor) -> FlexTensor {
    if tensor.is_contiguous() { tensor.clone() } else { tensor.to_contiguous() }
}

/// The numbers of a contiguous tensor.
pub fn values(tensor: &FlexTensor) -> &[f32] {
    tensor.as_slice().expect("contiguous and of single precision")
}

/// A tensor of these numbers.
pub fn vector(values: Vec<f32>, shape: impl Into<Shape>) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape))
}

/// A tensor of these numbers, which stay where they are.
pub fn aligned(values: Aligned, shape: impl Into<Shape>) -> FlexTensor {
    let (values, start) = values.into_parts();
    let whole = values.len();
    let shape = shape.into();
    let strides = Layout::contiguous(shape.clone()).strides().to_vec();
    vector(values, [whole]).with_layout(Layout::new(shape, strides, start))
}

/// The shape of a tensor.
pub fn dims<const D: usize>(tensor: &FlexTensor) -> [usize; D] {
    let shape = tensor.layout().shape();
    std::array::from_fn(|axis| shape[axis])
}

/// Changes the numbers of a contiguous tensor, in place where nothing else uses them.
pub fn change<R>(mut tensor: FlexTensor, run: impl FnOnce(&mut [f32]) -> R) -> (FlexTensor, R) {
    if !tensor.is_unique() || !tensor.is_contiguous() {
        let shape = tensor.layout().shape().clone();
        tensor = aligned(Aligned::from_slice(values(&contiguous(&tensor))), shape);
    }
    let (start, len) = (tensor.layout().start_offset(), tensor.layout().num_elements());
    let result = run(&mut tensor.storage_mut::<f32>()[start..start + len]);
    (tensor, result)
}

/// Makes the memory of a contiguous tensor available to later results, if nothing else uses it.
pub fn recycle(tensor: FlexTensor) {
    if tensor.is_unique() {
        let whole = tensor.bytes().len() / size_of::<f32>();
        let tensor = tensor.with_layout(Layout::contiguous([whole].into()));
        if let Ok(values) = tensor.into_data().try_into_vec() {
            train::recycle(values);
        }
    }
}

/// The gradients of a value that several operations read, added with all threads.
///
/// Burn adds the gradients of two readers on one thread. So each reader adds its gradient to the sum
/// of those before it, and only the last one gives the sum to Burn.
#[derive(Debug, Clone)]
pub struct Readers(Arc<Mutex<Sum>>);

#[derive(Debug)]
struct Sum {
    /// Readers whose gradient is missing.
    missing: usize,
    gradients: Option<FlexTensor>,
}

impl Readers {
    /// A value that so many operations read that lead to the loss.
    pub fn new(count: usize) -> Self {
        Self(Arc::new(Mutex::new(Sum { missing: count, gradients: None })))
    }

    /// The value is also what another operation passes on to `count` readers in its own place.
    pub fn replace_one(&self, count: usize) {
        let mut sum = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sum.missing = (sum.missing + count).saturating_sub(1);
    }

    /// The sum of the gradients so far, for a reader that adds its own to it.
    pub fn take(&self) -> Option<FlexTensor> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).gradients.take()
    }

    /// Takes a reader's gradient, with those that it has taken added; the sum after the last reader.
    pub fn give(&self, batch: Batch, gradient: FlexTensor) -> Option<FlexTensor> {
        let mut sum = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let gradient = match sum.gradients.take() {
            Some(earlier) => {
                let (gradient, added) =
                    change(gradient, |target| train::add_to(batch, target, values(&earlier)));
                added.expect(FITS);
                recycle(earlier);
                gradient
            }
            None => gradient,
        };
        sum.missing = sum.missing.saturating_sub(1);
        if sum.missing == 0 {
            return Some(gradient);
        }
        sum.gradients = Some(gradient);
        None
    }
}
