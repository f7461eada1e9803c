//! How fast the layer-wise environment steps when scores cost next to nothing, on one thread.

use std::{error::Error, hint::black_box, sync::Arc, time::Instant};

use cgym_env::{
    Action, Budget, Constant, Env, Header, Layerwise, LayerwiseEnv, ResetOptions, Reward,
    method::channels::{ChannelMethod, ChannelSettings},
};
use cgym_teachers::zoo::{self, ModelOptions};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn main() -> Result<(), Box<dyn Error>> {
    for model in ["resnet20", "resnet56", "mobilenet-v1", "mobilenet-v2", "vgg16"] {
        let graph = zoo::build(model, &ModelOptions::new([3, 32, 32], 10))?;
        let channels = ChannelSettings::default();
        let budget = Budget { share: Some(0.5), ..Budget::default() };
        let header = Header { id: "AMC-Speed-v0".to_owned(), settings: String::new(), budget };
        let method = Arc::new(ChannelMethod::new(&graph, &channels)?);
        let game = Layerwise::new(&header, method, Reward::Error, channels.lower_bound)?;
        // The constant scorer answers at once: what is measured is the environment.
        let mut env = LayerwiseEnv::new(Arc::new(game), Arc::new(Constant(0.5)));
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let actions: Vec<Action> = (0..4096).map(|_| Action::scalar(rng.random_range(0.2..=1.0))).collect();
        let episodes = 2_000_000 / env.spec().steps();
        let (mut steps, start) = (0, Instant::now());
        for _ in 0..episodes {
            black_box(env.reset(0, &ResetOptions::default())?);
            let mut running = true;
            while running {
                running = black_box(env.step(&actions[steps % actions.len()])?).ending().is_none();
                steps += 1;
            }
        }
        let rate = steps as f64 / start.elapsed().as_secs_f64() / 1e6;
        println!("{model:>14}: {} decisions, {rate:.2} million steps/s", env.spec().steps());
    }
    Ok(())
}
