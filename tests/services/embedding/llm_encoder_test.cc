// SPDX-License-Identifier: Apache-2.0
#include "services/embedding/llm_encoder.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <thread>

#include "tests/testing/temp_dir.h"
#include "tests/testing/tiny_embedder.h"

namespace larr {
namespace {

TEST_CASE("The encoder's vectors depend on their text alone", "[embedding]") {
  const testing::TempDir dir;
  testing::WriteTinyEmbedder(dir.path() / "a", {"name", "type", "dish"});
  config::v1::EmbedConfig config;
  config.set_precision(config::v1::FP32);
  config.set_tokens_per_batch(40);
  const auto encoder = OpenLlmEncoder(dir.path() / "a", config, 1);
  REQUIRE(encoder.ok());
  const int dim = (*encoder)->dim();
  CHECK(dim == 128);

  std::vector<std::string> texts;
  for (int i = 0; i < 30; ++i) {
    texts.push_back("<dish>" + std::string(i % 7, 'x') + std::to_string(i) +
                    "</dish>");
  }
  const auto all = (*encoder)->Encode(texts);
  REQUIRE(all.ok());
  REQUIRE(all->vectors.size() == texts.size() * dim);
  CHECK(all->tokens > 0);
  int64_t tokens = 0;
  for (size_t i = 0; i < texts.size(); ++i) {
    const auto one = (*encoder)->Encode({&texts[i], 1});
    REQUIRE(one.ok());
    tokens += one->tokens;
    for (int d = 0; d < dim; ++d) {
      REQUIRE(one->vectors[d] ==
              Approx(all->vectors[i * dim + d]).margin(1e-4));
    }
  }
  CHECK(tokens == all->tokens);

  SECTION("also from several threads") {
    std::vector<std::thread> threads;
    std::atomic<int> wrong = 0;
    for (int t = 0; t < 3; ++t) {
      threads.emplace_back([&, t] {
        const auto one = (*encoder)->Encode({&texts[t], 1});
        if (!one.ok() ||
            std::abs(one->vectors[0] - all->vectors[t * dim]) > 1e-4) {
          ++wrong;
        }
      });
    }
    for (auto& thread : threads) thread.join();
    CHECK(wrong == 0);
  }
}

TEST_CASE("Fingerprints tell embedders and precisions apart", "[embedding]") {
  const testing::TempDir dir;
  testing::WriteTinyEmbedder(dir.path() / "a", {"taste"}, 1);
  testing::WriteTinyEmbedder(dir.path() / "b", {"taste"}, 2);
  config::v1::EmbedConfig fp32, bf16, unset;
  fp32.set_precision(config::v1::FP32);
  bf16.set_precision(config::v1::BF16);
  const auto print = [&](const char* name,
                         const config::v1::EmbedConfig& config) {
    const auto encoder = OpenLlmEncoder(dir.path() / name, config, 1);
    REQUIRE(encoder.ok());
    return (*encoder)->fingerprint();
  };
  CHECK(print("a", fp32) == print("a", fp32));
  CHECK(print("a", fp32) != print("b", fp32));
  CHECK(print("a", fp32) != print("a", bf16));
  CHECK(print("a", bf16) == print("a", unset));
}

TEST_CASE("A folder that is no embedder is refused", "[embedding]") {
  const testing::TempDir dir;
  CHECK_FALSE(OpenLlmEncoder(dir.path() / "none", {}, 1).ok());
  const std::string tiny =
      std::string(std::getenv("LARR_SOURCE_DIR")) + "/tests/golden/tiny_llama";
  CHECK(absl::IsFailedPrecondition(OpenLlmEncoder(tiny, {}, 1).status()));
}

TEST_CASE("Settings out of range are refused before the checkpoint is read",
          "[embedding]") {
  config::v1::EmbedConfig config;
  config.set_tokens_per_batch(-1);
  const auto status = OpenLlmEncoder("/nowhere", config, 1).status();
  CHECK_THAT(std::string(status.message()),
             Catch::Contains("`embed.tokens_per_batch` is -1"));
}

}  // namespace
}  // namespace larr
