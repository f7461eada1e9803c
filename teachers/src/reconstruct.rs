//! Least-squares reconstruction after channels are removed.
//!
//! A layer that lost input channels is refitted so that its outputs over the calibration split come
//! as close as they can to the teacher's: `min ‖X_S · W_Sᵀ − X · Wᵀ‖²` (He et al. 2017; AMC,
//! section 3.3). The teacher's outputs are linear in its own inputs, so with `G = XᵀX` computed once
//! every candidate only solves `G_SS · W_Sᵀ = G_S: · Wᵀ`: the same optimum as a direct solve, and
//! memory and time that do not depend on the number of samples. Layers with a bias are fitted
//! with an intercept (on centred statistics).

use std::collections::BTreeMap;

use cgym_kernels::matrix::{add_gram, cholesky, cholesky_solve, multiply};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::{
    Error,
    engine::{Convolution, Engine, EngineOptions, Images},
    graph::{Flow, Graph, NodeIndex, Shape, Window},
    weights::{Tensor, Weights},
};

/// The ridge added to the diagonal, as a share of its mean, so that channels that are always zero
/// leave the system solvable.
const RIDGE: f64 = 1e-6;

/// Sums of a layer's inputs and of their products, `[features][features]`.
struct Moments {
    features: usize,
    gram: Vec<f64>,
    sum: Vec<f64>,
    samples: usize,
}

/// Statistics of the inputs of some layers of the unpruned network over a calibration split.
pub struct Statistics {
    layers: BTreeMap<NodeIndex, Moments>,
}

/// How [`Statistics`] are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sampling {
    /// Output pixels drawn from each image without replacement; all of them where there are fewer.
    pub points: usize,
    /// Seed of the draw, with one stream per image and layer.
    pub seed: u64,
    /// How the network's convolutions are computed.
    pub convolution: Convolution,
}

/// The positions of a layer's features in its input.
struct Patch {
    node: NodeIndex,
    input: Shape,
    output: [usize; 2],
    window: Window,
}

impl Patch {
    fn of(graph: &Graph, shapes: &[Shape], node: NodeIndex) -> Option<Self> {
        let input = shapes[*graph.nodes()[node].inputs.first()?];
        let output = [shapes[node][1], shapes[node][2]];
        let facts = graph.nodes()[node].op.facts();
        let window = facts.window.unwrap_or(Window::POINT);
        matches!(facts.flow, Flow::Dense(_)).then_some(Self { node, input, output, window })
    }

    fn pixels(&self) -> usize {
        self.output[0] * self.output[1]
    }

    fn features(&self) -> usize {
        self.input[0] * self.window.area()
    }

    /// Appends one sample: the window of image `lane` at output pixel (`row`, `column`).
    fn gather(
        &self,
        values: &[f32],
        [lanes, lane]: [usize; 2],
        [row, column]: [usize; 2],
        target: &mut Vec<f32>,
    ) {
        let [channels, height, width] = self.input;
        let Window { kernel, stride, padding, dilation } = self.window;
        for channel in 0..channels {
            for ky in 0..kernel[0] {
                let y = (row * stride[0] + ky * dilation[0]).wrapping_sub(padding[0]);
                for kx in 0..kernel[1] {
                    let x = (column * stride[1] + kx * dilation[1]).wrapping_sub(padding[1]);
                    let inside = y < height && x < width;
                    let at = || ((channel * height + y) * width + x) * lanes + lane;
                    target.push(if inside { values[at()] } else { 0.0 });
                }
            }
        }
    }
}

impl Statistics {
    /// Runs the teacher over the calibration `images` and collects the statistics of the inputs of
    /// `layers`.
    ///
    /// Layers that are not dense are ignored. The sums run in the order of the images, so they do not
    /// depend on the number of threads.
    ///
    /// # Errors
    /// When graph, weights and images do not fit each other.
    pub fn collect(
        graph: &Graph,
        weights: &Weights,
        images: &Images,
        layers: &[NodeIndex],
        sampling: Sampling,
    ) -> Result<Self, Error> {
        let shapes = graph.shapes()?;
        let options = EngineOptions { convolution: sampling.convolution, ..EngineOptions::default() };
        let engine = Engine::with_options(graph, weights, options)?;
        let patches: Vec<Patch> = layers.iter().filter_map(|&node| Patch::of(graph, &shapes, node)).collect();
        let mut moments: Vec<Moments> = patches.iter().map(Moments::empty).collect();
        // A few hundred MB of rows at a time.
        let row_bytes: usize =
            patches.iter().map(|patch| 4 * patch.features() * sampling.points.min(patch.pixels())).sum();
        let at_once = (256_000_000 / (row_bytes * images.lanes()).max(1)).clamp(1, 64);
        for first in (0..images.blocks()).step_by(at_once) {
            let blocks: Vec<Vec<Vec<f32>>> = (first..(first + at_once).min(images.blocks()))
                .into_par_iter()
                .map(|block| rows(&engine, images, block, &patches, sampling))
                .collect::<Result<_, Error>>()?;
            moments.par_iter_mut().enumerate().try_for_each(|(layer, moments)| {
                blocks.iter().try_for_each(|block| moments.add(&block[layer]))
            })?;
        }
        Ok(Self { layers: patches.iter().map(|patch| patch.node).zip(moments).collect() })
    }

