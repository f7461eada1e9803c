//! UCI handwritten digits, embedded (see the attribution in the [module's documentation](super)).
//!
//! The published file has one part only. Here its last 360 images are the test part. The file is
//! ordered by writer, so the two parts share almost no writer.

use std::path::Path;

use super::facts::{DIGIT_NAMES, DatasetFacts, Source, SplitDefaults, TrainingDefaults};
use super::files::Source as Contents;
use super::{DataError, DataSource, Dataset, DatasetName};

const FILE: &str = "digits.csv.gz";
const BYTES: &[u8] = include_bytes!("../../assets/digits.csv.gz");
/// More bytes than the unpacked file has.
const UNPACKED: usize = 1 << 20;
const PIXELS: usize = 64;
const CLASSES: usize = 10;
/// The count of set bits in a 4 x 4 block of the scanned bitmap, and so the largest pixel.
const SCALE: u8 = 16;
const TEST_IMAGES: usize = 360;

/// The digits' entry in the table of datasets.
pub(super) const DIGITS: DatasetFacts = DatasetFacts {
    name: "digits",
    id_word: "Digits",
    known_shape: Some(([1, 8, 8], CLASSES)),
    classes: DIGIT_NAMES,
    scale: SCALE as f32,
    // Over the 1437 images of the train part, scaled to the range 0 to 1.
    normalization: (&[0.305_386_12], &[0.375_507_1]),
    // The settings of the shipped teacher.
    training: TrainingDefaults { epochs: 40, batch: 64, shift: 1, mirror: false },
    splits: SplitDefaults { calibration: 400, reward: 360 },
    layout: "the digits are embedded and need no files",
    source: Source::Embedded(load),
};

/// Unpacks the embedded images: 1437 to train with, 360 to test with.
fn load() -> Result<DataSource, DataError> {
    let path = Path::new(FILE);
    parse(&Contents::new(BYTES, path)?.take(UNPACKED)?, path, TEST_IMAGES)
}

/// Reads lines of 64 pixels and a class; the last `test` lines become the test part.
pub(super) fn parse(csv: &[u8], path: &Path, test: usize) -> Result<DataSource, DataError> {
    let text = std::str::from_utf8(csv)
        .map_err(|error| DataError::malformed(path, format!("is not text: {error}")))?;
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    for (record, line) in text.lines().enumerate() {
        let fail = |problem: String| DataError::record(path, record, problem);
        let values: Vec<u8> = line
            .split(',')
            .map(|field| field.trim().parse())
            .collect::<Result<_, _>>()
            .map_err(|error| fail(format!("a value is not a whole number: {error}")))?;
        let [image @ .., label] = values.as_slice() else {
            return Err(fail("is empty".to_owned()));
        };
        if image.len() != PIXELS {
            return Err(fail(format!("has {} pixels, not {PIXELS}", image.len())));
        }
        if let Some(pixel) = image.iter().find(|&&p| p > SCALE) {
            return Err(fail(format!("has a pixel {pixel} above {SCALE}")));
        }
        if usize::from(*label) >= CLASSES {
            return Err(fail(format!("has class {label}, not one of 0 to 9")));
        }
        pixels.extend_from_slice(image);
        labels.push(u16::from(*label));
    }
    if labels.len() <= test {
        return Err(DataError::malformed(path, format!("has {} images, not more than {test}", labels.len())));
    }
    let train = labels.len() - test;
    let test = part(pixels.split_off(train * PIXELS), labels.split_off(train), "test")?;
    let train = part(pixels, labels, "train")?;
    Ok(DataSource { train, test })
}

fn part(pixels: Vec<u8>, labels: Vec<u16>, part: &str) -> Result<Dataset, DataError> {
    Dataset::of(DatasetName::Digits, part, CLASSES, [1, 8, 8], pixels, labels)
}
