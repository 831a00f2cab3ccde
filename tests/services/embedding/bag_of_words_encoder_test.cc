// SPDX-License-Identifier: Apache-2.0
#include "services/embedding/bag_of_words_encoder.h"

#include <torch/utils.h>

#include <catch2/catch.hpp>

#include "tests/services/embedding/word_embedder.h"
#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

TEST_CASE("A bag of words encodes texts in their order", "[embedding]") {
  const testing::TempDir dir;
  testing::WriteWordEmbedder(dir.path() / "a");
  const auto encoder = OpenBagOfWordsEncoder(dir.path() / "a");
  REQUIRE(encoder.ok());
  CHECK((*encoder)->dim() == 128);
  CHECK((*encoder)->fingerprint().size() == 64);
  const std::vector<std::string> texts = {
      "<dish>tea</dish>", "<dish>soup</dish>", "<dish>Tea!</dish>"};
  const auto encoded = (*encoder)->Encode(texts);
  REQUIRE(encoded.ok());
  REQUIRE(encoded->vectors.size() == 3 * 128);
  const auto vector = [&](int i) {
    const auto at = encoded->vectors.begin() + 128 * i;
    return std::vector<float>(at, at + 128);
  };
  CHECK(vector(0) == vector(2));
  CHECK(vector(0) != vector(1));
}

TEST_CASE("A folder without its files is refused", "[embedding]") {
  CHECK_FALSE(OpenBagOfWordsEncoder("/nowhere").ok());
}

}  // namespace
}  // namespace larr
