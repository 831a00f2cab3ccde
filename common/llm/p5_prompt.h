// SPDX-License-Identifier: Apache-2.0
//
// The prompts of P5 (Geng et al. 2022, "Recommendation as Language
// Processing"): what is known of a row, then a question for each task,
//
//   user_id: u17 hour: 12 name: Golden Dragon Click: Order:
//
// A question is answered by the token after it: yes or no. Within a prompt no
// question is answered, so one pass of a causal model answers all of them, and
// a later one is not told what came of an earlier one.
//
// Whole words are what spaces separate. They are counted from 1, and all tokens
// of a word have its number, so that the pieces of an id belong together
// (`calculate_whole_word_ids` of src/pretrain_data.py in
// github.com/jeykigung/P5). They are tokenised one by one, each with a space
// before it.
//
// Ownership:  the tokenizer stays the caller's, and must outlive the object.
// Threads:    const methods may be called concurrently.
// Errors:     kInvalidArgument  the tokenizer does not tell yes from no, or has
//                               no room for a row beside the questions
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "common/llm/tokenizer.h"

namespace larr {

// Rows of the table of whole words, as in the public code. Later words of a
// prompt share the last one.
inline constexpr int32_t kWholeWords = 512;

struct P5Prompt {
  TokenIds ids;
  std::vector<int32_t> words;  // of each token, in [1, kWholeWords)
  std::vector<int32_t> asked;  // the last token of each task's question
};

class P5Prompts {
 public:
  // tasks: 1, the click; 2, the click and whether it led to an order.
  static absl::StatusOr<P5Prompts> Create(const Tokenizer& tokenizer,
                                          int64_t max_tokens, int tasks);

  // A prompt for each row's text, of at most `max_tokens`: a longer text is cut
  // at its end.
  absl::StatusOr<std::vector<P5Prompt>> Make(
      std::span<const std::string> rows) const;

  int tasks() const { return static_cast<int>(questions_.size()); }
  // The tokens that answer.
  int32_t yes() const { return yes_; }
  int32_t no() const { return no_; }

 private:
  explicit P5Prompts(const Tokenizer& tokenizer) : tokenizer_(&tokenizer) {}

  const Tokenizer* tokenizer_;
  int64_t room_ = 0;  // tokens of a row's text
  std::vector<TokenIds> questions_;
  int32_t yes_ = 0;
  int32_t no_ = 0;
};

}  // namespace larr
