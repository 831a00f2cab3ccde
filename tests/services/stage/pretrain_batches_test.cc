// SPDX-License-Identifier: Apache-2.0
#include "services/stage/pretrain_batches.h"

#include <catch2/catch.hpp>
#include <fstream>
#include <map>

#include "common/config/text_proto.h"
#include "tests/common/llm/golden.h"
#include "tests/testing/temp_dir.h"

namespace larr::stage {
namespace {

using config::v1::PretrainConfig;
using testing::Value;

// What steps read: 40 descriptions of different lengths, and a general corpus
// whose documents are longer than a text may be.
struct World {
  explicit World(const std::string& settings)
      : config(Value(ParseTextProto<PretrainConfig>(settings))),
        tokenizer(Value(Tokenizer::Open(testing::TinyFolder()))) {
    for (int i = 0; i < 40; ++i) {
      training.push_back({"<name>" + std::string(1 + i % 9, 'a') + "</name>",
                          "<dish>" + std::string(1 + i % 5, 'b') + "</dish>",
                          false, ""});
    }
    std::ofstream file(dir.path() / "general.txt");
    for (int i = 0; i < 25; ++i)
      file << std::string(1, static_cast<char>('c' + i % 20))
           << std::string(1 + 7 * (i % 4), 'z') << "\n";
    file.close();
    config.set_general_corpus((dir.path() / "general.txt").string());
  }

  PretrainBatches Batches() {
    general.clear();
    return Another();
  }
  // With a general corpus of its own: it has a state.
  PretrainBatches Another() {
    general.push_back(std::make_unique<GeneralCorpus>(
        Value(GeneralCorpus::Open(config.general_corpus(), "", 3))));
    return {config, tokenizer, training,
            config.general_fraction() > 0 ? general.back().get() : nullptr, 3};
  }

  const testing::TempDir dir;
  PretrainConfig config;
  const Tokenizer tokenizer;
  std::vector<CorpusDescription> training;
  std::vector<std::unique_ptr<GeneralCorpus>> general;
};

int64_t Tokens(const std::vector<Description>& step) {
  int64_t tokens = 0;
  for (const auto& text : step) tokens += static_cast<int64_t>(text.ids.size());
  return tokens;
}

bool IsGeneral(const Description& text) { return text.given == 0; }

TEST_CASE("A step of tokens is full, and no text is split or lost") {
  World world("tokens_per_step: 50 max_tokens: 20");
  auto batches = world.Batches();
  std::map<TokenIds, int> seen;
  int texts = 0;
  while (texts < 400) {
    const auto step = Value(batches.Next());
    const int64_t tokens = Tokens(step);
    CHECK(tokens <= 50);
    CHECK(tokens > 50 - 20);
    for (const auto& text : step) {
      CHECK(text.ids.size() <= 20);
      if (texts++ < 400) ++seen[text.ids];
    }
  }
  // Ten epochs: each text as often as there are descriptions that say so.
  int total = 0;
  for (const auto& [ids, count] : seen) {
    CHECK(count % 10 == 0);
    total += count;
  }
  CHECK(total == 400);
}

TEST_CASE("Batches of a resumed run are those of one that went on") {
  const std::string settings =
      GENERATE(as<std::string>(), "tokens_per_step: 40 max_tokens: 9",
               "tokens_per_step: 40 max_tokens: 9 general_fraction: 0.3",
               "descriptions_per_step: 3 max_tokens: 9 general_fraction: 0.4");
  CAPTURE(settings);
  World world(settings);
  auto whole = world.Batches();
  for (int step = 0; step < 200; ++step) {
    const std::string position = whole.position().dump();
    auto resumed = world.Another();
    resumed.Seek(nlohmann::json::parse(position));
    const auto expected = Value(whole.Next()), actual = Value(resumed.Next());
    REQUIRE(expected.size() == actual.size());
    for (size_t i = 0; i < expected.size(); ++i) {
      CHECK(expected[i].ids == actual[i].ids);
      CHECK(expected[i].given == actual[i].given);
    }
    CHECK(whole.position() == resumed.position());
  }
}

TEST_CASE("General texts have their share: of tokens, or of texts") {
  const bool by_tokens = GENERATE(true, false);
  World world(by_tokens ? "tokens_per_step: 40 max_tokens: 9"
                        : "descriptions_per_step: 3 max_tokens: 9");
  world.config.set_general_fraction(0.15);
  auto batches = world.Batches();
  double general = 0, all = 0;
  for (int step = 0; step < 300; ++step) {
    for (const auto& text : Value(batches.Next())) {
      const auto amount =
          by_tokens ? static_cast<double>(text.ids.size()) : 1.0;
      all += amount;
      if (IsGeneral(text)) general += amount;
      // Never further off than one text.
      CHECK(std::abs(general - 0.15 * all) <= (by_tokens ? 9 : 1));
    }
  }
}

TEST_CASE("A long document is read to its end, in texts that follow") {
  World world("descriptions_per_step: 2 max_tokens: 4 general_fraction: 0.5");
  std::ofstream(world.config.general_corpus()) << "abcdefghi\n";
  world.training = {{"<name>x", "<dish>y", false, ""}};
  auto batches = world.Batches();
  const std::string line = "abcdefghi";
  const auto whole = Value(world.tokenizer.Encode({&line, 1}))[0];
  REQUIRE(whole.size() == 9);  // 4 + 4, and one that predicts nothing
  for (int pass = 0; pass < 3; ++pass) {
    for (const int begin : {0, 4}) {
      const auto step = Value(batches.Next());
      REQUIRE(step.size() == 2);
      CHECK(step[1].ids ==
            TokenIds(whole.begin() + begin, whole.begin() + begin + 4));
      CHECK(Targets(step[1]) == 3);
    }
  }
}

TEST_CASE("A general corpus that has no text, or a bad one, is an error") {
  World world("descriptions_per_step: 4 max_tokens: 9 general_fraction: 0.5");
  std::ofstream(world.config.general_corpus()) << "a\nb\n";
  CHECK_THAT(world.Batches().Next().status().ToString(),
             Catch::Contains("has no document of two tokens"));
  std::ofstream(world.config.general_corpus()) << "fine\n\xff\xfe\n";
  auto batches = world.Batches();
  absl::Status status;
  for (int step = 0; step < 2 && status.ok(); ++step)
    status = batches.Next().status();
  CHECK_THAT(status.ToString(), Catch::Contains("general.txt: document 2: "));
}

TEST_CASE("Passes hold what fits, in order") {
  std::vector<Description> step;
  for (const size_t size : {3, 4, 2, 9, 1, 1})
    step.push_back({TokenIds(size, 5), 0});
  std::vector<size_t> sizes;
  for (const auto pass : SplitPasses(step, 9)) sizes.push_back(pass.size());
  CHECK(sizes == std::vector<size_t>{3, 1, 2});
  CHECK(SplitPasses(step, 0).size() == 1);
  CHECK(SplitPasses({}, 9).empty());
}

}  // namespace
}  // namespace larr::stage
