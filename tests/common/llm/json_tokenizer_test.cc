// SPDX-License-Identifier: Apache-2.0
#include "common/llm/json_tokenizer.h"

#include <catch2/catch.hpp>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/common/llm/golden.h"
#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

using testing::Value;

TEST_CASE("Ids are those of transformers, for texts that are hard to cut") {
  const auto tokenizer = Value(OpenJsonTokenizer(testing::SmolFolder()));
  std::ifstream in(testing::SmolGoldens() / "tokens.json");
  std::vector<std::string> texts;
  std::vector<TokenIds> expected;
  for (const auto& entry : nlohmann::json::parse(in)) {
    texts.push_back(entry["text"]);
    expected.push_back(entry["ids"]);
  }
  REQUIRE(texts.size() > 15);
  const auto ids = Value(tokenizer->Encode(texts));
  for (size_t i = 0; i < texts.size(); ++i) {
    INFO(texts[i]);
    CHECK(ids[i] == expected[i]);
  }
}

TEST_CASE("Special tokens are added once, behind the others, and saved") {
  const auto tokenizer = Value(OpenJsonTokenizer(testing::TinyFolder()));
  const int64_t before = tokenizer->vocab_size();
  const std::vector<std::string> tokens = {"<weather>", "</weather>", "<name>"};
  REQUIRE(tokenizer->AddSpecialTokens(tokens).ok());
  CHECK(tokenizer->vocab_size() == before + 2);  // <name> was there
  CHECK(tokenizer->IdOf("<weather>") == before);
  CHECK(tokenizer->IdOf("</weather>") == before + 1);
  CHECK(!tokenizer->IdOf("<nothing>").has_value());

  const testing::TempDir dir;
  REQUIRE(tokenizer->Save(dir.path()).ok());
  const auto again = Value(OpenJsonTokenizer(dir.path()));
  const std::vector<std::string> text = {"<weather>hot</weather>"};
  const auto ids = Value(again->Encode(text))[0];
  CHECK(ids.front() == before);
  CHECK(ids.back() == before + 1);
  CHECK(ids == Value(tokenizer->Encode(text))[0]);
}

TEST_CASE("Bad input is refused, not crashed on") {
  const testing::TempDir dir;
  std::ofstream(dir.path() / kTokenizerJson) << "{}";
  CHECK(absl::IsInvalidArgument(OpenJsonTokenizer(dir.path()).status()));
  const auto tokenizer = Value(OpenJsonTokenizer(testing::TinyFolder()));
  const std::vector<std::string> texts = {"good", "bad \xff\xfe"};
  CHECK_THAT(tokenizer->Encode(texts).status().ToString(),
             Catch::Contains("text 1") && Catch::Contains("offset 4"));
}

}  // namespace
}  // namespace larr
