//! Event files, read back by a parser that shares no code with the writer.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use super::*;

mod parser;
use parser::{Field, crc32c, field, fields, records, value_of};

/// A folder that is removed at the end of the test.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn event_files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("a folder");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files
}

/// The events of the only file in `directory`.
fn events(directory: &Path) -> Vec<Vec<u8>> {
    let files = event_files(directory);
    assert_eq!(files.len(), 1, "{files:?}");
    records(&fs::read(&files[0]).expect("an event file"))
}

/// The warnings so far, and a function that adds one.
fn warnings() -> (Arc<Mutex<Vec<String>>>, impl FnOnce(&str) + Send + 'static) {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&heard);
    (heard, move |warning: &str| kept.lock().expect("no panic").push(warning.to_owned()))
}

fn log_of_everything(log: &mut TensorBoard) {
    for step in 0..2000 {
        log.scalar("charts/episodic_return", 0.5, step);
    }
    log.histogram("ratios", &[0.1, 0.2], 0);
    log.text("configuration", "seed = 1");
    log.hparams(&[("seed".to_owned(), HParam::Number(1.0))], &["charts/best_return"]);
    log.flush();
}

#[test]
fn the_parser_has_the_published_check_value_of_crc_32c() {
    assert_eq!(crc32c(b"123456789"), 0xe306_9283);
}

#[test]
fn a_file_begins_with_its_version_and_the_mark_of_its_first_step() {
    let directory = folder();
    drop(TensorBoard::create_from(directory.path(), 7));

    let events = events(directory.path());
    assert_eq!(events.len(), 2);
    assert_eq!(field(&events[0], 3), Field::Bytes(b"brain.Event:2".to_vec()));
    assert_eq!(field(&events[1], 2), Field::Varint(7));
    let Field::Bytes(mark) = field(&events[1], 7) else { panic!("a session log") };
    assert_eq!(fields(&mark), [(1, Field::Varint(1))], "SessionLog.START");
}

#[test]
fn a_scalar_reads_back_with_its_tag_step_and_time() {
    let directory = folder();
    let mut log = TensorBoard::create(directory.path());
    log.scalar("info/accuracy", 0.9175, 12);
    drop(log);

    let event = &events(directory.path())[2];
    let Field::Fixed64(time) = field(event, 1) else { panic!("a time") };
    assert!(f64::from_bits(time) > 1.7e9, "seconds since 1970");
    assert_eq!(field(event, 2), Field::Varint(12));
    let value = value_of(event);
    assert_eq!(field(&value, 1), Field::Bytes(b"info/accuracy".to_vec()));
    assert_eq!(field(&value, 2), Field::Fixed32(0.9175_f32.to_bits()));
}

#[test]
fn zero_nan_and_infinity_are_logged_as_they_are() {
    let directory = folder();
    let mut log = TensorBoard::create(directory.path());
    for (step, value) in [0.0, f64::NAN, f64::INFINITY, -1e300].into_iter().enumerate() {
        log.scalar("losses/critic", value, step);
    }
    drop(log);

    let logged = events(directory.path()).split_off(2);
    let bits: Vec<Field> = logged.iter().map(|event| field(&value_of(event), 2)).collect();
    assert_eq!(bits[0], Field::Fixed32(0));
    let Field::Fixed32(nan) = bits[1] else { panic!("a number") };
    assert!(f32::from_bits(nan).is_nan());
    assert_eq!(bits[2], Field::Fixed32(f32::INFINITY.to_bits()));
    assert_eq!(bits[3], Field::Fixed32(f32::NEG_INFINITY.to_bits()), "below the range of f32");
}

#[test]
fn a_text_names_its_plugin_and_keeps_every_letter() {
    let directory = folder();
    let mut log = TensorBoard::create_from(directory.path(), 3);
    log.text("configuration", "reward = \"err\" # α → β");
    drop(log);

    let event = &events(directory.path())[2];
    assert_eq!(field(event, 2), Field::Varint(3), "at the first step of the log");
    let value = value_of(event);
    let Field::Bytes(metadata) = field(&value, 9) else { panic!("metadata") };
    let Field::Bytes(plugin) = field(&metadata, 1) else { panic!("plugin data") };
    assert_eq!(field(&plugin, 1), Field::Bytes(b"text".to_vec()));
    let Field::Bytes(tensor) = field(&value, 8) else { panic!("a tensor") };
    assert_eq!(field(&tensor, 1), Field::Varint(7), "DT_STRING");
    assert_eq!(field(&tensor, 8), Field::Bytes("reward = \"err\" # α → β".as_bytes().to_vec()));
}

