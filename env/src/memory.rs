//! Answers of an evaluator that are given once and remembered.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use cgym_teachers::Error;

use crate::Evaluation;

/// Evaluations by what they are of, for any number of threads.
pub(crate) struct Memory<K> {
    slots: Mutex<HashMap<K, Slot>>,
    hits: AtomicU64,
    evaluations: AtomicU64,
}

/// Empty until its question is answered; locked while it is.
type Slot = Arc<Mutex<Option<Evaluation>>>;

impl<K: Hash + Ord + Clone> Memory<K> {
    pub(crate) fn with_known(known: impl IntoIterator<Item = (K, Evaluation)>) -> Self {
        let filled = |(key, evaluation)| (key, Arc::new(Mutex::new(Some(evaluation))));
        Self {
            slots: Mutex::new(known.into_iter().map(filled).collect()),
            hits: AtomicU64::new(0),
            evaluations: AtomicU64::new(0),
        }
    }

    /// Answers that were remembered.
    pub(crate) fn hits(&self) -> u64 {
        self.hits.load(Ordering::Relaxed)
    }

    /// Answers that had to be computed.
    pub(crate) fn evaluations(&self) -> u64 {
        self.evaluations.load(Ordering::Relaxed)
    }

    /// Everything known, sorted.
    pub(crate) fn known(&self) -> Vec<(K, Evaluation)> {
        let slots: Vec<_> = lock(&self.slots).iter().map(|(key, slot)| (key.clone(), slot.clone())).collect();
        let mut known: Vec<_> =
            slots.into_iter().filter_map(|(key, slot)| Some((key, (*lock(&slot))?))).collect();
        known.sort_by(|a, b| a.0.cmp(&b.0));
        known
    }

    /// What is remembered of `key`, or else what `ask` says, remembered unless it is refused.
    ///
    /// Whoever asks the same meanwhile waits and finds the answer.
    pub(crate) fn answer(
        &self,
        key: K,
        ask: impl FnOnce() -> Result<Evaluation, Error>,
    ) -> Result<Evaluation, Error> {
        let slot = lock(&self.slots).entry(key).or_default().clone();
        let mut slot = lock(&slot);
        if let Some(known) = *slot {
            self.hits.fetch_add(1, Ordering::Relaxed);
            return Ok(known);
        }
        let evaluation = ask()?;
        self.evaluations.fetch_add(1, Ordering::Relaxed);
        *slot = Some(evaluation);
        Ok(evaluation)
    }
}

/// A panic elsewhere leaves a slot empty or full, never half written.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
