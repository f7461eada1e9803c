#!/usr/bin/env python3
"""Compares the speed of `cgym bench` with PyTorch and ONNX Runtime.

    cargo build --release
    pip install torch onnx onnxruntime scikit-learn numpy
    python experiments/benchmarks/compare.py --json comparison.json
    python experiments/benchmarks/compare.py --merge first.json second.json

Contenders take turns, so that other load on the machine affects all of them: each round measures
every contender once. A ratio is the median over rounds of the ratio within a round, and seconds are
medians over rounds. `--only` takes the beginning of a row's name and may be repeated.
"""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

import tables


def rows(cgym, options):
    """All rows by name, as functions that make them."""
    import agents
    import episodes
    import speed

    best = "PyTorch frozen or ONNX Runtime"
    residual = {"PyTorch eager": 3.0, "ONNX Runtime": 2.0}
    targets = {
        "resnet20": residual,
        "resnet56": residual,
        "vgg16": {best: 2.0},
        "mobilenet-v1": {best: 1.4},
    }
    found = {
        f"inference-{model}": lambda model=model: speed.inference(cgym, options, model, targets[model])
        for model in targets
    }
    for model in ("resnet20", "resnet56"):
        found[f"sliced-{model}"] = lambda model=model: speed.sliced(cgym, options, model)
    found["threads-resnet56"] = lambda: speed.threads(cgym, options, "resnet56")
    found["depth"] = lambda: speed.depth(cgym, options)
    found["training-resnet20"] = lambda: speed.training(cgym, options, "resnet20")
    found["n2n-student"] = lambda: episodes.n2n_student(cgym, options)
    found["ddpg-update"] = lambda: episodes.ddpg_update(cgym, options, "monte-carlo")
    found["ddpg-update-bootstrap"] = lambda: episodes.ddpg_update(cgym, options, "bootstrap")
    found["reinforce-step"] = lambda: episodes.reinforce_step(cgym, options, agents.Removal)
    found["reinforce-step-shrinkage"] = lambda: episodes.reinforce_step(cgym, options, agents.Shrinkage)
    found["episode-resnet56"] = lambda: episodes.episode(cgym, options)
    found["steps"] = lambda: episodes.steps(cgym, options)
    return found


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cgym", type=Path, default=Path("target/release/cgym"), help="the binary")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="seconds per contender and round")
    parser.add_argument("--only", action="append", metavar="ROW", help="beginning of the name of a row")
    parser.add_argument("--json", type=Path, metavar="FILE", help="file for all results")
    parser.add_argument(
        "--merge", type=Path, nargs=2, metavar="FILE", help="print the results of two runs side by side, and end"
    )
    return parser.parse_args()


def measured(options):
    """All chosen rows after all rounds, by name."""
    import torch

    from measure import Cgym

    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        options.world = argparse.Namespace(name=folder)
        found = rows(Cgym(options.cgym.resolve(), options.seconds), options)
        chosen = [name for name in found if any(map(name.startswith, options.only or [""]))]
        if not chosen:
            sys.exit(f"no row begins with that; the rows are {', '.join(found)}")
        made = {}
        for name in chosen:
            row = made[name] = found[name]()
            for index in range(options.rounds):
                print(f"{name}: round {index + 1} of {options.rounds}", file=sys.stderr, flush=True)
                row.round()
            # The networks of a row are not needed any more.
            row.contenders = {}
    return made


def main():
    options = arguments()
    if options.merge:
        print(*tables.merged(options.merge), sep="\n")
        return
    if not options.cgym.is_file():
        sys.exit(f"{options.cgym}: no such binary; build it with cargo build --release")
    os.environ.setdefault("OMP_NUM_THREADS", str(options.threads))
    made = measured(options)
    lines = [line for row in made.values() for line in row.results()]
    print(*tables.results(lines), sep="\n")
    print("\nGeometric means of the ratios, with numbers of rows:\n", *tables.means(lines), sep="\n")
    if options.json:
        import numpy
        import onnxruntime
        import sklearn
        import torch

        from measure import geometric_means

        result = tables.machine([torch, onnxruntime, sklearn, numpy])
        result |= {"threads": options.threads, "lines": lines, "means": geometric_means(lines)}
        result["rounds"] = {name: row.seconds for name, row in made.items()}
        options.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
