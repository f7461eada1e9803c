//! Tests of the datasets, and the small files that they are made from.
#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod cifar;
mod dataset;
mod digits;
#[cfg(feature = "download")]
mod download;
mod folder;
mod fuzz;
mod idx;
mod image_file;
mod splits;
mod table;

use std::io::Write;
use std::path::{Path, PathBuf};

use super::*;

/// The folder with real data that developers may have, `CGYM_SHARED` or `shared` beside the
/// workspace; a test without it prints that it is skipped.
fn shared(folder: &str) -> Option<PathBuf> {
    let root = std::env::var_os("CGYM_SHARED")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared")), PathBuf::from);
    let path = root.join("data").join(folder);
    if path.is_dir() {
        return Some(path);
    }
    println!("skipped: {} is not here", path.display());
    None
}

/// Loads from a folder with default options.
fn load_from(name: DatasetName, directory: &Path) -> Result<DataSource, DataError> {
    let options = LoadOptions { directory: Some(directory.to_owned()), ..LoadOptions::default() };
    load(name, &options, &mut |_, _| {})
}

/// The message that loading fails with, which must hold every one of `parts`.
fn assert_rejected(result: Result<DataSource, DataError>, parts: &[&str]) {
    let message = result.expect_err("bad input is rejected").to_string();
    for part in parts {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
}

fn write(path: &Path, bytes: &[u8]) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A PNG file of 8-bit RGB pixels.
fn png_file(width: u32, height: u32, pixels: &[u8]) -> Vec<u8> {
    png_file_of(width, height, png::ColorType::Rgb, png::BitDepth::Eight, pixels)
}

/// A PNG file of any kind, without a palette.
fn png_file_of(width: u32, height: u32, colour: png::ColorType, depth: png::BitDepth, raw: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(colour);
    encoder.set_depth(depth);
    encoder.set_compression(png::Compression::High);
    encoder.write_header().unwrap().write_image_data(raw).unwrap();
    file
}

/// The first chunk of a PNG file that says it has RGB pixels of this size.
fn png_header(width: u32, height: u32) -> Vec<u8> {
    let mut chunk = b"IHDR".to_vec();
    chunk.extend(width.to_be_bytes());
    chunk.extend(height.to_be_bytes());
    chunk.extend([8, 2, 0, 0, 0]);
    let mut checksum = flate2::Crc::new();
    checksum.update(&chunk);
    let mut file = b"\x89PNG\r\n\x1a\n\0\0\0\x0d".to_vec();
    file.extend(chunk);
    file.extend(checksum.sum().to_be_bytes());
    file
}

#[test]
fn names_read_as_they_are_printed() {
    for name in DatasetName::ALL {
        assert_eq!(name.to_string().parse::<DatasetName>().unwrap(), name);
        let json = serde_json::to_string(&name).unwrap();
        assert_eq!(json, format!("\"{name}\""));
        assert_eq!(serde_json::from_str::<DatasetName>(&json).unwrap(), name);
    }
}

#[test]
fn rejects_an_unknown_name_and_suggests_the_nearest() {
    for (given, nearest) in [
        ("CIFAR-10", "cifar10"),
        ("cifar_100", "cifar100"),
        ("cifar", "cifar10"),
        ("minst", "mnist"),
        ("fashion", "fashion-mnist"),
        ("fashion_mnist", "fashion-mnist"),
        ("digit", "digits"),
        ("folders", "folder"),
    ] {
        let message = given.parse::<DatasetName>().unwrap_err().to_string();
        assert!(message.contains(&format!("did you mean `{nearest}`?")), "{message}");
    }
    assert!("".parse::<DatasetName>().is_err());
}

#[test]
fn rejects_an_image_size_for_a_dataset_that_has_one() {
    let options = LoadOptions { image_size: Some([16, 16]), ..LoadOptions::default() };
    let result = load(DatasetName::Digits, &options, &mut |_, _| {});
    assert_rejected(result, &["digits", "image folder"]);
}

#[test]
fn rejects_an_image_folder_that_is_not_given() {
    let options = LoadOptions::default();
    let result = load(DatasetName::ImageFolder, &options, &mut |_, _| {});
    assert_rejected(result, &["folder: no folder is given", "--data DIR"]);
}

#[test]
fn the_cache_is_where_the_variables_say() {
    let root = |own: &str, xdg: &str, home: Option<&str>| {
        cache::root_from(Some(own.into()), Some(xdg.into()), home.map(PathBuf::from))
    };
    assert_eq!(root("mine", "/x", Some("/h")), Some(PathBuf::from("mine")));
    let expected = PathBuf::from("/x/compression-gym");
    assert_eq!(root("", "/x", Some("/h")), Some(expected));
    let expected = PathBuf::from("/h/.cache/compression-gym");
    assert_eq!(root("", "relative", Some("/h")), Some(expected.clone()));
    assert_eq!(root("", "", Some("/h")), Some(expected));
    assert_eq!(root("", "", None), None);
}
