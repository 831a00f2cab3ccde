// SPDX-License-Identifier: Apache-2.0
#include "services/coordinator/run_store.h"

#include <fmt/format.h>

#include <catch2/catch.hpp>

#include "services/coordinator/scheduler.h"
#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

using coordinator::v1::AliasMove;
using coordinator::v1::ModelVersion;
using coordinator::v1::TrainingRun;

TrainingRun MakeRun(const std::string& id, int second,
                    TrainingRun::State state = TrainingRun::QUEUED) {
  TrainingRun run;
  run.set_name("trainingRuns/" + id);
  run.set_state(state);
  *run.mutable_create_time() =
      ToTimestamp(absl::FromUnixSeconds(1'800'000'000 + second));
  return run;
}

TEST_CASE("What was committed is there after the database was reopened",
          "[run_store]") {
  const testing::TempDir dir;
  {
    auto store = RunStore::Open(dir.path() / "db");
    REQUIRE(store.ok());
    REQUIRE((*store)
                ->Commit({.runs = {MakeRun("a", 1),
                                   MakeRun("b", 2, TrainingRun::FAILED)}})
                .ok());
    // A second coordinator on the same state is refused.
    CHECK(RunStore::Open(dir.path() / "db").status().code() ==
          absl::StatusCode::kUnavailable);
  }
  const auto store = *RunStore::Open(dir.path() / "db");
  CHECK(store->GetRun("trainingRuns/b")->state() == TrainingRun::FAILED);
  CHECK(store->GetRun("trainingRuns/c").status().message() ==
        "trainingRuns/c does not exist");
  const auto live = store->LiveRuns();
  REQUIRE(live->size() == 1);
  CHECK(live->front().name() == "trainingRuns/a");
}

TEST_CASE("Pages of runs go from the newest to the oldest, each run once",
          "[run_store]") {
  const testing::TempDir dir;
  const auto store = *RunStore::Open(dir.path());
  for (int i = 0; i < 5; ++i) {
    REQUIRE(store->Commit({.runs = {MakeRun(fmt::format("r{}", i), i)}}).ok());
  }
  // Writing a run again does not list it twice.
  REQUIRE(
      store->Commit({.runs = {MakeRun("r2", 2, TrainingRun::FAILED)}}).ok());
  std::string names, token;
  int pages = 0;
  do {
    const auto page = store->ListRuns(2, token);
    REQUIRE(page.ok());
    for (const TrainingRun& run : page->items) names += run.name().substr(13);
    token = page->next_token;
    ++pages;
  } while (!token.empty());
  CHECK(names == "r4r3r2r1r0");
  CHECK(pages == 3);
}

TEST_CASE("Versions sort by number, and by model under models/-",
          "[run_store]") {
  const testing::TempDir dir;
  const auto store = *RunStore::Open(dir.path());
  const auto add = [&](const std::string& name) {
    ModelVersion version;
    version.set_name(name);
    REQUIRE(store->Commit({.version = version}).ok());
  };
  for (int i = 1; i <= 11; ++i) add(fmt::format("models/city/versions/{}", i));
  add("models/city-2/versions/1");
  const auto newest = store->ListVersions("models/city", 2, "");
  REQUIRE(newest->items.size() == 2);
  CHECK(newest->items[0].name() == "models/city/versions/11");
  CHECK(newest->items[1].name() == "models/city/versions/10");
  CHECK(store->ListVersions("models/-", -1, "")->items.size() == 12);
  CHECK(store->GetVersion("models/city/versions/3").ok());
  CHECK(store->GetVersion("models/city/versions/12").status().code() ==
        absl::StatusCode::kNotFound);
  for (const char* number : {"x", "", "-1", "0", "003", "9223372036854775808"})
    CHECK(absl::IsInvalidArgument(
        store->GetVersion(fmt::format("models/city/versions/{}", number))
            .status()));
}

TEST_CASE("An alias has its last move, and history has all", "[run_store]") {
  const testing::TempDir dir;
  const auto store = *RunStore::Open(dir.path());
  CHECK(*store->LastFencingToken() == 0);
  for (int token = 1; token <= 3; ++token) {
    AliasMove move;
    move.set_model("models/city");
    move.set_alias(token == 2 ? "canary" : "champion");
    move.set_to_version(fmt::format("v{}", token));
    move.set_fencing_token(token);
    REQUIRE(store->Commit({.move = move}).ok());
  }
  CHECK(*store->LastFencingToken() == 3);
  const auto aliases = store->ListAliases("models/city");
  REQUIRE(aliases->size() == 2);
  CHECK((*aliases)[0].to_version() == "v2");
  CHECK((*aliases)[1].to_version() == "v3");
  const auto moves = store->ListMoves("models/city", -1, "");
  REQUIRE(moves->items.size() == 3);
  CHECK(moves->items[0].to_version() == "v3");
  CHECK(store->ListMoves("models/other", -1, "")->items.empty());
}

}  // namespace
}  // namespace larr
