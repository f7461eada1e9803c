//! One part of a dataset in memory, and the normalisation of its bytes.

use serde::{Deserialize, Serialize};

use super::{DataError, DatasetName, Preprocessing};

/// Per-channel mean and deviation of pixels scaled to the range 0 to 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Normalization {
    /// Mean of each channel.
    pub mean: Vec<f32>,
    /// Standard deviation of each channel, above 0.
    pub deviation: Vec<f32>,
}

impl Normalization {
    /// From slices that hold one value per channel.
    pub fn new(mean: &[f32], deviation: &[f32]) -> Self {
        Self { mean: mean.to_vec(), deviation: deviation.to_vec() }
    }
}

/// Images of one size with their classes, as raw bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    name: String,
    classes: usize,
    shape: [usize; 3],
    pixels: Vec<u8>,
    labels: Vec<u16>,
    scale: f32,
    normalization: Normalization,
    class_names: Vec<String>,
    /// The normalised value of each raw value, 256 per channel.
    table: Vec<f32>,
}

/// The two parts of a dataset's official split.
#[derive(Clone, Debug, PartialEq)]
pub struct DataSource {
    /// The official training part.
    pub train: Dataset,
    /// The official test part, which results are reported on.
    pub test: Dataset,
}

impl Dataset {
    /// Makes a dataset from its parts.
    ///
    /// `shape` is channels, height, width; `pixels` holds the images one after another in that
    /// order; `scale` is the raw value that means 1.0 (255, or 16 for the digits).
    ///
    /// # Errors
    /// No images, lengths that do not agree, a label outside the classes, or a normalisation that
    /// does not fit the channels.
    pub fn new(
        name: impl Into<String>,
        classes: usize,
        shape: [usize; 3],
        pixels: Vec<u8>,
        labels: Vec<u16>,
        scale: f32,
        normalization: Normalization,
    ) -> Result<Self, DataError> {
        let name = name.into();
        let fail = |problem: String| Err(DataError::Dataset { name: name.clone(), problem });
        if labels.is_empty() {
            return fail("there are no images".to_owned());
        }
        let bytes =
            [labels.len(), shape[0], shape[1], shape[2]].into_iter().try_fold(1_usize, usize::checked_mul);
        if shape.contains(&0) || bytes != Some(pixels.len()) {
            return fail(format!(
                "{} pixel bytes are not {} images of {}x{}x{}",
                pixels.len(),
                labels.len(),
                shape[0],
                shape[1],
                shape[2]
            ));
        }
        if let Some(i) = labels.iter().position(|&l| usize::from(l) >= classes) {
            return fail(format!("image {i} has class {} of {classes} classes", labels[i]));
        }
        let table = match table(shape[0], scale, &normalization) {
            Ok(table) => table,
            Err(problem) => return fail(problem),
        };
        let class_names = Vec::new();
        Ok(Self { name, classes, shape, pixels, labels, scale, normalization, class_names, table })
    }

    /// A part of a dataset of the table, with its own preprocessing.
    pub(super) fn of(
        name: DatasetName,
        part: &str,
        classes: usize,
        shape: [usize; 3],
        pixels: Vec<u8>,
        labels: Vec<u16>,
    ) -> Result<Self, DataError> {
        let facts = name.facts();
        let (part, normalization) = (format!("{name}/{part}"), facts.normalization());
        Self::new(part, classes, shape, pixels, labels, facts.scale, normalization)?
            .with_class_names(facts.class_names())
    }

    /// The same images with names for the classes, in the order of the labels.
    ///
    /// # Errors
    /// Another number of names than classes; no names at all are accepted.
    pub fn with_class_names(mut self, names: Vec<String>) -> Result<Self, DataError> {
        if !names.is_empty() && names.len() != self.classes {
            let problem = format!("{} names are given for {} classes", names.len(), self.classes);
            return Err(DataError::Dataset { name: self.name, problem });
        }
        self.class_names = names;
        Ok(self)
    }

    /// Another raw value that means 1.0.
    ///
    /// # Errors
    /// A scale that is not a number above 0.
    pub(super) fn set_scale(&mut self, scale: f32) -> Result<(), DataError> {
        let normalization = self.normalization.clone();
        self.table = self.new_table(scale, &normalization)?;
        self.scale = scale;
        Ok(())
    }

    /// Another normalisation.
    ///
    /// # Errors
    /// A normalisation without one finite mean and one deviation above 0 for each channel.
    pub(super) fn set_normalization(&mut self, normalization: Normalization) -> Result<(), DataError> {
        self.table = self.new_table(self.scale, &normalization)?;
        self.normalization = normalization;
        Ok(())
    }

