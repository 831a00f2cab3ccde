// SPDX-License-Identifier: Apache-2.0
//
// Texts to states, as stage 2 sees whatever makes them: a language model, or
// words that are counted (contrast_words.h).
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/llm/decoder.h"
#include "common/llm/text_chunks.h"
#include "common/llm/tokenizer.h"
#include "larr/config/v1/training.pb.h"

namespace larr::stage {

struct TextModel {
  int64_t width = 0;  // h, of a state
  // Tokens of texts, of which none is empty.
  std::function<absl::StatusOr<std::vector<TokenIds>>(
      std::span<const std::string>)>
      read;
  // Tokens to states, float32 [texts, h], with the model's gradients.
  EncodeTexts states;
};

// The decoder's last states, pooled as `config` says, of texts cut to its
// `max_tokens`. Refers to its arguments.
TextModel LanguageModel(const Tokenizer& tokenizer, const Decoder& decoder,
                        const config::v1::ContrastConfig& config);

}  // namespace larr::stage
