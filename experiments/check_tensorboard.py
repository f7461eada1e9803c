#!/usr/bin/env python3
"""Checks the events of a search with TensorBoard's own reader.

    pip install tensorboard
    python experiments/check_tensorboard.py RUN_DIR

Exit code 0: the events are complete and agree with episodes.jsonl, baselines.jsonl and summary.json
of RUN_DIR. 1: something is missing or wrong; each fault is a line that begins with FAIL. 2: the
input cannot be checked.
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
LAYERS = ("preserve_ratio/", "action/")
HISTOGRAMS = ("preserve_ratios", "actions")
RETURN, BEST, TEST = "charts/episodic_return", "charts/best_return", "test/top1"
# What tells runs apart comes first in the table of runs.
FIRST = ["agent", "seed", "env", "budget", "episodes"]


class Report:
    """Prints one line per check and remembers whether a check failed."""

    def __init__(self):
        self.failed = False

    def check(self, good, line):
        self.failed |= not good
        print(("  ok  " if good else "FAIL  ") + line)
        return good


def accumulate(folder):
    """The events of a folder; `None` where it has none."""
    from tensorboard.backend.event_processing import event_accumulator

    if not os.path.isdir(folder) or not any("tfevents" in name for name in os.listdir(folder)):
        return None
    everything = dict.fromkeys(
        [event_accumulator.SCALARS, event_accumulator.TENSORS, event_accumulator.HISTOGRAMS], 0
    )
    return event_accumulator.EventAccumulator(folder, size_guidance=everything).Reload()


def read_episodes(path, of=lambda line: ("", line)):
    """Lists of the field `episodic_return`, null meaning NaN, by the key that `of` gives to a line."""
    returns = {}
    with open(path, encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                key, episode = of(json.loads(line))
                value = episode["episodic_return"]
                returns.setdefault(key, []).append(math.nan if value is None else float(value))
            except (ValueError, KeyError, TypeError) as error:
                refuse(f"{path}, line {number}: no `episodic_return` ({error!r})")
    return returns


def scalars_of(events, tag):
    return events.Scalars(tag) if tag in events.Tags()["scalars"] else []


def same(value, stored):
    """Whether `stored` is `value` in single precision."""
    import numpy

    with numpy.errstate(over="ignore"):
        return numpy.float32(value) == stored or math.isnan(value) and math.isnan(stored)


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
    report.check(layers, f"{' or '.join(LAYERS)}<layer>: {len(layers)} layers")
    drawn = {tag: len(events.Histograms(tag)) for tag in events.Tags()["histograms"]}
    episodes = len(scalars_of(events, RETURN))
    found = ", ".join(f"{tag} ({count})" for tag, count in drawn.items()) or "none"
    report.check(episodes in [drawn.get(tag) for tag in HISTOGRAMS], f"a histogram per episode: {found}")
    for tag in tags:
        steps = [scalar.step for scalar in events.Scalars(tag)]
        twice = [step for step, after in zip(steps, steps[1:]) if after <= step]
        if twice:
            report.check(False, f"{tag}: is not ascending after step {twice[0]}")
    return tags


def check_returns(report, events, expected, path):
    """Compares the logged returns with those of a file."""
    logged = scalars_of(events, RETURN)
    if not report.check(
        len(logged) == len(expected),
        f"{len(logged)} values of {RETURN}, {len(expected)} episodes in {path}",
    ):
        return
    for number, (scalar, value) in enumerate(zip(logged, expected), 1):
        if not same(value, scalar.value):
            line = f"{path}, episode {number}: {value}, but {scalar.value} at step {scalar.step} of {RETURN}"
            report.check(False, line)
            return
    report.check(True, f"{RETURN} agrees with every episode of {path}")


def check_test(report, events, policy, rows):
    """Compares the accuracy on the test split with the summary's."""
    expected = next((row["test_top1"] for row in rows if row["policy"] == policy), None)
    logged = [scalar.value for scalar in scalars_of(events, TEST)]
    if expected is None:
        report.check(not logged, f"{policy}: no {TEST}, as in summary.json")
    else:
        good = len(logged) == 1 and same(expected, logged[0])
        report.check(good, f"{policy}: {TEST} {logged}, {expected} in summary.json")


