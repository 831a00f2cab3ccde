// SPDX-License-Identifier: Apache-2.0
#include "common/llm/bag_of_words.h"

#include <torch/utils.h>

#include <catch2/catch.hpp>
#include <cmath>

#include "common/base/files.h"
#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

using Texts = std::vector<std::string>;

BagOfWords Learned(const Texts& texts) {
  return BagOfWords::Learn(
      std::vector<std::string_view>(texts.begin(), texts.end()));
}

// Cosine of two texts' states.
double Likeness(const BagOfWords& words, const std::string& a,
                const std::string& b) {
  const auto states = words.States(Texts{a, b});
  return states[0].dot(states[1]).item<double>();
}

EmbedderHead Head(int64_t dim) {
  torch::manual_seed(3);
  EmbedderHead head;
  head.config.add_slots("menu");
  head.config.set_max_tokens(8);
  head.projection = torch::randn({dim, BagOfWords::kColumns});
  return head;
}

TEST_CASE("States are words and neighbours by their inverse frequency") {
  const BagOfWords words = Learned({"tea", "tea cake", "tea pie", "tea soup"});
  const auto states =
      words.States(Texts{"tea cake", "TEA,  Cake!", "cake tea"});
  CHECK(torch::equal(states[0], states[1]));
  // Two words and one pair of neighbours, by the formula.
  const double tea = 1, rare = 1 + std::log(5.0 / 2);
  const auto [largest, columns] = states[0].topk(3);
  const double length = std::sqrt(tea * tea + 2 * rare * rare);
  CHECK(largest[0].item<double>() == Approx(rare / length));
  CHECK(largest[1].item<double>() == Approx(rare / length));
  CHECK(largest[2].item<double>() == Approx(tea / length));
  CHECK(states[0].count_nonzero().item<int64_t>() == 3);
  CHECK(states.norm(2, 1).sub(1).abs().max().item<double>() < 1e-6);
  // The order of words shows in neighbours alone.
  const double same = states[0].dot(states[2]).item<double>();
  CHECK(same > 0.2);
  CHECK(same < 0.7);
}

TEST_CASE("A rare word tells more than one that all texts have") {
  const BagOfWords words =
      Learned({"hot tea", "hot soup", "hot pie", "hot cake", "hot rice"});
  CHECK(Likeness(words, "hot tea", "cold tea") >
        Likeness(words, "hot tea", "hot soup"));
}

TEST_CASE("The slot is part of a text, and bytes beyond ASCII are letters") {
  const BagOfWords words = Learned({"<menu>tea</menu>", "<tags>tea</tags>"});
  CHECK(Likeness(words, "<menu>tea</menu>", "<tags>tea</tags>") < 0.9);
  CHECK(Likeness(words, "caf\xc3\xa9", "caf") == Approx(0).margin(1e-9));
  CHECK(words.States(Texts{"", " .,"}).abs().max().item<double>() == 0);
}

TEST_CASE("An embedder survives the way through its folder") {
  const testing::TempDir dir;
  const Texts texts = {"<menu>tea</menu>", "<menu>tea, cake</menu>"};
  const BagOfWords words = Learned(texts);
  const auto head = Head(128);
  REQUIRE(WriteBagOfWords(dir.path(), words, head).ok());
  CHECK(ReadEmbedderConfig(dir.path())->bag_of_words());
  const auto embedder = BagOfWordsEmbedder::Open(dir.path());
  INFO(embedder.status().ToString());
  REQUIRE(embedder.ok());
  CHECK(embedder->dim() == 128);
  CHECK(torch::allclose(embedder->Embed(texts),
                        words.States(texts).mm(head.projection.t())));
}

TEST_CASE("The fingerprint follows weights, projection and slots") {
  const testing::TempDir dir;
  const auto print = [&](const BagOfWords& words, const EmbedderHead& head) {
    REQUIRE(WriteBagOfWords(dir.path(), words, head).ok());
    return BagOfWordsEmbedder::Open(dir.path())->fingerprint();
  };
  const BagOfWords words = Learned({"tea"});
  const auto head = Head(4);
  const std::string first = print(words, head);
  CHECK(print(words, head) == first);
  CHECK(print(Learned({"tea", "cake"}), head) != first);
  auto other = head;
  other.projection = head.projection * 2;
  CHECK(print(words, other) != first);
  other = head;
  other.config.add_slots("tags");
  CHECK(print(words, other) != first);
}

TEST_CASE("A damaged folder is refused") {
  const testing::TempDir dir;
  CHECK(absl::IsFailedPrecondition(
      BagOfWordsEmbedder::Open(dir.path()).status()));
  REQUIRE(WriteBagOfWords(dir.path(), Learned({"tea"}), Head(4)).ok());
  std::filesystem::remove(dir.path() / "word_weights.safetensors");
  CHECK_FALSE(BagOfWordsEmbedder::Open(dir.path()).ok());
}

}  // namespace
}  // namespace larr
