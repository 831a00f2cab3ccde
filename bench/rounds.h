// SPDX-License-Identifier: Apache-2.0
//
// Our side of a benchmark: a program that does its work again whenever
// bench/run.py asks, so that it can take turns with a peer's. Called as
//
//   PROGRAM FOLDER OUTPUT THREADS
//
// it makes the case's input in FOLDER, where the peers find it, and prints
// `ready UNITS`, the units of work of one round. Then it does one round for
// each line `round` and prints its seconds, until there are no more lines. The
// results of the first round, the warm-up, are in OUTPUT as float32.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <iosfwd>
#include <map>
#include <string>
#include <vector>

namespace larr::bench {

struct Arguments {
  std::filesystem::path folder;
  std::filesystem::path output;
  int threads = 1;
};

// All the work once; returns its results.
using Round = std::function<absl::StatusOr<std::vector<float>>()>;

// The loop. Errors: of `round`; kInvalidArgument for any other line.
absl::Status ServeRounds(int64_t units, const Round& round,
                         const std::filesystem::path& output, std::istream& in,
                         std::ostream& out);

// The tasks of a program that has several, by the names that call them.
using NamedTasks =
    std::map<std::string, std::function<absl::Status(const Arguments&)>>;

// What a program's `main` returns: reads the arguments, runs, prints an error.
int Main(int argc, char** argv,
         const std::function<absl::Status(const Arguments&)>& run);

// The same of one that is called PROGRAM TASK FOLDER OUTPUT THREADS. `more`:
// lines of usage about other ways to call it.
int Main(int argc, char** argv, const NamedTasks& tasks,
         const std::string& more = "");

}  // namespace larr::bench
