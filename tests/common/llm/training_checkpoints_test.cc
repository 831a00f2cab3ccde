// SPDX-License-Identifier: Apache-2.0
#include "common/llm/training_checkpoints.h"

#include <catch2/catch.hpp>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/common/llm/golden.h"
#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

using testing::Value;
using torch::Tensor;

std::map<std::string, Tensor> Tensors(double value) {
  return {{"a", torch::full({5}, value)}, {"b", torch::full({2, 3}, -value)}};
}

TEST_CASE("A checkpoint is read as it was written") {
  const testing::TempDir dir;
  const TrainingCheckpoints checkpoints(dir.path() / "c", {});
  CHECK(Value(checkpoints.Steps()).empty());
  REQUIRE(checkpoints.Write(100, "id", Tensors(2), "{}").ok());
  CHECK(std::filesystem::exists(dir.path() / "c" / "step-00000100" /
                                "rank-0-of-1.safetensors"));
  const auto file = Value(checkpoints.Read(100, "id"));
  CHECK(torch::equal(Value(file.View("b")), torch::full({2, 3}, -2.0)));
  CHECK(Value(TrainingCheckpoints::StateOf(file)) == "{}");
  // Written again, it is replaced.
  REQUIRE(checkpoints.Write(100, "id", Tensors(3), "{}").ok());
  CHECK(torch::equal(Value(Value(checkpoints.Read(100, "id")).View("a")),
                     torch::full({5}, 3.0)));
  CHECK(absl::IsFailedPrecondition(checkpoints.Read(100, "other").status()));
  CHECK(absl::IsNotFound(checkpoints.Read(99, "id").status()));
}

TEST_CASE("A checkpoint that was not finished does not count") {
  const testing::TempDir dir;
  const TrainingCheckpoints checkpoints(dir.path(), {});
  REQUIRE(checkpoints.Write(5, "id", Tensors(1), "{}").ok());
  // Killed right before the rename.
  std::filesystem::copy(dir.path() / "step-00000005",
                        dir.path() / "step-00000006.tmp");
  std::filesystem::create_directory(dir.path() / "step-notes");
  CHECK(Value(checkpoints.Steps()) == std::vector<int64_t>{5});
  REQUIRE(checkpoints.Write(6, "id", Tensors(2), "{}").ok());
  CHECK(Value(checkpoints.Steps()) == std::vector<int64_t>{6, 5});
  std::filesystem::create_directory(dir.path() / "step-00000007.tmp");
  REQUIRE(checkpoints.Keep(6, 2, -1).ok());
  CHECK_FALSE(std::filesystem::exists(dir.path() / "step-00000007.tmp"));
  CHECK(std::filesystem::exists(dir.path() / "step-notes"));
}

TEST_CASE("A folder that cannot be listed is not an empty one") {
  const testing::TempDir dir;
  std::ofstream(dir.path() / "c") << "no folder";
  const TrainingCheckpoints checkpoints(dir.path() / "c", {});
  CHECK(absl::IsNotFound(checkpoints.Steps().status()));
  CHECK(absl::IsNotFound(checkpoints.Keep(1, 2, -1)));
}

TEST_CASE("The state of a checkpoint may be larger than a header") {
  const testing::TempDir dir;
  const TrainingCheckpoints checkpoints(dir.path(), {});
  const std::string state(120 << 20, 's');
  REQUIRE(checkpoints.Write(1, "id", Tensors(1), state).ok());
  const auto file = Value(checkpoints.Read(1, "id"));
  CHECK((Value(TrainingCheckpoints::StateOf(file)) == state));
}

TEST_CASE("The newest are kept, and the best") {
  const testing::TempDir dir;
  const TrainingCheckpoints checkpoints(dir.path(), {});
  for (const int64_t step : {10, 20, 30, 40, 50})
    REQUIRE(checkpoints.Write(step, "id", Tensors(1), "{}").ok());
  // 50 was damaged when 40 was taken up.
  REQUIRE(checkpoints.Keep(40, 2, 10).ok());
  CHECK(Value(checkpoints.Steps()) == std::vector<int64_t>{40, 30, 10});
  REQUIRE(checkpoints.Keep(40, 1, 40).ok());
  CHECK(Value(checkpoints.Steps()) == std::vector<int64_t>{40});
}

// Two ranks as two threads.
class Meeting {
 public:
  bool All(bool mine) {
    std::unique_lock lock(mutex_);
    all_ = all_ && mine;
    const int64_t round = round_;
    if (++waiting_ == 2) {
      result_ = std::exchange(all_, true);
      waiting_ = 0;
      ++round_;
      changed_.notify_all();
      return result_;
    }
    changed_.wait(lock, [&] { return round_ != round; });
    return result_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int waiting_ = 0;
  int64_t round_ = 0;
  bool all_ = true;
  bool result_ = true;
};

TEST_CASE("Several processes write one checkpoint together, or none") {
  const testing::TempDir dir;
  Meeting meeting;
  const auto rank = [&](int i) {
    return TrainingCheckpoints(
        dir.path() / "c", {i, 2, [&](bool mine) { return meeting.All(mine); }});
  };
  const TrainingCheckpoints first = rank(0), second = rank(1);
  const auto write = [&](int64_t step,
                         const std::map<std::string, Tensor>& of_second) {
    absl::Status status;
    std::thread thread(
        [&] { status = second.Write(step, "id", of_second, "{}"); });
    const auto mine = first.Write(step, "id", Tensors(1), "{}");
    thread.join();
    return std::pair(mine, status);
  };
  const auto both = write(7, Tensors(2));
  CHECK(both.first.ok());
  CHECK(both.second.ok());
  CHECK(torch::equal(Value(Value(second.Read(7, "id")).View("a")),
                     torch::full({5}, 2.0)));
  // The second cannot write: no checkpoint appears.
  const auto failed = write(8, {{"bad", Tensor()}});
  CHECK(absl::IsUnavailable(failed.first));
  CHECK_FALSE(failed.second.ok());
  CHECK(Value(TrainingCheckpoints(dir.path() / "c", {}).Steps()) ==
        std::vector<int64_t>{7});
  // One process cannot go on with what two have written.
  const TrainingCheckpoints alone(dir.path() / "c", {});
  CHECK_THAT(alone.Read(7, "id").status().ToString(),
             Catch::Contains("another number of processes"));
}

}  // namespace
}  // namespace larr
