// SPDX-License-Identifier: Apache-2.0
#include "common/llm/p5_prompt.h"

#include <catch2/catch.hpp>
#include <iterator>
#include <string>

#include "tests/common/llm/golden.h"

namespace larr {
namespace {

using namespace larr::testing;  // NOLINT

TokenIds Tokens(const Tokenizer& tokenizer, const std::string& text) {
  const std::string texts[] = {text};
  return Value(tokenizer.Encode(texts))[0];
}

TokenIds Concat(const std::vector<TokenIds>& parts) {
  TokenIds all;
  for (const TokenIds& part : parts)
    all.insert(all.end(), part.begin(), part.end());
  return all;
}

TEST_CASE(
    "A prompt is its words and the questions, and each token knows its "
    "word") {
  const auto tokenizer = Value(Tokenizer::Open(TinyFolder()));
  const auto prompts = Value(P5Prompts::Create(tokenizer, 100, 2));
  const std::string rows[] = {"user_id:  u17\nname: noodles", ""};
  const auto made = Value(prompts.Make(rows));
  REQUIRE(made.size() == 2);
  // " yes" and " no" both begin with a space here, which the questions take.
  const TokenIds space = Tokens(tokenizer, " ");
  CHECK(TokenIds{prompts.yes()} == Tokens(tokenizer, "y"));
  CHECK(TokenIds{prompts.no()} == Tokens(tokenizer, "n"));
  const std::vector<TokenIds> parts = {
      Tokens(tokenizer, " user_id:"), Tokens(tokenizer, " u17"),
      Tokens(tokenizer, " name:"),    Tokens(tokenizer, " noodles"),
      Tokens(tokenizer, " Click: "),  Tokens(tokenizer, " Order: ")};
  CHECK(made[0].ids == Concat(parts));
  std::vector<int32_t> words;
  for (size_t i = 0; i < parts.size(); ++i)
    words.insert(words.end(), parts[i].size(), static_cast<int32_t>(i) + 1);
  CHECK(made[0].words == words);
  const auto length = static_cast<int32_t>(made[0].ids.size());
  const auto order = static_cast<int32_t>(parts[5].size());
  CHECK(made[0].asked == std::vector<int32_t>{length - order - 1, length - 1});

  // Of a row of which nothing is known the questions are asked all the same.
  CHECK(made[1].ids == Concat({parts[4], parts[5]}));
  CHECK(made[1].words.front() == 1);
  CHECK(made[1].words.back() == 2);
}

TEST_CASE("A dataset without orders is asked one question") {
  const auto tokenizer = Value(Tokenizer::Open(TinyFolder()));
  const auto prompts = Value(P5Prompts::Create(tokenizer, 100, 1));
  CHECK(prompts.tasks() == 1);
  const std::string rows[] = {"hour: 8"};
  const auto made = Value(prompts.Make(rows));
  CHECK(made[0].ids ==
        Concat({Tokens(tokenizer, " hour:"), Tokens(tokenizer, " 8"),
                Tokens(tokenizer, " Click: ")}));
  CHECK(made[0].asked.size() == 1);
}

TEST_CASE("A long text is cut at its end, and the questions stay") {
  const auto tokenizer = Value(Tokenizer::Open(TinyFolder()));
  const auto prompts = Value(P5Prompts::Create(tokenizer, 40, 2));
  const auto all = Value(P5Prompts::Create(tokenizer, 4000, 2));
  std::string text;
  for (int i = 0; i < 600; ++i) text += " w" + std::to_string(i);
  const std::string rows[] = {text};
  const P5Prompt cut = Value(prompts.Make(rows))[0];
  const P5Prompt whole = Value(all.Make(rows))[0];
  CHECK(cut.ids.size() == 40);
  CHECK(cut.words.size() == 40);
  CHECK(cut.asked[1] == 39);
  CHECK(cut.asked[1] - cut.asked[0] == whole.asked[1] - whole.asked[0]);
  CHECK(std::equal(cut.ids.begin(), cut.ids.begin() + 20, whole.ids.begin()));
  CHECK(std::equal(cut.ids.end() - 10, cut.ids.end(), whole.ids.end() - 10));
  // More words than the table has rows share its last one.
  CHECK(whole.words.back() == kWholeWords - 1);
  CHECK(whole.words[0] == 1);
}

TEST_CASE("A prompt without room for a row is refused") {
  const auto tokenizer = Value(Tokenizer::Open(TinyFolder()));
  const auto prompts = P5Prompts::Create(tokenizer, 16, 2);
  CHECK(absl::IsInvalidArgument(prompts.status()));
  CHECK_THAT(std::string(prompts.status().message()),
             Catch::Contains("`p5.max_tokens` is 16"));
}

TEST_CASE("SmolLM2 answers with one token that has the space") {
  const auto tokenizer = Value(Tokenizer::Open(SmolFolder()));
  const auto prompts = Value(P5Prompts::Create(tokenizer, 100, 2));
  CHECK(TokenIds{prompts.yes()} == Tokens(tokenizer, " yes"));
  CHECK(TokenIds{prompts.no()} == Tokens(tokenizer, " no"));
  // Words one by one are the text's own tokens.
  const std::string text = " user_id: u000351 POI_name: Xi'an Roujiamo 0.141";
  const std::string rows[] = {text};
  CHECK(Value(prompts.Make(rows))[0].ids ==
        Tokens(tokenizer, text + " Click: Order:"));
}

}  // namespace
}  // namespace larr
