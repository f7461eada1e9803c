//! A folder of images with one subfolder per class.
//!
//! `DIR/train/<class>/` and `DIR/test/<class>/` (or `val`) are used as the two parts. From
//! `DIR/<class>/` alone, a fixed fifth of each class is split off as the test part.
//! Classes and files are in the order of their names. Names that begin with a dot, and files that
//! are neither PNG nor JPEG, are ignored. Images are converted to RGB and resized bilinearly; what
//! their EXIF data says about rotation is ignored.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::facts::{DatasetFacts, Source, SplitDefaults, TrainingDefaults};
use super::image_file;
use super::limits::{LARGEST_FILE, LARGEST_IMAGE, LARGEST_PART, MOST_CLASSES};
use super::splits::by_class;
use super::{DataError, DataSource, Dataset, DatasetName};

/// The image folders' entry in the table of datasets.
pub(super) const IMAGE_FOLDER: DatasetFacts = DatasetFacts {
    name: "folder",
    id_word: "Folder",
    known_shape: None,
    classes: &[],
    scale: 255.0,
    // ImageNet's figures, as is usual for photographs.
    normalization: (&[0.485, 0.456, 0.406], &[0.229, 0.224, 0.225]),
    training: TrainingDefaults { epochs: 160, batch: 128, shift: 4, mirror: true },
    splits: SplitDefaults { calibration: 1000, reward: 5000 },
    layout: "put png or jpg images into DIR/train/<class>/ and DIR/test/<class>/ (or val), or \
             into DIR/<class>/ to have a fifth split off for the test, and give --data DIR",
    source: Source::Images(load),
};

/// The split is the same for every run, whatever the run's seed.
const SPLIT_SEED: u64 = 0;

/// Image files with their classes.
struct Listing {
    files: Vec<PathBuf>,
    labels: Vec<u16>,
}

/// Reads both parts, each image resized to `size` (height, width).
fn load(root: &Path, size: [usize; 2]) -> Result<DataSource, DataError> {
    if size.iter().any(|side| !(1..=LARGEST_IMAGE).contains(side)) {
        return Err(DataError::Option {
            dataset: DatasetName::ImageFolder,
            problem: format!(
                "an image size of {}x{} is not between 1x1 and {LARGEST_IMAGE}x{LARGEST_IMAGE}",
                size[0], size[1]
            ),
        });
    }
    if !root.is_dir() {
        return Err(DataError::Missing {
            dataset: DatasetName::ImageFolder,
            directory: root.to_owned(),
            missing: "all files: there is no such folder".to_owned(),
        });
    }
    let train = root.join("train");
    let test = ["test", "val"].map(|name| root.join(name));
    let (classes, train, test) = match test.into_iter().find(|path| path.is_dir()) {
        Some(test) if train.is_dir() => {
            let classes = class_folders(&train)?;
            reject_unknown_classes(&test, &classes, &train)?;
            let (train, test) = (list(&train, &classes)?, list(&test, &classes)?);
            (classes, train, test)
        }
        _ if train.is_dir() && !entries(&train, Path::is_dir)?.is_empty() => {
            return Err(DataError::Missing {
                dataset: DatasetName::ImageFolder,
                directory: root.to_owned(),
                missing: "a test or val folder beside train".to_owned(),
            });
        }
        _ => {
            let classes = class_folders(root)?;
            let (train, test) = split(list(root, &classes)?, classes.len());
            (classes, train, test)
        }
    };
    for (listing, part) in [(&train, "train"), (&test, "test")] {
        if listing.files.is_empty() {
            let problem = format!("leaves the {part} part without images: give it more");
            return Err(DataError::malformed(root, problem));
        }
    }
    Ok(DataSource {
        train: decode(&train, &classes, size, "train")?,
        test: decode(&test, &classes, size, "test")?,
    })
}

