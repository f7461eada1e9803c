"""Prints a table per environment: `python table.py FOLDER`, a folder of `cgym … --json` objects."""

import json
import pathlib
import sys

ORDER = ["teacher", "uniform", "shallow", "deep", "random", "greedy", "cem", "ddpg"]


def percent(found, key):
    """Mean over seeds, with the least and the greatest in brackets."""
    values = [100 * row[key] for row in found]
    spread = f" ({min(values):.1f}–{max(values):.1f})" if len(values) > 1 else ""
    return f"{sum(values) / len(values):.2f} %{spread}"


def mean(found, key):
    """Mean over seeds."""
    return sum(row[key] for row in found) / len(found)


environments = {}
for file in sorted(pathlib.Path(sys.argv[1]).glob("*.json")):
    result = json.loads(file.read_text())
    policies = environments.setdefault((result["env"], result.get("settings", "")), {})
    for row in result["rows"]:
        policies.setdefault(row["policy"], []).append(row)

for (env, settings), policies in environments.items():
    print(f"{env} {settings}".strip())
    has_bytes = all("bytes" in row for rows in policies.values() for row in rows)
    columns = ["policy", "seeds", "evaluations", "reward top-1", "test top-1", "kept", "parameters"]
    columns += ["bytes"] if has_bytes else []
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    for policy in sorted(policies, key=ORDER.index):
        found = policies[policy]
        # The profiles and the teacher are the same in every file.
        if policy in ORDER[:4]:
            found = found[:1]
        cells = [policy, str(len(found)), str(found[0]["evaluations"])]
        cells += [percent(found, "reward_top1"), percent(found, "test_top1")]
        cells += [f"{100 * mean(found, 'preserve_ratio'):.1f} %", f"{mean(found, 'parameters'):,.0f}"]
        cells += [f"{mean(found, 'bytes'):,.0f}"] if has_bytes else []
        print(f"| {' | '.join(cells)} |")
