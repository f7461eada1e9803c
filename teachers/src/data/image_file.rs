//! PNG and JPEG files: the header is read and checked first, then the pixels are decoded.

use std::io::Cursor;
use std::sync::{Mutex, PoisonError};

use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::limits::{LARGEST_SIDE, MOST_PIXELS};
use super::resize::Pixels;

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";
const JPEG: &[u8] = b"\xff\xd8\xff";

/// Images of more pixels are decoded one at a time, so that memory does not grow with the number of
/// threads.
const LARGE: usize = 1 << 22;
static ONE_LARGE: Mutex<()> = Mutex::new(());

/// Deflate cannot shrink data further than this.
const DEFLATE_RATIO: usize = 1032;
/// A JPEG file spends at least one bit for each block of 64 values, and no sampling of its components
/// puts more than 256 pixels into a block.
const JPEG_PIXELS_PER_BYTE: usize = 8 * 256;

/// Decodes the contents of a PNG or JPEG file, resizes the image to `size` (height, width) and writes
/// it to `target` as planes of red, green and blue.
///
/// # Errors
/// Why the file is refused.
pub(super) fn decode(file: &[u8], size: [usize; 2], target: &mut [u8]) -> Result<(), String> {
    let _one_at_a_time;
    let pixels = match file {
        _ if file.starts_with(PNG) => {
            let mut png = png_decoder(file);
            let info = png.read_header_info().map_err(|error| error.to_string())?;
            let [width, height] = [info.width, info.height].map(|side| side as usize);
            let most = file.len().saturating_mul(8 * DEFLATE_RATIO) / info.bits_per_pixel();
            check(width, height, most, file.len())?;
            _one_at_a_time = alone(width, height);
            decode_png(png).map_err(|error| error.to_string())?
        }
        _ if file.starts_with(JPEG) => {
            let mut jpeg = JpegDecoder::new_with_options(ZCursor::new(file), jpeg_options());
            jpeg.decode_headers().map_err(|error| error.to_string())?;
            let info = jpeg.info().ok_or("has no header")?;
            let [width, height] = [info.width, info.height].map(usize::from);
            check(width, height, file.len().saturating_mul(JPEG_PIXELS_PER_BYTE), file.len())?;
            _one_at_a_time = alone(width, height);
            let bytes = jpeg.decode().map_err(|error| error.to_string())?;
            Pixels { width, height, samples: 3, bytes }
        }
        _ => return Err("is neither a PNG nor a JPEG file".to_owned()),
    };
    pixels.write_planes(size, target);
    Ok(())
}

/// Refuses sizes over the limits, and more pixels than the file can hold.
fn check(width: usize, height: usize, most: usize, bytes: usize) -> Result<(), String> {
    if [width, height].iter().any(|side| !(1..=LARGEST_SIDE).contains(side)) {
        return Err(format!(
            "is {width}x{height} pixels, over the limit of {LARGEST_SIDE}x{LARGEST_SIDE} or empty"
        ));
    }
    let pixels = width * height;
    if pixels > MOST_PIXELS {
        return Err(format!("has {pixels} pixels ({width}x{height}), over the limit of {MOST_PIXELS}"));
    }
    if pixels > most {
        return Err(format!("says that it is {width}x{height} pixels, which {bytes} bytes cannot hold"));
    }
    Ok(())
}

/// Waits for other large images if this one is large.
fn alone(width: usize, height: usize) -> Option<std::sync::MutexGuard<'static, ()>> {
    (width * height > LARGE).then(|| ONE_LARGE.lock().unwrap_or_else(PoisonError::into_inner))
}

fn png_decoder(file: &[u8]) -> png::Decoder<Cursor<&[u8]>> {
    let mut decoder = png::Decoder::new(Cursor::new(file));
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    decoder.ignore_checksums(false);
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    decoder
}

/// The first frame in 8 bits per sample; 16-bit samples lose their lower byte.
fn decode_png(decoder: png::Decoder<Cursor<&[u8]>>) -> Result<Pixels, png::DecodingError> {
    let mut reader = decoder.read_info()?;
    let size = reader.output_buffer_size().ok_or(png::DecodingError::LimitsExceeded)?;
    let mut bytes = vec![0; size];
    let frame = reader.next_frame(&mut bytes)?;
    let [width, height] = [frame.width, frame.height].map(|side| side as usize);
    Ok(Pixels { width, height, samples: frame.color_type.samples(), bytes })
}

/// Sizes are checked here and not by the decoder. In strict mode, a file that ends early is an error and not a partly grey image.
fn jpeg_options() -> DecoderOptions {
    DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(usize::from(u16::MAX))
        .set_max_height(usize::from(u16::MAX))
        .jpeg_set_out_colorspace(ColorSpace::RGB)
}
