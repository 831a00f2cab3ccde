// SPDX-License-Identifier: Apache-2.0
#include "services/stage/embed.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <sstream>

#include "common/base/artifact_folder.h"
#include "common/base/files.h"
#include "common/features/text_renderer.h"
#include "common/store/snapshot.h"
#include "tests/testing/fake_encoder.h"
#include "tests/testing/small_dataset.h"
#include "tests/testing/snapshot_fixture.h"
#include "tests/testing/temp_dir.h"
#include "tests/testing/tiny_embedder.h"
#include "tests/testing/vectors_file.h"

namespace larr::stage {
namespace {

struct Bench {
  testing::TempDir dir;
  testing::SmallDataset data;
  config::v1::StageConfig config;

  explicit Bench(int users = 300) : data(dir.path() / "data", users) {
    config.mutable_spec()->set_dataset(data.spec().string());
    config.mutable_spec()->mutable_embed()->set_precision(config::v1::FP32);
    config.mutable_spec()->set_threads(1);
    config.set_output((dir.path() / "embed").string());
    config.set_work((dir.path() / "work").string());
    std::filesystem::create_directories(config.work());
  }
  StageContext Context() const {
    return {config, ProgressWriter(config.work())};
  }
  nlohmann::json LastProgress() const {
    std::istringstream lines(
        ReadFile(dir.path() / "work" / "progress.jsonl").value());
    std::string line, last;
    while (std::getline(lines, line)) last = line;
    return nlohmann::json::parse(last);
  }
};

TEST_CASE("The EMBED stage makes a snapshot of the checkpoint", "[stage]") {
  Bench bench;
  testing::WriteTinyEmbedder(bench.dir.path() / "contrast",
                             {"taste", "name", "type", "dish", "weather"});
  (*bench.config.mutable_inputs())["contrast"] =
      (bench.dir.path() / "contrast").string();
  auto context = bench.Context();
  const absl::Status status = RunEmbed(context);
  INFO(status.ToString());
  REQUIRE(status.ok());
  const auto manifest = VerifyArtifact(bench.config.output());
  REQUIRE(manifest.ok());
  CHECK(manifest->kind() == "snapshot");
  CHECK(manifest->parents().at("contrast") ==
        ReadArtifact(bench.dir.path() / "contrast")->digest());
  CHECK(manifest->config().find("FP32") != std::string::npos);
  const auto progress = bench.LastProgress();
  CHECK(progress["step"] == bench.data.ExpectedTexts());
  CHECK(progress["total"] == bench.data.ExpectedTexts());
  CHECK(progress["unit"] == "tokens/s");
  CHECK_FALSE(progress.contains("loss"));
}

TEST_CASE("The EMBED stage goes on where it was killed", "[stage]") {
  const Bench bench(3000);  // Several chunks.
  testing::FakeEncoder dying, encoder;
  {
    int calls = 0;
    dying.before_encode = [&] {
      if (++calls == 3) throw calls;  // As abrupt as a test can be in-process.
    };
    auto context = bench.Context();
    CHECK_THROWS(RunEmbed(context, dying, "digest"));
  }
  const auto total = static_cast<size_t>(bench.data.ExpectedTexts());
  REQUIRE(!dying.times().empty());
  REQUIRE(dying.times().size() < total);
  auto context = bench.Context();
  REQUIRE(RunEmbed(context, encoder, "digest").ok());
  CHECK(encoder.times().size() == total - dying.times().size());
  CHECK(bench.LastProgress()["step"] == total);
}

TEST_CASE("Random vectors need no checkpoint", "[stage]") {
  Bench bench;
  bench.config.mutable_spec()->set_encoder(config::v1::RANDOM);
  auto context = bench.Context();
  const absl::Status status = RunEmbed(context);
  INFO(status.ToString());
  REQUIRE(status.ok());
  const auto snapshot = Snapshot::Open(bench.config.output());
  REQUIRE(snapshot.ok());
  CHECK((*snapshot)->dim() == 128);
  CHECK_FALSE(
      testing::ReadVector(**snapshot, TextId("<dish>dish1</dish>")).empty());
  CHECK(ReadArtifact(bench.config.output())->parents().empty());
}

TEST_CASE("Vectors of a file are stored, and what it lacks has none",
          "[stage]") {
  Bench bench;
  const auto file = bench.dir.path() / "vectors.parquet";
  bench.config.mutable_spec()->mutable_embed()->set_vectors_file(file.string());
  SECTION("of the dataset") {
    testing::WriteVectors(
        file, {{"dish", "dish1", {1, 2, 3}}, {"weather", "hot", {4, 5, 6}}});
    auto context = bench.Context();
    const absl::Status status = RunEmbed(context);
    INFO(status.ToString());
    REQUIRE(status.ok());
    const auto snapshot = Snapshot::Open(bench.config.output());
    REQUIRE(snapshot.ok());
    CHECK((*snapshot)->dim() == 3);
    const auto vector = [&](const char* text) {
      return testing::ReadVector(**snapshot, TextId(text));
    };
    CHECK(vector("<dish>dish1</dish>") == std::vector<float>{1, 2, 3});
    CHECK(vector("<weather>hot</weather>") == std::vector<float>{4, 5, 6});
    CHECK(vector("<dish>dish2</dish>").empty());
    CHECK(bench.LastProgress()["total"] == 2);
  }
  SECTION("of another dataset") {
    testing::WriteVectors(file, {{"dish", "<dish>dish1</dish>", {1, 2}}});
    auto context = bench.Context();
    const absl::Status status = RunEmbed(context);
    CHECK(absl::IsInvalidArgument(status));
    CHECK_THAT(std::string(status.message()),
               Catch::Contains("vectors.parquet has none of the"));
    CHECK_FALSE(std::filesystem::exists(bench.config.output()));
  }
}

TEST_CASE("The EMBED stage names the input that is missing", "[stage]") {
  const Bench bench;
  auto context = bench.Context();
  const absl::Status status = RunEmbed(context);
  CHECK(absl::IsInvalidArgument(status));
  CHECK(std::string(status.message()).find("contrast") != std::string::npos);
}

}  // namespace
}  // namespace larr::stage
