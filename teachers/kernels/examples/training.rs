//! Prints the speed of ResNet-20's convolutions and batch norms in training, in images a second.
//!
//! `cargo run --release -p cgym-kernels --example training [portable|avx2|avx512] [threads] [batch]`

use cgym_kernels::train::{
    Aligned, Batch, Convolution, InputGradient, Norm, conv_backward, conv_forward, conv_norm_backward,
    conv_norm_forward, norm_backward, norm_forward, recycle,
};
use cgym_kernels::{Activation, ConvShape, Isa, KernelError};
use std::error::Error;
use std::hint::black_box;
use std::time::Instant;

/// Seconds for each measurement.
const SECONDS: f64 = 0.5;

/// Columns of the table.
const COLUMNS: usize = 7;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let isa = arguments.next().map_or_else(|| Ok(Isa::best()), |name| name.parse())?;
    let threads = arguments.next().map_or(Ok(2), |text| text.parse())?;
    let batch = arguments.next().map_or(Ok(128), |text| text.parse())?;
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global()?;
    println!("{isa}, {threads} threads, batch {batch}, the best in {SECONDS} s each");

    let square = ConvShape::square;
    // Every convolution of the network, and how often it comes.
    let layers = [
        ("3->16 at 32x32", square(3, 16, 3, 1, 1, [32, 32]), 1),
        ("16->16 at 32x32", square(16, 16, 3, 1, 1, [32, 32]), 6),
        ("16->32 /2", square(16, 32, 3, 2, 1, [32, 32]), 1),
        ("32->32 at 16x16", square(32, 32, 3, 1, 1, [16, 16]), 5),
        ("32->64 /2", square(32, 64, 3, 2, 1, [16, 16]), 1),
        ("64->64 at 8x8", square(64, 64, 3, 1, 1, [8, 8]), 5),
    ];
    let columns =
        ["forward", "weight grad", "both grads", "norm+relu", "its grads", "conv+norm", "all grads"];
    print!("{:16}", "GMAC/s");
    columns.iter().for_each(|column| print!("{column:>14}"));
    println!();
    let mut totals = [0.0; COLUMNS];
    for (index, (name, shape, count)) in layers.into_iter().enumerate() {
        let times = measure(isa, &shape, batch, index > 0)?;
        print!("{name:16}");
        for ((time, total), column) in times.iter().zip(&mut totals).zip(0..) {
            *total += time * f64::from(count);
            let macs = shape.macs() as f64 * batch as f64 * if column == 2 && index > 0 { 2.0 } else { 1.0 };
            let unit = if column < 3 {
                format!("{:.1}", macs / time / 1e9)
            } else {
                format!("{:.2} ms", time * 1e3)
            };
            print!("{unit:>14}");
        }
        println!();
    }
    print!("{:16}", "images/s");
    let rate = |time: f64| batch as f64 / time;
    totals.iter().for_each(|time| print!("{:14.0}", rate(*time)));
    println!();
    println!("convolutions: {:.0} images/s", rate(totals[0] + totals[2]));
    println!("then batch norms + relu: {:.0} images/s", rate(totals[0] + totals[2] + totals[3] + totals[4]));
    println!("both as one: {:.0} images/s", rate(totals[5] + totals[6]));
    Ok(())
}

/// Seconds of each operation; the first layer needs no gradient of its input.
fn measure(
    isa: Isa,
    shape: &ConvShape,
    images: usize,
    wants_input: bool,
) -> Result<[f64; COLUMNS], KernelError> {
    let values = |count: usize| -> Vec<f32> {
        (0..count).map(|index| (index * 7919 % 1009) as f32 / 500.0 - 1.0).collect()
    };
    let batch = Batch::new(isa, images)?;
    let pixels = |size: [usize; 2]| size[0] * size[1];
    let tensor = |image: usize| Ok(Aligned::from_slice(&values(batch.len(image)?)));
    let input = tensor(shape.in_channels * pixels(shape.input))?;
    let mut gradient = tensor(shape.out_channels * pixels(shape.output()))?;
    let (weight, scale) = (values(shape.weight_len()), values(shape.out_channels));
    let conv = Convolution { shape, weight: &weight, bias: None };
    let norm = Norm { weight: &scale, bias: &scale, epsilon: 1e-5, activation: Activation::Relu };
    let wanted = if wants_input { InputGradient::Alone } else { InputGradient::None };
    let normal = norm_forward(batch, norm, &gradient, None)?;
    let between = gradient.clone();
    let saved = normal.saved(&between, norm, None);
    Ok([
        best(|| conv_forward(batch, conv, &input).map(|output| vec![output]))?,
        best(|| {
            conv_backward(batch, conv, &input, &between, InputGradient::None).map(|found| vec![found.input])
        })?,
        best(|| conv_backward(batch, conv, &input, &between, wanted).map(|found| vec![found.input]))?,
        best(|| norm_forward(batch, norm, &between, None).map(|found| vec![found.output]))?,
        best(|| norm_backward(batch, &saved, &mut gradient).map(|(input, _)| vec![input]))?,
        best(|| {
            conv_norm_forward(batch, conv, norm, &input, None)
                .map(|(between, found)| vec![between, found.output])
        })?,
        best(|| {
            conv_norm_backward(batch, conv, &input, wanted, &saved, &mut gradient)
                .map(|(found, _)| vec![found.input])
        })?,
    ])
}

/// The least time of a computation. The memory of its results is used again, as in training.
fn best(mut run: impl FnMut() -> Result<Vec<Aligned>, KernelError>) -> Result<f64, KernelError> {
    let start = Instant::now();
    let mut best = f64::INFINITY;
    while start.elapsed().as_secs_f64() < SECONDS {
        let start = Instant::now();
        let results = black_box(run()?);
        best = best.min(start.elapsed().as_secs_f64());
        results.into_iter().for_each(|values| recycle(values.into_parts().0));
    }
    Ok(best)
}
