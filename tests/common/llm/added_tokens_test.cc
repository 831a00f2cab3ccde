// SPDX-License-Identifier: Apache-2.0
#include "common/llm/added_tokens.h"

#include <catch2/catch.hpp>
#include <fstream>

#include "common/base/files.h"
#include "tests/common/llm/golden.h"
#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

using testing::Value;

// Three pieces: <unk>, <s> and </s>.
std::optional<int32_t> PieceId(const std::string& text) {
  if (text == "<unk>") return 0;
  if (text == "<s>") return 1;
  if (text == "</s>") return 2;
  return std::nullopt;
}

// A folder with the files of an `AddedTokens`.
struct Files {
  void Write(const char* name, const std::string& text) const {
    std::ofstream(dir.path() / name) << text;
  }
  absl::StatusOr<AddedTokens> Read() const {
    return AddedTokens::Read(dir.path(), 3, PieceId);
  }
  testing::TempDir dir;
};

// The parts, each added token as its id.
std::string Show(const AddedTokens& tokens, std::string_view text) {
  std::string out;
  for (const auto& part : tokens.Split(text))
    out += "[" + (part.id ? std::to_string(*part.id) : part.text) + "]";
  return out;
}

TEST_CASE("The leftmost longest token cuts a text") {
  const Files files;
  auto tokens = Value(files.Read());
  for (const char* token : {"<user>", "<user", "user>s", "ab", "bcd"})
    tokens.Add(token, PieceId);
  CHECK(tokens.end_id() == 8);
  CHECK(Show(tokens, "") == "");
  CHECK(Show(tokens, "hot") == "[hot]");
  CHECK(Show(tokens, " <s>hot</s>") == "[ ][1][hot][2]");
  CHECK(Show(tokens, "<user>s<user x<use") == "[3][s][4][ x<use]");
  CHECK(Show(tokens, "abcd") == "[6][cd]");
  CHECK(Show(tokens, "acbcd") == "[ac][7]");
}

TEST_CASE("A token of a word alone joins a neighbour that touches it") {
  const Files files;
  files.Write("tokenizer_config.json",
              R"({"added_tokens_decoder":
                  {"1": {"content": "<s>", "single_word": true}}})");
  const auto tokens = Value(files.Read());
  CHECK(Show(tokens, "<s>") == "[1]");
  CHECK(Show(tokens, "a <s> b") == "[a ][1][ b]");
  CHECK(Show(tokens, "a<s> b") == "[a<s>][ b]");
  CHECK(Show(tokens, "<s>b") == "[<s>b]");
  CHECK(Show(tokens, "</s><s>") == "[</s><s>]");
}

TEST_CASE("Ids are those of the files, then of pieces, then the next") {
  const Files files;
  SECTION("added_tokens.json and special_tokens_map.json") {
    files.Write("added_tokens.json", R"({"<b>": 4, "<a>": 3})");
    files.Write("special_tokens_map.json",
                R"({"pad_token": "<pad>", "eos_token": "<b>",
                    "additional_special_tokens": ["<x>", {"content": "<y>"}]})");
    const auto tokens = Value(files.Read());
    CHECK(tokens.IdOf("<a>") == 3);
    CHECK(tokens.IdOf("<b>") == 4);
    CHECK(tokens.IdOf("<pad>") == 5);
    CHECK(tokens.IdOf("<x>") == 6);
    CHECK(tokens.IdOf("<y>") == 7);
    CHECK(tokens.IdOf("<s>") == 1);
    CHECK(!tokens.IdOf("</s>"));  // The end token has another name.
  }
  SECTION("tokenizer_config.json counts alone where it lists them") {
    files.Write("added_tokens.json", R"({"<b>": 4})");
    files.Write("tokenizer_config.json",
                R"({"added_tokens_decoder": {"9": {"content": "<z>"}}})");
    auto tokens = Value(files.Read());
    CHECK(tokens.IdOf("<z>") == 9);
    CHECK(!tokens.IdOf("<b>"));
    tokens.Add("<new>", PieceId);
    CHECK(tokens.IdOf("<new>") == 10);
  }
}

TEST_CASE("New tokens are saved where the others are") {
  const Files files;
  const testing::TempDir out;
  SECTION("in a file of their own, with those that were there") {
    files.Write("added_tokens.json", R"({"<a>": 3})");
    files.Write("special_tokens_map.json", R"({"pad_token": "<pad>"})");
    auto tokens = Value(files.Read());
    tokens.Add("<new>", PieceId);
    REQUIRE(tokens.Save(out.path()).ok());
    CHECK(Value(ReadFile(out.path() / kAddedTokensFile)) ==
          "{\n  \"<a>\": 3,\n  \"<pad>\": 4,\n  \"<new>\": 5\n}\n");
    CHECK(!std::filesystem::exists(out.path() / kTokenizerConfigFile));
  }
  SECTION("in tokenizer_config.json, whose other fields stay") {
    files.Write(
        "tokenizer_config.json",
        R"({"x": 1, "added_tokens_decoder": {"1": {"content": "<s>"}}})");
    auto tokens = Value(files.Read());
    tokens.Add("<new>", PieceId);
    REQUIRE(tokens.Save(out.path()).ok());
    CHECK(!std::filesystem::exists(out.path() / kAddedTokensFile));
    CHECK_THAT(Value(ReadFile(out.path() / kTokenizerConfigFile)),
               Catch::Contains("\"x\": 1") && Catch::Contains("\"3\": {"));
    CHECK(Value(AddedTokens::Read(out.path(), 3, PieceId)).IdOf("<new>") == 3);
  }
  SECTION("and nothing is written without any") {
    REQUIRE(Value(files.Read()).Save(out.path()).ok());
    CHECK(std::filesystem::is_empty(out.path()));
  }
}

TEST_CASE("Files that are not understood are refused by name") {
  const Files files;
  const auto message = [&] {
    const auto status = files.Read().status();
    CHECK(absl::IsInvalidArgument(status));
    return status.ToString();
  };
  for (const char* text : {"{", "3", R"({"<a>": "x"})", R"({"<a>": -1})",
                           R"({"<a>": 4294967296})"}) {
    files.Write("added_tokens.json", text);
    INFO(text);
    CHECK_THAT(message(), Catch::Contains("added_tokens.json"));
  }
  files.Write("added_tokens.json", "{}");
  files.Write("tokenizer_config.json",
              R"({"added_tokens_decoder":
                  {"3": {"content": "<mask>", "lstrip": true}}})");
  CHECK_THAT(message(), Catch::Contains("<mask>") && Catch::Contains("lstrip"));
  for (const char* text :
       {"3", R"({"bos_token": 3})", R"({"added_tokens_decoder": {"x": {}}})",
        R"({"added_tokens_decoder": {"x": "<a>"}})"}) {
    files.Write("tokenizer_config.json", text);
    INFO(text);
    CHECK_THAT(message(), Catch::Contains("tokenizer_config.json"));
  }
}

}  // namespace
}  // namespace larr
