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
    "TOKENIZERS_PARALLELISM": "false",
}
MOST_ELSEWHERE = 0.05  # Of the processors' time.


class BenchError(Exception):
    pass


def ours(task):
    return [str(BIN / "larr_bench_llm"), task]


def scorer(task):
    return [str(BIN / "larr_bench_score"), task]


def ctr_trainer(task):
    return [str(BIN / "larr_bench_ctr_train"), task]


def peer(script, *settings):
    return [sys.executable, str(PEERS / script), *settings]


@dataclasses.dataclass
class Case:
    unit: str  # Of a second; "s": seconds are shown instead of a rate.
    threads: int
    rounds: int
    tolerance: float  # Relative difference of results, root mean square.
    ours: list  # A command.
    peers: dict  # Commands by name.
    limits: dict = dataclasses.field(default_factory=dict)  # As peers, but without results to compare.
    prepare: list = None  # A command that makes the input; gets the folder.


@dataclasses.dataclass
class MemoryCase:
    """Peak memory of a program with more or less to do, against a bound."""
    prepare: list
    more: list  # Commands of one round.
    less: list
    weights: str  # Files of the folder.
    factor: float = 1.2
    megabytes: float = 400


LLM_PREPARE = [str(BIN / "larr_bench_llm"), "prepare"]
ALL = os.cpu_count()
CASES = {
    "llm.embed_bf16": Case(
        unit="tokens/s", threads=ALL, rounds=5, tolerance=0.05, prepare=LLM_PREPARE, ours=ours("embed_bf16"),
        peers={"transformers bf16": peer("embed_transformers.py", "bf16", "32"),
               "OpenVINO bf16": peer("embed_openvino.py", "bf16", "32")},
        limits={"GEMM limit bf16": ours("limit_bf16")}),
    "llm.embed_fp32": Case(
        unit="tokens/s", threads=ALL, rounds=3, tolerance=1e-3, prepare=LLM_PREPARE, ours=ours("embed_fp32"),
        peers={"transformers fp32": peer("embed_transformers.py", "fp32", "8"),
               "OpenVINO fp32": peer("embed_openvino.py", "fp32", "8")},
        limits={"GEMM limit fp32": ours("limit_fp32")}),
    "llm.train": Case(
        unit="tokens/s", threads=ALL, rounds=10, tolerance=0.005, prepare=LLM_PREPARE, ours=ours("train"),
        peers={"transformers fp32 masters": peer("train_transformers.py", "autocast", "default"),
               "transformers fp32 masters, fused": peer("train_transformers.py", "autocast", "fused"),
               "transformers all bf16, fused": peer("train_transformers.py", "bf16", "fused")},
        limits={"GEMM limit bf16": ours("limit_train")}),
    "llm.load": Case(
        unit="s", threads=ALL, rounds=5, tolerance=0.05, prepare=LLM_PREPARE, ours=ours("load"),
        peers={"transformers bf16": peer("load_transformers.py")}),
    "llm.tokenize": Case(
        unit="tokens/s", threads=1, rounds=20, tolerance=0, prepare=LLM_PREPARE, ours=ours("tokenize"),
        peers={"tokenizers, a text a call": peer("tokenize_tokenizers.py", "one"),
               "tokenizers, encode_batch": peer("tokenize_tokenizers.py", "batch")}),
    "llm.path": Case(
        unit="tokens/s", threads=ALL, rounds=3, tolerance=0.05, prepare=LLM_PREPARE, ours=ours("path"),
        peers={"the embedder alone": ours("embed_bf16")}),
    "llm.memory": MemoryCase(prepare=LLM_PREPARE, more=ours("embed_many"), less=ours("embed_bf16"),
                             weights="embedder/model*.safetensors"),
    "score.warm": Case(
        unit="candidates/s", threads=1, rounds=20, tolerance=1e-6, ours=scorer("warm"),
        peers={"ONNX Runtime fp32": peer("score_onnxruntime.py"),
               "OpenVINO fp32": peer("score_openvino.py", "f32"),
               "LibTorch eager fp32": peer("score_torch.py")},
        limits={"GEMM limit fp32": scorer("limit")}),
    "score.cold": Case(
        unit="candidates/s", threads=1, rounds=20, tolerance=1e-6, ours=scorer("cold"),
        peers={"ONNX Runtime fp32": peer("score_onnxruntime.py")}),
    "score.rpc": Case(
        unit="candidates/s", threads=1, rounds=20, tolerance=1e-5,
        prepare=[str(BIN / "larr_bench_serving"), "prepare"],
        ours=[sys.executable, str(ROOT / "bench" / "serving.py"), str(BIN)],
        peers={"ONNX Runtime fp32, in its process": peer("score_onnxruntime.py")}),
    "score.bf16": Case(
        unit="candidates/s", threads=1, rounds=20, tolerance=0.01, ours=scorer("bf16"),
        peers={"OpenVINO bf16": peer("score_openvino.py", "bf16")},
        limits={"GEMM limit bf16": scorer("limit_bf16")}),
    "train.larr": Case(
        unit="rows/s", threads=ALL, rounds=10, tolerance=1e-3, ours=ctr_trainer("larr"),
        peers={"PyTorch eager": peer("train_torch.py")},
        limits={"GEMM limit fp32": ctr_trainer("limit_larr")}),
    "train.ple": Case(
        unit="rows/s", threads=ALL, rounds=10, tolerance=1e-3, ours=ctr_trainer("ple"), peers={},
        # DeepCTR-Torch begins with weights of its own: its results are others.
        limits={"DeepCTR-Torch's PLE": peer("train_deepctr.py"),
                "GEMM limit fp32": ctr_trainer("limit_ple")}),
}


