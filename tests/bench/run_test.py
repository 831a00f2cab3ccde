# SPDX-License-Identifier: Apache-2.0
"""Tests the driver of the benchmarks with programs whose clock is set."""
import contextlib
import dataclasses
import io
import json
import pathlib
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench"))
import run  # noqa: E402

# NAME UNITS RESULTS SECONDS..., the first being the warm-up's.
PROGRAM = f"""
import array, pathlib, sys, time
sys.path.insert(0, "{ROOT}/bench/peers")
import rounds
name, units, results, *seconds = sys.argv[1].split()
del sys.argv[1]
folder, output, threads = rounds.arguments()
clock = 0.0
time.perf_counter = lambda: clock
def run_round():
    global clock
    if not seconds:
        sys.exit("nothing left to do")
    clock += float(seconds.pop(0))
    with (folder / "turns").open("a") as turns:
        turns.write(name)
    print("noise")
    return array.array("f", map(float, results.split(",")))
rounds.serve(int(units), run_round, output)
"""


def program(text):
    return [sys.executable, "-B", "-c", PROGRAM, text]


class RunTest(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = pathlib.Path(scratch.name)
        run.peers_installed = lambda: True
        self.case = run.Case(
            unit="items/s", threads=1, rounds=3, tolerance=0.01,
            ours=program("a 100 1,2 900 1 2 4"),
            peers={"B fp32": program("b 100 1,2.001 900 2 6 4"), "C": program("c 100 1,2 900 1 1 1")})

    def measure(self, **changes):
        with contextlib.redirect_stderr(io.StringIO()):
            return run.measure("x", dataclasses.replace(self.case, **changes), self.folder / "x")

    def test_programs_take_turns_and_ratios_are_of_one_turn(self):
        file = self.folder / "results.json"
        shown = io.StringIO()
        with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(io.StringIO()):
            run.main(["x", "--json", str(file)], {"x": self.case}, self.folder)
        self.assertEqual((self.folder / "x" / "turns").read_text(), "abc" * 4)
        written = json.loads(file.read_text())
        for result in written["results"]:
            self.assertGreater(result.pop("ours_megabytes"), 1)
            self.assertGreater(result.pop("peer_megabytes"), 1)
        self.assertEqual(written, {"results": [
            # Rates of ours: 100, 50, 25; of B: 50, 16.7, 25; of C: 100.
            {"case": "x", "unit": "items/s", "ours": 50, "peer": 25, "peer_name": "B fp32",
             "ratio_median": 2, "ratio_min": 1, "ratio_max": 3},
            {"case": "x", "unit": "items/s", "ours": 50, "peer": 100, "peer_name": "C",
             "ratio_median": 0.5, "ratio_min": 0.25, "ratio_max": 1}]})
        self.assertIn("B fp32  50    25    items/s  2.00   (1.00, 3.00)", shown.getvalue())

    def test_one_turn_is_quick_and_a_limit_has_no_results(self):
        with contextlib.redirect_stderr(io.StringIO()):
            results = run.measure("x", dataclasses.replace(self.case, peers={}, limits={"L": program("l 100 7 1 0.5 1 1")}),
                                  self.folder / "x", quick=True)
        self.assertEqual((self.folder / "x" / "turns").read_text(), "al" * 2)
        self.assertEqual([r["ratio_median"] for r in results], [0.5])

    def test_seconds_are_shown_where_they_are_the_unit(self):
        ours, b = program("a 1 1 9 0.25 0.25 0.25"), program("b 1 1 9 0.5 0.5 0.5")
        (result,) = self.measure(unit="s", ours=ours, peers={"B": b})
        self.assertEqual((result["ours"], result["peer"], result["ratio_median"]), (0.25, 0.5, 2))

    def test_without_peers_ours_runs_alone(self):
        run.peers_installed = lambda: False
        (alone,) = results = self.measure()
        self.assertEqual((alone["ours"], alone["peer"], alone["ratio_median"]), (50, None, None))
        self.assertIn("none  50    -     items/s  -      (-, -)", run.table(results))
        self.assertEqual((self.folder / "x" / "turns").read_text(), "a" * 4)

    def test_a_group_is_all_of_its_cases(self):
        cases = {"a.x": 1, "a.y": 2, "ab.z": 3, "b": 4}
        self.assertEqual(list(run.chosen(cases, "a")), ["a.x", "a.y"])
        self.assertEqual(list(run.chosen(cases, "a.y")), ["a.y"])
        self.assertEqual(list(run.chosen(cases, "b")), ["b"])

    def test_input_that_cannot_be_made_is_an_error(self):
        with self.assertRaisesRegex(run.BenchError, "(?s)cannot make the input.*no room"):
            self.measure(prepare=[sys.executable, "-c", "import sys; sys.exit('no room')"])

    def test_memory_is_the_peak_and_stands_against_its_bound(self):
        case = run.MemoryCase(
            prepare=[sys.executable, "-c",
                     "import pathlib, sys; (pathlib.Path(sys.argv[1]) / 'w.bin').write_bytes(b'x' * 10_000_000)"],
            more=program("a 1 " + ",".join("1" * 10) + " 1"), less=program("b 1 1 1"), weights="*.bin", factor=2, megabytes=5)
        with contextlib.redirect_stderr(io.StringIO()):
            less, bound = run.measure_memory("m", case, self.folder / "m")
        self.assertEqual(bound["peer"], 25)
        self.assertEqual(less["ours"], bound["ours"])
        self.assertAlmostEqual(less["ratio_median"], less["peer"] / less["ours"])
        self.assertTrue(5 < less["peer"] < 1000)

    def test_other_results_are_other_work(self):
        with self.assertRaisesRegex(run.BenchError, "results of B are .* away"):
            self.measure(peers={"B": program("b 100 1,2.1 1 1 1 1")})
        with self.assertRaisesRegex(run.BenchError, "results of B are inf away"):
            self.measure(peers={"B": program("b 100 1,2,3 1 1 1 1")})

    def test_other_units_are_other_work(self):
        with self.assertRaisesRegex(run.BenchError, "B counts 99 units of work, ours 100"):
            self.measure(peers={"B": program("b 99 1,2 1 1 1 1")})

    def test_a_program_that_ends_is_named_with_its_log(self):
        with self.assertRaisesRegex(run.BenchError, "(?s)B ended with 1.*noise\nnothing left to do"):
            self.measure(peers={"B": program("b 100 1,2 1 1")})
        with self.assertRaisesRegex(run.BenchError, "B ended with 0"):
            self.measure(peers={"B": ["true"]})


if __name__ == "__main__":
    unittest.main()
