// SPDX-License-Identifier: Apache-2.0
#include "common/llm/embedder.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <random>

#include "common/base/files.h"
#include "common/llm/checkpoint.h"
#include "tests/common/llm/golden.h"
#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

namespace fs = std::filesystem;
using config::v1::Precision;
using testing::Value;

// The tiny model as an embedder of two slots.
class TinyEmbedder {
 public:
  explicit TinyEmbedder(bool mean_pooling = false) {
    auto checkpoint =
        Value(ReadCheckpoint(testing::TinyFolder(), torch::kFloat32));
    const std::vector<std::string> slots = {"weather", "history"};
    Value(AddSlots(slots, 1, checkpoint));
    EmbedderHead head;
    head.config.set_max_tokens(100);
    head.config.set_mean_pooling(mean_pooling);
    torch::manual_seed(5);
    head.projection = torch::randn({128, 64}) / 8;
    REQUIRE(
        WriteCheckpoint(dir_.path(), checkpoint, torch::kFloat32, &head).ok());
  }
  const std::filesystem::path& path() const { return dir_.path(); }

  torch::Tensor Embed(const std::vector<std::string>& texts,
                      Precision precision, int64_t tokens_per_batch,
                      bool deterministic = false) const {
    auto embedder = Value(Embedder::Open(
        path(), {precision, tokens_per_batch, deterministic, 0}));
    REQUIRE(embedder.dim() == 128);
    return EmbedAll(embedder, texts);
  }

  static torch::Tensor EmbedAll(Embedder& embedder,
                                const std::vector<std::string>& texts) {
    torch::Tensor out = torch::empty({0, 128});
    const auto status =
        embedder.Embed(texts, [&](const Embedder::Result& result) {
          CHECK(result.first == out.size(0));
          const auto rows = static_cast<int64_t>(result.vectors.size()) / 128;
          out = torch::cat(
              {out, torch::tensor(at::ArrayRef<float>(result.vectors.data(),
                                                      result.vectors.size()))
                        .view({rows, 128})});
          return absl::OkStatus();
        });
    INFO(status.ToString());
    REQUIRE(status.ok());
    return out;
  }

 private:
  testing::TempDir dir_;
};

std::vector<std::string> Texts(size_t count) {
  std::mt19937 random(11);
  std::vector<std::string> texts;
  for (size_t i = 0; i < count; ++i) {
    const bool weather = random() % 2 == 0;
    std::string text = weather ? "<weather>" : "<history>";
    for (size_t w = random() % 20; w > 0; --w) text += "noodle "[random() % 7];
    texts.push_back(text + (weather ? "</weather>" : "</history>"));
  }
  return texts;
}

TEST_CASE("Vectors are the projected states, in the order of the texts") {
  const bool mean = GENERATE(false, true);
  const TinyEmbedder tiny(mean);
  const auto texts = Texts(40);
  const auto vectors = tiny.Embed(texts, config::v1::FP32, 200);
  REQUIRE(vectors.size(0) == 40);

  const auto checkpoint = Value(ReadCheckpoint(tiny.path(), torch::kFloat32));
  const auto head = Value(ReadEmbedderHead(tiny.path(), 64));
  const Decoder plain(checkpoint.config, checkpoint.weights, 269, 0);
  const torch::NoGradGuard no_grad;
  const auto ids = Value(checkpoint.tokenizer.Encode(texts));
  const PackedBatch batch = Pack(ids);
  const torch::Tensor hidden = plain.Hidden(batch);
  std::vector<torch::Tensor> states;
  for (size_t i = 0; i < texts.size(); ++i) {
    const auto own = hidden.narrow(0, batch.begin[i], batch.length[i]);
    states.push_back(mean ? own.mean(0) : own[batch.length[i] - 1]);
  }
  const auto expected = at::linear(torch::stack(states), head.projection);
  auto reversed = texts;
  std::reverse(reversed.begin(), reversed.end());
  CHECK(
      torch::equal(tiny.Embed(texts, config::v1::FP32, 200, true),
                   tiny.Embed(reversed, config::v1::FP32, 200, true).flip(0)));
  CHECK(testing::MaxDifference(vectors, expected) < 1e-4);
  CHECK(testing::MinCosine(vectors, expected) > 0.99999);
  CHECK(testing::MinCosine(tiny.Embed(texts, config::v1::BF16, 200), expected) >
        0.99);
}

