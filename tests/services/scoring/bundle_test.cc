// SPDX-License-Identifier: Apache-2.0
#include "services/scoring/bundle.h"

#include <catch2/catch.hpp>
#include <fstream>

#include "common/base/artifact_folder.h"
#include "tests/services/scoring/scoring_artifacts.h"
#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

using testing::ModelOptions;
using testing::SnapshotOptions;

struct Fixture {
  absl::Status Load(const ModelOptions& model,
                    const SnapshotOptions& snapshot) {
    return Bundle::Load(
               {testing::MakeModel(world, dir.path(), "model", model).string(),
                world.MakeSnapshot(dir.path(), "snapshot", snapshot).string()})
        .status();
  }
  testing::TempDir dir;
  testing::ScoringWorld world;
};

// Changes the last byte of a file, not its size.
void FlipByte(const std::filesystem::path& path) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(-1, std::ios::end);
  const char flipped = static_cast<char>(file.peek() ^ 1);
  file.seekp(-1, std::ios::end);
  file.put(flipped);
}

TEST_CASE("A bundle knows what it is", "[scoring]") {
  const std::filesystem::path model = testing::SharedArtifacts().model;
  const std::filesystem::path snapshot = testing::SharedArtifacts().snapshot;
  const auto bundle = Bundle::Load({model.string(), snapshot.string(), "", 7});
  REQUIRE(bundle.ok());
  const auto& state = (*bundle)->state();
  CHECK(state.model_version() == ReadArtifact(model)->digest());
  CHECK(state.snapshot() == ReadArtifact(snapshot)->digest());
  CHECK(state.model_path() == model.string());
  CHECK(state.embedder_fingerprint() == "embedder-1");
  CHECK(state.fencing_token() == 7);
  CHECK(state.model_create_time().seconds() > 1'600'000'000);
  CHECK(state.snapshot_create_time().seconds() > 1'600'000'000);
  CHECK((*bundle)->reference() == nullptr);
  CHECK_FALSE(state.has_switch_time());
  (*bundle)->SetSwitchTime();
  CHECK(state.switch_time().seconds() > 1'600'000'000);
}

TEST_CASE("A load is given up at any of its steps", "[scoring]") {
  const BundleSource source{testing::SharedArtifacts().model,
                            testing::SharedArtifacts().snapshot};
  int asked = 0;
  const auto whole =
      Bundle::Load(source, {.stop = [&] { return ++asked < 0; }});
  REQUIRE(whole.ok());
  CHECK(asked > 10);
  for (int n = 0; n < asked; ++n) {
    int left = n;
    const auto status =
        Bundle::Load(source, {.stop = [&] { return --left < 0; }}).status();
    CHECK(absl::IsCancelled(status));
  }
  const std::vector<std::string_view> ids = {"p1"};
  REQUIRE((*whole)->pois().Get(ids).ok());
  const auto next = Bundle::Load(source);
  REQUIRE(next.ok());
  CHECK(absl::IsCancelled((*next)->WarmLike(**whole, [] { return true; })));
}

TEST_CASE("Model and snapshot must fit each other", "[scoring]") {
  Fixture fixture;
  SECTION("fingerprints") {
    const auto status = fixture.Load({}, {.fingerprint = "embedder-2"});
    CHECK(absl::IsFailedPrecondition(status));
    CHECK_THAT(std::string(status.message()),
               Catch::Contains("embedder-1") && Catch::Contains("embedder-2"));
  }
  SECTION("widths") {
    const auto status = fixture.Load({}, {.dim = 16});
    CHECK(absl::IsFailedPrecondition(status));
    CHECK_THAT(std::string(status.message()), Catch::Contains("width"));
  }
  SECTION("scene features") {
    const auto status = fixture.Load(
        {}, {.scene_features = {"weather", "POI_menu", "user_home"}});
    CHECK(absl::IsFailedPrecondition(status));
    CHECK_THAT(std::string(status.message()), Catch::Contains("POI_name"));
  }
  SECTION("scene features of a keyword that the model does not know") {
    const auto status =
        fixture.Load({}, {.scene_features = {"weather", "POI_menu", "user_home",
                                             "POI_name", "POI_history"}});
    CHECK(absl::IsFailedPrecondition(status));
    CHECK_THAT(std::string(status.message()), Catch::Contains("POI_history"));
  }
  SECTION("a model without texts takes any snapshot") {
    CHECK(fixture.Load({.texts = false}, {.fingerprint = "other", .dim = 4})
              .ok());
  }
}

TEST_CASE("A model whose scores are no numbers is refused", "[scoring]") {
  Fixture fixture;
  const auto status = fixture.Load({.no_numbers = true}, {});
  CHECK(absl::IsInternal(status));
  CHECK_THAT(std::string(status.message()), Catch::Contains("finite"));
}

TEST_CASE("Damaged, missing and wrong folders are refused", "[scoring]") {
  const testing::TempDir dir;
  const auto model = dir.path() / "model", snapshot = dir.path() / "snapshot";
  std::filesystem::copy(testing::SharedArtifacts().model, model);
  std::filesystem::copy(testing::SharedArtifacts().snapshot, snapshot);
  const auto load = [](const std::filesystem::path& m,
                       const std::filesystem::path& s) {
    return Bundle::Load({m.string(), s.string()}).status();
  };
  REQUIRE(load(model, snapshot).ok());
  CHECK(absl::IsNotFound(load(dir.path() / "none", snapshot)));
  CHECK(absl::IsNotFound(load(model, dir.path() / "none")));
  CHECK(absl::IsInvalidArgument(load(snapshot, snapshot)));
  CHECK(absl::IsInvalidArgument(load(model, model)));
  SECTION("a changed weight") {
    FlipByte(model / "model.safetensors");
    CHECK(absl::IsDataLoss(load(model, snapshot)));
  }
  SECTION("a changed vector") {
    for (const auto& entry : std::filesystem::directory_iterator(snapshot)) {
      if (entry.path().extension() == ".sst") FlipByte(entry.path());
    }
    CHECK(absl::IsDataLoss(load(model, snapshot)));
  }
  SECTION("a missing file") {
    std::filesystem::remove(model / "model.safetensors");
    const auto status = load(model, snapshot);
    CHECK(absl::IsDataLoss(status));
    CHECK_THAT(std::string(status.message()),
               Catch::Contains("model.safetensors"));
  }
}

}  // namespace
}  // namespace larr
