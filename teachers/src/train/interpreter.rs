//! Runs a graph on Burn, for training and as an independent check of the evaluation engine.

use burn::tensor::{
    Device, Int, Tensor, TensorData,
    activation::relu,
    module::{adaptive_avg_pool2d, avg_pool2d, batch_norm, batch_norm_train, conv2d, linear, max_pool2d},
    ops::{AvgPoolOptions, ConvOptions, MaxPoolOptions},
};
use cgym_kernels::{
    Algorithm, Isa,
    train::{Batch, from_lanes},
};
use rand::{Rng, RngExt};

use super::{
    augment::TrainingImages,
    fusion::{self, Fusion},
    lanes::Value,
    ops::{self, Activation},
    parameter::{BatchStatistics, Parameter, to_vec},
};
use crate::{
    Error,
    engine::Convolution,
    graph::{ActivationKind, Graph, Node, NodeIndex, Op, PoolKind},
    weights::Weights,
};

/// The state of a run in training mode.
pub(super) struct Training<'a> {
    /// The images.
    pub(super) batch: Batch,
    /// The batch statistics so far.
    pub(super) statistics: Vec<BatchStatistics>,
    /// Zeroes values with the given probability.
    dropout: &'a mut dyn FnMut(f64, Tensor<4>) -> Tensor<4>,
}

/// A network's tensors on a Burn device.
///
/// Training mode uses this project's kernels on the flex device. Everything else uses Burn's,
/// [`Interpreter::evaluate`] included, which makes it an independent check of the evaluation engine.
pub struct Interpreter<'a> {
    pub(super) graph: &'a Graph,
    device: Device,
    parameters: Vec<(String, Parameter)>,
    /// How this project's kernels compute each node; empty where training uses Burn's kernels too.
    pub(super) fusions: Vec<Fusion>,
    /// The reads of each node's value that get a gradient.
    pub(super) readers: Vec<usize>,
    /// The instruction set of this project's kernels.
    isa: Isa,
    algorithm: Algorithm,
}

impl<'a> Interpreter<'a> {
    /// Moves `weights` to `device`. Trainable ones are tracked if the device supports autodiff.
    ///
    /// # Errors
    /// When weights and graph do not fit each other.
    pub fn new(graph: &'a Graph, weights: &Weights, device: &Device) -> Result<Self, Error> {
        weights.check(graph)?;
        let mut parameters = Vec::new();
        for parameter in graph.parameters() {
            let tensor = weights.get(&parameter.name)?;
            let tracked = parameter.trainable && device.is_autodiff();
            parameters.push((parameter.name, Parameter::new(tensor, device, tracked)));
        }
        // `get` below searches by name.
        parameters.sort_by(|a, b| a.0.cmp(&b.0));
        let fusions = if ops::covers(device) { fusion::plan(graph) } else { Vec::new() };
        Ok(Self {
            graph,
            device: device.clone(),
            parameters,
            fusions,
            readers: fusion::readers(graph),
            isa: Isa::best(),
            algorithm: Algorithm::Fast,
        })
    }

    /// The same with Burn's kernels for training, on any device.
    pub fn with_stock_kernels(mut self) -> Self {
        self.fusions.clear();
        self
    }

    /// The same with kernels of another instruction set.
    pub fn with_isa(mut self, isa: Isa) -> Self {
        self.isa = isa;
        self
    }

    /// The same with convolutions of another kind in training.
    pub fn with_convolution(mut self, convolution: Convolution) -> Self {
        self.algorithm = convolution.into();
        self
    }

    pub(super) fn get(&self, node: &Node, kind: &str) -> Result<&Parameter, Error> {
        let name = format!("{}.{kind}", node.name);
        let found = self.parameters.binary_search_by(|(other, _)| other.as_str().cmp(&name));
        found.map(|at| &self.parameters[at].1).map_err(|_| Error::Tensor {
            tensor: name,
            expected: Vec::new(),
            found: "nothing".to_owned(),
        })
    }

    pub(super) fn vector(&self, node: &Node, kind: &str) -> Result<Tensor<1>, Error> {
        match self.get(node, kind)? {
            Parameter::Vector(tensor) => Ok(tensor.clone()),
            _ => Err(Error::node(&node.name, format!("`{kind}` is not a vector"))),
        }
    }