class Program:
    """One side, alive from here on. `units` is the work of a round."""

    def __init__(self, name, command, folder, threads):
        self.name = name
        stem = "".join(letter if letter.isalnum() else "_" for letter in name.lower())
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
        self.megabytes = None  # Its peak, once it has stopped.

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
        if self.process.returncode is None:
            _, status, usage = os.wait4(self.process.pid, 0)
            self.process.returncode = os.waitstatus_to_exitcode(status)
            self.megabytes = usage.ru_maxrss * 1024 / 1e6


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


def prepare(command, folder):
    folder.mkdir(parents=True, exist_ok=True)
    if command:
        done = subprocess.run([*command, str(folder)], cwd=ROOT, capture_output=True, text=True)
        if done.returncode != 0:
            raise BenchError(f"{command[0]} cannot make the input:\n{done.stderr}")


def say(text):
    print(text, file=sys.stderr, flush=True)


def take_turns(programs, rounds):
    """Rates by program, a list of one for each turn."""
    rates = {program.name: [] for program in programs}
    start, elsewhere = time.monotonic(), used_elsewhere(programs)
    for turn in range(rounds):
        left = ""
        if turn > 0:
            left = f", about {(time.monotonic() - start) / turn * (rounds - turn):,.0f} s left"
        say(f"  turn {turn + 1} of {rounds}{left}")
        for program in programs:
            rates[program.name].append(program.round())
    share = (used_elsewhere(programs) - elsewhere) / (time.monotonic() - start) / os.cpu_count()
    if share > MOST_ELSEWHERE:
        say(f"not a fair measurement: {share:.0%} of the machine was busy with other work")
    return rates


def peers_installed():
    return (ROOT / ".deps" / "bench").is_dir()


def compared(case):
    """The peers that can be run here."""
    if peers_installed():
        return case.peers
    say("the peers are not installed: ours runs without them")
    return {name: command for name, command in case.peers.items() if command[0] != sys.executable}


def measure(name, case, folder, quick=False):
    """The results of one case, as the JSON file has them."""
    prepare(case.prepare, folder)
    peers = compared(case)
    programs = []
    try:
        for title, command in {"ours": case.ours, **peers, **case.limits}.items():
            say(f"  starting {title}")
            programs.append(Program(title, command, folder, case.threads))
        say("  warming up")
        for program in programs:
            program.round()
        check_same_work(programs[0], programs[1:1 + len(peers)], case.tolerance)
        rates = take_turns(programs, 1 if quick else case.rounds)
    finally:
        for program in programs:
            program.stop()
    shown = (lambda rate: 1 / rate) if case.unit == "s" else (lambda rate: rate)
    results = []
    for other in programs[1:]:
        ratios = [a / b for a, b in zip(rates["ours"], rates[other.name])]
        results.append({
            "case": name, "unit": case.unit,
            "ours": shown(statistics.median(rates["ours"])), "peer": shown(statistics.median(rates[other.name])),
            "peer_name": other.name, "ratio_median": statistics.median(ratios),
            "ratio_min": min(ratios), "ratio_max": max(ratios),
            "ours_megabytes": programs[0].megabytes, "peer_megabytes": other.megabytes})
    if not results:
        results.append({"case": name, "unit": case.unit, "ours": shown(statistics.median(rates["ours"])), "peer": None,
                        "peer_name": "none", "ratio_median": None, "ratio_min": None, "ratio_max": None,
                        "ours_megabytes": programs[0].megabytes, "peer_megabytes": None})
    return results


