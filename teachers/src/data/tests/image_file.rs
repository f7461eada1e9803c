//! PNG and JPEG files: what is read, and what is refused before it is decoded.

use png::{BitDepth, ColorType};

use super::*;
use crate::data::fuzz::image;

const COLOURS: &[u8] = include_bytes!("files/red-blue-32x16.jpg");

#[test]
fn every_kind_of_png_becomes_eight_bit_rgb() {
    for (colour, depth, raw, expected) in [
        (ColorType::Grayscale, BitDepth::One, &[0b1000_0000_u8][..], [255, 0, 255, 0, 255, 0]),
        (ColorType::Grayscale, BitDepth::Four, &[0x1f], [17, 255, 17, 255, 17, 255]),
        (ColorType::Grayscale, BitDepth::Eight, &[3, 4], [3, 4, 3, 4, 3, 4]),
        (ColorType::Grayscale, BitDepth::Sixteen, &[3, 255, 4, 0], [3, 4, 3, 4, 3, 4]),
        (ColorType::GrayscaleAlpha, BitDepth::Eight, &[3, 0, 4, 9], [3, 4, 3, 4, 3, 4]),
        (ColorType::Rgb, BitDepth::Eight, &[1, 2, 3, 4, 5, 6], [1, 4, 2, 5, 3, 6]),
        (ColorType::Rgb, BitDepth::Sixteen, &[1, 0, 2, 0, 3, 0, 4, 255, 5, 255, 6, 255], [1, 4, 2, 5, 3, 6]),
        (ColorType::Rgba, BitDepth::Eight, &[1, 2, 3, 0, 4, 5, 6, 0], [1, 4, 2, 5, 3, 6]),
    ] {
        let file = png_file_of(2, 1, colour, depth, raw);
        assert_eq!(image(&file, [1, 2]).unwrap(), expected, "{colour:?} {depth:?}");
    }
}

#[test]
fn a_jpeg_has_its_colours_where_they_belong() {
    let planes = image(COLOURS, [16, 32]).unwrap();
    let pixel = |x: usize, y: usize| [0, 1, 2].map(|channel| planes[channel * 512 + y * 32 + x]);
    for (found, expected) in [(pixel(3, 3), [200, 30, 30]), (pixel(28, 12), [20, 40, 220])] {
        let near = found.iter().zip(expected).all(|(found, expected)| found.abs_diff(expected) < 6);
        assert!(near, "{found:?} is not {expected:?}");
    }
}

/// The size in the header of a JPEG file: height, width, behind marker, length and precision.
fn with_size(file: &[u8], height: u16, width: u16) -> Vec<u8> {
    let start = file.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap() + 5;
    let mut file = file.to_vec();
    file[start..start + 2].copy_from_slice(&height.to_be_bytes());
    file[start + 2..start + 4].copy_from_slice(&width.to_be_bytes());
    file
}

fn refused(file: &[u8], parts: &[&str]) {
    let problem = image(file, [8, 8]).unwrap_err();
    for part in parts {
        assert!(problem.contains(part), "`{part}` is not in: {problem}");
    }
}

#[test]
fn a_side_over_the_limit_is_refused() {
    refused(&png_header(2_147_483_647, 1), &["2147483647x1", "over the limit of 16384x16384"]);
    refused(&png_header(1, 16_385), &["1x16385", "over the limit of 16384x16384"]);
    refused(&with_size(COLOURS, 16_385, 40), &["40x16385", "over the limit of 16384x16384"]);
}

#[test]
fn more_pixels_than_the_limit_are_refused() {
    refused(&png_header(16_384, 16_384), &["268435456 pixels", "over the limit of 67108864"]);
    refused(&with_size(COLOURS, 16_384, 16_384), &["268435456 pixels", "over the limit of 67108864"]);
}

/// A small file cannot hold a large image, however well it is compressed.
#[test]
fn more_pixels_than_the_file_can_hold_are_refused() {
    refused(&png_header(8192, 8192), &["8192x8192", "33 bytes cannot hold"]);
    refused(&with_size(COLOURS, 8192, 8192), &["8192x8192", "661 bytes cannot hold"]);
}

/// The bounds on compression are sound: a real image of one colour is far inside them.
#[test]
fn an_image_that_compresses_well_is_read() {
    let (width, height) = (2000, 1500);
    let file = png_file_of(width, height, ColorType::Grayscale, BitDepth::One, &vec![0; 250 * 1500]);
    assert!(file.len() < 2000, "{} bytes", file.len());
    assert!(image(&file, [4, 4]).unwrap().iter().all(|&value| value == 0));
}

#[test]
fn a_file_that_ends_early_is_refused_and_not_filled_with_grey() {
    let pixels: Vec<u8> = (0..3 * 40 * 40_u32).map(|i| (i * i % 251) as u8).collect();
    let png = png_file(40, 40, &pixels);
    for length in [9, 40, png.len() / 2, png.len() - 20] {
        assert!(image(&png[..length], [8, 8]).is_err(), "{length} bytes of the PNG");
    }
    for length in [3, 200, 600, COLOURS.len() - 10] {
        assert!(image(&COLOURS[..length], [8, 8]).is_err(), "{length} bytes of the JPEG");
    }
}

#[test]
fn a_damaged_png_is_refused() {
    let mut file = png_file(2, 2, &[7; 12]);
    let data = file.windows(4).position(|name| name == b"IDAT").unwrap() + 6;
    file[data] ^= 1;
    assert!(image(&file, [2, 2]).is_err());
}

#[test]
fn other_formats_are_refused() {
    for file in [&b"GIF89a"[..], b"BM", b"", b"P6 1 1 255 aaa"] {
        refused(file, &["neither a PNG nor a JPEG"]);
    }
}
