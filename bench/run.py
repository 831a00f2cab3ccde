#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Times a program of ours and its peers side by side: what `./larr bench` runs.

All programs of a case are started (bench/rounds.h says how they are spoken to)
and stay alive; then they take turns, one at work at a time: a warm-up round
each, and rounds A B C, A B C, ... A ratio is ours over the peer's rate of the
same turn, so that what slows the whole machine falls out of it. Programs that
count other units, or whose results differ by more than rounding, did other
work: that is an error, not a ratio.
"""
import argparse
import array
import contextlib
import dataclasses
import json
import math
import os
import pathlib
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BIN = ROOT / "build" / "bin"
PEERS = ROOT / "bench" / "peers"
PEER_ENVIRONMENT = {
    "PYTHONPATH": ":".join(f"{ROOT}/.deps/{folder}" for folder in ["bench", "transformers", "torch"]),
    "PYTHONDONTWRITEBYTECODE": "1",
    "LD_LIBRARY_PATH": f"{ROOT}/build/release/no_cuda",
    "HF_HUB_OFFLINE": "1",
}
MOST_ELSEWHERE = 0.05  # Of the processors' time.


class BenchError(Exception):
    pass


@dataclasses.dataclass
class Case:
    unit: str
    threads: int
    rounds: int
    tolerance: float  # Relative difference of results, root mean square.
    ours: list  # A command.
    peers: dict  # Commands by name.


def peer(script):
    return [sys.executable, str(PEERS / script)]


CASES = {
    "embed": Case(
        unit="tokens/s", threads=os.cpu_count(), rounds=5, tolerance=0.05,
        ours=[str(BIN / "larr_bench_embed")],
        peers={"transformers bf16": peer("embed_transformers.py"),
               "OpenVINO bf16": peer("embed_openvino.py")}),
    "score": Case(
        unit="candidates/s", threads=1, rounds=20, tolerance=1e-6,
        ours=[str(BIN / "larr_bench_score")],
        peers={"ONNX Runtime fp32": peer("score_onnxruntime.py"),
               "OpenVINO fp32": peer("score_openvino.py"),
               "LibTorch eager fp32": peer("score_torch.py")}),
}


class Program:
    """One side, alive from here on. `units` is the work of a round."""

    def __init__(self, name, command, folder, threads):
        self.name = name
        stem = name.lower().replace(" ", "_")
        self.output, self.log = folder / f"{stem}.f32", folder / f"{stem}.log"
        self.output.unlink(missing_ok=True)
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [*command, str(folder), str(self.output), str(threads)], cwd=ROOT, env=os.environ | PEER_ENVIRONMENT,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, bufsize=1)
        word, _, units = self.answer().partition(" ")
        if word != "ready":
            raise BenchError(f"{name} says `{word}`, not `ready`")
        self.units = int(units)

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            self.stop()
            tail = "\n".join(self.log.read_text().splitlines()[-20:])
            raise BenchError(f"{self.name} ended with {self.process.returncode}; the end of {self.log}:\n{tail}")
        return line.rstrip("\n")

    def round(self):
        """Its rate in one round."""
        with contextlib.suppress(BrokenPipeError):  # The answer tells.
            self.process.stdin.write("round\n")
        return self.units / float(self.answer())

    def results(self):
        return array.array("f", self.output.read_bytes())

    def stop(self):
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


def difference(ours, theirs):
    """Root mean square of the difference, relative to that of ours."""
    if len(ours) != len(theirs):
        return math.inf
    return math.sqrt(sum((a - b) ** 2 for a, b in zip(ours, theirs)) / sum(a * a for a in ours))


def used_elsewhere(programs):
    """Seconds of all processors, so far, that went to other programs or, in a virtual machine, to other machines."""
    user, nice, system, _, _, *rest = map(int, pathlib.Path("/proc/stat").read_text().split()[1:9])
    own = 0
    for program in programs:
        fields = pathlib.Path(f"/proc/{program.process.pid}/stat").read_text().rpartition(")")[2].split()
        own += int(fields[11]) + int(fields[12])
    return (user + nice + system + sum(rest) - own) / os.sysconf("SC_CLK_TCK")


def check_same_work(ours, peers, tolerance):
    expected = ours.results()
    for other in peers:
        if other.units != ours.units:
            raise BenchError(f"{other.name} counts {other.units} units of work, ours {ours.units}")
        apart = difference(expected, other.results())
        if not apart <= tolerance:
            raise BenchError(f"the results of {other.name} are {apart:.3g} away from ours; {tolerance:g} is allowed")


def measure(name, case, folder):
    """The results of one case, as the JSON file has them."""
    folder.mkdir(parents=True, exist_ok=True)
    programs = []
    try:
        for title, command in {"ours": case.ours, **case.peers}.items():
            print(f"starting {title}", file=sys.stderr)
            programs.append(Program(title, command, folder, case.threads))
        for program in programs:
            program.round()
        ours, peers = programs[0], programs[1:]
        check_same_work(ours, peers, case.tolerance)
        rates = {program.name: [] for program in programs}
        start, elsewhere = time.monotonic(), used_elsewhere(programs)
        for turn in range(case.rounds):
            print(f"round {turn + 1} of {case.rounds}", file=sys.stderr)
            for program in programs:
                rates[program.name].append(program.round())
        share = (used_elsewhere(programs) - elsewhere) / (time.monotonic() - start) / os.cpu_count()
    finally:
        for program in programs:
            program.stop()
    if share > MOST_ELSEWHERE:
        print(f"not a fair measurement: {share:.0%} of the machine was busy with other work", file=sys.stderr)
    results = []
    for other in peers:
        ratios = [a / b for a, b in zip(rates["ours"], rates[other.name])]
        results.append({
            "case": name, "unit": case.unit,
            "ours": statistics.median(rates["ours"]), "peer": statistics.median(rates[other.name]),
            "peer_name": other.name, "ratio_median": statistics.median(ratios),
            "ratio_min": min(ratios), "ratio_max": max(ratios)})
    return results


def table(results):
    rows = [("case", "peer", "ours", "peer", "unit", "ratio", "(least, most)")]
    for r in results:
        rows.append((r["case"], r["peer_name"], f"{r['ours']:,.0f}", f"{r['peer']:,.0f}", r["unit"],
                     f"{r['ratio_median']:.2f}", f"({r['ratio_min']:.2f}, {r['ratio_max']:.2f})"))
    widths = [max(map(len, column)) for column in zip(*rows)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)


def main(arguments, cases, folder):
    parser = argparse.ArgumentParser(prog="larr bench", description="Our programs and their peers, side by side.")
    parser.add_argument("case", choices=cases, help="what is timed; docs/benchmarks.md tells them apart")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="also write the results there")
    options = parser.parse_args(arguments)
    try:
        results = measure(options.case, cases[options.case], folder / options.case)
    except BenchError as error:
        sys.exit(f"larr bench: {error}")
    print(table(results))
    if options.json:
        options.json.write_text(json.dumps({"results": results}, indent=2) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:], CASES, ROOT / "out" / "bench")
