// SPDX-License-Identifier: Apache-2.0
#include "common/store/snapshot_builder.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <limits>
#include <numeric>
#include <random>
#include <set>

#include "common/base/artifact_folder.h"
#include "common/store/snapshot_db.h"
#include "tests/testing/snapshot_fixture.h"
#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

namespace fs = std::filesystem;
using testing::AddTexts;
using testing::IdOf;
using testing::InfoOf;
using testing::ReadText;
using testing::VectorOf;

constexpr int kDim = 8;

std::unique_ptr<SnapshotBuilder> OpenBuilder(const fs::path& work,
                                             const Snapshot* base = nullptr) {
  auto builder = SnapshotBuilder::Open(work, InfoOf("fp", kDim), base);
  REQUIRE(builder.ok());
  return *std::move(builder);
}

std::unique_ptr<const Snapshot> OpenSnapshot(const fs::path& folder) {
  auto snapshot = Snapshot::Open(folder);
  REQUIRE(snapshot.ok());
  return *std::move(snapshot);
}

std::vector<StoredIn> FindTexts(const SnapshotBuilder& builder,
                                const std::vector<uint64_t>& numbers) {
  std::vector<std::string> ids;
  for (const uint64_t n : numbers) ids.push_back(IdOf(n));
  const std::vector<std::string_view> views(ids.begin(), ids.end());
  return *builder.Find(views);
}

// Gives a pending database a column family that this build does not know.
void AddFamily(const fs::path& pending, const std::string& name) {
  const auto open = SnapshotDb::Open(pending, SnapshotDb::Mode::kPending);
  REQUIRE(open.ok());
  rocksdb::DB& db = *(*open)->db;
  rocksdb::ColumnFamilyHandle* family = nullptr;
  REQUIRE(db.CreateColumnFamily(rocksdb::ColumnFamilyOptions(), name, &family)
              .ok());
  db.DestroyColumnFamilyHandle(family);
}

TEST_CASE("A chain of random refreshes always reads as a plain set",
          "[store]") {
  const testing::TempDir dir;
  std::mt19937 random(11);
  std::set<uint64_t> expected;
  std::unique_ptr<const Snapshot> base;
  // More generations than files may be linked: both ways of writing are used.
  for (int generation = 0; generation < 11; ++generation) {
    auto builder = OpenBuilder(dir.path() / "work", base.get());
    for (int call = 0; call < 3; ++call) {
      std::set<uint64_t> numbers;
      for (int i = 0; i < 20; ++i) numbers.insert(random() % 400);
      REQUIRE(AddTexts(*builder, {numbers.begin(), numbers.end()}, kDim).ok());
      expected.insert(numbers.begin(), numbers.end());
      if (random() % 2 == 0) {
        builder.reset();  // As after a crash.
        builder.reset();
        builder = OpenBuilder(dir.path() / "work", base.get());
      }
    }
    const std::string user = "u" + std::to_string(generation);
    REQUIRE(builder->AddEntity(config::v1::USER, user, {}).ok());
    const fs::path folder = dir.path() / std::to_string(generation);
    REQUIRE(builder->Publish(folder, {}).ok());
    base = OpenSnapshot(folder);
    for (uint64_t n = 0; n < 400; ++n) {
      const auto want =
          expected.contains(n) ? VectorOf(n, kDim) : std::vector<float>{};
      REQUIRE(ReadText(*base, n) == want);
    }
    // Entities are this generation's alone.
    CHECK(base->ReadEntity(config::v1::USER, user)->has_value());
    CHECK_FALSE(
        base->ReadEntity(config::v1::USER, "u" + std::to_string(generation - 1))
            ->has_value());
  }
  // Later generations linked the files of earlier ones, and changed none.
  for (int generation = 0; generation < 11; ++generation) {
    CHECK(VerifyArtifact(dir.path() / std::to_string(generation)).ok());
  }
}

TEST_CASE("A refresh links the vectors of its base", "[store]") {
  const testing::TempDir dir;
  auto builder = OpenBuilder(dir.path() / "work");
  REQUIRE(AddTexts(*builder, {1, 2, 3}, kDim).ok());
  REQUIRE(builder->Publish(dir.path() / "a", {}).ok());
  const auto base = OpenSnapshot(dir.path() / "a");
  builder.reset();
  builder = OpenBuilder(dir.path() / "work", base.get());
  REQUIRE(AddTexts(*builder, {4}, kDim).ok());
  const auto manifest = builder->Publish(dir.path() / "b", {});
  REQUIRE(manifest.ok());
  CHECK(manifest->parents().at("base") == base->digest());
  CHECK(manifest->kind() == kSnapshotKind);

  const auto shared = [](const fs::path& folder) {
    int count = 0;
    for (const auto& entry : fs::directory_iterator(folder)) {
      count += entry.hard_link_count() > 1;
    }
    return count;
  };
  CHECK(shared(dir.path() / "b") == 1);
  // The base may go: its files live on in the new one.
  fs::remove_all(dir.path() / "a");
  CHECK(ReadText(*OpenSnapshot(dir.path() / "b"), 2) == VectorOf(2, kDim));
}

