// SPDX-License-Identifier: Apache-2.0
#include "bench/rounds.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <cstring>
#include <sstream>

#include "common/base/files.h"
#include "tests/testing/temp_dir.h"

namespace larr::bench {
namespace {

// Each round gives its own number.
struct Counter {
  float count = 0;
  absl::StatusOr<std::vector<float>> operator()() {
    return std::vector<float>{++count, 0.5F};
  }
};

TEST_CASE("a round for each line, and the results of the first") {
  const testing::TempDir folder;
  const auto output = folder.path() / "ours.f32";
  std::istringstream in("round\nround\nround\n");
  std::ostringstream out;
  REQUIRE(ServeRounds(42, Counter{}, output, in, out).ok());

  std::istringstream answers(out.str());
  std::string word;
  int64_t units = 0;
  double seconds[3] = {-1, -1, -1};
  answers >> word >> units >> seconds[0] >> seconds[1] >> seconds[2];
  REQUIRE(word == "ready");
  REQUIRE(units == 42);
  for (const double one : seconds) REQUIRE(one >= 0);

  const std::string bytes = ReadFile(output).value();
  float results[2];
  REQUIRE(bytes.size() == sizeof(results));
  std::memcpy(results, bytes.data(), sizeof(results));
  REQUIRE(results[0] == 1);
  REQUIRE(results[1] == 0.5F);
}

TEST_CASE("a failed round and an unknown line end the program") {
  const testing::TempDir folder;
  const auto output = folder.path() / "ours.f32";
  std::ostringstream out;
  std::istringstream unknown("rounds\n");
  REQUIRE(
      absl::IsInvalidArgument(ServeRounds(1, Counter{}, output, unknown, out)));
  std::istringstream one("round\n");
  const auto failed = [] {
    return absl::StatusOr<std::vector<float>>(absl::DataLossError("torn"));
  };
  REQUIRE(absl::IsDataLoss(ServeRounds(1, failed, output, one, out)));
  REQUIRE_FALSE(std::filesystem::exists(output));
}

TEST_CASE("a task is called by its name") {
  std::string called;
  const NamedTasks tasks = {
      {"a",
       [&](const Arguments& arguments) {
         called = arguments.folder;
         return absl::OkStatus();
       }},
      {"b", [](const Arguments&) { return absl::DataLossError("torn"); }}};
  const auto call = [&](const char* task) {
    std::string words[] = {"program", task, "folder", "output", "2"};
    char* argv[] = {words[0].data(), words[1].data(), words[2].data(),
                    words[3].data(), words[4].data()};
    return Main(5, argv, tasks);
  };
  REQUIRE(call("a") == EXIT_SUCCESS);
  REQUIRE(called == "folder");
  REQUIRE(call("b") == EXIT_FAILURE);
  REQUIRE(call("c") == 2);
}

}  // namespace
}  // namespace larr::bench
