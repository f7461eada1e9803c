"""Timing: the cgym binary, repeated work, and rows of contenders that take turns."""

import json
import math
import statistics
import subprocess
import sys
import time

BATCH = 128
LEAST_REPEATS = 3


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
    """One comparison: contenders by name, each a function that returns seconds; the first is cgym.

    `targets` has the ratio to reach by rival, None where there is none. Rows of the kinds "inference"
    and "training" are averaged.
    """

    def __init__(self, name, contenders, targets, kind=None):
        self.name, self.contenders, self.targets, self.kind = name, contenders, targets, kind
        self.seconds = {contender: [] for contender in contenders}
        self.memory = None

    def round(self):
        for contender, measure in self.contenders.items():
            found = measure()
            if isinstance(found, dict):
                self.memory = max(self.memory or 0, found.get("peak_memory_bytes") or 0) or None
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
                "kind": self.kind,
                "rival": rival,
                "seconds": statistics.median(next(iter(self.seconds.values()))),
                "rival_seconds": statistics.median(self.best_of(rival)),
                "ratio": ratio,
                "target": least,
                "reached": None if least is None else ratio >= least,
                "peak_memory_bytes": self.memory,
            }


def geometric_means(lines):
    """Per rival, the geometric means of the ratios over inference, training and both, with their counts."""
    means = {}
    for rival in dict.fromkeys(line["rival"] for line in lines if line["kind"]):
        for kind in ("inference", "training", "all"):
            ratios = [
                line["ratio"] for line in lines if line["rival"] == rival and line["kind"] in (kind, *kinds(kind))
            ]
            if ratios:
                mean = math.exp(statistics.fmean(map(math.log, ratios)))
                means.setdefault(rival, {})[kind] = {"ratio": mean, "rows": len(ratios)}
    return means


def kinds(kind):
    return ("inference", "training") if kind == "all" else ()
