#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The structure that docs/style.md promises, checked over the whole tree.

- includes point one way: between the layers of common/, never between services
- every file has its licence line, every header its #pragma once
- no two headers define a class, struct or enum of one name in one namespace of
  ours: a program that links both has one of them twice
- every source of common/ and services/ has a test of its name in the folder
  below tests/ that mirrors its own, or is listed below with the test that
  covers it
- every element of a .proto has a comment
- every metric has a legal name
"""
import pathlib
import re
import subprocess
import sys

# A folder of common/ may include those of lower layers, and itself.
LAYERS = [
    {"base", "simd"},
    {"config", "telemetry", "rocks"},
    {"features", "tensors"},
    {"dataset"},
    {"store", "llm", "ctr", "rpc"},
]
RANK = {folder: rank for rank, layer in enumerate(LAYERS) for folder in layer}

# Sources whose tests have another name.
TESTED_BY = {}

problems = []


def problem(path, line, text):
    problems.append(f"{path}:{line}: {text}")


def files(*patterns):
    out = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "--", *patterns],
                         capture_output=True, text=True, check=True).stdout
    return [pathlib.Path(name) for name in out.split("\n") if name and pathlib.Path(name).exists()]


def check_include(path, number, target):
    source, included = path.parts, target.split("/")
    if source[0] == "common":
        if included[0] in ("services", "tools", "examples", "tests", "bench"):
            problem(path, number, f"common/ includes {target}")
        elif included[0] == "common" and included[1] != source[1]:
            if RANK.get(included[1], 99) >= RANK.get(source[1], -1):
                problem(path, number, f"common/{source[1]} may not include {target}: see LAYERS in {__file__}")
    if source[0] == "services" and included[0] == "services" and included[1] != source[1] and source[1] != "stage":
        problem(path, number, f"services/{source[1]} includes another service: {target}")


def check_sources():
    for path in files("*.h", "*.cc"):
        lines = path.read_text().splitlines()
        if not lines or "SPDX-License-Identifier: Apache-2.0" not in lines[0]:
            problem(path, 1, "the first line is not the SPDX line")
        if path.suffix == ".h" and "#pragma once" not in lines:
            problem(path, 1, "no #pragma once")
        for number, line in enumerate(lines, 1):
            if match := re.match(r'#include "((?:common|services|tools|examples|tests|bench)/[^"]+)"', line):
                check_include(path, number, match[1])
            if re.search(r"\bTODO\b|\bFIXME\b", line):
                problem(path, number, "an open end: finish it or take it out")
            for name in re.findall(r'"(larr_[a-z_]+)"', line):
                if ".Name(" in line and not re.fullmatch(
                        r"larr_(scoring|embedding|coordinator|rpc)_[a-z_]+", name):
                    problem(path, number, f"metric {name} has no legal name")


def check_types():
    first = {}
    for path in files("*.h"):
        namespaces = []
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if match := re.match(r"namespace ([\w:]*) *\{", line):
                namespaces.append(match[1])
            elif line.startswith("}  // namespace"):
                namespaces.pop()
            # What stands in the first column is in a namespace alone.
            match = re.match(r"(?:class|struct|enum class|enum) (\w+)\b(?! *[<;])", line)
            if not match or not namespaces or namespaces[0].split("::")[0] != "larr":
                continue
            name = "::".join(namespaces + [match[1]])
            if name in first:
                problem(path, number, f"{name} is defined in {first[name]} already")
            first.setdefault(name, f"{path}:{number}")


def check_tests():
    for path in files("common/**/*.cc", "services/**/*.cc"):
        test = pathlib.Path("tests") / path.parent / f"{path.stem}_test.cc"
        if path.name != "main.cc" and not test.exists() and str(path) not in TESTED_BY:
            problem(path, 1, f"no {test}")
    for source, test in TESTED_BY.items():
        if not pathlib.Path(source).exists() or not pathlib.Path(test).exists():
            problem(source, 1, f"TESTED_BY names {test}, but one of the two does not exist")


def check_protos():
    element = re.compile(r"\s*(message|service|rpc|enum|oneof|repeated|map<|[\w.]+ \w+ = \d+;|[A-Z_0-9]+ = \d+;)")
    for path in files("*.proto"):
        previous = ""
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if element.match(line) and "//" not in line and not previous.strip().startswith("//"):
                problem(path, number, f"no comment: {line.strip()}")
            previous = line


check_sources()
check_types()
check_tests()
check_protos()
print("\n".join(problems) or "structure: nothing to report", file=sys.stderr)
sys.exit(1 if problems else 0)
