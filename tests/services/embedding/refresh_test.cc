// SPDX-License-Identifier: Apache-2.0
#include "services/embedding/refresh.h"

#include <catch2/catch.hpp>
#include <fstream>

#include "common/base/artifact_folder.h"
#include "common/features/text_renderer.h"
#include "common/store/snapshot_builder.h"
#include "tests/testing/fake_encoder.h"
#include "tests/testing/small_dataset.h"
#include "tests/testing/snapshot_fixture.h"
#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

namespace fs = std::filesystem;
using testing::FakeEncoder;
using testing::ReadVector;
using testing::SmallDataset;

absl::Status GoOn(const RefreshCounts&) { return absl::OkStatus(); }

// A dataset, and refreshes of it into `dir/<name>`.
struct Bench {
  testing::TempDir dir;
  SmallDataset data;

  explicit Bench(int users = 20) : data(dir.path() / "data", users) {}
  RefreshOptions Options(const std::string& name,
                         const Snapshot* base = nullptr) const {
    RefreshOptions options;
    options.dataset = data.spec();
    options.base = base;
    options.work = dir.path() / "work";
    options.output = dir.path() / name;
    return options;
  }
  std::unique_ptr<const Snapshot> Open(const std::string& name) const {
    auto snapshot = Snapshot::Open(dir.path() / name);
    REQUIRE(snapshot.ok());
    return *std::move(snapshot);
  }
};

TEST_CASE("A refresh stores every text and entity", "[embedding]") {
  const Bench bench;
  FakeEncoder encoder;
  const auto counts = Refresh(bench.Options("a"), encoder, GoOn);
  REQUIRE(counts.ok());
  CHECK(counts->texts_total == bench.data.ExpectedTexts());
  CHECK(counts->texts_to_encode == counts->texts_total);
  CHECK(counts->texts_encoded == counts->texts_total);
  CHECK(encoder.times().size() == static_cast<size_t>(counts->texts_total));

  CHECK(VerifyArtifact(bench.dir.path() / "a").ok());
  const auto snapshot = bench.Open("a");
  CHECK(snapshot->fingerprint() == "fake");
  CHECK(snapshot->info().as_of_date() == "2026-01-04");
  CHECK(snapshot->info().scene_features_size() == 4);
  for (const auto& [text, times] : encoder.times()) {
    CHECK(times == 1);
    CHECK(ReadVector(*snapshot, TextId(text)) == encoder.VectorOf(text));
  }

  SECTION("entities have their text ids and what features read") {
    const auto user = snapshot->ReadEntity(config::v1::USER, "u5");
    REQUIRE((user.ok() && user->has_value()));
    CHECK((*user)->as_of_date() == "2026-01-04");
    REQUIRE((*user)->text_ids_size() == 1);
    CHECK((*user)->text_ids(0) == TextId("<taste>tea5 on 2026-01-04</taste>"));
    CHECK((*user)->columns().at("age").int_value() == 25);
    CHECK((*user)->columns().size() == 1);
    const auto poi = snapshot->ReadEntity(config::v1::POI, "p3");
    REQUIRE((*poi)->text_ids_size() == 2);  // In the order of scene_features.
    CHECK((*poi)->text_ids(0) == TextId("<dish>dish3</dish>"));
    CHECK((*poi)->text_ids(1) == TextId("<name>Place3</name>"));
    CHECK((*poi)->columns().at("type").string_value() == "salad");
  }
  SECTION("texts are those of the days of training, validation and test") {
    const auto on = [&](const std::string& day) {
      return ReadVector(*snapshot,
                        TextId("<taste>tea5 on " + day + "</taste>"));
    };
    for (const char* day : {"2026-01-02", "2026-01-03", "2026-01-04"}) {
      CHECK_FALSE(on(day).empty());
    }
    CHECK(on("2026-01-01").empty());
  }
  SECTION("each POI has its comprehensive text") {
    int count = 0;
    const auto visit = [&](std::string_view, std::string_view id,
                           std::string_view text) {
      CHECK(TextId(text) == id);
      CHECK_FALSE(ReadVector(*snapshot, std::string(id)).empty());
      ++count;
      return absl::OkStatus();
    };
    REQUIRE(snapshot->ForEachPoiDescription(visit).ok());
    CHECK(count == bench.data.pois);
  }
  SECTION("every text of the context is there") {
    CHECK_FALSE(
        ReadVector(*snapshot, TextId("<weather>cold</weather>")).empty());
  }
}

