// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "tests/testing/temp_dir.h"
#include "third_party/tokenizers/larr_tokenizers.h"

namespace larr {
namespace {

using Ids = std::vector<uint32_t>;
using Tokenizer =
    std::unique_ptr<larr_tokenizer, decltype(&larr_tokenizer_close)>;

larr_text Text(std::string_view text) { return {text.data(), text.size()}; }

// The message of a call that failed, empty for one that went well.
std::string Message(char* error) {
  const std::string message = error == nullptr ? "" : error;
  larr_tokenizers_free_string(error);
  return message;
}

Tokenizer Open(const std::string& path) {
  larr_tokenizer* opened = nullptr;
  REQUIRE(Message(larr_tokenizer_open(Text(path), &opened)) == "");
  return {opened, &larr_tokenizer_close};
}

std::string SourcePath(const std::string& path) {
  return std::string(std::getenv("LARR_SOURCE_DIR")) + "/" + path;
}

Tokenizer OpenTiny() {
  return Open(SourcePath("tests/golden/tiny_llama/tokenizer.json"));
}

std::vector<Ids> EncodeAll(const Tokenizer& tokenizer,
                           const std::vector<std::string>& texts) {
  std::vector<larr_text> views;
  for (const std::string& text : texts) views.push_back(Text(text));
  larr_encodings all;
  REQUIRE(Message(larr_tokenizer_encode(tokenizer.get(), views.data(),
                                        views.size(), &all)) == "");
  CHECK(all.text_count == texts.size());
  std::vector<Ids> result;
  size_t begin = 0;
  for (size_t i = 0; i < all.text_count; begin = all.ends[i++]) {
    result.emplace_back(all.ids + begin, all.ids + all.ends[i]);
  }
  CHECK(begin == all.id_count);
  larr_encodings_free(&all);
  return result;
}

Ids Encode(const Tokenizer& tokenizer, const std::string& text) {
  return EncodeAll(tokenizer, {text}).front();
}

int64_t TokenToId(const Tokenizer& tokenizer, std::string_view token) {
  int64_t id = 0;
  REQUIRE(Message(larr_tokenizer_token_to_id(tokenizer.get(), Text(token),
                                             &id)) == "");
  return id;
}

size_t VocabSize(const Tokenizer& tokenizer) {
  size_t size = 0;
  REQUIRE(Message(larr_tokenizer_vocab_size(tokenizer.get(), &size)) == "");
  return size;
}

size_t AddSpecial(const Tokenizer& tokenizer,
                  const std::vector<std::string>& tokens) {
  std::vector<larr_text> views;
  for (const std::string& token : tokens) views.push_back(Text(token));
  size_t added = 0;
  REQUIRE(Message(larr_tokenizer_add_special_tokens(
              tokenizer.get(), views.data(), views.size(), &added)) == "");
  return added;
}

TEST_CASE("the embedded model's texts encode as transformers encodes them",
          "[tokenizers]") {
  const std::string model =
      std::string(std::getenv("LARR_DEPS")) + "/models/smollm2-135m";
  const Tokenizer tokenizer = Open(model + "/tokenizer.json");
  const auto goldens = nlohmann::json::parse(
      std::ifstream(SourcePath("tests/golden/llm/tokens.json")));
  REQUIRE(goldens.size() > 10);
  std::vector<std::string> texts;
  for (const auto& golden : goldens) texts.push_back(golden["text"]);

  const std::vector<Ids> batch = EncodeAll(tokenizer, texts);
  for (size_t i = 0; i < texts.size(); ++i) {
    INFO(texts[i]);
    CHECK(batch[i] == goldens[i]["ids"].get<Ids>());
    CHECK(Encode(tokenizer, texts[i]) == batch[i]);
  }
  CHECK(VocabSize(tokenizer) == 49152);
}

TEST_CASE("special tokens in a text are one id each and none is added",
          "[tokenizers]") {
  const Tokenizer tokenizer = OpenTiny();
  const Ids ids = Encode(tokenizer, "<name>oo</name>");
  REQUIRE(ids.size() == 3);
  CHECK(ids[0] == TokenToId(tokenizer, "<name>"));
  CHECK(ids[2] == TokenToId(tokenizer, "</name>"));
  CHECK(ids[1] == TokenToId(tokenizer, "oo"));
  CHECK(Encode(tokenizer, "").empty());
  CHECK(EncodeAll(tokenizer, {}).empty());
}

TEST_CASE("tokens that do not exist are told apart from errors",
          "[tokenizers]") {
  const Tokenizer tokenizer = OpenTiny();
  CHECK(VocabSize(tokenizer) == 269);
  CHECK(TokenToId(tokenizer, "<weather>") == -1);
  CHECK(TokenToId(tokenizer, "</dish>") == 268);
}

TEST_CASE("added special tokens follow the vocabulary and are saved",
          "[tokenizers]") {
  const Tokenizer tokenizer = OpenTiny();
  CHECK(AddSpecial(tokenizer, {"<weather>", "<name>", "</weather>"}) == 2);
  CHECK(AddSpecial(tokenizer, {"<weather>"}) == 0);
  CHECK(TokenToId(tokenizer, "<weather>") == 269);
  CHECK(TokenToId(tokenizer, "</weather>") == 270);
  CHECK(TokenToId(tokenizer, "<name>") < 269);
  CHECK(VocabSize(tokenizer) == 271);

  const testing::TempDir dir;
  const std::string path = (dir.path() / "tokenizer.json").string();
  REQUIRE(Message(larr_tokenizer_save(tokenizer.get(), Text(path))) == "");
  const Tokenizer saved = Open(path);
  const std::string text = "<name>noodle</name><weather>hot</weather>";
  CHECK(Encode(saved, text) == Encode(tokenizer, text));
  CHECK(Encode(saved, text).back() == 270);
}

TEST_CASE("bad input is an error that says what and where", "[tokenizers]") {
  const Tokenizer tokenizer = OpenTiny();
  const testing::TempDir dir;
  larr_tokenizer* none = nullptr;

  SECTION("a file that is not there") {
    const std::string path = (dir.path() / "none.json").string();
    CHECK_THAT(Message(larr_tokenizer_open(Text(path), &none)),
               Catch::Contains(path));
    CHECK(none == nullptr);
  }
  SECTION("a file that is not a tokenizer") {
    const std::string path = (dir.path() / "tokenizer.json").string();
    std::ofstream(path) << R"({"version": "1.0", "model": {"type": "Nope"}})";
    CHECK_THAT(Message(larr_tokenizer_open(Text(path), &none)),
               Catch::Contains(path));
    CHECK(none == nullptr);
  }
  SECTION("a text that is not UTF-8") {
    const larr_text texts[] = {Text("fine"), Text("bad \xff")};
    larr_encodings all;
    CHECK_THAT(Message(larr_tokenizer_encode(tokenizer.get(), texts, 2, &all)),
               Catch::Contains("text 1") && Catch::Contains("UTF-8") &&
                   Catch::Contains("4"));
  }
  SECTION("an empty special token") {
    const larr_text tokens[] = {Text("<new>"), Text("")};
    size_t added = 0;
    CHECK_THAT(Message(larr_tokenizer_add_special_tokens(tokenizer.get(),
                                                         tokens, 2, &added)),
               Catch::Contains("special token 1"));
    CHECK(TokenToId(tokenizer, "<new>") == -1);
  }
  SECTION("a folder that is not there") {
    const std::string path = (dir.path() / "none" / "tokenizer.json").string();
    CHECK_THAT(Message(larr_tokenizer_save(tokenizer.get(), Text(path))),
               Catch::Contains(path));
  }
}

}  // namespace
}  // namespace larr
