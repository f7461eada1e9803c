//! Flat parameters of a network, and the Burn tensors made from them.
//!
//! An optimiser step is one pass over the flat array, and a checkpoint stores it as it is. Tensors are
//! made from it for the forward and backward pass.

use burn::tensor::{Device, Tensor, TensorData};
use rand::{Rng, RngExt};

/// Arrays `[rows, columns]` laid end to end.
pub(crate) struct Parameters {
    shapes: Vec<[usize; 2]>,
    values: Vec<f32>,
    tensors: Tensors,
}

/// The arrays as tensors, either all constant or all tracked for a backward pass.
#[derive(Clone)]
pub(crate) struct Tensors {
    arrays: Vec<Tensor<2>>,
    tracked: bool,
    device: Device,
}

impl Parameters {
    /// No arrays yet.
    pub(crate) fn new(device: &Device) -> Self {
        let tensors = Tensors { arrays: Vec::new(), tracked: false, device: device.clone() };
        Self { shapes: Vec::new(), values: Vec::new(), tensors }
    }

    /// Adds an array drawn from U(-limit, limit) and returns its index.
    pub(crate) fn draw(&mut self, shape: [usize; 2], limit: f32, rng: &mut impl Rng) -> usize {
        self.shapes.push(shape);
        let drawn = (0..shape[0] * shape[1]).map(|_| limit * (2.0 * rng.random::<f32>() - 1.0));
        self.values.extend(drawn);
        let values = &self.values[self.values.len() - shape[0] * shape[1]..];
        self.tensors.arrays.push(self.tensors.input(values.to_vec(), shape[1]));
        self.shapes.len() - 1
    }

    /// All arrays, one after the other.
    pub(crate) fn values(&self) -> &[f32] {
        &self.values
    }

    /// Rows and columns of each array.
    #[cfg(test)]
    pub(crate) fn shapes(&self) -> &[[usize; 2]] {
        &self.shapes
    }

    /// Changes the parameters in place.
    pub(crate) fn change(&mut self, change: impl FnOnce(&mut [f32])) {
        change(&mut self.values);
        let mut rest = &self.values[..];
        let arrays = self.shapes.iter().map(|&[rows, columns]| {
            let (array, after) = rest.split_at(rows * columns);
            rest = after;
            self.tensors.input(array.to_vec(), columns)
        });
        self.tensors.arrays = arrays.collect();
    }

    /// Tensors through which no gradient flows.
    pub(crate) fn constant(&self) -> &Tensors {
        &self.tensors
    }

    /// Tensors whose gradients [`Tensors::gradient`] reads.
    pub(crate) fn tracked(&self) -> Tensors {
        let track = |array: &Tensor<2>| array.clone().autodiff().require_grad();
        let arrays = self.tensors.arrays.iter().map(track).collect();
        Tensors { arrays, tracked: true, device: self.tensors.device.clone() }
    }
}

impl Tensors {
    /// The array at `index`.
    pub(crate) fn array(&self, index: usize) -> Tensor<2> {
        self.arrays[index].clone()
    }

    /// Constant rows of `width` numbers that can be combined with the arrays.
    pub(crate) fn input(&self, values: Vec<f32>, width: usize) -> Tensor<2> {
        let rows = values.len() / width.max(1);
        let tensor = Tensor::from_data(TensorData::new(values, [rows, width]), &self.device);
        if self.tracked { tensor.autodiff() } else { tensor }
    }

    /// The device of the tensors.
    pub(crate) fn device(&self) -> &Device {
        &self.device
    }

    /// The gradient of `loss` in the order of the flat parameters; zeros where `loss` does not
    /// depend on an array.
    pub(crate) fn gradient(&self, loss: &Tensor<1>) -> Vec<f32> {
        let mut gradients = loss.backward();
        let mut flat = Vec::new();
        for array in &self.arrays {
            let end = flat.len() + array.shape().num_elements();
            if let Some(gradient) = array.grad_remove(&mut gradients) {
                flat.extend(numbers(gradient));
            }
            flat.resize(end, 0.0);
        }
        flat
    }
}

/// The numbers of `tensor` on the host, row after row.
pub(crate) fn numbers(tensor: Tensor<2>) -> Vec<f32> {
    tensor.into_data().try_to_vec::<f32>().unwrap_or_default()
}
