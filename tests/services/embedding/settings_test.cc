// SPDX-License-Identifier: Apache-2.0
#include "services/embedding/settings.h"

#include <catch2/catch.hpp>
#include <cstdlib>

#include "common/base/files.h"
#include "common/config/text_proto.h"
#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

TEST_CASE("A required setting that is not set is named", "[embedding]") {
  const testing::TempDir dir;
  const auto path = dir.path() / "config";
  config::v1::EmbeddingConfig whole;
  whole.set_state_dir("/state");
  whole.set_snapshot_dir("/snapshots");
  whole.set_checkpoint("/checkpoint");
  whole.set_dataset("/dataset.textproto");
  REQUIRE(WriteFileAtomically(path, ToTextProto(whole)).ok());
  REQUIRE(LoadEmbeddingSettings(path).ok());
  for (const char* field :
       {"state_dir", "snapshot_dir", "checkpoint", "dataset"}) {
    auto config = whole;
    config.GetReflection()->ClearField(
        &config, config.GetDescriptor()->FindFieldByName(field));
    REQUIRE(WriteFileAtomically(path, ToTextProto(config)).ok());
    const auto status = LoadEmbeddingSettings(path).status();
    CHECK(absl::IsInvalidArgument(status));
    CHECK_THAT(std::string(status.message()),
               Catch::Contains("`" + std::string(field) + "` is not set"));
  }
}

TEST_CASE("The service takes no vectors from a file", "[embedding]") {
  const testing::TempDir dir;
  const auto path = dir.path() / "config";
  config::v1::EmbeddingConfig config;
  config.set_state_dir("/state");
  config.set_snapshot_dir("/snapshots");
  config.set_checkpoint("/checkpoint");
  config.set_dataset("/dataset.textproto");
  config.mutable_embed()->set_vectors_file("/vectors.parquet");
  REQUIRE(WriteFileAtomically(path, ToTextProto(config)).ok());
  const auto status = LoadEmbeddingSettings(path).status();
  CHECK(absl::IsInvalidArgument(status));
  CHECK_THAT(std::string(status.message()),
             Catch::Contains("`embed.vectors_file` is /vectors.parquet"));
}

TEST_CASE("The embedding example that ships can be read", "[embedding]") {
  const std::filesystem::path source = std::getenv("LARR_SOURCE_DIR");
  CHECK(
      LoadEmbeddingSettings(source / "deploy/config/embedding.textproto").ok());
}

}  // namespace
}  // namespace larr