    /// The refitted weight (and bias) of layer `node` when only the input channels `kept_inputs` and
    /// the outputs `kept_outputs` are left; `None` for a layer without statistics.
    ///
    /// # Errors
    /// When the weights do not fit the graph, or the fit is not finite.
    pub fn refit(
        &self,
        graph: &Graph,
        weights: &Weights,
        node: NodeIndex,
        kept_inputs: &[usize],
        kept_outputs: &[usize],
    ) -> Result<Option<(Tensor, Option<Tensor>)>, Error> {
        let Some(moments) = self.layers.get(&node) else { return Ok(None) };
        let name = &graph.nodes()[node].name;
        let weight = weights.get(&format!("{name}.weight"))?;
        let bias = weights.of(name, "bias");
        let taps = moments.features / weight.shape[1];
        let kept: Vec<usize> =
            kept_inputs.iter().flat_map(|&channel| channel * taps..(channel + 1) * taps).collect();
        let solution = moments
            .solve(weight, bias.is_some(), &kept, kept_outputs)
            .map_err(|source| Error::Kernel { node: name.clone(), source })?;
        if solution.iter().any(|value| !value.is_finite()) {
            return Err(Error::NotFinite(format!("the reconstruction of `{name}`")));
        }
        let (rows, columns) = (kept_outputs.len(), kept.len());
        let data =
            (0..rows * columns).map(|at| solution[at % columns * rows + at / columns] as f32).collect();
        let mut shape = weight.shape.clone();
        shape[0] = rows;
        shape[1] = kept_inputs.len();
        let fitted = Tensor { shape, data };
        let bias = bias.map(|bias| moments.refit_bias(weight, &bias.data, &fitted, &kept, kept_outputs));
        Ok(Some((fitted, bias)))
    }
}

/// For each layer, the rows of one block of images, `[images · points][features]`.
fn rows(
    engine: &Engine,
    images: &Images,
    block: usize,
    patches: &[Patch],
    sampling: Sampling,
) -> Result<Vec<Vec<f32>>, Error> {
    let mut all = vec![Vec::new(); patches.len()];
    engine.observe(images, block, &mut |node, values| {
        let Some(layer) = patches.iter().position(|patch| patch.node == node) else { return };
        let patch = &patches[layer];
        for lane in 0..images.images_in(block) {
            let image = (block * images.lanes() + lane) as u64;
            let mut rng = ChaCha8Rng::seed_from_u64(sampling.seed);
            rng.set_stream(image << 16 | node as u64);
            for pixel in draw(patch.pixels(), sampling.points, &mut rng) {
                let at = [pixel / patch.output[1], pixel % patch.output[1]];
                patch.gather(values, [images.lanes(), lane], at, &mut all[layer]);
            }
        }
    })?;
    Ok(all)
}

/// `count` different numbers below `limit`, all of them where there are fewer (Floyd's algorithm).
fn draw(limit: usize, count: usize, rng: &mut ChaCha8Rng) -> Vec<usize> {
    if count >= limit {
        return (0..limit).collect();
    }
    let mut drawn = Vec::with_capacity(count);
    for last in limit - count..limit {
        let candidate = rng.random_range(0..=last);
        drawn.push(if drawn.contains(&candidate) { last } else { candidate });
    }
    drawn
}

impl Moments {
    fn empty(patch: &Patch) -> Self {
        let features = patch.features();
        Self { features, gram: vec![0.0; features * features], sum: vec![0.0; features], samples: 0 }
    }

