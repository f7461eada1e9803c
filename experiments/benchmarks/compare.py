#!/usr/bin/env python3
"""Compares the speed of `cgym bench` with PyTorch and ONNX Runtime.

    cargo build --release
    pip install torch onnx onnxruntime scikit-learn numpy
    python experiments/benchmarks/compare.py --json comparison.json

Contenders take turns, so that other load on the machine affects all of them: each round measures
every contender once. A ratio is the median over rounds of the ratio within a round, and seconds are
medians over rounds. `--only` takes the beginning of a row's name and may be repeated.
"""

import argparse
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy
import onnxruntime
import torch
from sklearn.linear_model import LinearRegression
from torch.nn import functional

import networks

BATCH = 128
LEAST_REPEATS = 3
# As in the released AMC code: 10 points of each of 3000 images, evaluation in batches of 50.
RECONSTRUCTION_ROWS, EVALUATION_BATCH = 30_000, 50
REWARD_IMAGES, TRAINING_IMAGES = 5000, 20_000


def repeat(work, seconds):
    """The median time of `work` over at least three calls, after one call that is not timed."""
    work()
    times, started = [], time.perf_counter()
    while len(times) < LEAST_REPEATS or time.perf_counter() - started < seconds:
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


class Cgym:
    """The cgym binary, called with --json."""

    def __init__(self, path, seconds):
        self.path, self.seconds = path, seconds

    def bench(self, *arguments, threads, seconds=None):
        command = [self.path, "bench", *arguments, "--threads", str(threads), "--json"]
        done = subprocess.run(
            [*map(str, command), "--seconds", str(seconds or self.seconds)], stdout=subprocess.PIPE, text=True
        )
        if done.returncode != 0:
            sys.exit(f"{' '.join(map(str, command))} ended with {done.returncode}")
        return json.loads(done.stdout)

    def network(self, model, *arguments, threads, **more):
        return self.bench("network", "--model", model, "--batch", BATCH, *arguments, threads=threads, **more)

    def ratio_of_half(self, model):
        """The greatest share of the channels found by bisection that keeps at most half of the MACs."""
        low, high = 0.3, 0.7
        for _ in range(12):
            middle = (low + high) / 2
            found = self.network(model, "--prune", middle, threads=1, seconds=1e-3)
            if found["macs"] > 0.5 * found["teacher_macs"]:
                high = middle
            else:
                low = middle
        return low


class Row:
    """One comparison: contenders by name, each a function that returns seconds; the first is cgym."""

    def __init__(self, name, contenders, targets, unit="s"):
        self.name, self.contenders, self.targets, self.unit = name, contenders, targets, unit
        self.seconds = {contender: [] for contender in contenders}
        self.memory = None

    def round(self):
        for contender, measure in self.contenders.items():
            found = measure()
            if isinstance(found, dict):
                self.memory = max(self.memory or 0, found["peak_memory_bytes"] or 0) or None
                found = found["seconds"]
            self.seconds[contender].append(found)

    def ratio(self, rival):
        """The time of the rival divided by the time of cgym."""
        ours = next(iter(self.seconds.values()))
        rounds = zip(ours, self.best_of(rival))
        return statistics.median(theirs / own for own, theirs in rounds)

    def best_of(self, rival):
        return [min(times) for times in zip(*(self.seconds[name] for name in rival.split(" or ")))]

    def results(self):
        """One line of the table per rival."""
        for rival, least in self.targets.items():
            ratio = self.ratio(rival)
            yield {
                "row": self.name,
                "rival": rival,
                "seconds": statistics.median(next(iter(self.seconds.values()))),
                "rival_seconds": statistics.median(self.best_of(rival)),
                "ratio": ratio,
                "target": least,
                "reached": None if least is None else ratio >= least,
                "peak_memory_bytes": self.memory,
            }


def torch_evaluation(model, seconds):
    """Contenders in PyTorch: eager, channels last, and frozen with optimisation for inference."""
    network = networks.build(model).eval()
    images = torch.rand(BATCH, 3, 32, 32) * 2 - 1
    last = networks.build(model).eval().to(memory_format=torch.channels_last)
    images_last = images.to(memory_format=torch.channels_last)
    with torch.no_grad():
        frozen = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(network, images)))

    def timed(network, images):
        def work():
            with torch.inference_mode():
                network(images)

        return lambda: repeat(work, seconds)

    return {
        "PyTorch eager": timed(network, images),
        "PyTorch channels last": timed(last, images_last),
        "PyTorch frozen": timed(frozen, images),
    }


