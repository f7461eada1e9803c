//! `teacher evaluate`, `teacher describe` and `teacher train`.

mod train;

use std::{fmt::Write, time::Instant};

pub(super) use train::train_network;

use cgym_teachers::{
    data::{LoadOptions, Splits},
    engine::{Engine, Images},
};
use serde_json::json;

use crate::{
    Error,
    cli::{DescribeArgs, EvaluateArgs, Split, TeacherArgs, TeacherCommand},
    report, teacher,
};

pub(super) fn run(command: TeacherCommand, json: bool) -> Result<(), Error> {
    match command {
        TeacherCommand::Evaluate(args) => evaluate(args, json),
        TeacherCommand::Describe(args) => describe(args, json),
        TeacherCommand::Train(args) => train::train(&args, json),
    }
}

/// How a teacher's dataset is to be read.
fn load_options(args: &TeacherArgs) -> LoadOptions {
    LoadOptions {
        directory: args.data.clone(),
        image_size: args.image_size.map(|size| size.0),
        normalization: None,
    }
}

fn evaluate(evaluation: EvaluateArgs, json: bool) -> Result<(), Error> {
    let EvaluateArgs { teacher: args, weights: file, split, reward_images, calibration_images, threads } =
        evaluation;
    super::use_threads(threads)?;
    let (dataset, variant) = (args.dataset, args.variant);
    if let Some(shape) = teacher::known_shape(dataset) {
        let graph = teacher::build(&args.model, variant, shape)?;
        teacher::weights(file.as_deref(), &args.model, variant, dataset, &graph)?;
    }
    let source = teacher::load_data(dataset, &load_options(&args))?;
    let graph = teacher::build(&args.model, variant, (source.train.shape(), source.train.classes()))?;
    let weights = teacher::weights(file.as_deref(), &args.model, variant, dataset, &graph)?;
    let splits =
        Splits::new(&source, &teacher::split_sizes(dataset, &source, calibration_images, reward_images))?;
    let all: Vec<usize> = (0..source.train.len()).collect();
    let (part, indices) = match split {
        Split::Test => (&source.test, &splits.test),
        Split::Train => (&source.train, &all),
        Split::Reward => (&source.train, &splits.reward),
        Split::Calibration => (&source.train, &splits.calibration),
    };
    let images = Images::new(part, indices)?;
    let engine = Engine::new(&graph, &weights)?;
    let started = Instant::now();
    let top1 = engine.top1(&images)?;
    let seconds = started.elapsed().as_secs_f64();
    let cost = graph.cost()?;
    let value = json!({
        "model": args.model,
        "dataset": dataset,
        "split": split,
        "images": images.len(),
        "top1": top1,
        "macs": cost.macs,
        "parameters": cost.parameters,
        "seconds": seconds,
        "images_per_second": images.len() as f64 / seconds.max(1e-9),
    });
    report::print(json, &value, || {
        format!(
            "{} on {dataset}: {:.2} % of {} images; {} MACs, {} parameters; {seconds:.2} s",
            args.model,
            100.0 * top1,
            images.len(),
            report::count(Some(cost.macs)),
            report::count(Some(cost.parameters)),
        )
    })
}

fn describe(args: DescribeArgs, json: bool) -> Result<(), Error> {
    let DescribeArgs { model, input, classes, variant } = args;
    let graph = teacher::build(&model, variant, (input, classes))?;
    let (shapes, costs, total) = (graph.shapes()?, graph.costs()?, graph.cost()?);
    let nodes: Vec<serde_json::Value> = graph
        .nodes()
        .iter()
        .zip(shapes.iter().zip(&costs))
        .map(|(node, (shape, cost))| {
            let from: Vec<&str> =
                node.inputs.iter().map(|&input| graph.nodes()[input].name.as_str()).collect();
            json!({
                "name": node.name,
                "operation": node.op,
                "from": from,
                "output": shape,
                "macs": cost.macs,
                "parameters": cost.parameters,
            })
        })
        .collect();
    let value = json!({
        "model": model,
        "input": input,
        "classes": classes,
        "macs": total.macs,
        "parameters": total.parameters,
        "weight_bytes": total.weight_bytes,
        "nodes": nodes,
    });
    report::print(json, &value, || {
        let mut text = String::new();
        for (node, (shape, cost)) in graph.nodes().iter().zip(shapes.iter().zip(&costs)) {
            let [channels, height, width] = shape;
            let (name, shape) = (&node.name, format!("{channels}x{height}x{width}"));
            let (macs, parameters) = (report::count(Some(cost.macs)), report::count(Some(cost.parameters)));
            writeln!(text, "{name:<32} {shape:>14} {macs:>14} {parameters:>12}").ok();
        }
        let (macs, parameters) = (report::count(Some(total.macs)), report::count(Some(total.parameters)));
        text + &format!("{model}: {macs} MACs, {parameters} parameters\n")
    })
}
