//! Downloads, from memory and from a listener on this machine.

use std::collections::HashMap;
use std::io::{Cursor, Read};
use std::net::TcpListener;

use sha2::{Digest, Sha256};

use super::*;
use crate::data::download::{Http, Transfer, fetch};
use crate::data::recipes::{Members, Recipe, RemoteFile, recipe};

/// Serves bytes by address.
struct Memory(HashMap<&'static str, Vec<u8>>);

impl Transfer for Memory {
    fn open(&self, url: &str) -> Result<Box<dyn Read>, String> {
        let body = self.0.get(url).ok_or("no route to host")?;
        Ok(Box::new(Cursor::new(body.clone())))
    }
}

fn sha256(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Fetches `a.gz`, of which `good` is the right content, from two servers.
fn fetch_one(
    root: &Path,
    good: &[u8],
    transfer: &dyn Transfer,
    servers: &[&str],
) -> (Result<(), DataError>, Vec<(u64, u64)>) {
    let file = RemoteFile { name: "a.gz", bytes: good.len() as u64, sha256: &sha256(good) };
    let recipe = Recipe { dataset: DatasetName::Mnist, servers, files: &[file], members: None };
    let mut seen = Vec::new();
    let result = fetch(&recipe, root, transfer, &mut |done, total| seen.push((done, total)));
    (result, seen)
}

const SERVERS: &[&str] = &["one/", "two/"];

fn rejected(served: &[u8], parts: &[&str]) {
    let root = tempfile::tempdir().unwrap();
    let memory = Memory([("two/a.gz", served.to_vec())].into());
    let (result, _) = fetch_one(root.path(), b"what is pinned", &memory, SERVERS);
    let message = result.unwrap_err().to_string();
    for part in parts {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
    let left = std::fs::read_dir(root.path()).unwrap().count();
    assert_eq!(left, 0, "a failed download leaves nothing behind");
}

#[test]
fn a_download_is_reported_and_renamed_into_the_cache() {
    let root = tempfile::tempdir().unwrap();
    let good = vec![7; 100_000];
    let memory = Memory([("two/a.gz", good.clone())].into());
    let (result, seen) = fetch_one(root.path(), &good, &memory, SERVERS);
    result.unwrap();
    assert_eq!(std::fs::read(root.path().join("mnist/a.gz")).unwrap(), good);
    assert_eq!(seen.last(), Some(&(100_000, 100_000)));
    assert!(seen.is_sorted() && seen.len() > 1);
    assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 1);
}

#[test]
fn rejects_a_download_with_another_hash() {
    rejected(b"what is forged", &["mnist: a.gz", "two/a.gz: has the sha-256"]);
}

#[test]
fn rejects_a_download_that_ends_early_or_late() {
    rejected(b"what is", &["ended after 7 of 14 bytes"]);
    rejected(b"what is pinned and more", &["more than 14 bytes"]);
}

#[test]
fn an_offline_user_is_told_what_to_put_where() {
    let root = tempfile::tempdir().unwrap();
    let (result, _) = fetch_one(root.path(), b"x", &Memory(HashMap::new()), SERVERS);
    let message = result.unwrap_err().to_string();
    for part in [
        "one/a.gz: no route to host; two/a.gz: no route to host",
        "train-images-idx3-ubyte",
        "DIR/MNIST/raw",
        "--data DIR",
    ] {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
}

#[test]
fn a_dataset_that_another_process_has_finished_is_kept() {
    let root = tempfile::tempdir().unwrap();
    write(&root.path().join("mnist/a.gz"), b"first");
    let memory = Memory([("one/a.gz", b"second".to_vec())].into());
    let (result, _) = fetch_one(root.path(), b"second", &memory, SERVERS);
    result.unwrap();
    assert_eq!(std::fs::read(root.path().join("mnist/a.gz")).unwrap(), b"first");
}

/// A gzipped tar archive of the files, each holding its own path.
fn archive(paths: &[&str]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for path in paths {
        let mut header = tar::Header::new_gnu();
        header.set_size(path.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        tar.append_data(&mut header, path, path.as_bytes()).unwrap();
    }
    gzip(&tar.into_inner().unwrap())
}

fn fetch_archive(root: &Path, packed: &[u8]) -> Result<(), DataError> {
    let recipe = Recipe {
        dataset: DatasetName::Cifar100,
        servers: &["one/"],
        files: &[RemoteFile { name: "c.tar.gz", bytes: packed.len() as u64, sha256: &sha256(packed) }],
        members: Some(Members { folder: "inside", files: &["train.bin", "test.bin"] }),
    };
    let memory = Memory([("one/c.tar.gz", packed.to_vec())].into());
    fetch(&recipe, root, &memory, &mut |_, _| {})
}

#[test]
fn an_archive_is_unpacked_and_thrown_away() {
    let root = tempfile::tempdir().unwrap();
    let packed = archive(&["inside/train.bin", "inside/notes.html", "inside/test.bin"]);
    fetch_archive(root.path(), &packed).unwrap();
    let inside = root.path().join("cifar100/inside");
    assert_eq!(std::fs::read(inside.join("test.bin")).unwrap(), b"inside/test.bin");
    assert_eq!(std::fs::read_dir(&inside).unwrap().count(), 2);
    assert_eq!(std::fs::read_dir(root.path().join("cifar100")).unwrap().count(), 1);
}

#[test]
fn rejects_an_archive_without_the_files() {
    let root = tempfile::tempdir().unwrap();
    let error = fetch_archive(root.path(), &archive(&["inside/train.bin"])).unwrap_err();
    assert!(error.to_string().contains("lacks inside/{test.bin}"), "{error}");
    let error = fetch_archive(root.path(), b"no gzip data").unwrap_err();
    assert!(error.to_string().contains("cannot be unpacked"), "{error}");
    assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 0);
}

/// An entry that says it is large is refused before it is unpacked.
#[test]
fn rejects_an_archive_with_a_file_over_the_limit() {
    let root = tempfile::tempdir().unwrap();
    let mut header = tar::Header::new_gnu();
    header.set_path("inside/train.bin").unwrap();
    header.set_size(60_000 * 3074 + 1);
    header.set_mode(0o644);
    header.set_cksum();
    let error = fetch_archive(root.path(), &gzip(header.as_bytes())).unwrap_err().to_string();
    assert!(error.contains("train.bin has 184440001 bytes, over the limit of 184440000"), "{error}");
    assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 0);
}

/// Answers one request on a port of this machine and returns the address.
fn serve_once(answer: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 4096];
        let _ = stream.read(&mut request).unwrap();
        stream.write_all(&answer).unwrap();
    });
    address
}

