#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""clang-tidy over the sources of a build folder, two at a time.

A source passes again for nothing while it, every header of ours and the
settings are unchanged. Sources that see LibTorch take half a minute each, so
of these only the newest work is checked: what is not committed, then the
commits of the day before the last one, newest first, up to MOST_TORCH sources.
A source counts as changed with the header of its name. What is left out is
said.
"""
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys

MOST_TORCH = 4
DAY_S = 24 * 3600
UNKNOWN_TO_CLANG = re.compile(r"^(-fpch-preprocess|-Winvalid-pch)$")


def output(*command):
    return subprocess.run(command, capture_output=True, text=True).stdout


def clang_command(entry):
    """The compile command without the compiler cache and the precompiled header."""
    words = shlex.split(entry["command"])
    start = next(i for i, w in enumerate(words) if os.path.basename(w) in ("c++", "g++"))
    kept, skip = [], False
    for i, word in enumerate(words[start:], start):
        if skip:
            skip = False
        elif word == "-include" and "cmake_pch" in words[i + 1]:
            skip = True
        elif not UNKNOWN_TO_CLANG.match(word):
            kept.append(word)
    return kept


def newest_work():
    """Paths without their endings, the newest change first."""
    last = int(output("git", "log", "-1", "--format=%ct"))
    names = (output("git", "diff", "--name-only", "HEAD")
             + output("git", "ls-files", "-o", "--exclude-standard")
             + output("git", "log", f"--since={last - DAY_S}", "--name-only", "--format="))
    return list(dict.fromkeys(os.path.splitext(name)[0] for name in names.split()))


def main():
    root = pathlib.Path.cwd()
    build = pathlib.Path(sys.argv[1])
    tidy = build / "tidy"
    passed = tidy / "passed"
    passed.mkdir(parents=True, exist_ok=True)

    entries, torch = {}, set()
    for entry in json.loads((build / "compile_commands.json").read_text()):
        path = pathlib.Path(entry["file"])
        if build.resolve() in path.resolve().parents or root not in path.parents:
            continue
        command = clang_command(entry)
        if any("/torch/" in word for word in command):
            torch.add(str(path))
        entries[str(path)] = {"directory": entry["directory"], "file": entry["file"],
                              "command": shlex.join(command)}
    (tidy / "compile_commands.json").write_text(json.dumps(list(entries.values())))

    headers = hashlib.sha256()
    for name in sorted(output("git", "ls-files", "-co", "--exclude-standard", "--", "*.h", "*.proto", ".clang-tidy").split()):
        if os.path.exists(name):
            headers.update(pathlib.Path(name).read_bytes())

    def check(path):
        key = hashlib.sha256(headers.digest() + entries[path]["command"].encode() + pathlib.Path(path).read_bytes())
        stamp = passed / key.hexdigest()
        if stamp.exists():
            return True
        run = subprocess.run(["clang-tidy", "--quiet", "-p", str(tidy), path], capture_output=True, text=True)
        if run.returncode == 0:
            stamp.touch()
            return True
        print(run.stdout + "\n".join(line for line in run.stderr.splitlines() if "warnings generated" not in line))
        return False

    changed = [path for path in (str(root / f"{name}.cc") for name in newest_work()) if path in torch]
    chosen = sorted(set(entries) - torch) + changed[:MOST_TORCH]
    print(f"{len(chosen)} of {len(entries)} sources; of {len(torch)} that see LibTorch, {len(changed)} are of the last "
          f"day's work and {len(changed[:MOST_TORCH])} are checked", file=sys.stderr)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        good = list(pool.map(check, chosen))
    sys.exit(0 if all(good) else 1)


main()