TEST_CASE("A second refresh encodes nothing, a changed one what changed",
          "[embedding]") {
  Bench bench;
  FakeEncoder encoder;
  REQUIRE(Refresh(bench.Options("a"), encoder, GoOn).ok());
  DropPending(bench.Options("a").work);
  const auto a = bench.Open("a");
  const size_t before = encoder.times().size();

  const auto again = Refresh(bench.Options("b", a.get()), encoder, GoOn);
  REQUIRE(again.ok());
  CHECK(again->texts_total == bench.data.ExpectedTexts());
  CHECK(again->texts_to_encode == 0);
  CHECK(again->texts_encoded == 0);
  CHECK(again->tokens_encoded == 0);
  CHECK(encoder.times().size() == before);

  bench.data.dish = [](int poi, const std::string& day) {
    return poi < 3 && day == "2026-01-04" ? "new" + std::to_string(poi)
                                          : "dish" + std::to_string(poi);
  };
  bench.data.Write();
  const auto b = bench.Open("b");
  const auto changed = Refresh(bench.Options("c", b.get()), encoder, GoOn);
  REQUIRE(changed.ok());
  CHECK(changed->texts_to_encode == 6);  // Three dishes, three descriptions.
  CHECK(changed->texts_encoded == 6);
  CHECK(encoder.times().size() == before + 6);
  for (const auto& [text, times] : encoder.times()) CHECK(times == 1);

  const auto c = bench.Open("c");
  CHECK_FALSE(ReadVector(*c, TextId("<dish>new1</dish>")).empty());
  CHECK(ReadVector(*b, TextId("<dish>new1</dish>")).empty());
  CHECK((*c->ReadEntity(config::v1::POI, "p1"))->text_ids(0) ==
        TextId("<dish>new1</dish>"));
}

TEST_CASE("An interrupted refresh encodes nothing twice", "[embedding]") {
  const Bench bench(3000);  // Several chunks.
  FakeEncoder encoder;
  std::vector<RefreshCounts> seen;
  const auto stop_later = [&](const RefreshCounts& counts) {
    seen.push_back(counts);
    return counts.texts_encoded > 0 ? absl::CancelledError("stop")
                                    : absl::OkStatus();
  };
  const auto stopped = Refresh(bench.Options("a"), encoder, stop_later);
  CHECK(absl::IsCancelled(stopped.status()));
  CHECK_FALSE(fs::exists(bench.dir.path() / "a"));
  // While texts are read, too, there is something to see and to stop.
  REQUIRE(seen.size() > 3);
  CHECK(seen[0].texts_total == 0);
  CHECK(seen[1].texts_total > 0);
  const auto total = bench.data.ExpectedTexts();
  CHECK(seen[1].texts_total < total);
  const RefreshCounts encoded = seen.back();
  REQUIRE(encoded.texts_encoded < total);

  std::vector<RefreshCounts> later;
  const auto counts =
      Refresh(bench.Options("a"), encoder, [&](const RefreshCounts& now) {
        // Planned: all are known.
        if (now.texts_total == total) later.push_back(now);
        return absl::OkStatus();
      });
  REQUIRE(counts.ok());
  CHECK(later.front().texts_to_encode == total);
  CHECK(later.front().texts_encoded == encoded.texts_encoded);
  CHECK(later.front().tokens_encoded == encoded.tokens_encoded);
  CHECK(counts->texts_encoded == total);
  CHECK(encoder.times().size() == static_cast<size_t>(total));
  for (const auto& [text, times] : encoder.times()) CHECK(times == 1);
  const auto snapshot = bench.Open("a");
  for (const auto& [text, times] : encoder.times()) {
    REQUIRE(ReadVector(*snapshot, TextId(text)) == encoder.VectorOf(text));
  }
}