def measure_memory(name, case, folder, quick=False):
    prepare(case.prepare, folder)
    peaks = []
    for title, command in (("less to do", case.less), ("more to do", case.more)):
        say(f"  one round with {title}")
        program = Program(title, command, folder, os.cpu_count())
        try:
            program.round()
        finally:
            program.stop()
        peaks.append(program.megabytes)
    weights = sum(file.stat().st_size for file in folder.glob(case.weights)) / 1e6
    less, more = peaks
    against = {"with less to do": less,
               f"bound: weights x {case.factor} + {case.megabytes} MB": weights * case.factor + case.megabytes}
    return [{"case": name, "unit": "MB", "ours": more, "peer": value, "peer_name": title,
             "ratio_median": value / more, "ratio_min": value / more, "ratio_max": value / more,
             "ours_megabytes": more, "peer_megabytes": value} for title, value in against.items()]


def cell(value, places):
    return "-" if value is None else f"{value:,.{places}f}"


def table(results):
    rows = [("case", "peer", "ours", "peer", "unit", "ratio", "(least, most)", "MB", "peer's")]
    for r in results:
        places = 2 if r["unit"] == "s" else 0
        rows.append((r["case"], r["peer_name"], cell(r["ours"], places), cell(r["peer"], places), r["unit"],
                     cell(r["ratio_median"], 2), f"({cell(r['ratio_min'], 2)}, {cell(r['ratio_max'], 2)})",
                     cell(r["ours_megabytes"], 0), cell(r["peer_megabytes"], 0)))
    widths = [max(map(len, column)) for column in zip(*rows)]
    return "\n".join("  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip() for row in rows)


def chosen(cases, name):
    """The case of that name, or all cases of a group: `llm` is every `llm.…`."""
    return {key: case for key, case in cases.items() if key == name or key.startswith(name + ".")}


def show_profile(case, folder):
    if not isinstance(case, Case):
        raise BenchError("--profile is for cases that have rounds")
    prepare(case.prepare, folder)
    program, task = case.ours
    if program == LLM_PREPARE[0]:
        command = [program, "profile", task, str(folder), str(folder / "profile.f32"), str(case.threads)]
    else:
        command = [program, "cost", str(folder), str(case.threads)]
    subprocess.run(command, cwd=ROOT, check=True)


def main(arguments, cases, folder):
    names = [*dict.fromkeys(name.partition(".")[0] for name in cases), *(name for name in cases if "." in name)]
    parser = argparse.ArgumentParser(prog="larr bench", description="Our programs and their peers, side by side.")
    parser.add_argument("case", choices=names, metavar="CASE",
                        help=f"what is timed (docs/benchmarks.md tells them apart): {', '.join(names)}")
    parser.add_argument("--quick", action="store_true", help="one turn of each case: rough")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="also write the results there")
    parser.add_argument("--profile", action="store_true", help="instead show where the time of ours goes")
    options = parser.parse_args(arguments)
    todo, results = chosen(cases, options.case), []
    try:
        for number, (name, case) in enumerate(todo.items(), 1):
            say(f"{name} ({number} of {len(todo)})")
            where = folder / ("serving" if name == "score.rpc" else name.partition(".")[0])
            if options.profile:
                show_profile(case, where)
                continue
            how = measure_memory if isinstance(case, MemoryCase) else measure
            results += how(name, case, where, options.quick)
            if options.json:  # What is known so far: later cases may fail.
                options.json.write_text(json.dumps({"results": results}, indent=2) + "\n")
    except (BenchError, KeyboardInterrupt) as error:
        if results:
            print(table(results))
        sys.exit(f"larr bench: {error or 'stopped'}")
    if not options.profile:
        print(table(results))


if __name__ == "__main__":
    main(sys.argv[1:], CASES, ROOT / "out" / "bench")
