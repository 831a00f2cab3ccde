// SPDX-License-Identifier: Apache-2.0
#include "services/embedding/job_runner.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <new>

#include "common/base/artifact_folder.h"
#include "tests/testing/fake_encoder.h"
#include "tests/testing/gate.h"
#include "tests/testing/small_dataset.h"
#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

namespace fs = std::filesystem;
using embedding::v1::RefreshJob;
using testing::FakeEncoder;

struct Bench {
  testing::TempDir dir;
  testing::SmallDataset data;
  config::v1::EmbeddingConfig config;

  explicit Bench(int users = 20) : data(dir.path() / "data", users) {
    config.set_state_dir((dir.path() / "state").string());
    config.set_snapshot_dir((dir.path() / "snapshots").string());
    config.set_dataset(data.spec().string());
  }
  std::unique_ptr<JobRunner> Start(
      TextEncoder& encoder, const JobRunner::Observer& observer = {}) const {
    auto runner = JobRunner::Start(config, encoder, observer);
    REQUIRE(runner.ok());
    return *std::move(runner);
  }
};

RefreshJob Wait(JobRunner& runner, const std::string& name) {
  int64_t seen = 0;
  auto job = runner.Get(name);
  while (job.ok() && !IsFinished(job->state())) {
    seen = runner.WaitForChange(seen, absl::Seconds(10));
    job = runner.Get(name);
  }
  REQUIRE(job.ok());
  return *job;
}

// The name of the folder that a job publishes.
std::string OutputNameOf(const RefreshJob& job) {
  return absl::FormatTime(
             "%Y%m%d-%H%M%E6S-",
             absl::FromUnixNanos(job.create_time().seconds() * 1'000'000'000 +
                                 job.create_time().nanos()),
             absl::UTCTimeZone()) +
         job.name().substr(std::string("refreshJobs/").size());
}

// Creates job `a` and waits until some of its texts are encoded.
RefreshJob BeginJob(JobRunner& runner) {
  int64_t seen = 0;
  auto job = runner.Create("a", "");
  while (job.ok() && job->texts_encoded() == 0) {
    seen = runner.WaitForChange(seen, absl::Seconds(10));
    job = runner.Get(job->name());
  }
  REQUIRE(job.ok());
  return *job;
}

// A job whose server was killed when its snapshot was there, and before that
// was noted.
RefreshJob PublishUnnoted(const Bench& bench, TextEncoder& encoder) {
  RefreshJob job;
  {
    const auto runner = bench.Start(encoder);
    job = Wait(*runner, runner->Create("a", "")->name());
  }
  auto store = JobStore::Open(bench.dir.path() / "state" / "jobs");
  REQUIRE(store.ok());
  job.set_state(RefreshJob::RUNNING);
  job.clear_snapshot_path();
  job.clear_end_time();
  REQUIRE(store->Put(job).ok());
  return job;
}

// A runner whose encoder stops before its second chunk until the gate is open.
struct HeldRunner {
  HeldRunner(const Bench& bench, FakeEncoder& encoder,
             const JobRunner::Observer& observer = {}) {
    encoder.before_encode = [this, wait = gate.waiter()] {
      if (++calls == 2) wait();
    };
    runner = bench.Start(encoder, observer);
  }

  int calls = 0;
  std::unique_ptr<JobRunner> runner;
  testing::Gate gate;
};

TEST_CASE("A new runner tells which job succeeded last", "[embedding]") {
  const Bench bench;
  FakeEncoder encoder;
  {
    const auto runner = bench.Start(encoder);
    Wait(*runner, runner->Create("a", "")->name());
    Wait(*runner, runner->Create("b", "")->name());
    Wait(*runner, runner->Create("c", "2025-01-01")->name());
    CHECK(runner->Get("refreshJobs/c")->state() == RefreshJob::FAILED);
  }
  std::vector<std::string> told;
  const auto again = JobRunner::Start(
      bench.config, encoder,
      {.restored = [&](const auto& job) { told.push_back(job.name()); }});
  REQUIRE(again.ok());
  CHECK(told == std::vector<std::string>{"refreshJobs/b"});
}

