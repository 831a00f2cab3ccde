// SPDX-License-Identifier: Apache-2.0
#include "services/stage/embed.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <sstream>

#include "common/base/artifact_folder.h"
#include "common/base/files.h"
#include "common/store/snapshot.h"
#include "tests/testing/fake_encoder.h"
#include "tests/testing/small_dataset.h"
#include "tests/testing/temp_dir.h"
#include "tests/testing/tiny_embedder.h"

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

TEST_CASE("The EMBED stage names the input that is missing", "[stage]") {
  const Bench bench;
  auto context = bench.Context();
  const absl::Status status = RunEmbed(context);
  CHECK(absl::IsInvalidArgument(status));
  CHECK(std::string(status.message()).find("contrast") != std::string::npos);
}

}  // namespace
}  // namespace larr::stage
