// SPDX-License-Identifier: Apache-2.0
//
// How well a model writes descriptions that it never saw: the loss a token,
// over all of y and by kind of token and keyword, and on general documents
// that it never saw, which tells what it forgot.
//
// Kinds of a token of y: `special`, a slot's begin or end; `template`, literal
// text of the keyword's template alone; `content`, the rest: what comes from
// columns, and what straddles the border between the two.
//
// Units:   losses are natural logarithms a token; perplexity is exp of them.
// Threads: one at a time.
// Errors:  kInvalidArgument  a text is not as the corpus stage writes it;
//          those of the tokenizer, and of GuardTorch
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/llm/decoder.h"
#include "common/llm/language_loss.h"
#include "common/llm/tokenizer.h"
#include "services/stage/corpus_files.h"
#include "services/stage/general_corpus.h"

namespace larr::stage {

// What a token of y is part of.
struct TokenOrigin {
  enum class Kind { kSpecial, kTemplate, kContent };
  Kind kind = Kind::kContent;
  int keyword = 0;  // In `slots`.
  bool operator==(const TokenOrigin&) const = default;
};

// One for each token of `y`, whose bytes `kinds` describes (TextRenderer). A
// border between template and value is where both sides, encoded alone, give
// the tokens of the whole; tokens that differ there straddle it.
// REQUIRES: kinds.size() == y.size()
absl::StatusOr<std::vector<TokenOrigin>> FindOrigins(
    const Tokenizer& tokenizer, std::span<const std::string> slots,
    const std::string& y, const std::string& kinds);

// Sum of losses, and of how many tokens. By name: `all`, `content`, `template`,
// `special`, `keyword/<name>`, `keyword/<name>/content`, `general`.
struct Measure {
  double loss = 0;
  int64_t tokens = 0;
};
using Measures = std::map<std::string, Measure>;
nlohmann::json ToJson(const Measures& measures);

// Held-out texts, tokenized once, to be measured again and again.
class HeldOutTexts {
 public:
  static absl::StatusOr<HeldOutTexts> Make(
      const Tokenizer& tokenizer, std::span<const std::string> slots,
      std::span<const CorpusDescription> descriptions,
      std::span<const GeneralDocument> documents, int32_t max_tokens);

  // All of it. A name without tokens is left out.
  absl::StatusOr<Measures> Measure(const Decoder& decoder) const;
  // Of descriptions alone: a token's loss over all of y; NaN without any.
  absl::StatusOr<double> DescriptionLoss(const Decoder& decoder) const;

  size_t descriptions() const { return descriptions_.size(); }
  size_t documents() const { return documents_.size(); }

 private:
  std::vector<std::string> slots_;
  std::vector<Description> descriptions_;
  std::vector<std::vector<TokenOrigin>> origins_;  // Of each one's targets.
  std::vector<Description> documents_;
};

// -log p of every target of the texts, in their order.
std::vector<double> TokenLosses(const Decoder& decoder,
                                std::span<const Description> texts);

// {name: {tokens, loss_before, loss_after, perplexity_before,
// perplexity_after}}; `before` is ToJson() of the same texts.
nlohmann::ordered_json CompareMeasures(const nlohmann::json& before,
                                       const Measures& after);
// The same for people: a line for each name.
std::string MeasureTable(const nlohmann::ordered_json& comparison);

}  // namespace larr::stage