TEST_CASE("A job publishes a snapshot that the runner then reads",
          "[embedding]") {
  const Bench bench;
  FakeEncoder encoder;
  const auto runner = bench.Start(encoder);
  CHECK(runner->served() == nullptr);
  const auto created = runner->Create("first", "");
  REQUIRE(created.ok());
  CHECK(created->state() == RefreshJob::QUEUED);
  CHECK(created->name() == "refreshJobs/first");
  const RefreshJob job = Wait(*runner, created->name());
  CHECK(job.state() == RefreshJob::SUCCEEDED);
  CHECK(job.texts_encoded() == bench.data.ExpectedTexts());
  CHECK(job.has_end_time());
  CHECK(VerifyArtifact(job.snapshot_path()).ok());
  REQUIRE(runner->served() != nullptr);
  CHECK(runner->served()->pois.size() == 12);

  SECTION("and the next one encodes nothing") {
    const auto next = Wait(*runner, runner->Create("", "")->name());
    CHECK(next.state() == RefreshJob::SUCCEEDED);
    CHECK(next.texts_to_encode() == 0);
    CHECK(runner->served()->snapshot->folder() == next.snapshot_path());
    const auto all = runner->List(10, "");
    REQUIRE(all->size() == 2);
    CHECK((*all)[0].name() == next.name());
  }
  SECTION("repeating the call gives the same job; other contents are refused") {
    CHECK(runner->Create("first", "")->state() == RefreshJob::SUCCEEDED);
    CHECK(
        absl::IsAlreadyExists(runner->Create("first", "2026-01-04").status()));
  }
  SECTION("cancelling it changes nothing") {
    CHECK(runner->Cancel(job.name())->state() == RefreshJob::SUCCEEDED);
  }
}

TEST_CASE("Requests that make no sense are refused", "[embedding]") {
  const Bench bench;
  FakeEncoder encoder;
  const auto runner = bench.Start(encoder);
  for (const char* id : {"Upper", "with space", "a/b", "under_score"}) {
    CHECK(absl::IsInvalidArgument(runner->Create(id, "").status()));
  }
  CHECK(absl::IsInvalidArgument(
      runner->Create(std::string(64, 'a'), "").status()));
  for (const char* date : {"2026-1-4", "yesterday", "2026-02-30"}) {
    CHECK(absl::IsInvalidArgument(runner->Create("a", date).status()));
  }
  CHECK(absl::IsNotFound(runner->Get("refreshJobs/none").status()));
  CHECK(absl::IsNotFound(runner->Cancel("refreshJobs/none").status()));
  CHECK(absl::IsInvalidArgument(runner->List(5, "none").status()));
}

TEST_CASE("A job that fails says why, and the next one runs", "[embedding]") {
  const Bench bench;
  FakeEncoder encoder;
  const auto runner = bench.Start(encoder);
  const auto failed = Wait(*runner, runner->Create("a", "2025-01-01")->name());
  CHECK(failed.state() == RefreshJob::FAILED);
  CHECK(failed.error_message().find("2025-01-01") != std::string::npos);
  const auto next = Wait(*runner, runner->Create("b", "")->name());
  CHECK(next.state() == RefreshJob::SUCCEEDED);
}

TEST_CASE("A cancelled job keeps what it encoded for the next one",
          "[embedding]") {
  const Bench bench(3000);
  FakeEncoder encoder;
  HeldRunner held(bench, encoder);
  const auto& runner = held.runner;
  const RefreshJob job = BeginJob(*runner);
  const auto done = runner->Cancel(job.name());
  CHECK(done->state() == RefreshJob::CANCELLED);
  held.gate.Open();
  const auto next = Wait(*runner, runner->Create("b", "")->name());
  CHECK(next.state() == RefreshJob::SUCCEEDED);
  CHECK(runner->Get("refreshJobs/a")->state() == RefreshJob::CANCELLED);
  for (const auto& [text, times] : encoder.times()) CHECK(times == 1);
  CHECK(encoder.times().size() ==
        static_cast<size_t>(bench.data.ExpectedTexts()));
  // The cancelled one published nothing.
  const fs::directory_iterator snapshots(bench.config.snapshot_dir());
  CHECK(std::distance(begin(snapshots), end(snapshots)) == 1);
}

