//! The splits of a dataset: training, calibration, reward and test images.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{DataError, DataSource, DatasetName};

/// How many images of the train part go into each split, and the seed they are drawn with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SplitSizes {
    /// Images that pruned layers are refitted on.
    pub calibration: usize,
    /// Images that a reward is measured on; at least 1.
    pub reward: usize,
    /// Seed of the draw.
    pub seed: u64,
}

impl SplitSizes {
    /// The default sizes of a dataset (digits: 400 calibration and 360 reward images, all others:
    /// 1000 and 5000), each clipped to a third of the train part.
    pub fn for_dataset(name: DatasetName, source: &DataSource, seed: u64) -> Self {
        let defaults = name.facts().splits;
        let third = source.train.len() / 3;
        Self { calibration: defaults.calibration.min(third), reward: defaults.reward.min(third), seed }
    }
}

/// Indices of a [`DataSource`]'s images by use.
///
/// A teacher trained on `training` has not seen the reward split; the calibration split is a part of
/// `training`. Both splits are stratified by class and shuffled, so that any prefix is a random
/// sample. The reward split does not depend on the size of the calibration split, and the other way
/// round as long as every class has enough images.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Splits {
    /// Indices into the train part, ascending: everything that is not in `reward`.
    pub training: Vec<usize>,
    /// Indices into the train part: a subset of `training`.
    pub calibration: Vec<usize>,
    /// Indices into the train part: none of `training`.
    pub reward: Vec<usize>,
    /// Indices into the test part: all of it, ascending.
    pub test: Vec<usize>,
}

impl Splits {
    /// Draws the splits; the same source and sizes give the same splits.
    ///
    /// # Errors
    /// Sizes that exceed the train part; the message says the largest size that fits.
    pub fn new(source: &DataSource, sizes: &SplitSizes) -> Result<Self, DataError> {
        let total = source.train.len();
        check(sizes, total)?;
        let classes = by_class(source.train.labels(), source.train.classes(), sizes.seed);

        // Reward images are taken from the front of each class and calibration images from its
        // back, so that neither split changes with the other's size.
        let counts: Vec<usize> = classes.iter().map(Vec::len).collect();
        let of_reward = shares(&counts, &counts, sizes.reward);
        let left: Vec<usize> = counts.iter().zip(&of_reward).map(|(c, r)| c - r).collect();
        let of_calibration = shares(&counts, &left, sizes.calibration);
        let mut reward = Vec::with_capacity(sizes.reward);
        let mut calibration = Vec::with_capacity(sizes.calibration);
        for ((class, r), c) in classes.iter().zip(of_reward).zip(of_calibration) {
            reward.extend_from_slice(&class[..r]);
            calibration.extend_from_slice(&class[class.len() - c..]);
        }
        reward.shuffle(&mut stream(sizes.seed, 1));
        calibration.shuffle(&mut stream(sizes.seed, 2));

        let mut rewarded = vec![false; total];
        for &i in &reward {
            rewarded[i] = true;
        }
        Ok(Self {
            training: (0..total).filter(|&i| !rewarded[i]).collect(),
            calibration,
            reward,
            test: (0..source.test.len()).collect(),
        })
    }
}

/// Refuses sizes that leave a split without images.
fn check(sizes: &SplitSizes, total: usize) -> Result<(), DataError> {
    let problem = if sizes.reward == 0 {
        "the reward split needs at least 1 image".to_owned()
    } else if sizes.reward >= total {
        format!(
            "{} reward images leave nothing of {total} train images to learn from: the most that \
             fits is {}",
            sizes.reward,
            total.saturating_sub(1)
        )
    } else if sizes.calibration > total - sizes.reward {
        format!(
            "{} calibration images beside {} reward images are more than {total} train images: \
             the most that fits is {}",
            sizes.calibration,
            sizes.reward,
            total - sizes.reward
        )
    } else {
        return Ok(());
    };
    Err(DataError::Split { problem })
}

/// The indices of each class's images, shuffled.
pub(super) fn by_class(labels: &[u16], classes: usize, seed: u64) -> Vec<Vec<usize>> {
    let mut indices = vec![Vec::new(); classes];
    for (i, &label) in labels.iter().enumerate() {
        indices[usize::from(label)].push(i);
    }
    let mut rng = stream(seed, 0);
    for class in &mut indices {
        class.shuffle(&mut rng);
    }
    indices
}

/// Generator number `number` of the independent ones that a seed gives.
fn stream(seed: u64, number: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(number);
    rng
}

/// Divides `size` in proportion to `counts`, no share above its limit, by the largest-remainder
/// method. Equal remainders go to the earlier class first.
fn shares(counts: &[usize], limits: &[usize], size: usize) -> Vec<usize> {
    let total = counts.iter().sum::<usize>().max(1) as u128;
    let exact: Vec<u128> = counts.iter().map(|&c| c as u128 * size as u128).collect();
    let mut shares: Vec<usize> =
        exact.iter().zip(limits).map(|(e, &limit)| limit.min((e / total) as usize)).collect();
    let mut order: Vec<usize> = (0..counts.len()).collect();
    order.sort_by_key(|&k| std::cmp::Reverse(exact[k] % total));
    let mut missing = size - shares.iter().sum::<usize>();
    while missing > 0 {
        let before = missing;
        for &k in &order {
            if missing > 0 && shares[k] < limits[k] {
                shares[k] += 1;
                missing -= 1;
            }
        }
        if missing == before {
            break; // the limits are exhausted; the caller has checked that they are not
        }
    }
    shares
}