#[test]
fn hyper_parameters_come_with_a_start_and_an_end() {
    let directory = folder();
    let mut log = TensorBoard::create(directory.path());
    let hparams = [
        ("sigma".to_owned(), HParam::Number(0.5)),
        ("agent".to_owned(), HParam::Text("ddpg".to_owned())),
        ("bounded".to_owned(), HParam::Flag(true)),
    ];
    log.hparams(&hparams, &["charts/best_return"]);
    log.finish(Outcome::Success);

    let plugin_data = |event: &Vec<u8>| {
        let value = value_of(event);
        let Field::Bytes(tag) = field(&value, 1) else { panic!("a tag") };
        let Field::Bytes(metadata) = field(&value, 9) else { panic!("metadata") };
        let Field::Bytes(plugin) = field(&metadata, 1) else { panic!("plugin data") };
        assert_eq!(field(&plugin, 1), Field::Bytes(b"hparams".to_vec()));
        let Field::Bytes(content) = field(&plugin, 2) else { panic!("content") };
        (String::from_utf8(tag).expect("a name"), content)
    };
    let logged: Vec<_> = events(directory.path())[2..].iter().map(plugin_data).collect();
    assert_eq!(logged[0].0, "_hparams_/experiment");
    assert_eq!(logged[1].0, "_hparams_/session_start_info");
    assert_eq!(logged[2].0, "_hparams_/session_end_info");

    // Columns keep their order.
    let Field::Bytes(experiment) = field(&logged[0].1, 2) else { panic!("columns") };
    let columns: Vec<Field> = fields(&experiment)
        .into_iter()
        .filter_map(|(number, column)| match column {
            Field::Bytes(column) if number == 4 => Some(field(&column, 1)),
            _ => None,
        })
        .collect();
    let names = [b"sigma".to_vec(), b"agent".to_vec(), b"bounded".to_vec()];
    assert_eq!(columns, names.map(Field::Bytes));

    let Field::Bytes(start) = field(&logged[1].1, 3) else { panic!("a start") };
    let mut hparams = Vec::new();
    for (_, entry) in fields(&start).into_iter().filter(|(number, _)| *number == 1) {
        let Field::Bytes(entry) = entry else { panic!("an entry of the map") };
        let (Field::Bytes(name), Field::Bytes(value)) = (field(&entry, 1), field(&entry, 2)) else {
            panic!("a name and a value");
        };
        hparams.push((String::from_utf8(name).expect("a name"), fields(&value)));
    }
    hparams.sort_by(|left, right| left.0.cmp(&right.0));
    let expected = [
        ("agent".to_owned(), vec![(3, Field::Bytes(b"ddpg".to_vec()))]),
        ("bounded".to_owned(), vec![(4, Field::Varint(1))]),
        ("sigma".to_owned(), vec![(2, Field::Fixed64(0.5_f64.to_bits()))]),
    ];
    assert_eq!(hparams, expected);

    let Field::Bytes(end) = field(&logged[2].1, 4) else { panic!("an end") };
    assert_eq!(field(&end, 1), Field::Varint(1), "STATUS_SUCCESS");
}

#[test]
fn a_histogram_counts_every_finite_value_once() {
    let directory = folder();
    let mut log = TensorBoard::create(directory.path());
    log.histogram("ratios", &[1.0, 0.0, f64::NAN, 0.5, 0.5, f64::INFINITY], 0);
    log.histogram("ratios", &[2.0, 2.0], 1);
    log.histogram("ratios", &[f64::NAN], 2);
    log.histogram("ratios", &[], 3);
    drop(log);

    let numbers = |packed: Field| match packed {
        Field::Bytes(bytes) => parser::doubles(&bytes),
        other => panic!("{other:?} is not a list"),
    };
    let logged = events(directory.path()).split_off(2);
    assert_eq!(logged.len(), 2, "nothing to show without a finite value");
    let histograms: Vec<_> = logged
        .iter()
        .map(|event| match field(&value_of(event), 5) {
            Field::Bytes(histogram) => (numbers(field(&histogram, 6)), numbers(field(&histogram, 7))),
            other => panic!("{other:?} is not a histogram"),
        })
        .collect();
    let (limits, counts) = &histograms[0];
    assert_eq!((limits.len(), counts.len()), (30, 30));
    assert!(limits.is_sorted());
    assert_eq!((limits[29], counts.iter().sum::<f64>()), (1.0, 4.0));
    assert_eq!((counts[0], counts[15], counts[29]), (1.0, 2.0, 1.0));
    assert_eq!(histograms[1], (vec![2.0], vec![2.0]));
}

