"""The results as Markdown, and what is known about the machine."""

import datetime
import json
import platform
from pathlib import Path

import measure


def in_words(seconds):
    return f"{seconds * 1e3:.2f} ms" if seconds >= 1e-4 else f"{seconds * 1e6:.3f} µs"


def of_ratio(ratio):
    return "" if ratio is None else f"{ratio:.2f}"


def of_reached(reached):
    return {None: "", True: "yes", False: "**no**"}[reached]


def rendered(header, rows):
    """The lines of a table."""
    yield f"| {' | '.join(header)} |"
    yield "|" + "---|" * len(header)
    for cells in rows:
        yield f"| {' | '.join(cells)} |"


def results(lines):
    header = ["what", "cgym", "rival", "its time", "times as fast", "to reach", "reached", "peak memory"]

    def cells(line):
        memory = line["peak_memory_bytes"]
        return [
            line["row"],
            in_words(line["seconds"]),
            line["rival"],
            in_words(line["rival_seconds"]),
            of_ratio(line["ratio"]),
            of_ratio(line["target"]),
            of_reached(line["reached"]),
            f"{memory / 1e6:.0f} MB" if memory else "",
        ]

    yield from rendered(header, map(cells, lines))


def means(lines):
    """Geometric means of the ratios per rival."""
    header = ["rival", "inference", "training", "all"]

    def cells(rival, found):
        each = [found.get(kind) for kind in header[1:]]
        return [rival, *(f"{mean['ratio']:.2f} ({mean['rows']})" if mean else "" for mean in each)]

    found = measure.geometric_means(lines)
    yield from rendered(header, (cells(rival, means) for rival, means in found.items()))


def merged(paths):
    """The ratios of two runs side by side; a target is reached where both runs reach it."""
    runs = [json.loads(path.read_text()) for path in paths]
    for name, run in zip("AB", runs):
        versions = ", ".join(f"{package} {version}" for package, version in run["versions"].items())
        yield f"- {name}: {run['date']}, {run['processor']}, threads: {run['threads']}; {versions}"
    yield ""
    lines = [{(line["row"], line["rival"]): line for line in run["lines"]} for run in runs]

    def cells(key):
        found = [run.get(key) for run in lines]
        target = next(line["target"] for line in found if line)
        reached = None if target is None else all(line["reached"] for line in found if line)
        seconds = [in_words(line["seconds"]) if line else "" for line in found]
        ratios = [of_ratio(line["ratio"] if line else None) for line in found]
        return [*key, *seconds, *ratios, of_ratio(target), of_reached(reached)]

    header = ["what", "rival", "cgym in A", "in B", "times as fast in A", "in B", "to reach", "reached"]
    yield from rendered(header, map(cells, dict.fromkeys(key for run in lines for key in run)))
    for name, run in zip("AB", runs):
        yield from ["", f"Geometric means in {name}, with numbers of rows:", "", *means(run["lines"])]


def machine(packages):
    """Processor, date and versions of `packages`, which are modules."""
    try:
        facts = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        facts = []
    names = [line.split(":", 1)[1].strip() for line in facts if line.startswith("model name")]
    versions = {"python": platform.python_version()}
    versions |= {package.__name__: package.__version__ for package in packages}
    return {
        "processor": names[0] if names else platform.processor(),
        "cores": len(names) or None,
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "versions": versions,
    }
