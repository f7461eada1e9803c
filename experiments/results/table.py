"""Prints the table of a comparison: `python table.py FOLDER`, a folder of `cgym … --json` objects."""

import json
import pathlib
import sys

rows = {}
for file in sorted(pathlib.Path(sys.argv[1]).glob("*.json")):
    for row in json.loads(file.read_text())["rows"]:
        rows.setdefault(row["policy"], []).append(row)

order = ["teacher", "uniform", "shallow", "deep", "random", "greedy", "cem", "ddpg"]
print("| policy | seeds | evaluations | reward top-1 | test top-1 | MACs | parameters |")
print("|---|---|---|---|---|---|---|")
for policy in sorted(rows, key=order.index):
    found = rows[policy]
    # The profiles and the teacher are the same in every file.
    if policy in order[:4]:
        found = found[:1]

    def percent(key):
        values = [100 * row[key] for row in found]
        mean = sum(values) / len(values)
        spread = f" ({min(values):.1f}–{max(values):.1f})" if len(values) > 1 else ""
        return f"{mean:.2f} %{spread}"

    def mean(key):
        return sum(row[key] for row in found) / len(found)

    print(
        f"| {policy} | {len(found)} | {found[0]['evaluations']} | {percent('reward_top1')} | {percent('test_top1')} "
        f"| {100 * mean('preserve_ratio'):.1f} % | {mean('parameters'):,.0f} |"
    )
