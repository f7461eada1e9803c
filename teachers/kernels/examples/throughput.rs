//! Prints the speed of convolutions on one thread, in multiply-accumulates for all lanes.
//!
//! `cargo run --release -p cgym-kernels --example throughput [portable|avx2|avx512] [seconds]`

use cgym_kernels::{Activation, Algorithm, Buffer, Conv2d, ConvShape, Isa, KernelError};
use std::time::{Duration, Instant};

fn main() -> Result<(), KernelError> {
    let mut arguments = std::env::args().skip(1);
    let isa = arguments.next().map_or_else(|| Ok(Isa::best()), |name| name.parse())?;
    let seconds = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(0.2);
    println!("{isa}, {} lanes, {seconds} s each, the best of five", isa.lanes());
    let square = ConvShape::square;
    let depthwise = |channels, stride, side| ConvShape {
        groups: channels,
        ..square(channels, channels, 3, stride, 1, [side; 2])
    };
    let cases = [
        ("3x3 16->16 at 32x32", square(16, 16, 3, 1, 1, [32, 32])),
        ("3x3 32->32 at 16x16", square(32, 32, 3, 1, 1, [16, 16])),
        ("3x3 64->64 at 8x8", square(64, 64, 3, 1, 1, [8, 8])),
        ("3x3 3->16 at 32x32", square(3, 16, 3, 1, 1, [32, 32])),
        ("3x3 9->16 at 32x32", square(9, 16, 3, 1, 1, [32, 32])),
        ("3x3 7->7 at 32x32", square(7, 7, 3, 1, 1, [32, 32])),
        ("3x3 /2 16->32 at 32x32", square(16, 32, 3, 2, 1, [32, 32])),
        ("3x3 64->64 at 32x32", square(64, 64, 3, 1, 1, [32, 32])),
        ("3x3 256->256 at 8x8", square(256, 256, 3, 1, 1, [8, 8])),
        ("3x3 512->512 at 4x4", square(512, 512, 3, 1, 1, [4, 4])),
        ("3x3 512->512 at 2x2", square(512, 512, 3, 1, 1, [2, 2])),
        ("1x1 64->128 at 16x16", square(64, 128, 1, 1, 0, [16, 16])),
        ("1x1 512->512 at 4x4", square(512, 512, 1, 1, 0, [4, 4])),
        ("1x1 16->64 at 32x32", square(16, 64, 1, 1, 0, [32, 32])),
        ("1x1 512->10 at 1x1", square(512, 10, 1, 1, 0, [1, 1])),
        ("3x3 depth-wise 64 at 32x32", depthwise(64, 1, 32)),
        ("3x3 depth-wise 64 at 8x8", depthwise(64, 1, 8)),
        ("3x3 /2 depth-wise 64 at 32x32", depthwise(64, 2, 32)),
        ("3x3 /2 depth-wise 64 at 16x16", depthwise(64, 2, 16)),
        ("5x5 depth-wise 64 at 16x16", ConvShape { groups: 64, ..square(64, 64, 5, 1, 2, [16, 16]) }),
        ("3x3 32 groups 128->128 at 16x16", ConvShape { groups: 32, ..square(128, 128, 3, 1, 1, [16, 16]) }),
        ("3x3 1->16 at 8x8", square(1, 16, 3, 1, 1, [8, 8])),
    ];
    println!("{:32} {:>10} {:>10} {:>14}", "", "GMAC/s", "us", "without padding");
    for (name, shape) in cases {
        let time = measure(shape, isa, seconds)?;
        let rate = |macs: u64| macs as f64 * isa.lanes() as f64 / time / 1e9;
        let (all, real) = (rate(shape.macs()), rate(real_macs(&shape)));
        println!("{name:32} {all:10.1} {:10.1} {real:14.1}", time * 1e6);
    }
    Ok(())
}

/// Seconds for one run, the best of five measurements.
fn measure(shape: ConvShape, isa: Isa, seconds: f64) -> Result<f64, KernelError> {
    let weight: Vec<f32> = (0..shape.weight_len()).map(|index| (index % 17) as f32 / 17.0 - 0.5).collect();
    let conv = Conv2d::new(shape, &weight, None, Activation::Relu, Algorithm::Fast, isa)?;
    let input: Vec<f32> = (0..conv.input_len()).map(|index| (index % 13) as f32).collect();
    let input = Buffer::from_slice(&input);
    let mut output = Buffer::zeros(conv.output_len());
    let mut best = f64::INFINITY;
    for _ in 0..5 {
        let start = Instant::now();
        let mut runs = 0;
        while start.elapsed() < Duration::from_secs_f64(seconds / 5.0) {
            for _ in 0..4 {
                conv.run(&input, None, &mut output)?;
            }
            runs += 4;
        }
        best = best.min(start.elapsed().as_secs_f64() / f64::from(runs));
    }
    Ok(best)
}

/// Multiply-accumulates for one image of which the input is not padding.
fn real_macs(shape: &ConvShape) -> u64 {
    let along = |axis: usize| -> u64 {
        let positions = (0..shape.output()[axis]).flat_map(|output| {
            (0..shape.kernel[axis]).map(move |tap| output * shape.stride[axis] + tap * shape.dilation[axis])
        });
        let inside = shape.padding[axis]..shape.padding[axis] + shape.input[axis];
        positions.filter(|position| inside.contains(position)).count() as u64
    };
    (shape.out_channels * shape.in_channels / shape.groups) as u64 * along(0) * along(1)
}