TEST_CASE("A job that a stop interrupted goes on with the next runner",
          "[embedding]") {
  const Bench bench(3000);
  FakeEncoder encoder;
  HeldRunner held(bench, encoder);
  auto& runner = held.runner;
  const RefreshJob job = BeginJob(*runner);
  runner->Stop();
  held.gate.Open();
  CHECK(runner->Get("refreshJobs/a")->state() == RefreshJob::RUNNING);

  runner.reset();
  runner = bench.Start(encoder);
  const auto done = Wait(*runner, "refreshJobs/a");
  CHECK(done.state() == RefreshJob::SUCCEEDED);
  CHECK(done.texts_to_encode() == bench.data.ExpectedTexts());
  CHECK(done.texts_encoded() == bench.data.ExpectedTexts());
  for (const auto& [text, times] : encoder.times()) CHECK(times == 1);
}

TEST_CASE("Observers are told of each text once, restarts or not",
          "[embedding]") {
  const Bench bench(3000);
  FakeEncoder encoder;
  std::atomic<int64_t> texts = 0, tokens = 0;
  const JobRunner::Observer observer{
      .encoded = [&](int64_t more_texts, int64_t more_tokens) {
        texts += more_texts;
        tokens += more_tokens;
      }};
  HeldRunner held(bench, encoder, observer);
  BeginJob(*held.runner);
  held.runner->Stop();
  held.gate.Open();
  held.runner.reset();
  const int64_t before = texts;
  CHECK(before > 0);
  CHECK(before < bench.data.ExpectedTexts());
  held.runner = bench.Start(encoder, observer);
  const auto done = Wait(*held.runner, "refreshJobs/a");
  CHECK(texts == bench.data.ExpectedTexts());
  CHECK(tokens == done.tokens_encoded());
}

TEST_CASE("The rest of a snapshot whose removal was cut off is no obstacle",
          "[embedding]") {
  const Bench bench;
  FakeEncoder encoder;
  const RefreshJob job = PublishUnnoted(bench, encoder);
  fs::remove(fs::path(bench.config.snapshot_dir()) / OutputNameOf(job) /
             kManifestName);
  const auto runner = bench.Start(encoder);
  const auto again = Wait(*runner, job.name());
  INFO(again.error_message());
  CHECK(again.state() == RefreshJob::SUCCEEDED);
  CHECK(VerifyArtifact(again.snapshot_path()).ok());
}

TEST_CASE("A job that was published but not noted is not done again",
          "[embedding]") {
  const Bench bench;
  FakeEncoder encoder;
  const RefreshJob job = PublishUnnoted(bench, encoder);
  const auto runner = bench.Start(encoder);
  const auto again = Wait(*runner, job.name());
  CHECK(again.state() == RefreshJob::SUCCEEDED);
  CHECK(again.texts_encoded() == bench.data.ExpectedTexts());
  CHECK(VerifyArtifact(again.snapshot_path()).ok());
  for (const auto& [text, times] : encoder.times()) CHECK(times == 1);
}

TEST_CASE("What another embedder published unnoted is done again",
          "[embedding]") {
  const Bench bench;
  FakeEncoder encoder, other("other");
  const RefreshJob job = PublishUnnoted(bench, encoder);
  const auto runner = bench.Start(other);
  CHECK(Wait(*runner, job.name()).state() == RefreshJob::SUCCEEDED);
  CHECK(runner->served()->snapshot->fingerprint() == "other");
  CHECK(other.times().size() == encoder.times().size());
}

