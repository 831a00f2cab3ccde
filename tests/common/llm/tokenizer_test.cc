// SPDX-License-Identifier: Apache-2.0
#include "common/llm/tokenizer.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <thread>

#include "tests/common/llm/golden.h"
#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

using testing::Value;

TEST_CASE("tokenizer.json is taken before tokenizer.model") {
  const testing::TempDir dir;
  const auto status = Tokenizer::Open(dir.path()).status();
  CHECK(absl::IsNotFound(status));
  CHECK_THAT(status.ToString(), Catch::Contains(dir.path().string()) &&
                                    Catch::Contains("tokenizer.model"));

  const auto pieces = testing::SentencepieceFolder("llama");
  std::filesystem::copy(pieces / "tokenizer.model", dir.path());
  CHECK(TokenizerFiles(dir.path()) ==
        std::vector<std::string>{"tokenizer.model"});
  CHECK(Value(Tokenizer::Open(dir.path())).IdOf("\u2581").has_value());
  CHECK(TokenizerFiles(pieces) ==
        std::vector<std::string>{"tokenizer_config.json", "tokenizer.model"});

  std::filesystem::copy(testing::TinyFolder() / "tokenizer.json", dir.path());
  CHECK(TokenizerFiles(dir.path()) ==
        std::vector<std::string>{"tokenizer.json"});
  CHECK(!Value(Tokenizer::Open(dir.path())).IdOf("\u2581").has_value());
}

TEST_CASE("Threads share a tokenizer") {
  for (const auto& folder :
       {testing::TinyFolder(), testing::SentencepieceFolder("baichuan")}) {
    const auto tokenizer = Value(Tokenizer::Open(folder));
    std::vector<std::string> texts;
    for (int i = 0; i < 200; ++i) {
      texts.push_back("<name>noodles 宫保鸡丁 " + std::to_string(i * i) +
                      "</name>");
    }
    const auto expected = Value(tokenizer.Encode(texts));
    std::vector<std::vector<TokenIds>> seen(4);
    std::vector<std::thread> threads;
    for (auto& ids : seen)
      threads.emplace_back([&] { ids = *tokenizer.Encode(texts); });
    for (auto& thread : threads) thread.join();
    for (const auto& ids : seen) CHECK(ids == expected);
  }
}

}  // namespace
}  // namespace larr
