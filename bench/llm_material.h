// SPDX-License-Identifier: Apache-2.0
//
// What the cases of `llm` work on, made the same every time: SmolLM2-135M with
// the texts' special tokens and a random projection to 128, texts in the shape
// of scene features, and token ids to train on.
#pragma once

#include <absl/status/status.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "common/llm/tokenizer.h"

namespace larr::bench {

inline constexpr int kTexts = 600;
inline constexpr int kManyTexts = 5'000;
inline constexpr int64_t kTrainingTexts = 8;
inline constexpr int64_t kTrainingTokens = 128;

// A text of slot `poi` is "<poi>...</poi>".
struct Text {
  std::string slot;
  std::string value;
  std::string whole() const;
};

// The first kTexts are those of `texts.txt`, from a few words to 160; what
// comes after is short.
std::vector<Text> MakeTexts(int count);
std::vector<std::string> WholeTexts(int count);

// kTrainingTexts times kTrainingTokens random ids of the model's own tokens.
std::vector<TokenIds> MakeTrainingIds();

// Writes into `folder`, where ours and the peers find it:
//   embedder              the checkpoint, with `larr.json`
//   texts.txt             kTexts texts, one a line
//   training.safetensors  ids [kTrainingTexts, kTrainingTokens]
//   dataset               users and POIs whose texts are those of texts.txt
absl::Status PrepareLlm(const std::filesystem::path& folder);

}  // namespace larr::bench
