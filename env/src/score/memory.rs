//! Scores that are computed once and remembered.

use std::{
    collections::HashMap,
    marker::PhantomData,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use cgym_teachers::Error;

use super::{Score, Scorer};
use crate::play::ScoreTimes;

/// Remembers every answer by the candidate's identity, so that none is scored twice, by any number
/// of threads. Refusals are not remembered.
///
/// A thread that asks for a candidate that another thread is scoring waits for the answer. Ask from
/// threads of your own and not from tasks of rayon: a task could be handed the second question by
/// the score that it waits for.
pub struct Memoised<C, S> {
    inner: S,
    slots: Mutex<HashMap<String, Slot>>,
    hits: AtomicU64,
    evaluations: AtomicU64,
    candidates: PhantomData<fn(&C)>,
}

/// Empty until its question is answered; locked meanwhile.
type Slot = Arc<Mutex<Option<Score>>>;

impl<C, S: Scorer<C>> Memoised<C, S> {
    /// An empty memory in front of `inner`.
    pub fn new(inner: S) -> Self {
        Self {
            inner,
            slots: Mutex::default(),
            hits: AtomicU64::new(0),
            evaluations: AtomicU64::new(0),
            candidates: PhantomData,
        }
    }

    /// What answers questions that are not remembered.
    pub fn inner(&self) -> &S {
        &self.inner
    }

    /// Remembers an answer that was given elsewhere.
    pub fn remember(&self, candidate: &C, score: Score) {
        let identity = self.inner.identity(candidate);
        lock(&self.slots).insert(identity, Arc::new(Mutex::new(Some(score))));
    }

    /// Number of answers given from memory.
    pub fn hits(&self) -> u64 {
        self.hits.load(Ordering::Relaxed)
    }

    /// Number of answers that had to be computed.
    pub fn evaluations(&self) -> u64 {
        self.evaluations.load(Ordering::Relaxed)
    }

    /// Every known score by its identity, sorted.
    pub fn known(&self) -> Vec<(String, Score)> {
        let slots: Vec<_> = lock(&self.slots).iter().map(|(key, slot)| (key.clone(), slot.clone())).collect();
        let mut known: Vec<_> =
            slots.into_iter().filter_map(|(key, slot)| Some((key, (*lock(&slot))?))).collect();
        known.sort_by(|a, b| a.0.cmp(&b.0));
        known
    }
}

impl<C, S: Scorer<C>> Scorer<C> for Memoised<C, S> {
    fn score(&self, candidate: &C) -> Result<Score, Error> {
        let slot = lock(&self.slots).entry(self.inner.identity(candidate)).or_default().clone();
        let mut slot = lock(&slot);
        if let Some(known) = *slot {
            self.hits.fetch_add(1, Ordering::Relaxed);
            return Ok(known);
        }
        let score = self.inner.score(candidate)?;
        self.evaluations.fetch_add(1, Ordering::Relaxed);
        *slot = Some(score);
        Ok(score)
    }

    fn identity(&self, candidate: &C) -> String {
        self.inner.identity(candidate)
    }

    fn times(&self) -> ScoreTimes {
        self.inner.times()
    }

    fn stop_when(&self, flag: &'static AtomicBool) {
        self.inner.stop_when(flag);
    }
}

/// A panic in another thread leaves a slot empty or full, never half written.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
