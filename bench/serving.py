#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""BIN FOLDER OUTPUT THREADS: starts larr_scoring on core 0 and, on core 1,
the program that asks it (bench/serving.cc)."""
import pathlib
import subprocess
import sys
import time

programs, folder, output, threads = sys.argv[1:]
port_file = pathlib.Path(folder) / "port"
port_file.unlink(missing_ok=True)
server = subprocess.Popen(["taskset", "-c", "0", f"{programs}/larr_scoring", "--config", f"{folder}/scoring.textproto"],
                          stdin=subprocess.DEVNULL, stdout=sys.stderr)
try:
    while not port_file.exists():
        if server.poll() is not None:
            sys.exit(f"larr_scoring ended with {server.returncode}")
        time.sleep(0.01)
    address = port_file.read_text().splitlines()[0]
    asked = subprocess.run(["taskset", "-c", "1", f"{programs}/larr_bench_serving", address, folder, output, threads])
finally:
    server.terminate()
    server.wait()
sys.exit(asked.returncode)
