//! Scoring the candidates of several episodes in threads.

use std::{
    panic::resume_unwind,
    sync::{Mutex, PoisonError},
    thread::{self, ScopedJoinHandle},
};

use cgym_env::Env;

use super::Episode;
use crate::AgentError;

/// Takes the last step of every episode on its own environment, as many at a time as rayon's pool has
/// threads: the number that the user chose.
pub(super) fn score(envs: &mut [Box<dyn Env>], episodes: &mut [Episode]) -> Result<(), AgentError> {
    let count = rayon::current_num_threads().min(episodes.len());
    let waiting = Mutex::new(envs.iter_mut().zip(episodes.iter_mut()).enumerate());
    let work = || {
        let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
        let scored =
            std::iter::from_fn(next).map(|(index, (env, episode))| (index, episode.finish(&mut **env)));
        scored.collect::<Vec<_>>()
    };
    let mut scored = thread::scope(|scope| {
        let scorers: Vec<_> = (0..count).map(|_| scope.spawn(work)).collect();
        let join =
            |scorer: ScopedJoinHandle<'_, _>| scorer.join().unwrap_or_else(|panic| resume_unwind(panic));
        scorers.into_iter().flat_map(join).collect::<Vec<_>>()
    });
    scored.sort_by_key(|(index, _)| *index);
    scored.into_iter().try_for_each(|(_, result)| result)
}