    /// Computes the logits `[images, classes]` of `images` `[images, channels, height, width]`.
    /// Batch-norms use their running statistics.
    ///
    /// # Errors
    /// When the images do not fit.
    pub fn evaluate(&self, images: Tensor<4>) -> Result<Tensor<2>, Error> {
        self.run(Value::Images(images), None)
    }

    /// Computes the logits in training mode, with dropout and batch statistics, which are returned.
    ///
    /// # Errors
    /// When the images do not fit.
    pub fn train(
        &self,
        images: Tensor<4>,
        rng: &mut impl Rng,
    ) -> Result<(Tensor<2>, Vec<BatchStatistics>), Error> {
        let [count, channels, height, width] = images.dims();
        let pixels = to_vec(images);
        self.train_on(TrainingImages::from_pixels(&pixels, [channels, height, width], count, self.isa)?, rng)
    }

    /// The same on images that are in lanes already.
    pub(super) fn train_on(
        &self,
        images: TrainingImages,
        rng: &mut impl Rng,
    ) -> Result<(Tensor<2>, Vec<BatchStatistics>), Error> {
        let device = &self.device;
        let mut dropout = |probability: f64, x: Tensor<4>| {
            let shape = x.dims();
            let scale = 1.0 / (1.0 - probability) as f32;
            let keep = |_| if rng.random::<f64>() < probability { 0.0 } else { scale };
            let mask: Vec<f32> = (0..shape.iter().product::<usize>()).map(keep).collect();
            x * Tensor::from_data(TensorData::new(mask, shape), device)
        };
        let TrainingImages { batch, shape, pixels } = images;
        let batch = batch.with_algorithm(self.algorithm);
        let mut training = Training { batch, statistics: Vec::new(), dropout: &mut dropout };
        let images = if self.fusions.is_empty() {
            let pixels = from_lanes(batch, &pixels).expect("they are the batch's").to_vec();
            let [channels, height, width] = shape;
            let size = [batch.images(), channels, height, width];
            Value::Images(Tensor::from_data(TensorData::new(pixels, size), device))
        } else {
            Value::Lanes(Activation::of_pixels(batch, pixels, shape, self.readers[0], device))
        };
        let logits = self.run(images, Some(&mut training))?;
        Ok((logits, training.statistics))
    }

    /// Gradients of the trainable tensors after `loss.backward()`, by name.
    pub fn gradients(&self, loss: &Tensor<1>) -> Vec<(&str, Vec<f32>)> {
        let gradients = loss.backward();
        let of = |parameter: &Parameter| match parameter {
            Parameter::Vector(tensor) => tensor.grad(&gradients).map(to_vec),
            Parameter::Matrix(tensor) => tensor.grad(&gradients).map(to_vec),
            Parameter::Kernel(tensor) => tensor.grad(&gradients).map(to_vec),
        };
        self.parameters
            .iter()
            .filter_map(|(name, parameter)| of(parameter).map(|gradient| (name.as_str(), gradient)))
            .collect()
    }

    fn run(&self, images: Value, mut training: Option<&mut Training<'_>>) -> Result<Tensor<2>, Error> {
        let (count, shape) = (images.count(), images.shape());
        if shape != self.graph.input_shape() {
            return Err(Error::node("input", format!("gets images of {shape:?}")));
        }
        let mut uses: Vec<usize> = self.graph.users().iter().map(Vec::len).collect();
        let mut values: Vec<Option<Value>> = vec![Some(images)];
        for (index, node) in self.graph.nodes().iter().enumerate().skip(1) {
            let mut inputs = Vec::with_capacity(node.inputs.len());
            for &input in &node.inputs {
                uses[input] -= 1;
                let value = if uses[input] == 0 { values[input].take() } else { values[input].clone() };
                inputs.push(value.ok_or_else(|| Error::node(&node.name, "reads a value that was freed"))?);
            }
            let value = match training.as_deref_mut() {
                Some(training) if !self.fusions.is_empty() => self.apply_in_lanes(index, inputs, training)?,
                training => self.apply_to_images(index, inputs, training)?,
            };
            debug_assert_eq!(values.len(), index);
            values.push(Some(value));
        }
        let output = values.pop().flatten().ok_or_else(|| Error::Graph("is empty".to_owned()))?;
        let output = output.into_images();
        let features = output.shape().num_elements() / count.max(1);
        Ok(output.reshape([count, features]))
    }

