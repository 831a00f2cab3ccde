// SPDX-License-Identifier: Apache-2.0
//
// A bag of words with a random projection.
#pragma once

#include <torch/utils.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <string_view>
#include <vector>

#include "common/llm/bag_of_words.h"

namespace larr::testing {

inline void WriteWordEmbedder(const std::filesystem::path& folder) {
  torch::manual_seed(1);
  std::filesystem::create_directories(folder);
  const std::vector<std::string_view> texts = {"<dish>tea</dish>"};
  EmbedderHead head;
  head.config.set_max_tokens(8);
  head.projection = torch::randn({128, BagOfWords::kColumns});
  REQUIRE(WriteBagOfWords(folder, BagOfWords::Learn(texts), head).ok());
}

}  // namespace larr::testing
