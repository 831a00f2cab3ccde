// SPDX-License-Identifier: Apache-2.0
#include "common/llm/p5_prompt.h"

#include <absl/status/status.h>

#include <algorithm>
#include <iterator>
#include <string_view>

#include "common/base/invalid_argument.h"
#include "common/base/status_macros.h"

namespace larr {
namespace {

constexpr std::string_view kSpaces = " \t\r\n";
const std::string kQuestions[] = {" Click:", " Order:"};
const std::string kAnswers[] = {" yes", " no"};

// Appends the words of a text, each with a space before it.
size_t AppendWords(std::string_view text, std::vector<std::string>& words) {
  size_t count = 0;
  size_t from = text.find_first_not_of(kSpaces);
  while (from != std::string_view::npos) {
    const size_t to = std::min(text.find_first_of(kSpaces, from), text.size());
    words.push_back(" " + std::string(text.substr(from, to - from)));
    ++count;
    from = text.find_first_not_of(kSpaces, to);
  }
  return count;
}

void AppendWord(const TokenIds& ids, int32_t number, P5Prompt& prompt) {
  prompt.ids.insert(prompt.ids.end(), ids.begin(), ids.end());
  prompt.words.resize(prompt.ids.size(), std::min(number, kWholeWords - 1));
}

}  // namespace

absl::StatusOr<P5Prompts> P5Prompts::Create(const Tokenizer& tokenizer,
                                            int64_t max_tokens, int tasks) {
  P5Prompts prompts(tokenizer);
  LARR_ASSIGN_OR_RETURN(const auto answers, tokenizer.Encode(kAnswers));
  // What both answers begin with tells nothing: it belongs to the question.
  const auto [yes, no] = std::mismatch(answers[0].begin(), answers[0].end(),
                                       answers[1].begin(), answers[1].end());
  if (yes == answers[0].end() || no == answers[1].end())
    return absl::InvalidArgumentError(
        "the tokenizer does not tell \" yes\" from \" no\"; P5 needs a "
        "language "
        "model that does");
  prompts.yes_ = *yes;
  prompts.no_ = *no;
  LARR_ASSIGN_OR_RETURN(
      prompts.questions_,
      tokenizer.Encode(
          std::span(kQuestions).first(static_cast<size_t>(tasks))));
  prompts.room_ = max_tokens;
  for (TokenIds& question : prompts.questions_) {
    question.insert(question.end(), answers[0].begin(), yes);
    prompts.room_ -= std::ssize(question);
  }
  if (prompts.room_ < 1)
    return Invalid(
        "`p5.max_tokens` is {}, and {} of them are the questions; it must "
        "leave room for a row",
        max_tokens, max_tokens - prompts.room_);
  return prompts;
}

absl::StatusOr<std::vector<P5Prompt>> P5Prompts::Make(
    std::span<const std::string> rows) const {
  std::vector<std::string> words;
  std::vector<size_t> counts;
  for (const std::string& row : rows) counts.push_back(AppendWords(row, words));
  LARR_ASSIGN_OR_RETURN(const auto tokens, tokenizer_->Encode(words));
  std::vector<P5Prompt> prompts;
  auto word = tokens.begin();
  for (const size_t count : counts) {
    P5Prompt& prompt = prompts.emplace_back();
    int32_t number = 0;
    for (size_t i = 0; i < count; ++i, ++word) {
      if (std::ssize(prompt.ids) < room_) AppendWord(*word, ++number, prompt);
    }
    const auto kept = std::min<int64_t>(room_, std::ssize(prompt.ids));
    prompt.ids.resize(kept);
    prompt.words.resize(kept);
    for (const TokenIds& question : questions_) {
      AppendWord(question, ++number, prompt);
      prompt.asked.push_back(static_cast<int32_t>(prompt.ids.size()) - 1);
    }
  }
  return prompts;
}

}  // namespace larr