def check_baselines(report, run, rows):
    """The curves of the baselines, each in a folder of its own."""
    path = os.path.join(run, "baselines.jsonl")
    if not os.path.isfile(path):
        print("   -  baselines: none played")
        return
    played = read_episodes(path, lambda line: (line["policy"], line["episode"]))
    for policy in ["teacher", *played]:
        folder = os.path.join(run, "baselines", policy)
        events = accumulate(folder)
        if not report.check(events, f"{folder}: events"):
            continue
        check_test(report, events, policy, rows)
        if policy not in played:
            continue
        returns = played[policy]
        check_returns(report, events, returns, f"{path} of {policy}")
        bests = [scalar.value for scalar in scalars_of(events, BEST)]
        # A candidate over the budget has a return, but is not the best.
        known = all(any(same(value, best) for value in returns) for best in bests)
        report.check(known and bests == sorted(bests), f"{policy}: {len(bests)} values of {BEST}, ascending")


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
    finished = metadata.SESSION_END_INFO_TAG in parsed
    start = parsed.get(metadata.SESSION_START_INFO_TAG)
    end = parsed.get(metadata.SESSION_END_INFO_TAG)
    if report.check(experiment, "hparams: the columns are present"):
        metrics = [info.name.tag for info in experiment.metric_infos]
        absent = [tag for tag in metrics if tag not in scalars and (finished or tag != TEST)]
        line = f"hparams: metrics {', '.join(metrics) or 'none'}"
        report.check(metrics and not absent, line + (f"; not logged: {', '.join(absent)}" if absent else ""))
    if report.check(start, "hparams: the values of the run are present"):
        print("      " + ", ".join(f"{name} = {show(value)}" for name, value in sorted(start.hparams.items())))
        report.check(start.hparams, f"hparams: {len(start.hparams)} values")
    if experiment and start:
        columns = [info.name for info in experiment.hparam_infos]
        report.check(set(columns) == set(start.hparams), "hparams: every value has a column")
        report.check(columns[: len(FIRST)] == FIRST, f"hparams: the first columns are {', '.join(columns[: len(FIRST)])}")
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
        import tensorboard  # noqa: F401
    except ImportError as error:
        refuse(f"{error}; install it with `pip install tensorboard`")
    unknown = [tag for tag in arguments.without if tag not in TAGS]
    if unknown:
        refuse(f"--without {unknown[0]}: not one of {', '.join(TAGS)}")
    run = arguments.run
    episodes = os.path.join(run, "episodes.jsonl")
    if not os.path.isfile(episodes):
        refuse(f"{episodes}: no such file; is `{run}` a run directory?")

    # The reader warns when it discards the steps that a resumed run played again.
    logging.getLogger("tensorboard").setLevel(logging.ERROR)
    events = accumulate(run)
    if events is None:
        refuse(f"{run}: no event files")
    summary = {"rows": []}
    result = os.path.join(run, "summary.json")
    if os.path.isfile(result):
        with open(result, encoding="utf-8") as file:
            summary = json.load(file)

    report = Report()
    plugins = {tag: events.SummaryMetadata(tag).plugin_data.plugin_name for tag in events.Tags()["tensors"]}
    scalars = check_scalars(report, events, arguments.without)
    check_returns(report, events, read_episodes(episodes).get("", []), episodes)
    check_texts(report, events, [tag for tag, plugin in plugins.items() if plugin == "text"])
    check_hparams(report, events, [tag for tag, plugin in plugins.items() if plugin == "hparams"], scalars)
    check_test(report, events, summary.get("agent"), summary["rows"])
    check_baselines(report, run, summary["rows"])
    others = sorted(set(scalars) - set(TAGS) - {tag for tag in scalars if tag.startswith(LAYERS)})
    print(f"other tags: {', '.join(others) or 'none'}; histograms: {', '.join(events.Tags()['histograms']) or 'none'}")
    print("some checks failed" if report.failed else "all checks passed")
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