TEST_CASE("A vector does not depend on its neighbours") {
  const TinyEmbedder tiny;
  const auto texts = Texts(3000);  // more than are sorted together
  for (const auto& [precision, cosine] :
       {std::pair(config::v1::FP32, 0.99999),
        std::pair(config::v1::BF16, 0.9995)}) {
    const auto together = tiny.Embed(texts, precision, 4096);
    auto reversed = texts;
    std::reverse(reversed.begin(), reversed.end());
    const auto apart = tiny.Embed(reversed, precision, 150).flip(0);
    CHECK(testing::MinCosine(together, apart) > cosine);
  }
}

// SmolLM2-135M with a random projection, too large to be computed twice for
// each batch: its vectors of one text among 100 batches of others.
TEST_CASE("A text's vector is the same in a hundred batches") {
  testing::TempDir dir;
  {
    auto checkpoint =
        Value(ReadCheckpoint(testing::SmolFolder(), torch::kBFloat16));
    const std::vector<std::string> slots = {"weather", "history"};
    Value(AddSlots(slots, 1, checkpoint));
    EmbedderHead head;
    head.config.set_max_tokens(100);
    torch::manual_seed(5);
    head.projection = torch::randn({128, 576}) / 24;
    REQUIRE(
        WriteCheckpoint(dir.path(), checkpoint, torch::kBFloat16, &head).ok());
  }
  const auto others = Texts(200);
  std::mt19937 random(3);
  for (const auto& [precision, cosine] :
       {std::pair(config::v1::FP32, 0.99999),
        std::pair(config::v1::BF16, 0.9995)}) {
    for (const bool deterministic : {false, true}) {
      auto embedder =
          Value(Embedder::Open(dir.path(), {precision, 64, deterministic, 0}));
      torch::Tensor first;
      for (int i = 0; i < 100; ++i) {
        std::vector<std::string> texts = {"<weather>hot, dry</weather>"};
        for (size_t n = random() % 3; n > 0; --n)
          texts.push_back(others[random() % others.size()]);
        const size_t place = random() % texts.size();
        std::swap(texts[0], texts[place]);
        const auto vector = TinyEmbedder::EmbedAll(embedder, texts)[place];
        if (i == 0) first = vector;
        INFO("batch " << i << " precision " << precision);
        CHECK(testing::MinCosine(vector.unsqueeze(0), first.unsqueeze(0)) >
              cosine);
        if (deterministic) CHECK(torch::equal(vector, first));
      }
    }
  }
}

// The tiny model as an embedder of two slots, with a tokenizer.json or a
// tokenizer.model.
fs::path WithSlots(const testing::TempDir& dir, bool pieces) {
  auto checkpoint =
      Value(ReadCheckpoint(testing::TinyFolder(), torch::kFloat32));
  const auto model = dir.path() / "model";
  if (pieces) {
    ResizeVocabulary(500, checkpoint.config.vocab_size, 1, checkpoint.config,
                     checkpoint.weights);
    fs::create_directory(model);
    REQUIRE(WriteCheckpoint(model, checkpoint, torch::kFloat32, nullptr).ok());
    fs::remove(model / "tokenizer.json");
    fs::copy(
        testing::SentencepieceFolder("baichuan"), model,
        fs::copy_options::recursive | fs::copy_options::overwrite_existing);
    checkpoint = Value(ReadCheckpoint(model, torch::kFloat32));
  }
  const std::vector<std::string> slots = {"weather", "history"};
  Value(AddSlots(slots, 1, checkpoint));
  EmbedderHead head;
  head.config.set_max_tokens(100);
  for (const auto& slot : slots) head.config.add_slots(slot);
  head.projection = torch::randn({128, 64});
  const auto folder = dir.path() / "embedder";
  fs::create_directory(folder);
  REQUIRE(WriteCheckpoint(folder, checkpoint, torch::kFloat32, &head).ok());
  return folder;
}

