//! The seeds of a run, all derived from `run.seed`.

use sha2::{Digest, Sha256};

/// The seed number `index` for `purpose` in the run with seed `run`. It is below 2^53, so that JSON
/// readers with floating-point numbers represent it exactly.
pub fn derive(run: u64, purpose: &str, index: u64) -> u64 {
    let mut hash = Sha256::new();
    hash.update(run.to_le_bytes());
    hash.update(purpose.as_bytes());
    hash.update(index.to_le_bytes());
    let digest = hash.finalize();
    let first = digest.iter().take(8).fold(0, |number: u64, &byte| number << 8 | u64::from(byte));
    first >> 11
}

#[cfg(test)]
mod tests {
    use super::derive;

    #[test]
    fn seeds_differ_by_run_purpose_and_index() {
        let all =
            [derive(1, "agent", 0), derive(2, "agent", 0), derive(1, "episode", 0), derive(1, "agent", 1)];
        for (i, a) in all.iter().enumerate() {
            assert!(*a < 1 << 53);
            assert!(all[i + 1..].iter().all(|b| a != b));
        }
        assert_eq!(derive(1, "agent", 0), all[0]);
    }
}
