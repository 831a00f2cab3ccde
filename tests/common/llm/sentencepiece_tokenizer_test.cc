// SPDX-License-Identifier: Apache-2.0
#include "common/llm/sentencepiece_tokenizer.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "common/base/files.h"
#include "tests/common/llm/golden.h"
#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

using testing::Value;

struct Goldens {
  std::vector<std::string> added;
  std::vector<int32_t> added_ids_of;
  std::vector<std::string> texts;
  std::vector<TokenIds> ids, added_ids;
};

Goldens ReadGoldens(const std::filesystem::path& folder) {
  Goldens goldens;
  std::ifstream in(folder / "tokens.json");
  const auto json = nlohmann::ordered_json::parse(in);
  for (const auto& [token, id] : json["added"].items()) {
    goldens.added.push_back(token);
    goldens.added_ids_of.push_back(id);
  }
  for (const auto& entry : json["entries"]) {
    goldens.texts.push_back(entry["text"]);
    goldens.ids.push_back(entry["ids"]);
    goldens.added_ids.push_back(entry["added_ids"]);
  }
  REQUIRE(goldens.texts.size() > 30);
  return goldens;
}

void CheckIds(const TokenizerLibrary& tokenizer,
              const std::vector<std::string>& texts,
              const std::vector<TokenIds>& expected) {
  const auto ids = Value(tokenizer.Encode(texts));
  for (size_t i = 0; i < texts.size(); ++i) {
    INFO(texts[i]);
    CHECK(ids[i] == expected[i]);
  }
}

TEST_CASE("Pieces are cut as transformers cuts them, with added tokens too") {
  for (const char* name : {"baichuan", "llama", "unigram"}) {
    INFO(name);
    const auto folder = testing::SentencepieceFolder(name);
    const Goldens goldens = ReadGoldens(folder);
    const auto tokenizer = Value(OpenSentencepieceTokenizer(folder));
    CheckIds(*tokenizer, goldens.texts, goldens.ids);
    const int64_t before = tokenizer->vocab_size();
    REQUIRE(tokenizer->AddSpecialTokens(goldens.added).ok());
    REQUIRE(tokenizer->AddSpecialTokens(goldens.added).ok());  // no effect
    CHECK(tokenizer->vocab_size() ==
          before + static_cast<int64_t>(goldens.added.size()));
    for (size_t i = 0; i < goldens.added.size(); ++i)
      CHECK(tokenizer->IdOf(goldens.added[i]) == goldens.added_ids_of[i]);
    CHECK(!tokenizer->IdOf("<nothing>").has_value());
    CheckIds(*tokenizer, goldens.texts, goldens.added_ids);
  }
}

TEST_CASE(
    "A saved model is the same, byte for byte, and knows what was added") {
  for (const char* name : {"baichuan", "llama", "unigram"}) {
    INFO(name);
    const auto folder = testing::SentencepieceFolder(name);
    const Goldens goldens = ReadGoldens(folder);
    const auto tokenizer = Value(OpenSentencepieceTokenizer(folder));
    const testing::TempDir dir;
    for (const char* file :
         {"tokenizer_config.json", "special_tokens_map.json"})
      if (std::filesystem::exists(folder / file))
        std::filesystem::copy(folder / file, dir.path());
    REQUIRE(tokenizer->Save(dir.path()).ok());
    CheckIds(*Value(OpenSentencepieceTokenizer(dir.path())), goldens.texts,
             goldens.ids);

    REQUIRE(tokenizer->AddSpecialTokens(goldens.added).ok());
    REQUIRE(tokenizer->Save(dir.path()).ok());
    CHECK(Value(ReadFile(dir.path() / kTokenizerModel)) ==
          Value(ReadFile(folder / kTokenizerModel)));
    const auto again = Value(OpenSentencepieceTokenizer(dir.path()));
    CheckIds(*again, goldens.texts, goldens.added_ids);
    CHECK(again->vocab_size() == tokenizer->vocab_size());
  }
}

TEST_CASE("What is not a model, not supported or not UTF-8 is refused") {
  const auto folder = testing::SentencepieceFolder("llama");
  const testing::TempDir dir;
  const auto message = [&] {
    const auto status = OpenSentencepieceTokenizer(dir.path()).status();
    CHECK(absl::IsInvalidArgument(status));
    return status.ToString();
  };
  const char* tiktoken = "IQ== 0\nIg== 1\n";
  for (const char* bytes : {"", "{}", "\n\x03junk", tiktoken}) {
    std::ofstream(dir.path() / kTokenizerModel) << bytes;
    CHECK_THAT(message(), Catch::Contains("tokenizer.model: is not") &&
                              Catch::Contains("a tokenizer.json"));
  }
  std::filesystem::copy(folder / kTokenizerModel, dir.path(),
                        std::filesystem::copy_options::overwrite_existing);
  std::ofstream(dir.path() / "tokenizer_config.json") << R"({"legacy": false})";
  CHECK_THAT(message(),
             Catch::Contains("`legacy`") && Catch::Contains("tokenizer.json"));
  std::ofstream(dir.path() / "tokenizer_config.json") << "3";
  CHECK_THAT(message(), Catch::Contains("tokenizer_config.json"));

  const auto tokenizer = Value(OpenSentencepieceTokenizer(folder));
  const std::vector<std::string> texts = {"good", "bad \xff\xfe"};
  CHECK_THAT(tokenizer->Encode(texts).status().ToString(),
             Catch::Contains("text 1") && Catch::Contains("offset 4"));
  const std::vector<std::string> empty = {"<new>", ""};
  CHECK(absl::IsInvalidArgument(tokenizer->AddSpecialTokens(empty)));
  CHECK(!tokenizer->IdOf("<new>").has_value());
}

}  // namespace
}  // namespace larr
