// SPDX-License-Identifier: Apache-2.0
//
// larr_bench_embed: our embedder in bf16 on texts of mixed length.
//
// FOLDER gets `texts.txt`, one text a line, and `embedder`, a checkpoint in
// Hugging Face layout: SmolLM2-135M with the texts' special tokens and a random
// projection to 128.
#include <fmt/format.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <iostream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "bench/rounds.h"
#include "common/base/files.h"
#include "common/base/status_macros.h"
#include "common/llm/checkpoint.h"
#include "common/llm/embedder.h"

namespace larr::bench {
namespace {

constexpr char kModel[] = ".deps/models/smollm2-135m";
constexpr int kTexts = 600;
constexpr int kDim = 128;
constexpr int kMaxTokens = 512;  // Longer than any of the texts.

// Scene features: short contexts, POIs of medium length, long user histories.
struct Kind {
  const char* slot;
  unsigned min_words;
  unsigned max_words;
  unsigned share;
};
constexpr Kind kKinds[] = {
    {"ctx", 4, 14, 1}, {"poi", 30, 90, 2}, {"user", 20, 160, 2}};

constexpr const char* kWords[] = {
    "noodle",  "rice",     "spicy",    "hotpot",   "grilled", "chicken",
    "milk",    "tea",      "iced",     "lemon",    "soup",    "beef",
    "broth",   "tofu",     "salad",    "burger",   "pizza",   "cake",
    "dessert", "fried",    "fish",     "curry",    "sushi",   "ramen",
    "bowl",    "fresh",    "local",    "famous",   "crispy",  "sweet",
    "sour",    "garlic",   "chili",    "family",   "set",     "lunch",
    "dinner",  "snack",    "midnight", "fast",     "cheap",   "premium",
    "order",   "delivery", "click",    "last",     "week",    "price",
    "rating",  "average",  "dumpling", "breakfast"};

std::vector<std::string> MakeTexts() {
  std::mt19937 random(1);
  std::vector<const Kind*> kinds;
  for (const Kind& kind : kKinds) kinds.insert(kinds.end(), kind.share, &kind);
  std::vector<std::string> texts;
  for (int i = 0; i < kTexts; ++i) {
    const Kind& kind = *kinds[random() % kinds.size()];
    const unsigned words =
        kind.min_words + random() % (kind.max_words - kind.min_words + 1);
    std::string text = fmt::format("<{}>", kind.slot);
    for (unsigned word = 0; word < words; ++word)
      text += fmt::format("{}{}", word == 0 ? "" : " ",
                          kWords[random() % std::size(kWords)]);
    texts.push_back(text + fmt::format("</{}>", kind.slot));
  }
  return texts;
}

absl::Status WriteEmbedder(const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  LARR_ASSIGN_OR_RETURN(Checkpoint checkpoint,
                        ReadCheckpoint(kModel, torch::kBFloat16));
  EmbedderHead head;
  std::vector<std::string> slots;
  for (const Kind& kind : kKinds) {
    slots.emplace_back(kind.slot);
    head.config.add_slots(kind.slot);
  }
  LARR_RETURN_IF_ERROR(AddSlots(slots, 1, checkpoint).status());
  head.config.set_max_tokens(kMaxTokens);
  torch::manual_seed(1);
  head.projection = torch::randn({kDim, checkpoint.config.hidden_size});
  return WriteCheckpoint(folder, checkpoint, torch::kBFloat16, &head);
}

absl::Status Run(const Arguments& arguments) {
  const auto checkpoint = arguments.folder / "embedder";
  LARR_RETURN_IF_ERROR(WriteEmbedder(checkpoint));
  const std::vector<std::string> texts = MakeTexts();
  LARR_RETURN_IF_ERROR(
      WriteFileAtomically(arguments.folder / "texts.txt",
                          fmt::format("{}\n", fmt::join(texts, "\n"))));
  LARR_ASSIGN_OR_RETURN(const Tokenizer tokenizer, Tokenizer::Open(checkpoint));
  LARR_ASSIGN_OR_RETURN(const auto ids, tokenizer.Encode(texts));
  int64_t tokens = 0;
  for (const TokenIds& text : ids) tokens += static_cast<int64_t>(text.size());

  EmbedderOptions options;
  options.threads = arguments.threads;
  LARR_ASSIGN_OR_RETURN(Embedder embedder, Embedder::Open(checkpoint, options));
  const Round round = [&]() -> absl::StatusOr<std::vector<float>> {
    std::vector<float> vectors;
    LARR_RETURN_IF_ERROR(
        embedder.Embed(texts, [&](const Embedder::Result& result) {
          vectors.insert(vectors.end(), result.vectors.begin(),
                         result.vectors.end());
          return absl::OkStatus();
        }));
    return vectors;
  };
  return ServeRounds(tokens, round, arguments.output, std::cin, std::cout);
}

}  // namespace
}  // namespace larr::bench

int main(int argc, char** argv) {
  return larr::bench::Main(argc, argv, larr::bench::Run);
}