#[test]
fn each_start_of_a_run_has_a_file_that_sorts_after_the_earlier_ones() {
    let directory = folder();
    fs::write(directory.path().join("events.out.tfevents.9000000000.host.1.0"), "").expect("a file");
    fs::write(directory.path().join("episodes.jsonl"), "").expect("a file");
    for first_step in [0, 10, 20] {
        TensorBoard::create_from(directory.path(), first_step).scalar("charts/SPS", 1.0, first_step);
    }

    let files = event_files(directory.path()).split_off(2);
    let first_steps = files.iter().map(|file| {
        let events = records(&fs::read(file).expect("an event file"));
        fields(&events[1]).into_iter().find(|(number, _)| *number == 2).map(|(_, step)| step)
    });
    // Zero is not written, because it is the default of an absent number.
    let expected = [None, Some(Field::Varint(10)), Some(Field::Varint(20))];
    assert_eq!(first_steps.collect::<Vec<_>>(), expected, "{files:?}");
}

#[test]
fn a_flushed_log_is_readable_while_it_is_still_open() {
    let directory = folder();
    let mut log = TensorBoard::create(directory.path());
    log.scalar("charts/SPS", 1.0, 0);
    log.flush();
    assert_eq!(events(directory.path()).len(), 3);
}

#[test]
fn a_folder_that_cannot_be_made_gives_one_warning_and_a_silent_log() {
    let directory = folder();
    let file = directory.path().join("a-file");
    fs::write(&file, "in the way").expect("a file");
    let (heard, warn) = warnings();
    let mut log = TensorBoard::open(&file.join("run"), 0, warn);
    log_of_everything(&mut log);
    log.finish(Outcome::Failure);

    let heard = heard.lock().expect("no panic");
    assert_eq!(heard.len(), 1, "{heard:?}");
    assert!(heard[0].contains("a-file"), "{}", heard[0]);
    assert!(heard[0].ends_with("continuing without it"), "{}", heard[0]);
}

/// A disk with `free` bytes left.
struct Disk {
    free: usize,
}

impl io::Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.free == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let taken = bytes.len().min(self.free);
        self.free -= taken;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_disk_that_fills_up_at_any_byte_gives_one_warning_and_no_panic() {
    for free in [0, 1, 30, 100, 5000, 100_000] {
        let (heard, warn) = warnings();
        let mut log = TensorBoard::over(Ok(Box::new(Disk { free })), "run".to_owned(), 0, Box::new(warn));
        log_of_everything(&mut log);
        log_of_everything(&mut log);
        log.finish(Outcome::Success);
        assert_eq!(heard.lock().expect("no panic").len(), 1, "with {free} free bytes");
    }
}

#[test]
fn a_full_device_gives_one_warning_and_no_panic() {
    let Ok(device) = fs::OpenOptions::new().write(true).open("/dev/full") else { return };
    let (heard, warn) = warnings();
    let mut log = TensorBoard::over(Ok(Box::new(device)), "/dev/full".to_owned(), 0, Box::new(warn));
    log_of_everything(&mut log);
    log.finish(Outcome::Success);
    let heard = heard.lock().expect("no panic");
    assert_eq!(heard.len(), 1, "{heard:?}");
}

#[test]
fn configuration_values_become_hyper_parameters() {
    let value = serde_json::json!({"a": null, "b": true, "c": 3, "d": "x", "e": [1, 2]});
    let read: Vec<HParam> = ["a", "b", "c", "d", "e"].iter().map(|key| HParam::from(&value[key])).collect();
    let text = |text: &str| HParam::Text(text.to_owned());
    assert_eq!(read, [text("none"), HParam::Flag(true), HParam::Number(3.0), text("x"), text("[1,2]")]);
}