    fn new_table(&self, scale: f32, normalization: &Normalization) -> Result<Vec<f32>, DataError> {
        table(self.shape[0], scale, normalization)
            .map_err(|problem| DataError::Dataset { name: self.name.clone(), problem })
    }

    /// The name that messages use.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are no images; false for every dataset that [`Dataset::new`] made.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Channels, height, width.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// The number of values in one image: channels x height x width.
    pub fn image_len(&self) -> usize {
        self.shape.iter().product()
    }

    /// The number of classes, including those without an image.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The raw value that means 1.0.
    pub fn scale(&self) -> f32 {
        self.scale
    }

    /// The normalisation of the images.
    pub fn normalization(&self) -> &Normalization {
        &self.normalization
    }

    /// The names of the classes in the order of the labels; empty where none are known.
    pub fn class_names(&self) -> &[String] {
        &self.class_names
    }

    /// How the images' bytes become numbers, and the names of their classes.
    pub fn preprocessing(&self) -> Preprocessing {
        Preprocessing::new(self.scale, &self.normalization, self.class_names.clone())
    }

    /// The class of each image, below [`classes`](Self::classes).
    pub fn labels(&self) -> &[u16] {
        &self.labels
    }

    /// The class of image `i`.
    ///
    /// # Panics
    /// Where `i` is not below [`len`](Self::len).
    pub fn label(&self, i: usize) -> usize {
        usize::from(self.labels[i])
    }

    /// The classes of the images at `indices`, in their order.
    ///
    /// # Panics
    /// Where an index is not below [`len`](Self::len).
    pub fn labels_of(&self, indices: &[usize]) -> Vec<usize> {
        indices.iter().map(|&i| self.label(i)).collect()
    }

    /// The raw bytes of image `i`, `C x H x W`.
    ///
    /// # Panics
    /// Where `i` is not below [`len`](Self::len).
    pub fn image(&self, i: usize) -> &[u8] {
        let size = self.image_len();
        &self.pixels[i * size..(i + 1) * size]
    }

    /// The normalised value of each raw value, 256 for each channel.
    pub fn table(&self) -> &[f32] {
        &self.table
    }

    /// Writes image `i` to `target`, normalised, `C x H x W`.
    ///
    /// # Panics
    /// Where `i` is not below [`len`](Self::len) or `target` has another length than
    /// [`image_len`](Self::image_len).
    pub fn write_normalized(&self, i: usize, target: &mut [f32]) {
        assert_eq!(target.len(), self.image_len(), "one image is written");
        let plane = self.shape[1] * self.shape[2];
        let channels = self.table.chunks_exact(256);
        let planes = self.image(i).chunks_exact(plane);
        for ((table, raw), out) in channels.zip(planes).zip(target.chunks_exact_mut(plane)) {
            for (out, &raw) in out.iter_mut().zip(raw) {
                *out = table[usize::from(raw)];
            }
        }
    }

    /// The images at `indices` as one normalised batch, `N x C x H x W`.
    ///
    /// # Panics
    /// Where an index is not below [`len`](Self::len).
    pub fn normalized(&self, indices: &[usize]) -> Vec<f32> {
        let size = self.image_len();
        let mut batch = vec![0.0; indices.len() * size];
        for (&i, target) in indices.iter().zip(batch.chunks_exact_mut(size)) {
            self.write_normalized(i, target);
        }
        batch
    }
}

/// The normalised value of every raw value of every channel, or why the normalisation is refused.
fn table(channels: usize, scale: f32, normalization: &Normalization) -> Result<Vec<f32>, String> {
    if !(scale.is_finite() && scale > 0.0) {
        return Err(format!("the scale {scale} is not above 0"));
    }
    let Normalization { mean, deviation } = normalization;
    if mean.len() != channels || deviation.len() != channels {
        return Err(format!(
            "a normalization of {} means and {} deviations is given for {channels} channels",
            mean.len(),
            deviation.len()
        ));
    }
    let sound = |(m, d): (&f32, &f32)| m.is_finite() && d.is_finite() && *d > 0.0;
    if !mean.iter().zip(deviation).all(sound) {
        return Err("every mean must be finite and every deviation above 0".to_owned());
    }
    Ok(mean
        .iter()
        .zip(deviation)
        .flat_map(|(m, d)| (0..=255_u8).map(move |raw| (f32::from(raw) / scale - m) / d))
        .collect())
}
