// SPDX-License-Identifier: Apache-2.0
#include "services/embedding/open_encoder.h"

#include "common/llm/checkpoint.h"
#include "services/embedding/bag_of_words_encoder.h"
#include "services/embedding/llm_encoder.h"

namespace larr {

absl::StatusOr<std::unique_ptr<TextEncoder>> OpenTextEncoder(
    const std::filesystem::path& checkpoint,
    const config::v1::EmbedConfig& config, int threads) {
  // A folder without a readable one is refused by who opens it.
  const auto embedder = ReadEmbedderConfig(checkpoint);
  if (embedder.ok() && embedder->bag_of_words())
    return OpenBagOfWordsEncoder(checkpoint);
  return OpenLlmEncoder(checkpoint, config, threads);
}

}  // namespace larr
