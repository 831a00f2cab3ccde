# SPDX-License-Identifier: Apache-2.0
"""A peer's side of a benchmark: what bench/rounds.h is for ours."""
import os
import pathlib
import sys
import time

# Libraries that print do so to the log; the driver gets our lines alone.
_answers = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)


def settings(count):
    """What stands before the arguments."""
    return [sys.argv.pop(1) for _ in range(count)]


def arguments():
    """FOLDER, OUTPUT, THREADS."""
    folder, output, threads = sys.argv[1:]
    return pathlib.Path(folder), pathlib.Path(output), int(threads)


def serve(units, run_round, output):
    """`run_round` does all the work once and returns its results as a float32 array."""
    print("ready", units, file=_answers)
    for line in sys.stdin:
        if line != "round\n":
            sys.exit(f"the line {line!r} is not `round`")
        start = time.perf_counter()
        results = run_round()
        seconds = time.perf_counter() - start
        if not output.exists():
            with output.open("wb") as file:
                results.tofile(file)
        print(f"{seconds:.9f}", file=_answers)