TEST_CASE(
    "A job that throws fails, and leaves nothing in the snapshots' folder",
    "[embedding]") {
  const Bench bench;
  const fs::path snapshots = bench.dir.path() / "snapshots";
  FakeEncoder encoder;
  encoder.before_encode = [] { throw std::bad_alloc(); };
  {
    const auto runner = bench.Start(encoder);
    const auto job = Wait(*runner, runner->Create("a", "")->name());
    CHECK(job.state() == RefreshJob::FAILED);
    CHECK_THAT(job.error_message(), Catch::Contains("bad_alloc"));
    // Published late by a server that was killed, or not to the end.
    fs::create_directories(StagingOf(snapshots / fs::path(OutputNameOf(job))) /
                           "incoming");
    fs::create_directories(snapshots / "lost+found");
  }
  encoder.before_encode = nullptr;
  const auto runner = bench.Start(encoder);
  int folders = 0;
  for (const auto& entry : fs::directory_iterator(snapshots))
    folders += entry.path().filename() != "lost+found";
  CHECK(folders == 0);
  CHECK(Wait(*runner, runner->Create("b", "")->name()).state() ==
        RefreshJob::SUCCEEDED);
}

TEST_CASE("The newest job's snapshot is served, also where the clock went back",
          "[embedding]") {
  const Bench bench;
  FakeEncoder encoder;
  RefreshJob ahead;
  {
    const auto runner = bench.Start(encoder);
    ahead = Wait(*runner, runner->Create("ahead", "")->name());
  }
  // As if it had been made by a clock that was a day ahead.
  ahead.mutable_create_time()->set_seconds(ahead.create_time().seconds() +
                                           86400);
  const fs::path before = ahead.snapshot_path();
  ahead.set_snapshot_path(before.parent_path() / OutputNameOf(ahead));
  fs::rename(before, ahead.snapshot_path());
  fs::remove_all(bench.dir.path() / "state" / "jobs");
  {
    auto store = JobStore::Open(bench.dir.path() / "state" / "jobs");
    REQUIRE(store.ok());
    REQUIRE(store->Put(ahead).ok());
  }
  RefreshJob first, second;
  {
    const auto runner = bench.Start(encoder);
    CHECK(runner->served()->snapshot->folder() == ahead.snapshot_path());
    // Both are made in one microsecond, or nearly.
    const auto a = runner->Create("", ""), b = runner->Create("", "");
    REQUIRE((a.ok() && b.ok()));
    CHECK(a->name() != b->name());
    CHECK(runner->List(3, "")->front().name() == b->name());
    first = Wait(*runner, a->name());
    second = Wait(*runner, b->name());
    CHECK(runner->served()->snapshot->folder() == second.snapshot_path());
  }
  CHECK(ahead.snapshot_path() < first.snapshot_path());
  CHECK(first.snapshot_path() < second.snapshot_path());
  const auto again = bench.Start(encoder);
  CHECK(again->served()->snapshot->folder() == second.snapshot_path());
}

TEST_CASE("A base snapshot is read first, and only one of the same embedder",
          "[embedding]") {
  Bench bench;
  FakeEncoder encoder;
  std::string base;
  {
    const auto runner = bench.Start(encoder);
    base = Wait(*runner, runner->Create("a", "")->name()).snapshot_path();
  }
  bench.config.set_base_snapshot(base);
  bench.config.set_state_dir((bench.dir.path() / "other-state").string());
  bench.config.set_snapshot_dir((bench.dir.path() / "other").string());
  {
    const auto runner = bench.Start(encoder);
    REQUIRE(runner->served() != nullptr);
    CHECK(runner->served()->snapshot->folder() == base);
    CHECK(Wait(*runner, runner->Create("a", "")->name()).texts_to_encode() ==
          0);
  }
  FakeEncoder other("other");
  CHECK(absl::IsFailedPrecondition(
      JobRunner::Start(bench.config, other, {}).status()));
}

}  // namespace
}  // namespace larr