TEST_CASE("A refresh begins anew where what is pending cannot be read",
          "[embedding]") {
  const Bench bench(3000);
  FakeEncoder encoder;
  const auto stop_later = [](const RefreshCounts& counts) {
    return counts.texts_encoded > 0 ? absl::CancelledError("stop")
                                    : absl::OkStatus();
  };
  CHECK(absl::IsCancelled(
      Refresh(bench.Options("a"), encoder, stop_later).status()));
  std::ofstream(bench.dir.path() / "work" / "pending" / "CURRENT") << "?";
  const auto counts = Refresh(bench.Options("a"), encoder, GoOn);
  REQUIRE(counts.ok());
  CHECK(counts->texts_encoded == bench.data.ExpectedTexts());
  CHECK(VerifyArtifact(bench.dir.path() / "a").ok());
}

TEST_CASE("A text that the encoder does not know has no vector",
          "[embedding]") {
  struct NoWeather : FakeEncoder {
    bool Knows(const std::string& text) const override {
      return text.find("weather") == std::string::npos;
    }
  };
  const Bench bench;
  NoWeather encoder;
  const auto counts = Refresh(bench.Options("a"), encoder, GoOn);
  REQUIRE(counts.ok());
  CHECK(counts->texts_total == bench.data.ExpectedTexts());
  CHECK(counts->texts_unknown == 2);
  CHECK(counts->texts_to_encode == counts->texts_total - 2);
  CHECK(counts->texts_encoded == counts->texts_to_encode);
  const auto snapshot = bench.Open("a");
  CHECK(ReadVector(*snapshot, TextId("<weather>cold</weather>")).empty());
  CHECK_FALSE(ReadVector(*snapshot, TextId("<dish>dish1</dish>")).empty());
}

TEST_CASE("Entities are as of the day that was asked for", "[embedding]") {
  const Bench bench;
  FakeEncoder encoder;
  auto options = bench.Options("a");
  options.as_of_date = "2026-01-03";
  REQUIRE(Refresh(options, encoder, GoOn).ok());
  const auto snapshot = bench.Open("a");
  CHECK(snapshot->info().as_of_date() == "2026-01-03");
  CHECK((*snapshot->ReadEntity(config::v1::USER, "u0"))->text_ids(0) ==
        TextId("<taste>tea0 on 2026-01-03</taste>"));

  options.output = bench.dir.path() / "b";
  options.as_of_date = "2025-12-31";
  const auto too_early = Refresh(options, encoder, GoOn);
  CHECK(absl::IsInvalidArgument(too_early.status()));
  CHECK(std::string(too_early.status().message()).find("2026-01-01") !=
        std::string::npos);
}

TEST_CASE("A refresh refuses a base of another embedder and a wrong dataset",
          "[embedding]") {
  const Bench bench;
  FakeEncoder encoder;
  REQUIRE(Refresh(bench.Options("a"), encoder, GoOn).ok());
  const auto a = bench.Open("a");
  FakeEncoder other("other");
  CHECK(absl::IsFailedPrecondition(
      Refresh(bench.Options("b", a.get()), other, GoOn).status()));
  auto options = bench.Options("b");
  options.dataset = bench.dir.path() / "absent.textproto";
  CHECK(absl::IsNotFound(Refresh(options, encoder, GoOn).status()));
  CHECK(other.times().empty());
}

}  // namespace
}  // namespace larr