TEST_CASE("Find tells base, pending and missing apart", "[store]") {
  const testing::TempDir dir;
  auto builder = OpenBuilder(dir.path() / "work");
  REQUIRE(AddTexts(*builder, {1}, kDim).ok());
  REQUIRE(builder->Publish(dir.path() / "a", {}).ok());
  const auto base = OpenSnapshot(dir.path() / "a");
  builder.reset();
  builder = OpenBuilder(dir.path() / "work", base.get());
  REQUIRE(AddTexts(*builder, {2}, kDim).ok());
  using enum StoredIn;
  CHECK(FindTexts(*builder, {1, 2, 3}) ==
        std::vector<StoredIn>{kBase, kPending, kNowhere});
}

TEST_CASE("Vectors acknowledged before kill -9 are there afterwards",
          "[store]") {
  const testing::TempDir dir;
  int pipe_ends[2];
  REQUIRE(pipe(pipe_ends) == 0);
  const pid_t child = fork();
  if (child == 0) {
    auto builder =
        SnapshotBuilder::Open(dir.path() / "work", InfoOf("fp", kDim), nullptr);
    for (uint64_t n = 0; builder.ok(); ++n) {
      if (!AddTexts(**builder, {n}, kDim).ok()) _exit(1);
      if (write(pipe_ends[1], &n, sizeof(n)) != sizeof(n)) _exit(1);
    }
    _exit(1);
  }
  uint64_t acknowledged = 0;
  while (acknowledged < 40) {
    REQUIRE(read(pipe_ends[0], &acknowledged, sizeof(acknowledged)) ==
            sizeof(acknowledged));
  }
  kill(child, SIGKILL);
  int status = 0;
  waitpid(child, &status, 0);
  REQUIRE(WIFSIGNALED(status));

  auto builder = OpenBuilder(dir.path() / "work");
  CHECK(builder->tokens() >= 41);
  for (uint64_t n = 0; n <= acknowledged; ++n) {
    CHECK(FindTexts(*builder, {n}).front() == StoredIn::kPending);
  }
  REQUIRE(builder->Publish(dir.path() / "a", {}).ok());
  const auto snapshot = OpenSnapshot(dir.path() / "a");
  for (uint64_t n = 0; n <= acknowledged; ++n) {
    CHECK(ReadText(*snapshot, n) == VectorOf(n, kDim));
  }
}

TEST_CASE("Pending vectors of another embedder are dropped, not published",
          "[store]") {
  const testing::TempDir dir;
  REQUIRE(AddTexts(*OpenBuilder(dir.path() / "work"), {1}, kDim).ok());
  const auto other = SnapshotBuilder::Open(dir.path() / "work",
                                           InfoOf("other", kDim), nullptr);
  REQUIRE(other.ok());
  CHECK(FindTexts(**other, {1}).front() == StoredIn::kNowhere);
  CHECK((*other)->tokens() == 0);
}

TEST_CASE("A work folder that cannot be opened is put aside and begun anew",
          "[store]") {
  const testing::TempDir dir;
  const fs::path work = dir.path() / "work", aside = work / "pending.aside";
  REQUIRE(AddTexts(*OpenBuilder(work), {1}, kDim).ok());
  fs::create_directories(aside / "older");
  SECTION("as it is damaged") {
    std::ofstream(work / "pending" / "CURRENT") << "garbage";
  }
  SECTION("as an older build left it") { AddFamily(work / "pending", "older"); }

  auto builder = OpenBuilder(work);
  CHECK(FindTexts(*builder, {1}).front() == StoredIn::kNowhere);
  CHECK(builder->tokens() == 0);
  CHECK(fs::exists(aside / "CURRENT"));
  CHECK_FALSE(fs::exists(aside / "older"));

  REQUIRE(AddTexts(*builder, {1}, kDim).ok());
  REQUIRE(builder->Publish(dir.path() / "a", {}).ok());
  CHECK(ReadText(*OpenSnapshot(dir.path() / "a"), 1) == VectorOf(1, kDim));
  CHECK(fs::exists(aside));
  builder.reset();
  DropPending(work);
  CHECK_FALSE(fs::exists(aside));
}

