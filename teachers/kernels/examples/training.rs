//! Prints the speed of ResNet-20's convolutions and batch norms in training, in images a second.
//!
//! `cargo run --release -p cgym-kernels --example training [portable|avx2|avx512] [threads] [batch]`

use cgym_kernels::train::{
    batch_norm_relu_backward, batch_norm_relu_forward, conv_backward, conv_forward, conv_input_gradient,
    conv_weight_gradient,
};
use cgym_kernels::{ConvShape, Isa};
use std::error::Error;
use std::hint::black_box;
use std::time::Instant;

/// Seconds for each measurement.
const SECONDS: f64 = 0.5;

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
    let columns = ["forward", "input grad", "weight grad", "both grads", "norm+relu", "its grads"];
    print!("{:16}", "GMAC/s");
    columns.iter().for_each(|column| print!("{column:>14}"));
    println!();
    let mut totals = [0.0; 6];
    for (index, (name, shape, count)) in layers.into_iter().enumerate() {
        let times = measure(isa, &shape, batch, index > 0);
        print!("{name:16}");
        for ((time, total), column) in times.iter().zip(&mut totals).zip(0..) {
            *total += time * f64::from(count);
            let macs = shape.macs() as f64 * batch as f64 * if column == 3 && index > 0 { 2.0 } else { 1.0 };
            let unit = if column < 4 {
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
    println!("convolutions, one gradient at a time: {:.0} images/s", rate(totals[..3].iter().sum()));
    println!("convolutions, both gradients at once: {:.0} images/s", rate(totals[0] + totals[3]));
    println!("with batch norm + relu: {:.0} images/s", rate(totals[0] + totals[3..].iter().sum::<f64>()));
    Ok(())
}

/// Seconds of each operation; the first layer needs no gradient of its input.
fn measure(isa: Isa, shape: &ConvShape, batch: usize, wants_input: bool) -> [f64; 6] {
    let values = |count: usize| -> Vec<f32> {
        (0..count).map(|index| (index * 7919 % 1009) as f32 / 500.0 - 1.0).collect()
    };
    let pixels = |size: [usize; 2]| size[0] * size[1];
    let input = values(batch * shape.in_channels * pixels(shape.input));
    let gradient = values(batch * shape.out_channels * pixels(shape.output()));
    let weight = values(shape.weight_len());
    let wanted = wants_input.then_some(weight.as_slice());
    let scale = values(shape.out_channels);
    let norm =
        batch_norm_relu_forward(isa, &gradient, [&scale; 2], 1e-5, None, true, batch).expect("lengths fit");
    [
        best(|| conv_forward(isa, shape, &weight, None, &input, batch)),
        if wants_input { best(|| conv_input_gradient(isa, shape, &weight, &gradient, batch)) } else { 0.0 },
        best(|| conv_weight_gradient(isa, shape, &input, &gradient, batch)),
        best(|| conv_backward(isa, shape, wanted, &input, &gradient, batch)),
        best(|| batch_norm_relu_forward(isa, &gradient, [&scale; 2], 1e-5, None, true, batch)),
        best(|| {
            batch_norm_relu_backward(isa, &norm.saved(&gradient, [&scale; 2], None, true), &gradient, batch)
        }),
    ]
}

fn best<T>(run: impl Fn() -> T) -> f64 {
    let start = Instant::now();
    let mut best = f64::INFINITY;
    while start.elapsed().as_secs_f64() < SECONDS {
        let start = Instant::now();
        black_box(run());
        best = best.min(start.elapsed().as_secs_f64());
    }
    best
}