def onnx_evaluation(model, seconds, threads):
    """ONNX Runtime with all of its graph optimisations."""
    network, images = networks.build(model).eval(), torch.rand(BATCH, 3, 32, 32) * 2 - 1
    file = io.BytesIO()
    torch.onnx.export(network, (images,), file, dynamo=False, input_names=["images"], output_names=["logits"])
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = onnxruntime.InferenceSession(file.getvalue(), options, providers=["CPUExecutionProvider"])
    feed = {"images": images.numpy()}
    return lambda: repeat(lambda: session.run(None, feed), seconds)


def inference(cgym, options, model, targets):
    network = networks.build(model)
    macs = cgym.network(model, threads=1, seconds=1e-3)["macs"]
    if macs != networks.multiply_accumulates(network):
        sys.exit(f"{model}: {macs} MACs in cgym, {networks.multiply_accumulates(network)} in PyTorch")
    contenders = {"cgym": lambda: cgym.network(model, threads=options.threads)}
    contenders |= torch_evaluation(model, options.seconds)
    contenders["ONNX Runtime"] = onnx_evaluation(model, options.seconds, options.threads)
    rest = {rival: None for rival in [*contenders][1:] if rival not in targets}
    return Row(f"inference {model}", contenders, targets | rest)


def sliced(cgym, options, model):
    preserve_ratio = cgym.ratio_of_half(model)
    pruned = lambda: cgym.network(model, "--prune", preserve_ratio, threads=options.threads)
    whole = lambda: cgym.network(model, threads=options.threads)
    # At most 0.60 of the time.
    return Row(f"sliced {model}, half the MACs", {"cgym": pruned, "the whole": whole}, {"the whole": 1 / 0.6})


def threads(cgym, _, model):
    contenders = {f"{count} threads": count for count in (2, 1)}
    measured = {
        name: lambda count=count: cgym.network(model, threads=count) for name, count in contenders.items()
    }
    return Row(f"threads {model}, two over one", measured, {"1 threads": 1.85})


def training(cgym, options, model):
    network = networks.build(model).train()
    optimizer = torch.optim.SGD(network.parameters(), 1e-3, momentum=0.9, weight_decay=5e-4)
    images, labels = torch.rand(BATCH, 3, 32, 32) * 2 - 1, torch.randint(networks.CLASSES, (BATCH,))

    def step():
        optimizer.zero_grad()
        functional.cross_entropy(network(images), labels).backward()
        optimizer.step()

    contenders = {
        "cgym": lambda: cgym.network(model, "--training", threads=options.threads),
        "PyTorch eager": lambda: repeat(step, options.seconds),
    }
    return Row(f"training {model}, a step", contenders, {"PyTorch eager": 1.0})