/// The visible entries of a folder that `keep` keeps, by name.
fn entries(folder: &Path, keep: impl Fn(&Path) -> bool) -> Result<Vec<PathBuf>, DataError> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(DataError::io(folder))? {
        let entry = entry.map_err(DataError::io(folder))?;
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        if !hidden && keep(&entry.path()) {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}

fn base_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// The names of the folders in `folder`, in order: the classes.
fn class_folders(folder: &Path) -> Result<Vec<String>, DataError> {
    let folders = entries(folder, Path::is_dir)?;
    if let Some(path) =
        folders.iter().find(|path| path.file_name().is_some_and(|name| name.to_str().is_none()))
    {
        return Err(DataError::malformed(path, "is a class whose name is not UTF-8: rename the folder"));
    }
    let classes: Vec<String> = folders.iter().map(|path| base_name(path)).collect();
    if !(2..=MOST_CLASSES).contains(&classes.len()) {
        return Err(DataError::malformed(
            folder,
            format!(
                "has {} class folders, not 2 to {MOST_CLASSES}; {}",
                classes.len(),
                DatasetName::ImageFolder.layout()
            ),
        ));
    }
    for class in &classes {
        let path = folder.join(class);
        if entries(&path, is_image)?.is_empty() {
            let problem = "has no png or jpg image: add some or remove the folder";
            return Err(DataError::malformed(&path, problem));
        }
    }
    Ok(classes)
}

fn reject_unknown_classes(test: &Path, classes: &[String], train: &Path) -> Result<(), DataError> {
    for path in entries(test, Path::is_dir)? {
        if !classes.contains(&base_name(&path)) {
            let problem = format!("is a class that {} does not have", train.display());
            return Err(DataError::malformed(&path, problem));
        }
    }
    Ok(())
}

fn is_image(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default().to_string_lossy();
    path.is_file() && ["png", "jpg", "jpeg"].contains(&extension.to_lowercase().as_str())
}

/// All images of all classes; a class without a folder here has no images.
fn list(folder: &Path, classes: &[String]) -> Result<Listing, DataError> {
    let (mut files, mut labels) = (Vec::new(), Vec::new());
    for (label, class) in (0_u16..).zip(classes) {
        let path = folder.join(class);
        if path.is_dir() {
            files.extend(entries(&path, is_image)?);
            labels.resize(files.len(), label);
        }
    }
    Ok(Listing { files, labels })
}

/// Splits a fifth of each class, rounded, off for the test.
fn split(all: Listing, classes: usize) -> (Listing, Listing) {
    let mut in_test = vec![false; all.files.len()];
    for class in by_class(&all.labels, classes, SPLIT_SEED) {
        for &i in &class[..(class.len() + 2) / 5] {
            in_test[i] = true;
        }
    }
    let pick = |wanted: bool| {
        let all = all.files.iter().zip(&all.labels).zip(&in_test);
        let (files, labels) = all
            .filter(|(_, in_test)| **in_test == wanted)
            .map(|((file, label), _)| (file.clone(), *label))
            .unzip();
        Listing { files, labels }
    };
    (pick(false), pick(true))
}

/// Reads the images of a part, each resized before the next one of its thread is read.
fn decode(
    listing: &Listing,
    classes: &[String],
    [height, width]: [usize; 2],
    part: &str,
) -> Result<Dataset, DataError> {
    let image_len = 3 * height * width;
    let count = listing.files.len();
    let refuse = |reason: String| DataError::Option {
        dataset: DatasetName::ImageFolder,
        problem: format!("the {part} part has {count} images of 3x{height}x{width} bytes, {reason}"),
    };
    let bytes = count.checked_mul(image_len).filter(|bytes| *bytes <= LARGEST_PART).ok_or_else(|| {
        refuse(format!("over the limit of {LARGEST_PART} bytes: give fewer, or a smaller data.image_size"))
    })?;
    let mut pixels = Vec::new();
    pixels.try_reserve_exact(bytes).map_err(|_| {
        refuse("more than there is memory for: give fewer, or a smaller data.image_size".to_owned())
    })?;
    pixels.resize(bytes, 0_u8);
    // Collected in order, so that the error names the same file at any number of threads.
    let results: Vec<Result<(), DataError>> = pixels
        .par_chunks_exact_mut(image_len)
        .zip(&listing.files)
        .map(|(target, path)| {
            let file = read(path)?;
            image_file::decode(&file, [height, width], target)
                .map_err(|problem| DataError::malformed(path, format!("{problem}: fix or remove the file")))
        })
        .collect();
    results.into_iter().collect::<Result<(), _>>()?;
    let labels = listing.labels.clone();
    let shape = [3, height, width];
    Dataset::of(DatasetName::ImageFolder, part, classes.len(), shape, pixels, labels)?
        .with_class_names(classes.to_vec())
}

/// The contents of an image file, whose length is checked before it is read.
fn read(path: &Path) -> Result<Vec<u8>, DataError> {
    let file = File::open(path).map_err(DataError::io(path))?;
    let length = file.metadata().map_err(DataError::io(path))?.len();
    if length > LARGEST_FILE {
        let problem = format!("has {length} bytes, over the limit of {LARGEST_FILE}: fix or remove the file");
        return Err(DataError::malformed(path, problem));
    }
    let mut bytes = Vec::new();
    file.take(length).read_to_end(&mut bytes).map_err(DataError::io(path))?;
    Ok(bytes)
}