    fn add(&mut self, rows: &[f32]) -> Result<(), Error> {
        for row in rows.chunks_exact(self.features) {
            self.sum.iter_mut().zip(row).for_each(|(sum, value)| *sum += f64::from(*value));
            self.samples += 1;
        }
        // A few hundred rows are summed in f32 at a time, the rest in f64.
        rows.chunks(512 * self.features).try_for_each(|rows| {
            add_gram(rows, self.features, &mut self.gram)
                .map_err(|source| Error::Kernel { node: "calibration".to_owned(), source })
        })
    }

    /// Element (`a`, `b`) of XᵀX; of centred samples where `centred`.
    fn moment(&self, a: usize, b: usize, centred: bool) -> f64 {
        let correction = if centred { self.sum[a] * self.sum[b] / self.samples.max(1) as f64 } else { 0.0 };
        self.gram[a * self.features + b] - correction
    }

    /// The refitted weights `[kept][outputs]`: the kept ones plus a correction for the removed ones,
    /// `W_Sᵀ + G_SS⁻¹ · G_SR · W_Rᵀ`.
    fn solve(
        &self,
        weight: &Tensor,
        centred: bool,
        kept: &[usize],
        outputs: &[usize],
    ) -> Result<Vec<f64>, cgym_kernels::KernelError> {
        let mut is_kept = vec![false; self.features];
        kept.iter().for_each(|&feature| is_kept[feature] = true);
        let removed: Vec<usize> = (0..self.features).filter(|&feature| !is_kept[feature]).collect();
        let of = |output: usize, feature: usize| f64::from(weight.data[output * self.features + feature]);
        let (n, m) = (kept.len(), outputs.len());
        let mut system = vec![0.0; n * n];
        for (row, &a) in kept.iter().enumerate() {
            for (column, &b) in kept.iter().enumerate().take(row + 1) {
                system[row * n + column] = self.moment(a, b, centred);
            }
        }
        // Rounding errors of a centred moment are about this share of the moment itself.
        let noise = 1e-7 * kept.iter().map(|&f| self.moment(f, f, false)).sum::<f64>() / n as f64;
        factorise(&mut system, n, noise)?;
        let cross: Vec<f64> =
            kept.iter().flat_map(|&a| removed.iter().map(move |&b| self.moment(a, b, centred))).collect();
        let lost: Vec<f64> = removed
            .iter()
            .flat_map(|&feature| outputs.iter().map(move |&output| of(output, feature)))
            .collect();
        let mut solution = multiply(&cross, &lost, [n, removed.len(), m])?;
        cholesky_solve(&system, n, &mut solution, m)?;
        for (row, &feature) in kept.iter().enumerate() {
            for (column, &output) in outputs.iter().enumerate() {
                solution[row * m + column] += of(output, feature);
            }
        }
        Ok(solution)
    }

    /// The bias that belongs to a fit on centred statistics: it keeps the mean output.
    fn refit_bias(
        &self,
        weight: &Tensor,
        bias: &[f32],
        fitted: &Tensor,
        kept: &[usize],
        outputs: &[usize],
    ) -> Tensor {
        let mean = |feature: usize| self.sum[feature] / self.samples.max(1) as f64;
        let data = outputs.iter().enumerate().map(|(row, &output)| {
            let teacher = &weight.data[output * self.features..(output + 1) * self.features];
            let before: f64 = teacher.iter().enumerate().map(|(f, &w)| f64::from(w) * mean(f)).sum();
            let own = &fitted.data[row * kept.len()..(row + 1) * kept.len()];
            let after: f64 = own.iter().zip(kept).map(|(&w, &f)| f64::from(w) * mean(f)).sum();
            (f64::from(bias[output]) + before - after) as f32
        });
        Tensor { shape: vec![outputs.len()], data: data.collect() }
    }
}

/// Cholesky factor of a Gram matrix with the ridge added. With fewer samples than features, rounding
/// can make the matrix indefinite; the ridge is then increased until the factor exists.
fn factorise(system: &mut Vec<f64>, n: usize, noise: f64) -> Result<(), cgym_kernels::KernelError> {
    let mean = (0..n).map(|row| system[row * n + row]).sum::<f64>() / n.max(1) as f64;
    let mean = mean.max(noise).max(f64::MIN_POSITIVE.sqrt());
    let mut ridge = RIDGE * mean;
    loop {
        let mut factor = system.clone();
        (0..n).for_each(|row| factor[row * n + row] += ridge);
        match cholesky(&mut factor, n) {
            Ok(()) => {
                *system = factor;
                return Ok(());
            }
            Err(error) if ridge > 1e4 * mean || !ridge.is_finite() => return Err(error),
            Err(_) => ridge *= 100.0,
        }
    }
}
