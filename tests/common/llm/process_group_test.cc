// SPDX-License-Identifier: Apache-2.0
#include "common/llm/process_group.h"

#include <signal.h>
#include <torch/utils.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <fstream>
#include <thread>

#include "common/base/files.h"
#include "tests/common/llm/golden.h"
#include "tests/testing/ranks.h"
#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

using torch::Tensor;

TEST_CASE("One process is a group whose operations do nothing") {
  const auto group = testing::Value(ProcessGroup::Join(Launch{}));
  CHECK(group->alone());
  const Tensor x = torch::arange(6, torch::kFloat32).view({2, 3});
  Tensor out = torch::empty({2, 3});
  REQUIRE(group->ReduceScatter(out, x).Wait().ok());
  CHECK(torch::equal(out, x));
  out.zero_();
  REQUIRE(group->AllGather(out, x).Wait().ok());
  CHECK(torch::equal(out, x));
  REQUIRE(group->AllReduce(out).ok());
  REQUIRE(group->Broadcast(out).ok());
  REQUIRE(group->Barrier().ok());
  CHECK(torch::equal(out, x));
  CHECK(*group->Sum(3.5) == 3.5);
}

TEST_CASE("rank: operations", "[.]") {
  const auto group = testing::JoinRanks();
  const int64_t rank = group->rank(), size = group->size();
  // Row j of rank r is 10 r + j.
  const Tensor input =
      (torch::arange(size) + 10 * rank).to(torch::kFloat32).view({size, 1});
  const Tensor out = torch::empty({1});
  REQUIRE(group->ReduceScatter(out, input).Wait().ok());
  CHECK(out.item<int64_t>() == 5 * size * (size - 1) + size * rank);
  for (const auto dtype : {torch::kFloat32, torch::kBFloat16, torch::kInt64}) {
    const Tensor own = torch::full({2}, rank, dtype);
    const Tensor all = torch::empty({size, 2}, dtype);
    REQUIRE(group->AllGather(all, own).Wait().ok());
    for (int64_t r = 0; r < size; ++r)
      CHECK(torch::equal(all[r], torch::full({2}, r, dtype)));
    REQUIRE(group->Broadcast(own).ok());
    CHECK(torch::equal(own, torch::zeros({2}, dtype)));
  }
  // Several under way, waited for in another order.
  const Tensor one = torch::ones({size, 1000}), a = torch::empty({1000}),
               b = torch::empty({1000});
  auto first = group->ReduceScatter(a, one),
       second = group->ReduceScatter(b, one * 2);
  REQUIRE(second.Wait().ok());
  REQUIRE(first.Wait().ok());
  CHECK(torch::equal(b, torch::full({1000}, 2.0f * size)));
  CHECK(torch::equal(a * 2, b));
  CHECK(*group->Sum(1.0 * rank) == 0.5 * size * (size - 1));
  CHECK(group->Barrier().ok());
}

TEST_CASE("Ranks sum, scatter, gather and broadcast") {
  for (const int count : {2, 3}) {
    const testing::TempDir dir;
    testing::Ranks(count, "rank: operations", dir.path()).Finish();
  }
}

// Sums until that fails; then leaves a file that says why, and ends.
void SumForEver(const ProcessGroupOptions& options) {
  const auto group = testing::JoinRanks(options);
  const auto note = [&](const std::string& name) {
    return std::ofstream(testing::RanksFolder() /
                         (name + std::to_string(group->rank())));
  };
  note("ready-");
  absl::Status status;
  while (status.ok()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    status = group->Barrier();
  }
  CHECK(absl::IsUnavailable(status));
  CHECK(group->Sum(1).status() == status);  // stays so
  note("end-") << status.message();
}
TEST_CASE("rank: sums for ever", "[.]") { SumForEver({}); }
TEST_CASE("rank: sums impatiently", "[.]") {
  ProcessGroupOptions options;
  options.heartbeat = {std::chrono::milliseconds(100),
                       std::chrono::milliseconds(3000)};
  SumForEver(options);
}

void LoseOne(const std::string& test_case, int victim, int signal) {
  const testing::TempDir dir;
  testing::Ranks ranks(3, test_case, dir.path());
  REQUIRE(testing::Eventually([&] {
    return std::filesystem::exists(dir.path() / "ready-0") &&
           std::filesystem::exists(dir.path() / "ready-1") &&
           std::filesystem::exists(dir.path() / "ready-2");
  }));
  kill(ranks[victim].pid(), signal);
  for (int rank = 0; rank < 3; ++rank) {
    if (rank == victim) continue;
    INFO("rank " << rank << ": " << ranks.Log(rank));
    REQUIRE(testing::Eventually([&] { return !ranks[rank].Lives(); },
                                std::chrono::seconds(60)));
    REQUIRE(ranks[rank].Wait() == 0);
    CHECK_THAT(ReadFile(dir.path() / ("end-" + std::to_string(rank))).value(),
               Catch::Contains("of 3 lost the others in a sum") &&
                   Catch::Contains("start all ranks again"));
  }
}

TEST_CASE("A rank that is killed makes the others stop and say what to do") {
  LoseOne("rank: sums for ever", 1, SIGKILL);
  LoseOne("rank: sums for ever", 0, SIGKILL);  // it keeps the store
}

TEST_CASE("So does one that falls silent with its connections open") {
  LoseOne("rank: sums impatiently", 2, SIGSTOP);
  LoseOne("rank: sums impatiently", 0, SIGSTOP);
}

TEST_CASE("rank: slow", "[.]") {
  ProcessGroupOptions options;
  options.heartbeat = {std::chrono::milliseconds(50),
                       std::chrono::milliseconds(1000)};
  const auto group = testing::JoinRanks(options);
  if (group->rank() == 1) std::this_thread::sleep_for(std::chrono::seconds(3));
  CHECK(group->Barrier().ok());
}
TEST_CASE("A rank that is only slow is waited for") {
  const testing::TempDir dir;
  testing::Ranks(2, "rank: slow", dir.path()).Finish();
}

TEST_CASE("Ranks that do not come are an error that names the place") {
  Launch launch{0, 2, "127.0.0.1", static_cast<uint16_t>(testing::FreePort())};
  ProcessGroupOptions options;
  options.start = std::chrono::seconds(1);
  const auto group = ProcessGroup::Join(launch, options);
  CHECK(absl::IsUnavailable(group.status()));
  CHECK_THAT(group.status().ToString(),
             Catch::Contains("rank 0 of 2") &&
                 Catch::Contains("127.0.0.1:" + std::to_string(launch.port)));
}

}  // namespace
}  // namespace larr
