// SPDX-License-Identifier: Apache-2.0
#include "bench/rounds.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <istream>
#include <ostream>
#include <string>
#include <string_view>

#include "common/base/files.h"
#include "common/base/seconds_since.h"
#include "common/base/status_macros.h"

namespace larr::bench {

absl::Status ServeRounds(int64_t units, const Round& round,
                         const std::filesystem::path& output, std::istream& in,
                         std::ostream& out) {
  out << "ready " << units << std::endl;
  bool written = false;
  for (std::string line; std::getline(in, line);) {
    if (line != "round")
      return absl::InvalidArgumentError(
          fmt::format("the line `{}` is not `round`", line));
    const auto start = std::chrono::steady_clock::now();
    LARR_ASSIGN_OR_RETURN(const std::vector<float> results, round());
    const double seconds = SecondsSince(start);
    if (!written) {
      LARR_RETURN_IF_ERROR(WriteFileAtomically(
          output,
          std::string_view(reinterpret_cast<const char*>(results.data()),
                           results.size() * sizeof(float))));
      written = true;
    }
    out << fmt::format("{:.9f}", seconds) << std::endl;
  }
  return absl::OkStatus();
}

int Main(int argc, char** argv,
         const std::function<absl::Status(const Arguments&)>& run) {
  const int threads = argc == 4 ? std::atoi(argv[3]) : 0;
  if (threads < 1) {
    fmt::print(stderr, "usage: {} FOLDER OUTPUT THREADS\n", argv[0]);
    return 2;
  }
  const absl::Status status = run({argv[1], argv[2], threads});
  if (status.ok()) return EXIT_SUCCESS;
  fmt::print(stderr, "{}: {}\n", argv[0], status.ToString());
  return EXIT_FAILURE;
}

int Main(int argc, char** argv, const NamedTasks& tasks,
         const std::string& more) {
  const auto found = argc > 1 ? tasks.find(argv[1]) : tasks.end();
  if (found != tasks.end()) return Main(argc - 1, argv + 1, found->second);
  fmt::print(stderr, "usage: {} TASK FOLDER OUTPUT THREADS, of these tasks:\n",
             argv[0]);
  for (const auto& [name, unused] : tasks) fmt::print(stderr, "  {}\n", name);
  fmt::print(stderr, "{}", more);
  return 2;
}

}  // namespace larr::bench