def write_world(folder):
    """Writes random images in the format of CIFAR-10, and new weights; their values do not affect the time."""
    random = numpy.random.default_rng(0)
    names = [f"data_batch_{index}.bin" for index in range(1, 6)]
    for name, count in [*[(name, TRAINING_IMAGES // 5) for name in names], ("test_batch.bin", 1000)]:
        records = random.integers(0, 256, (count, 3073), dtype=numpy.uint8)
        records[:, 0] %= networks.CLASSES
        (folder / name).write_bytes(records.tobytes())
    torch.save({"state_dict": networks.build("resnet56").state_dict()}, folder / "weights.th")


def released_steps(images):
    """The steps of the released AMC code per episode: refit the layers, evaluate the masked network."""
    network = networks.build("resnet56").eval()
    random = numpy.random.default_rng(0)
    problems = []
    for layer in network.inner_convolutions():
        outputs, inputs = layer.weight.shape[:2]
        kept = inputs // 2
        # The code masks channels instead of removing them, so the network does not become faster.
        layer.weight.data[:, kept:] = 0.0
        problems.append((kept * 9, outputs))
    widest = max(width for width, _ in problems)
    rows = random.standard_normal((RECONSTRUCTION_ROWS, widest), dtype=numpy.float32)
    targets = random.standard_normal((RECONSTRUCTION_ROWS, 64), dtype=numpy.float32)
    problems = [
        (numpy.ascontiguousarray(rows[:, :width]), numpy.ascontiguousarray(targets[:, :outputs]))
        for width, outputs in problems
    ]
    batches = torch.rand(images, 3, 32, 32).split(EVALUATION_BATCH)

    def episode():
        began = time.perf_counter()
        for x, y in problems:
            LinearRegression(fit_intercept=False).fit(x, y)
        with torch.no_grad():
            for batch in batches:
                network(batch).argmax(1)
        return time.perf_counter() - began

    return episode


def episode(cgym, options):
    folder = Path(options.world.name)
    write_world(folder)
    world = ["episode", "--env", "AMC-ResNet56-CIFAR10-MACs50-v0", "--set", f"data.reward_images={REWARD_IMAGES}"]
    world += ["--data", folder, "--weights", folder / "weights.th", "--agent", "random"]
    contenders = {
        "cgym": lambda: cgym.bench(*world, threads=options.threads),
        "the released steps": released_steps(REWARD_IMAGES),
    }
    return Row("episode resnet56", contenders, {"the released steps": 4.0})


def steps(cgym, _):
    def second_per_step():
        found = cgym.bench("episode", "--env", "AMC-ResNet20-Digits-MACs50-v0", "--agent", "random", threads=1)
        return 1 / found["steps_per_second"]

    # A million steps a second.
    contenders = {"cgym": second_per_step, "a microsecond": lambda: 1e-6}
    return Row("steps of an environment", contenders, {"a microsecond": 1.0})


def rows(cgym, options):
    """All rows by name, as functions that make them."""
    best = "PyTorch frozen or ONNX Runtime"
    targets = {
        "resnet20": {"PyTorch eager": 2.5, "ONNX Runtime": 1.0},
        "resnet56": {"PyTorch eager": 1.5, "ONNX Runtime": 1.0},
        "vgg16": {best: 1.0},
        "mobilenet-v1": {best: 1.0},
    }
    found = {
        f"inference-{model}": lambda model=model: inference(cgym, options, model, targets[model])
        for model in targets
    }
    for model in ("resnet20", "resnet56"):
        found[f"sliced-{model}"] = lambda model=model: sliced(cgym, options, model)
    found["threads-resnet56"] = lambda: threads(cgym, options, "resnet56")
    found["training-resnet20"] = lambda: training(cgym, options, "resnet20")
    found["episode-resnet56"] = lambda: episode(cgym, options)
    found["steps"] = lambda: steps(cgym, options)
    return found


def in_words(seconds):
    return f"{seconds * 1e3:.2f} ms" if seconds >= 1e-4 else f"{seconds * 1e6:.3f} µs"


def table(lines):
    yield "| what | cgym | rival | its time | times as fast | to reach | reached | peak memory |"
    yield "|---|---|---|---|---|---|---|---|"
    for line in lines:
        target = "" if line["target"] is None else f"{line['target']:.2f}"
        reached = {None: "", True: "yes", False: "**no**"}[line["reached"]]
        memory = line["peak_memory_bytes"]
        cells = [
            line["row"],
            in_words(line["seconds"]),
            line["rival"],
            in_words(line["rival_seconds"]),
            f"{line['ratio']:.2f}",
            target,
            reached,
            f"{memory / 1e6:.0f} MB" if memory else "",
        ]
        yield f"| {' | '.join(cells)} |"


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cgym", type=Path, default=Path("target/release/cgym"), help="the binary")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="seconds per contender and round")
    parser.add_argument("--only", action="append", metavar="ROW", help="beginning of the name of a row")
    parser.add_argument("--json", type=Path, metavar="FILE", help="file for all results")
    return parser.parse_args()


def main():
    options = arguments()
    if not options.cgym.is_file():
        sys.exit(f"{options.cgym}: no such binary; build it with cargo build --release")
    torch.set_num_threads(options.threads)
    os.environ.setdefault("OMP_NUM_THREADS", str(options.threads))
    with tempfile.TemporaryDirectory() as folder:
        options.world = argparse.Namespace(name=folder)
        cgym = Cgym(options.cgym.resolve(), options.seconds)
        found = rows(cgym, options)
        chosen = [name for name in found if any(map(name.startswith, options.only or [""]))]
        if not chosen:
            sys.exit(f"no row begins with that; the rows are {', '.join(found)}")
        lines, rounds = [], {}
        for name in chosen:
            row = found[name]()
            for index in range(options.rounds):
                print(f"{name}: round {index + 1} of {options.rounds}", file=sys.stderr, flush=True)
                row.round()
            lines += row.results()
            rounds[name] = row.seconds
    print(*table(lines), sep="\n")
    if options.json:
        versions = {"torch": torch.__version__, "onnxruntime": onnxruntime.__version__}
        result = {"threads": options.threads, "versions": versions, "lines": lines, "rounds": rounds}
        options.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
