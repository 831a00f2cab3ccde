// SPDX-License-Identifier: Apache-2.0
#include "services/stage/description_report.h"

#include <torch/utils.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <utility>

#include "common/llm/checkpoint.h"
#include "services/stage/pretrain_batches.h"
#include "tests/common/llm/golden.h"

namespace larr::stage {
namespace {

using Kind = TokenOrigin::Kind;
using testing::Value;

const std::vector<std::string> kSlots = {"title", "food", "fee"};

struct Model {
  Checkpoint checkpoint;
  int64_t first_special;
};

Model Tiny() {
  auto checkpoint =
      Value(ReadCheckpoint(testing::TinyFolder(), torch::kFloat32));
  const int64_t first_special = Value(AddSlots(kSlots, 1, checkpoint));
  return {std::move(checkpoint), first_special};
}

// A token's kind as a letter, one after another.
std::string Letters(const std::vector<TokenOrigin>& origins) {
  std::string letters;
  for (const auto& origin : origins) {
    letters += origin.kind == Kind::kSpecial    ? 's'
               : origin.kind == Kind::kTemplate ? 't'
                                                : 'v';
  }
  return letters;
}

// What bytes are: those given, then as many of the template as the text has.
std::string Kinds(
    const std::vector<std::pair<std::string, std::string>>& stretches) {
  std::string kinds;
  for (const auto& [others, literal] : stretches)
    kinds += others + std::string(literal.size(), 't');
  return kinds;
}

TEST_CASE("Tokens of a template are told from those of values") {
  const auto tokenizer = Value(Tokenizer::Open(testing::SmolFolder()));
  auto with_slots = Value(Tokenizer::Open(testing::SmolFolder()));
  REQUIRE(with_slots.AddSpecialTokens(SlotTokens(kSlots)).ok());
  // The template's space before the euro sign is of one token with it, which
  // straddles the border; the one before 5 is a token of its own.
  const std::string y =
      "<fee>It costs 5 euros, about \u20ac7.</fee><food>soup</food>";
  const std::string kinds = Kinds({{"sssss", "It costs "},
                                   {"v", " euros, about "},
                                   {"vvvv", "."},
                                   {"ssssssssssssvvvvsssssss", ""}});
  REQUIRE(kinds.size() == y.size());
  const auto origins = Value(FindOrigins(with_slots, kSlots, y, kinds));
  const auto ids = Value(with_slots.Encode({&y, 1}))[0];
  REQUIRE(origins.size() == ids.size());
  // The template's tokens, put together again, are what they were alone.
  TokenIds literal;
  for (size_t i = 0; i < ids.size(); ++i) {
    if (origins[i].kind == Kind::kTemplate) literal.push_back(ids[i]);
  }
  TokenIds expected;
  const std::vector<std::string> parts = {"It costs ", " euros, about", "."};
  for (const auto& part : Value(tokenizer.Encode(parts)))
    expected.insert(expected.end(), part.begin(), part.end());
  CHECK(literal == expected);
  // Its slot is <food>, soup, </food>.
  for (size_t i = 0; i < ids.size(); ++i)
    CHECK(origins[i].keyword == (i + 3 >= ids.size() ? 1 : 2));
  CHECK(Letters(origins).front() == 's');
  CHECK_THAT(Letters(origins), Catch::EndsWith("tssvs"));
}

TEST_CASE("A text of values alone or of template alone has no border") {
  const auto checkpoint = Tiny().checkpoint;
  CHECK(Letters(Value(FindOrigins(checkpoint.tokenizer, kSlots,
                                  "<food>ab</food>", "ssssssvvsssssss"))) ==
        "svvs");
  CHECK(Letters(Value(FindOrigins(checkpoint.tokenizer, kSlots,
                                  "<food>ab</food>", "ssssssttsssssss"))) ==
        "stts");
  CHECK(Letters(Value(FindOrigins(checkpoint.tokenizer, kSlots,
                                  "<food>ab</food>", "ssssssvtsssssss"))) ==
        "svts");
  CHECK(absl::IsInvalidArgument(
      FindOrigins(checkpoint.tokenizer, kSlots, "ab", "vv").status()));
}

TEST_CASE("Measures add up to the loss that trains") {
  const auto [checkpoint, first_special] = Tiny();
  const Decoder decoder(checkpoint.config, checkpoint.weights, first_special,
                        0);
  const std::vector<CorpusDescription> descriptions = {
      {"<title>ab</title>", "<food>ab</food><fee>c</fee>", true,
       Kinds({{"ssssssv", "b"}, {"ssssssssssss", "c"}, {"ssssss", ""}})},
      {"", "<food>c</food>", true, "ssssssvsssssss"},
      {"<title>a long name</title>", "<food>c</food>", true, "ssssssvsssssss"}};
  const std::vector<GeneralDocument> documents = {{"some text", ""}, {"x", ""}};
  const auto texts = Value(HeldOutTexts::Make(checkpoint.tokenizer, kSlots,
                                              descriptions, documents, 12));
  CHECK(texts.documents() == 1);  // One token alone predicts nothing.
  const Measures measures = Value(texts.Measure(decoder));

  std::vector<Description> all;
  for (const auto& text : descriptions)
    all.push_back(Value(TokenizeDescription(checkpoint.tokenizer, text, 12)));
  const LanguageBatch batch = MakeLanguageBatch(all);
  const torch::NoGradGuard no_grad;
  const double expected =
      NextTokenLoss(decoder.Hidden(batch.batch).index_select(0, batch.rows),
                    decoder.head(), batch.targets)
          .item<double>();
  CHECK(measures.at("all").loss == Approx(expected).epsilon(1e-5));
  CHECK(measures.at("all").tokens == batch.targets.size(0));
  CHECK(Value(texts.DescriptionLoss(decoder)) ==
        Approx(expected / static_cast<double>(batch.targets.size(0)))
            .epsilon(1e-5));

  // By kind and by keyword, each is the whole again.
  const auto sum = [&](const std::vector<std::string>& names) {
    Measure total;
    for (const auto& name : names) {
      total.loss += measures.at(name).loss;
      total.tokens += measures.at(name).tokens;
    }
    return total;
  };
  for (const auto& names :
       {std::vector<std::string>{"content", "template", "special"},
        std::vector<std::string>{"keyword/food", "keyword/fee"}}) {
    CHECK(sum(names).loss == Approx(expected).epsilon(1e-5));
    CHECK(sum(names).tokens == measures.at("all").tokens);
  }
  CHECK(measures.at("keyword/food/content").tokens ==
        measures.at("content").tokens);
  CHECK(measures.count("keyword/fee/content") == 0);
  CHECK(
      measures.at("general").tokens ==
      static_cast<int64_t>(
          Value(TokenizeDocument(checkpoint.tokenizer, documents[0])).size()) -
          1);

  const auto comparison = CompareMeasures(ToJson(measures), measures);
  CHECK(comparison["all"]["perplexity_before"].get<double>() ==
        Approx(std::exp(measures.at("all").loss /
                        static_cast<double>(measures.at("all").tokens))));
  CHECK_THAT(MeasureTable(comparison), Catch::Contains("keyword/food/content"));
}

}  // namespace
}  // namespace larr::stage