fn fetch_over_http(answer: &[u8]) -> Result<Vec<u8>, String> {
    let root = tempfile::tempdir().unwrap();
    let address = serve_once(answer.to_vec());
    let (result, _) = fetch_one(root.path(), b"over http", &Http::direct(), &[&address]);
    result.map_err(|error| error.to_string())?;
    Ok(std::fs::read(root.path().join("mnist/a.gz")).unwrap())
}

#[test]
fn files_are_fetched_over_http() {
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nover http";
    assert_eq!(fetch_over_http(answer).unwrap(), b"over http");
}

#[test]
fn rejects_an_answer_that_breaks_off() {
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nover";
    let message = fetch_over_http(answer).unwrap_err();
    assert!(message.contains("after 4 of 9 bytes"), "{message}");
}

#[test]
fn rejects_a_status_that_is_not_success() {
    let answer = b"HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\nover http";
    let message = fetch_over_http(answer).unwrap_err();
    assert!(message.contains("404"), "{message}");
}

#[test]
fn every_pinned_file_is_one_that_the_loader_looks_for() {
    for name in DatasetName::ALL {
        let Some(recipe) = recipe(name) else { continue };
        assert_eq!(recipe.dataset, name);
        for file in recipe.files {
            let digits = file.sha256.bytes().filter(u8::is_ascii_hexdigit).count();
            assert_eq!((digits, file.sha256.len()), (64, 64));
            let known = name.layout().contains(file.name.trim_end_matches(".gz"))
                || name.layout().contains(file.name);
            assert!(known, "{} is in the instructions for {name}", file.name);
        }
    }
}
