#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Rows a second and memory of a recommender's training, as its rows grow.

  tools/runs/rows.py [OUT]

Makes a city of 12 million impressions in OUT (out/rows) and trains PLE and LARR
on 5 and on 10 million of them, one epoch each, as the stages of a training run
do; texts' vectors are random, since the recommender costs the same with any.
About twenty minutes on 2 cores. Memory is the stage's peak (docs/performance.md).
"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = ROOT / "build" / "bin"
ROWS = (5_000_000, 10_000_000)
# All days but the last two, of which one is for validation.
DAYS = {"pairs_begin": "2025-03-27", "train_begin": "2025-03-28", "validation_begin": "2025-04-12",
        "test_begin": "2025-04-13", "end": "2025-04-14"}


def peak_of(words):
    """Runs a program; its peak of resident memory, bytes."""
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"{' '.join(map(str, words))}:\n{said[-2000:]}")
    return usage.ru_maxrss * 1024


def run_stage(stage, folder, spec, inputs=()):
    work = folder.with_name(folder.name + ".work")
    for old in (folder, work):  # What is there is not done again.
        shutil.rmtree(old, ignore_errors=True)
    work.mkdir(parents=True)
    config = work / "stage.textproto"
    inputs = "".join(f'inputs {{ key: "{key}" value: "{path}" }}\n' for key, path in inputs)
    name = 'align_name: "model"\n' if stage == "ALIGN" else ""
    config.write_text(f'stage: {stage}\nspec {{\n{spec}}}\n{name}{inputs}output: "{folder}"\nwork: "{work}"\n')
    return peak_of([BIN / "larr_stage", "--config", config])


def main():
    out = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "out" / "rows").resolve()
    city = out / "city"
    subprocess.run([BIN / "larr_city", "--size", "scale", "--impressions", "12000000", "--out", city], check=True)
    dataset = (city / "dataset.textproto").read_text()
    for field, date in DAYS.items():
        dataset = re.sub(f'{field}: "[^"]*"', f'{field}: "{date}"', dataset)
    (city / "all_days.textproto").write_text(dataset)
    shared = f'dataset: "{city}/all_days.textproto"\nencoder: RANDOM\nevaluate_only: true\nthreads: 2\nseed: 1\n'

    def align(kind, rows):
        return shared + (f'align {{ name: "model" architecture {{ kind: {kind} }} batch_size: 600 learning_rate: 6.4e-3 '
                         f"linear_decay: true max_rows: {rows} }}\n")

    texts = out / "embed"
    run_stage("EMBED", texts, align("LARR", ROWS[0]))
    for kind in ("PLE", "LARR"):
        for rows in ROWS:
            folder = out / f"{kind}-{rows}"
            peak = run_stage("ALIGN", folder, align(kind, rows), [("embed", texts)] if kind == "LARR" else [])
            training = json.loads((folder / "training.json").read_text())
            print(f"{kind}: {training['training_rows']:,} rows, {training['throughput']:,.0f} rows/s in training, "
                  f"{training['seconds']:.0f} s in all, peak {peak / 2**20:,.0f} MiB", flush=True)


if __name__ == "__main__":
    main()