    /// Computes a node with Burn's kernels.
    pub(super) fn apply_to_images(
        &self,
        index: NodeIndex,
        inputs: Vec<Value>,
        training: Option<&mut Training<'_>>,
    ) -> Result<Value, Error> {
        let inputs = inputs.into_iter().map(Value::into_images).collect();
        self.apply(index, inputs, training).map(Value::Images)
    }

    fn apply(
        &self,
        index: NodeIndex,
        mut inputs: Vec<Tensor<4>>,
        training: Option<&mut Training<'_>>,
    ) -> Result<Tensor<4>, Error> {
        let node = &self.graph.nodes()[index];
        let x = inputs.remove(0);
        let [count, channels, height, width] = x.dims();
        Ok(match &node.op {
            Op::Input { .. } => x,
            Op::Conv(conv) => {
                let Parameter::Kernel(weight) = self.get(node, "weight")? else {
                    return Err(Error::node(&node.name, "`weight` is not a convolution kernel"));
                };
                let bias = if conv.bias { Some(self.vector(node, "bias")?) } else { None };
                let options = ConvOptions::new(conv.stride, conv.padding, conv.dilation, conv.groups);
                conv2d(x, weight.clone(), bias, options)
            }
            Op::Linear { outputs, bias, .. } => {
                let Parameter::Matrix(weight) = self.get(node, "weight")? else {
                    return Err(Error::node(&node.name, "`weight` is not a matrix"));
                };
                let bias = if *bias { Some(self.vector(node, "bias")?) } else { None };
                let flat = x.reshape([count, channels * height * width]);
                linear(flat, weight.clone().transpose(), bias).reshape([count, *outputs, 1, 1])
            }
            Op::BatchNorm { epsilon, .. } => match training {
                Some(training) => {
                    let (weight, bias) = (self.vector(node, "weight")?, self.vector(node, "bias")?);
                    let result = batch_norm_train(x, weight, bias, *epsilon);
                    let count = count * height * width;
                    training.statistics.push(BatchStatistics::new(node, result.mean, result.variance, count));
                    result.output
                }
                None => batch_norm(
                    x,
                    self.vector(node, "weight")?,
                    self.vector(node, "bias")?,
                    self.vector(node, "running_mean")?,
                    self.vector(node, "running_var")?,
                    *epsilon,
                ),
            },
            Op::Activation { kind: ActivationKind::Relu } => relu(x),
            Op::Activation { kind: ActivationKind::Relu6 } => x.clamp(0.0, 6.0),
            Op::Pool { kind: PoolKind::Max, kernel, stride, padding } => {
                max_pool2d(x, MaxPoolOptions::new(*kernel).with_stride(*stride).with_padding(*padding))
            }
            Op::Pool { kind: PoolKind::Average, kernel, stride, padding } => {
                avg_pool2d(x, AvgPoolOptions::new(*kernel).with_stride(*stride).with_padding(*padding))
            }
            Op::AdaptivePool { output } => adaptive_avg_pool2d(x, *output),
            Op::Flatten => x.reshape([count, channels * height * width, 1, 1]),
            Op::Add => inputs.into_iter().fold(x, |sum, other| sum + other),
            Op::Concat => {
                inputs.insert(0, x);
                Tensor::cat(inputs, 1)
            }
            Op::PadChannels { stride, sources } => self.pad_channels(x, *stride, sources),
            Op::Dropout { probability } => match training {
                Some(training) => (training.dropout)(*probability, x),
                None => x,
            },
        })
    }

    fn pad_channels(&self, x: Tensor<4>, stride: usize, sources: &[Option<usize>]) -> Tensor<4> {
        // Pooling with a window of one pixel is subsampling with a gradient.
        let x =
            if stride == 1 { x } else { avg_pool2d(x, AvgPoolOptions::new([1; 2]).with_stride([stride; 2])) };
        let [count, channels, height, width] = x.dims();
        let zeros = Tensor::zeros([count, 1, height, width], &self.device);
        let indices: Vec<i64> = sources.iter().map(|source| source.unwrap_or(channels) as i64).collect();
        let length = indices.len();
        let indices = Tensor::<1, Int>::from_data(TensorData::new(indices, [length]), &self.device);
        Tensor::cat(vec![x, zeros], 1).select(1, indices)
    }
}
