// SPDX-License-Identifier: Apache-2.0
#include "services/embedding/open_encoder.h"

#include <torch/utils.h>

#include <catch2/catch.hpp>
#include <cstdlib>

#include "tests/services/embedding/word_embedder.h"
#include "tests/testing/temp_dir.h"
#include "tests/testing/tiny_embedder.h"

namespace larr {
namespace {

TEST_CASE("A folder says what encodes its texts", "[embedding]") {
  const testing::TempDir dir;
  testing::WriteTinyEmbedder(dir.path() / "model", {"dish"});
  testing::WriteWordEmbedder(dir.path() / "words");
  config::v1::EmbedConfig config;
  config.set_precision(config::v1::FP32);
  const std::vector<std::string> texts = {"<dish>tea</dish>"};
  const auto tokens = [&](const char* name) {
    const auto encoder = OpenTextEncoder(dir.path() / name, config, 1);
    INFO(encoder.status().ToString());
    REQUIRE(encoder.ok());
    return (*encoder)->Encode(texts)->tokens;
  };
  CHECK(tokens("model") > 0);
  CHECK(tokens("words") == 0);
}

TEST_CASE("A folder that is none is refused as a language model is",
          "[embedding]") {
  const std::string tiny =
      std::string(std::getenv("LARR_SOURCE_DIR")) + "/tests/golden/tiny_llama";
  CHECK(absl::IsFailedPrecondition(OpenTextEncoder(tiny, {}, 1).status()));
}

}  // namespace
}  // namespace larr
