#!/usr/bin/env python3
"""Checks the events of a search with TensorBoard's own reader.

    pip install tensorboard
    python experiments/check_tensorboard.py RUN_DIR

Exit code 0: the events are complete and agree with RUN_DIR/episodes.jsonl. 1: something is missing
or wrong; each fault is a line that begins with FAIL. 2: the input cannot be checked.
"""

import argparse
import json
import logging
import math
import os
import sys

TAGS = [
    "charts/episodic_return",
    "charts/best_return",
    "charts/SPS",
    "info/accuracy",
    "info/preserve_ratio",
    "losses/critic",
    "losses/actor",
]
LAYERS = "preserve_ratio/"


class Report:
    """Prints one line per check and remembers whether a check failed."""

    def __init__(self):
        self.failed = False

    def check(self, good, line):
        self.failed |= not good
        print(("  ok  " if good else "FAIL  ") + line)
        return good


def event_folder(run):
    """The folder with event files at or below `run`, which must be the only one."""
    folders = [
        folder
        for folder, _, files in os.walk(run)
        if any("tfevents" in name for name in files)
    ]
    if len(folders) != 1:
        found = ", ".join(sorted(folders)) or "none"
        refuse(f"{run}: expected one folder with event files, found {found}")
    return folders[0]


def read_episodes(path):
    """The field `episodic_return` of every line; null means NaN."""
    returns = []
    with open(path, encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                value = json.loads(line)["episodic_return"]
                returns.append(math.nan if value is None else float(value))
            except (ValueError, KeyError, TypeError) as error:
                refuse(f"{path}, line {number}: no `episodic_return` ({error!r})")
    return returns


def check_scalars(report, events, optional):
    tags = events.Tags()["scalars"]
    for tag in TAGS:
        if tag in tags:
            scalars = events.Scalars(tag)
            last = scalars[-1].value if scalars else math.nan
            report.check(scalars, f"{tag}: {len(scalars)} values, the last {last:.6g}")
        elif tag in optional:
            print(f"   -  {tag}: not logged, as allowed")
        else:
            report.check(False, f"{tag}: not logged")
    layers = [tag for tag in tags if tag.startswith(LAYERS)]
    report.check(layers, f"{LAYERS}<layer>: {len(layers)} layers")
    for tag in tags:
        steps = [scalar.step for scalar in events.Scalars(tag)]
        twice = [step for step, after in zip(steps, steps[1:]) if after <= step]
        if twice:
            report.check(False, f"{tag}: is not ascending after step {twice[0]}")
    return tags


def check_episodes(report, events, path):
    import numpy

    tag = TAGS[0]
    expected = read_episodes(path)
    logged = events.Scalars(tag) if tag in events.Tags()["scalars"] else []
    if not report.check(
        len(logged) == len(expected),
        f"{len(logged)} values of {tag}, {len(expected)} lines in {path}",
    ):
        return
    with numpy.errstate(over="ignore"):
        for number, (scalar, value) in enumerate(zip(logged, expected), 1):
            stored = numpy.float32(value)
            if not (stored == scalar.value or math.isnan(stored) and math.isnan(scalar.value)):
                line = f"{path}, line {number}: {value}, but {scalar.value} at step {scalar.step} of {tag}"
                report.check(False, line)
                return
    report.check(True, f"{tag} agrees with every line of {path}")


def check_texts(report, events, tags):
    from tensorboard.util import tensor_util

    for tag in tags:
        try:
            tensor = tensor_util.make_ndarray(events.Tensors(tag)[-1].tensor_proto)
            text = tensor.item().decode("utf-8")
        except Exception as error:  # any exception of the reader is a failed check
            report.check(False, f"text {tag}: cannot be decoded ({error!r})")
            continue
        report.check(text.strip(), f"text {tag}: {len(text)} characters")
    report.check(tags, f"texts: {', '.join(tags) or 'none, not even the configuration'}")


def check_hparams(report, events, tags, scalars):
    from tensorboard.plugins.hparams import api_pb2, metadata

    readers = {
        metadata.EXPERIMENT_TAG: metadata.parse_experiment_plugin_data,
        metadata.SESSION_START_INFO_TAG: metadata.parse_session_start_info_plugin_data,
        metadata.SESSION_END_INFO_TAG: metadata.parse_session_end_info_plugin_data,
    }
    parsed = {}
    for tag in tags:
        try:
            parsed[tag] = readers[tag](events.SummaryMetadata(tag).plugin_data.content)
        except Exception as error:  # any exception of the reader is a failed check
            report.check(False, f"hparams {tag}: cannot be decoded ({error!r})")

    experiment = parsed.get(metadata.EXPERIMENT_TAG)
    start = parsed.get(metadata.SESSION_START_INFO_TAG)
    end = parsed.get(metadata.SESSION_END_INFO_TAG)
    if report.check(experiment, "hparams: the columns are present"):
        metrics = [info.name.tag for info in experiment.metric_infos]
        absent = [tag for tag in metrics if tag not in scalars]
        line = f"hparams: metrics {', '.join(metrics) or 'none'}"
        report.check(metrics and not absent, line + (f"; not logged: {', '.join(absent)}" if absent else ""))
    if report.check(start, "hparams: the values of the run are present"):
        print("      " + ", ".join(f"{name} = {show(value)}" for name, value in sorted(start.hparams.items())))
        report.check(start.hparams, f"hparams: {len(start.hparams)} values")
    if experiment and start:
        columns = {info.name for info in experiment.hparam_infos}
        report.check(columns == set(start.hparams), "hparams: every value has a column")
    if end:
        print(f"      the run ended as {api_pb2.Status.Name(end.status)}")
    else:
        print("   -  hparams: no end: the run has not finished")


def show(value):
    kind = value.WhichOneof("kind")
    return repr(getattr(value, kind)) if kind else "nothing"


def refuse(line):
    print(f"error: {line}", file=sys.stderr)
    sys.exit(2)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", metavar="RUN_DIR", help="run directory of a search")
    parser.add_argument(
        "--without",
        metavar="TAG",
        action="append",
        default=[],
        help="tag that may be missing, such as losses/actor for an agent without an actor",
    )
    arguments = parser.parse_args()
    try:
        from tensorboard.backend.event_processing import event_accumulator
    except ImportError as error:
        refuse(f"{error}; install it with `pip install tensorboard`")
    unknown = [tag for tag in arguments.without if tag not in TAGS]
    if unknown:
        refuse(f"--without {unknown[0]}: not one of {', '.join(TAGS)}")
    episodes = os.path.join(arguments.run, "episodes.jsonl")
    if not os.path.isfile(episodes):
        refuse(f"{episodes}: no such file; is `{arguments.run}` a run directory?")

    # The reader warns when it discards the steps that a resumed run played again.
    logging.getLogger("tensorboard").setLevel(logging.ERROR)
    events = event_accumulator.EventAccumulator(
        event_folder(arguments.run),
        size_guidance={event_accumulator.SCALARS: 0, event_accumulator.TENSORS: 0},
    ).Reload()

    report = Report()
    plugins = {tag: events.SummaryMetadata(tag).plugin_data.plugin_name for tag in events.Tags()["tensors"]}
    scalars = check_scalars(report, events, arguments.without)
    check_episodes(report, events, episodes)
    check_texts(report, events, [tag for tag, plugin in plugins.items() if plugin == "text"])
    check_hparams(report, events, [tag for tag, plugin in plugins.items() if plugin == "hparams"], scalars)
    others = sorted(set(scalars) - set(TAGS) - {tag for tag in scalars if tag.startswith(LAYERS)})
    print(f"other tags: {', '.join(others) or 'none'}; histograms: {', '.join(events.Tags()['histograms']) or 'none'}")
    print("some checks failed" if report.failed else "all checks passed")
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
