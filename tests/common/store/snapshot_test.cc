// SPDX-License-Identifier: Apache-2.0
#include "common/store/snapshot.h"

#include <catch2/catch.hpp>
#include <map>
#include <thread>

#include "common/base/artifact_folder.h"
#include "tests/testing/snapshot_fixture.h"
#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

namespace fs = std::filesystem;
using testing::IdOf;
using testing::VectorOf;

constexpr int kDim = 8;

storage::v1::EntityRow RowOf(const std::string& day, int64_t age) {
  storage::v1::EntityRow row;
  row.set_as_of_date(day);
  row.add_text_ids(IdOf(1));
  (*row.mutable_columns())["age"].set_int_value(age);
  return row;
}

// Texts 0..count-1, two users, one POI with a description.
fs::path MakeSnapshot(const fs::path& dir, uint64_t count) {
  auto info = testing::InfoOf("fp", kDim);
  info.add_scene_features("taste");
  const auto builder = SnapshotBuilder::Open(dir / "work", info, nullptr);
  REQUIRE(builder.ok());
  std::vector<uint64_t> numbers(count);
  for (uint64_t i = 0; i < count; ++i) numbers[i] = i;
  REQUIRE(testing::AddTexts(**builder, numbers, kDim).ok());
  using config::v1::POI;
  using config::v1::USER;
  REQUIRE((*builder)->AddEntity(USER, "u2", RowOf("2026-01-02", 2)).ok());
  REQUIRE((*builder)->AddEntity(USER, "u1", RowOf("2026-01-02", 1)).ok());
  REQUIRE((*builder)->AddEntity(POI, "u1", RowOf("2026-01-02", 9)).ok());
  REQUIRE((*builder)->AddPoiDescription("u1", IdOf(5), "<n>Tea</n>").ok());
  const fs::path output = dir / "snapshot";
  REQUIRE((*builder)->Publish(output, {}).ok());
  return output;
}

TEST_CASE("Snapshot gives back what was stored, and says what is missing",
          "[store]") {
  const testing::TempDir dir;
  const auto snapshot = Snapshot::Open(MakeSnapshot(dir.path(), 50));
  REQUIRE(snapshot.ok());
  CHECK((*snapshot)->fingerprint() == "fp");
  CHECK((*snapshot)->dim() == kDim);
  CHECK((*snapshot)->info().scene_features(0) == "taste");
  CHECK((*snapshot)->digest().size() == 64);

  SECTION("vectors, with a presence mask") {
    const std::string a = IdOf(7), b = IdOf(999), c = IdOf(8);
    const std::vector<std::string_view> ids = {a, b, "", c, a};
    std::vector<float> out(ids.size() * kDim, 5.0f);
    std::vector<uint8_t> present(ids.size(), 9);
    const auto found = (*snapshot)->ReadVectors(ids, out, present);
    REQUIRE(found.ok());
    CHECK(*found == 3);
    CHECK(present == std::vector<uint8_t>{1, 0, 0, 1, 1});
    std::vector<float> expected;
    for (const auto& vector : {VectorOf(7, kDim), std::vector<float>(2 * kDim),
                               VectorOf(8, kDim), VectorOf(7, kDim)}) {
      expected.insert(expected.end(), vector.begin(), vector.end());
    }
    CHECK(out == expected);
  }
  SECTION("entities, by side") {
    const auto user = (*snapshot)->ReadEntity(config::v1::USER, "u1");
    REQUIRE(user.ok());
    REQUIRE(user->has_value());
    CHECK((*user)->columns().at("age").int_value() == 1);
    const auto poi = (*snapshot)->ReadEntity(config::v1::POI, "u1");
    CHECK((*poi)->columns().at("age").int_value() == 9);
    CHECK_FALSE((*snapshot)->ReadEntity(config::v1::POI, "u2")->has_value());
    const std::vector<std::string_view> ids = {"u2", "nobody", "u1", "", "u2"};
    const auto users = (*snapshot)->ReadEntities(config::v1::USER, ids);
    REQUIRE(users.ok());
    std::vector<int64_t> ages_of;
    for (const auto& row : *users)
      ages_of.push_back(row ? row->columns().at("age").int_value() : -1);
    CHECK(ages_of == std::vector<int64_t>{2, -1, 1, -1, 2});
    CHECK((*snapshot)->ReadEntities(config::v1::USER, {})->empty());

    std::map<std::string, int64_t> ages;
    REQUIRE((*snapshot)
                ->ForEachEntity(config::v1::USER,
                                [&](std::string_view id, const auto& row) {
                                  ages[std::string(id)] =
                                      row.columns().at("age").int_value();
                                  return absl::OkStatus();
                                })
                .ok());
    CHECK(ages == std::map<std::string, int64_t>{{"u1", 1}, {"u2", 2}});
  }
  SECTION("descriptions of POIs") {
    int count = 0;
    const auto visit = [&](std::string_view poi, std::string_view id,
                           std::string_view text) {
      CHECK(poi == "u1");
      CHECK(id == IdOf(5));
      CHECK(text == "<n>Tea</n>");
      ++count;
      return absl::OkStatus();
    };
    REQUIRE((*snapshot)->ForEachPoiDescription(visit).ok());
    CHECK(count == 1);
  }
}

