mod common;
use common::*;
use serde_json::json;
#[test]
fn probe() {
    let n: usize = std::env::var("N").ok().and_then(|x| x.parse().ok()).unwrap_or(12);
    let e: u64 = std::env::var("E").ok().and_then(|x| x.parse().ok()).unwrap_or(200);
    let s: serde_json::Value = std::env::var("S").map(|s| serde_json::from_str(&s).unwrap()).unwrap_or(json!(null));
    let only = std::env::var("A").ok();
    let toy = Toy::new(n);
    println!("best {:.4}", toy.best_return());
    for name in cgym_agents::names() {
        if only.as_deref().is_some_and(|o| !o.split(',').any(|x| x==*name)) { continue }
        for seed in 0..3 {
            let t = std::time::Instant::now();
            let run = play(&toy, name, &if only.is_some() {s.clone()} else {json!(null)}, e, seed);
            let u = run.agent.diagnostics().into_iter().find(|(n,_)| n=="charts/updates").map_or(1.0,|x|x.1);
            println!("{name:8} {seed} episodes {:4} best {:.4} exploit {:.4} ratio {:.4} last {:.4}  {:.2}s  {:.3} ms/update", run.returns.len(), run.best(), run.exploit, run.preserve_ratio, run.returns.last().unwrap(), t.elapsed().as_secs_f64(), t.elapsed().as_secs_f64()*1e3/u);
        }
    }
}