TEST_CASE("Pending vectors that turn out to be damaged are put aside next time",
          "[store]") {
  const testing::TempDir dir;
  const fs::path work = dir.path() / "work";
  std::vector<uint64_t> numbers(2000);
  std::iota(numbers.begin(), numbers.end(), 1);
  REQUIRE(AddTexts(*OpenBuilder(work), numbers, kDim).ok());
  OpenBuilder(work).reset();  // Moves them from the log to a file.
  testing::FlipByte(work / "pending");
  {
    auto builder = OpenBuilder(work);
    const absl::Status status = builder->Publish(dir.path() / "a", {}).status();
    REQUIRE(absl::IsDataLoss(status));
    CHECK_THAT(std::string(status.message()),
               Catch::Contains("will be computed anew"));
  }
  auto builder = OpenBuilder(work);
  CHECK(FindTexts(*builder, {1}).front() == StoredIn::kNowhere);
  CHECK(fs::exists(work / "pending.aside"));
  REQUIRE(AddTexts(*builder, numbers, kDim).ok());
  REQUIRE(builder->Publish(dir.path() / "a", {}).ok());
  CHECK(ReadText(*OpenSnapshot(dir.path() / "a"), 7) == VectorOf(7, kDim));
}

TEST_CASE("A work folder that another builder has is left alone", "[store]") {
  const testing::TempDir dir;
  const fs::path work = dir.path() / "work";
  const auto builder = OpenBuilder(work);
  REQUIRE(AddTexts(*builder, {1}, kDim).ok());
  CHECK(absl::IsUnavailable(
      SnapshotBuilder::Open(work, InfoOf("fp", kDim), nullptr).status()));
  CHECK_FALSE(fs::exists(work / "pending.aside"));
  CHECK(FindTexts(*builder, {1}).front() == StoredIn::kPending);
}

TEST_CASE("A base of another embedder is refused, naming both", "[store]") {
  const testing::TempDir dir;
  REQUIRE(OpenBuilder(dir.path() / "work")->Publish(dir.path() / "a", {}).ok());
  const auto base = OpenSnapshot(dir.path() / "a");
  const auto refused = SnapshotBuilder::Open(dir.path() / "work",
                                             InfoOf("other", kDim), base.get());
  CHECK(absl::IsFailedPrecondition(refused.status()));
  const std::string message(refused.status().message());
  CHECK(message.find("other") != std::string::npos);
  CHECK(message.find("fp") != std::string::npos);
  CHECK(absl::IsFailedPrecondition(
      SnapshotBuilder::Open(dir.path() / "work", InfoOf("fp", 4), base.get())
          .status()));
}

TEST_CASE("AddVectors refuses what it could not give back", "[store]") {
  const testing::TempDir dir;
  auto builder = OpenBuilder(dir.path() / "work");
  const std::string id = IdOf(1);
  const std::string_view good[] = {id}, bad[] = {"short"};
  std::vector<float> vector(kDim, 1.0f);
  CHECK(absl::IsInvalidArgument(builder->AddVectors(bad, vector, 1)));
  for (const float value : {std::numeric_limits<float>::quiet_NaN(),
                            std::numeric_limits<float>::infinity(),
                            std::numeric_limits<float>::max()}) {
    vector[3] = value;
    CHECK(absl::IsInvalidArgument(builder->AddVectors(good, vector, 1)));
  }
  CHECK(FindTexts(*builder, {1}).front() == StoredIn::kNowhere);
}

TEST_CASE("Publish does not replace a snapshot, and what is pending stays",
          "[store]") {
  const testing::TempDir dir;
  const fs::path work = dir.path() / "work";
  REQUIRE(OpenBuilder(work)->Publish(dir.path() / "a", {}).ok());
  auto builder = OpenBuilder(work);
  REQUIRE(AddTexts(*builder, {1}, kDim).ok());
  CHECK(absl::IsAlreadyExists(builder->Publish(dir.path() / "a", {}).status()));
  CHECK(FindTexts(*builder, {1}).front() == StoredIn::kPending);
  REQUIRE(builder->Publish(dir.path() / "b", {}).ok());
  builder.reset();
  // The snapshot was not taken: nothing is encoded again.
  fs::remove_all(dir.path() / "b");
  builder = OpenBuilder(work);
  CHECK(FindTexts(*builder, {1}).front() == StoredIn::kPending);
  REQUIRE(builder->Publish(dir.path() / "c", {}).ok());
  CHECK(ReadText(*OpenSnapshot(dir.path() / "c"), 1) == VectorOf(1, kDim));
  builder.reset();
  DropPending(work);
  CHECK_FALSE(fs::exists(work / "pending"));
}

}  // namespace
}  // namespace larr