TEST_CASE("Opening and reading a snapshot changes nothing in it", "[store]") {
  const testing::TempDir dir;
  const fs::path folder = MakeSnapshot(dir.path(), 20);
  {
    const auto snapshot = Snapshot::Open(folder);
    REQUIRE(snapshot.ok());
    CHECK_FALSE(testing::ReadText(**snapshot, 3).empty());
  }
  const auto manifest = VerifyArtifact(folder);
  REQUIRE(manifest.ok());
  CHECK(
      manifest->files_size() + 1 ==
      std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

TEST_CASE("One flipped byte of a snapshot is found", "[store]") {
  const testing::TempDir dir;
  const fs::path folder = MakeSnapshot(dir.path(), 2000);
  const fs::path damaged = testing::FlipByte(folder);

  const auto verified = VerifyArtifact(folder);
  CHECK(absl::IsDataLoss(verified.status()));
  CHECK(std::string(verified.status().message())
            .find(damaged.filename().string()) != std::string::npos);

  // Without the hashes RocksDB's checksums still tell.
  const auto snapshot = Snapshot::Open(folder);
  REQUIRE(snapshot.ok());
  int failed = 0;
  for (uint64_t n = 0; n < 2000; ++n) {
    const std::string id = IdOf(n);
    const std::string_view ids[] = {id};
    std::vector<float> out(kDim);
    uint8_t present = 0;
    const auto found = (*snapshot)->ReadVectors(ids, out, {&present, 1});
    if (found.ok()) {
      CHECK(out == VectorOf(n, kDim));
      continue;
    }
    CHECK(absl::IsDataLoss(found.status()));
    ++failed;
  }
  CHECK(failed > 0);

  SECTION("and is not taken over into the next snapshot") {
    const auto builder = SnapshotBuilder::Open(
        dir.path() / "work", testing::InfoOf("fp", kDim), snapshot->get());
    REQUIRE(builder.ok());
    const auto published = (*builder)->Publish(dir.path() / "next", {});
    CHECK(absl::IsDataLoss(published.status()));
    CHECK_FALSE(fs::exists(dir.path() / "next"));
  }
}

TEST_CASE("Snapshot refuses what is none", "[store]") {
  const testing::TempDir dir;
  CHECK(absl::IsNotFound(Snapshot::Open(dir.path() / "absent").status()));

  auto writer = ArtifactWriter::Create(dir.path() / "corpus");
  REQUIRE(writer.ok());
  config::v1::ArtifactManifest manifest;
  manifest.set_kind("corpus");
  REQUIRE(writer->Finish(manifest).ok());
  const auto status = Snapshot::Open(dir.path() / "corpus").status();
  CHECK(absl::IsInvalidArgument(status));
  CHECK(std::string(status.message()).find("`corpus`") != std::string::npos);
}

TEST_CASE("Snapshot may be read from many threads", "[store]") {
  const testing::TempDir dir;
  const auto snapshot = Snapshot::Open(MakeSnapshot(dir.path(), 500));
  REQUIRE(snapshot.ok());
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (uint64_t n = t; n < 500; n += 3) {
        if (testing::ReadText(**snapshot, n) != VectorOf(n, kDim)) ++wrong;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(wrong == 0);
}

}  // namespace
}  // namespace larr