TEST_CASE("An embedder whose tokenizer lacks its slots' tokens is refused") {
  const testing::TempDir dir;
  const bool pieces = GENERATE(false, true);
  CAPTURE(pieces);
  const auto folder = WithSlots(dir, pieces);
  const auto error = [&] {
    return std::string(Embedder::Open(folder, {}).status().message());
  };
  CHECK(error().empty());
  const auto replace = [&](const std::string& name, const std::string& from,
                           const std::string& to) {
    std::string text = Value(ReadFile(folder / name));
    const size_t at = text.find(from);
    REQUIRE(at != std::string::npos);
    text.replace(at, from.size(), to);
    REQUIRE(WriteFileAtomically(folder / name, text).ok());
  };
  const std::string with_tokens =
      pieces ? "added_tokens.json" : "tokenizer.json";
  SECTION("another in its place") {
    replace(with_tokens, "</history>", "</hist>");
    CHECK_THAT(error(), Catch::Contains("no special token `</history>`") &&
                            Catch::Contains(folder.string()));
  }
  SECTION("one more behind them") {
    if (pieces) {
      replace(with_tokens, "{", R"({"<more>": 420, )");
    } else {
      replace(with_tokens, R"("added_tokens": [)",
              R"("added_tokens": [{"id":273,"content":"<more>","single_word":)"
              R"(false,"lstrip":false,"rstrip":false,"normalized":false,)"
              R"("special":true},)");
    }
    CHECK_THAT(error(), Catch::Contains("4 highest ids") ||
                            Catch::Contains("`vocab_size`"));
  }
  SECTION("the tokenizer of the model before its slots") {
    if (pieces) {
      fs::remove(folder / "added_tokens.json");
      fs::copy(
          testing::SentencepieceFolder("baichuan"), folder,
          fs::copy_options::recursive | fs::copy_options::overwrite_existing);
    } else {
      fs::copy(testing::TinyFolder() / "tokenizer.json", folder,
               fs::copy_options::overwrite_existing);
    }
    CHECK_THAT(error(), Catch::Contains("no special token `<weather>`"));
  }
}

TEST_CASE("Long texts are cut, bad ones are named") {
  const TinyEmbedder tiny;
  const std::string long_text =
      "<weather>" + std::string(500, 'x') + "</weather>";
  CHECK(tiny.Embed({long_text}, config::v1::FP32, 64).size(0) == 1);
  CHECK(tiny.Embed({}, config::v1::FP32, 64).size(0) == 0);

  auto embedder = Value(Embedder::Open(tiny.path(), {config::v1::FP32}));
  const auto sink = [](const Embedder::Result&) { return absl::OkStatus(); };
  const std::vector<std::string> empty = {"a", ""};
  CHECK_THAT(embedder.Embed(empty, sink).ToString(),
             Catch::Contains("text 1 is empty"));
  const std::vector<std::string> broken = {"a", "\xff"};
  CHECK(absl::IsInvalidArgument(embedder.Embed(broken, sink)));
  const std::vector<std::string> good = {"a"};
  CHECK(absl::IsAborted(embedder.Embed(good, [](const Embedder::Result&) {
    return absl::AbortedError("enough");
  })));
  CHECK(absl::IsFailedPrecondition(
      Embedder::Open(testing::TinyFolder(), {}).status()));
}

}  // namespace
}  // namespace larr
