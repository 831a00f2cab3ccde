// SPDX-License-Identifier: Apache-2.0
#include "services/embedding/job_store.h"

#include <catch2/catch.hpp>

#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

using embedding::v1::RefreshJob;

RefreshJob JobOf(const std::string& id, int64_t seconds,
                 RefreshJob::State state) {
  RefreshJob job;
  job.set_name("refreshJobs/" + id);
  job.set_state(state);
  job.mutable_create_time()->set_seconds(seconds);
  return job;
}

std::vector<std::string> NamesOf(const std::vector<RefreshJob>& jobs) {
  std::vector<std::string> names;
  for (const auto& job : jobs) names.push_back(job.name().substr(12));
  return names;
}

using Names = std::vector<std::string>;

TEST_CASE("JobStore keeps jobs over a restart, in their order", "[embedding]") {
  const testing::TempDir dir;
  {
    auto store = JobStore::Open(dir.path() / "jobs");
    REQUIRE(store.ok());
    REQUIRE(store->Put(JobOf("b", 1, RefreshJob::QUEUED)).ok());
    REQUIRE(store->Put(JobOf("a", 3, RefreshJob::QUEUED)).ok());
    REQUIRE(store->Put(JobOf("c", 2, RefreshJob::QUEUED)).ok());
    REQUIRE(store->Put(JobOf("c", 2, RefreshJob::SUCCEEDED)).ok());
    REQUIRE(store->Put(JobOf("b", 1, RefreshJob::RUNNING)).ok());
  }
  auto store = JobStore::Open(dir.path() / "jobs");
  REQUIRE(store.ok());
  CHECK_FALSE(std::filesystem::exists(dir.path() / "jobs/LOG"));
  CHECK(NamesOf(*store->List(10, "")) == Names{"a", "c", "b"});
  REQUIRE(store->Next() != nullptr);
  CHECK(store->Next()->name() == "refreshJobs/b");
  REQUIRE(store->Find("refreshJobs/c") != nullptr);
  CHECK(store->Find("refreshJobs/c")->state() == RefreshJob::SUCCEEDED);
  CHECK(store->Find("refreshJobs/d") == nullptr);

  SECTION("the oldest unfinished job is next") {
    REQUIRE(store->Put(JobOf("b", 1, RefreshJob::CANCELLED)).ok());
    CHECK(store->Next()->name() == "refreshJobs/a");
    REQUIRE(store->Put(JobOf("a", 3, RefreshJob::FAILED)).ok());
    CHECK(store->Next() == nullptr);
    CHECK(store->List(10, "")->size() == 3);
  }
  SECTION("pages follow each other") {
    CHECK(NamesOf(*store->List(2, "")) == Names{"a", "c"});
    CHECK(NamesOf(*store->List(2, "refreshJobs/c")) == Names{"b"});
    CHECK(store->List(2, "refreshJobs/b")->empty());
    CHECK_FALSE(store->List(2, "refreshJobs/d").has_value());
  }
}

TEST_CASE("Two servers cannot have one JobStore", "[embedding]") {
  const testing::TempDir dir;
  const auto first = JobStore::Open(dir.path());
  REQUIRE(first.ok());
  CHECK(absl::IsUnavailable(JobStore::Open(dir.path()).status()));
}

}  // namespace
}  // namespace larr
