// SPDX-License-Identifier: Apache-2.0
#include "common/llm/checkpoint.h"

#include <torch/utils.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <filesystem>
#include <fstream>

#include "common/llm/decoder.h"
#include "common/llm/packed_batch.h"
#include "tests/common/llm/golden.h"
#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

using testing::Value;

const std::vector<std::string> kSlots = {"weather", "history"};

Checkpoint TinyWithSlots() {
  auto checkpoint =
      Value(ReadCheckpoint(testing::TinyFolder(), torch::kFloat32));
  const int64_t before = checkpoint.config.vocab_size;
  CHECK(Value(AddSlots(kSlots, 1, checkpoint)) == before);
  CHECK(checkpoint.config.vocab_size == before + 4);
  return checkpoint;
}

EmbedderHead Head() {
  EmbedderHead head;
  head.config.add_slots("weather");
  head.config.add_slots("history");
  head.config.set_max_tokens(40);
  torch::manual_seed(5);
  head.projection = torch::randn({128, 64});
  return head;
}

TEST_CASE("A checkpoint with new tokens survives a write and a read") {
  const testing::TempDir dir;
  const auto checkpoint = TinyWithSlots();
  const auto head = Head();
  REQUIRE(WriteCheckpoint(dir.path(), checkpoint, torch::kFloat32, &head).ok());
  const auto back = Value(ReadCheckpoint(dir.path(), torch::kFloat32));
  CHECK(back.tokenizer.IdOf("</history>") == 272);
  CHECK(torch::equal(back.weights.embedding, checkpoint.weights.embedding));
  const auto read = Value(ReadEmbedderHead(dir.path(), 64));
  CHECK(torch::equal(read.projection, head.projection));
  CHECK(read.config.slots(1) == "history");
  CHECK(read.config.max_tokens() == 40);
  CHECK(read.config.embedding_dim() == 128);

  // Known tokens are not added again.
  auto again = Value(ReadCheckpoint(dir.path(), torch::kFloat32));
  CHECK(Value(AddSlots(kSlots, 1, again)) == 269);
  CHECK(again.config.vocab_size == 273);
}

// The tiny model with a head of its own, `rows` rows, and the tokenizer of a
// `tokenizer.model`.
std::filesystem::path SentencepieceModel(const testing::TempDir& dir,
                                         int64_t rows) {
  auto checkpoint =
      Value(ReadCheckpoint(testing::TinyFolder(), torch::kFloat32));
  ResizeVocabulary(rows, checkpoint.config.vocab_size, 1, checkpoint.config,
                   checkpoint.weights);
  const auto folder = dir.path() / "model";
  std::filesystem::create_directory(folder);
  REQUIRE(WriteCheckpoint(folder, checkpoint, torch::kFloat32, nullptr).ok());
  std::filesystem::remove(folder / "tokenizer.json");
  for (const char* file :
       {"tokenizer.model", "tokenizer_config.json", "special_tokens_map.json"})
    std::filesystem::copy(testing::SentencepieceFolder("baichuan") / file,
                          folder,
                          std::filesystem::copy_options::overwrite_existing);
  return folder;
}

TEST_CASE("A checkpoint with a tokenizer.model survives a write and a read") {
  const testing::TempDir dir;
  const auto folder = SentencepieceModel(dir, 500);
  std::ofstream(folder / "tokenizer_config.json")
      << R"({"auto_map": {"AutoTokenizer": ["x.Y", null]}})";
  std::ofstream(folder / "x.py") << "raise SystemExit";
  std::filesystem::create_directory(folder / "folder.py");
  auto checkpoint = Value(ReadCheckpoint(folder, torch::kFloat32));
  const int64_t first = checkpoint.tokenizer.vocab_size();
  CHECK(Value(AddSlots(kSlots, 1, checkpoint)) == first);
  CHECK(checkpoint.config.vocab_size == 500);
  const auto out = dir.path() / "out";
  std::filesystem::create_directory(out);
  const auto head = Head();
  REQUIRE(WriteCheckpoint(out, checkpoint, torch::kFloat32, &head).ok());
  CHECK(!std::filesystem::exists(out / "tokenizer.json"));
  CHECK(std::filesystem::exists(out / "special_tokens_map.json"));
  CHECK(std::filesystem::exists(out / "x.py"));
  CHECK(!std::filesystem::exists(out / "folder.py"));
  const auto back = Value(ReadCheckpoint(out, torch::kFloat32));
  const std::vector<std::string> text = {"<weather>hot 🍜</weather> <s>"};
  CHECK(Value(back.tokenizer.Encode(text)) ==
        Value(checkpoint.tokenizer.Encode(text)));
  CHECK(Value(back.tokenizer.Encode(text))[0].front() == first);
  CHECK(back.tokenizer.IdOf("</history>") == first + 3);

  // Each of the tokenizer's files decides about the vectors.
  auto fingerprint = Value(EmbedderFingerprint(out, config::v1::FP32));
  for (const char* file : {"tokenizer.model", "tokenizer_config.json",
                           "special_tokens_map.json", "added_tokens.json"}) {
    INFO(file);
    REQUIRE(std::filesystem::exists(out / file));
    std::ofstream(out / file, std::ios::app) << " ";
    const auto other = Value(EmbedderFingerprint(out, config::v1::FP32));
    CHECK(other != fingerprint);
    fingerprint = other;
  }
}

TEST_CASE("New tokens take spare rows, which begin as new ones") {
  const testing::TempDir dir;
  const auto folder = SentencepieceModel(dir, 500);
  const auto slots_with = [&](uint64_t seed) {
    auto checkpoint = Value(ReadCheckpoint(folder, torch::kFloat32));
    checkpoint.weights.embedding.slice(0, 400).fill_(1000);
    checkpoint.weights.head.slice(0, 400).fill_(-1000);
    REQUIRE(Value(AddSlots(kSlots, seed, checkpoint)) < 400);
    return checkpoint;
  };
  const auto read = Value(ReadCheckpoint(folder, torch::kFloat32));
  const auto checkpoint = slots_with(1);
  const int64_t first = read.tokenizer.vocab_size();
  const auto check = [&](const torch::Tensor& table, const torch::Tensor& was) {
    REQUIRE(table.size(0) == 500);
    const auto old = was.slice(0, 0, first);
    CHECK(torch::equal(table.slice(0, 0, first), old));
    const auto noise = table.slice(0, first) - old.mean(0);
    const double spread = (noise.std() / old.std()).item<double>();
    CHECK(spread == Approx(0.02).epsilon(0.05));
    CHECK(std::abs(noise.mean().item<double>()) < 0.001);
  };
  check(checkpoint.weights.embedding, read.weights.embedding);
  check(checkpoint.weights.head, read.weights.head);
  CHECK(torch::equal(slots_with(1).weights.head, checkpoint.weights.head));
  CHECK(!torch::equal(slots_with(2).weights.head, checkpoint.weights.head));
}

TEST_CASE("Special tokens among others are refused") {
  auto checkpoint =
      Value(ReadCheckpoint(testing::TinyFolder(), torch::kFloat32));
  const std::vector<std::string> slots = {"name"};  // has ids 263 and 264
  CHECK_THAT(AddSlots(slots, 1, checkpoint).status().ToString(),
             Catch::Contains("among other tokens"));
}

TEST_CASE("The fingerprint follows all that a vector depends on") {
  const testing::TempDir dir;
  const auto checkpoint = TinyWithSlots();
  auto head = Head();
  const auto write = [&](const char* name) {
    const auto folder = dir.path() / name;
    std::filesystem::create_directory(folder);
    REQUIRE(WriteCheckpoint(folder, checkpoint, torch::kFloat32, &head).ok());
    return Value(EmbedderFingerprint(folder, config::v1::FP32));
  };
  const auto first = write("a");
  CHECK(write("b") == first);
  CHECK(Value(EmbedderFingerprint(dir.path() / "a", config::v1::BF16)) !=
        first);
  head.projection[0][0] += 1;
  CHECK(write("c") != first);
  head = Head();
  head.config.set_slots(0, "sky");
  CHECK(write("d") != first);
  head = Head();
  head.config.set_mean_pooling(true);
  CHECK(write("f") != first);
  head = Head();
  checkpoint.weights.norm[0] += 1;
  CHECK(write("e") != first);
}

TEST_CASE("Of a model's lowest layers comes the state at their height") {
  const testing::TempDir dir;
  auto checkpoint =
      Value(ReadCheckpoint(testing::TinyFolder(), torch::kFloat32));
  REQUIRE(checkpoint.config.layers == 2);
  // With an upper layer that adds nothing, the whole model is the lower one.
  const auto hidden = [&](const Checkpoint& model) {
    const torch::NoGradGuard no_grad;
    const std::vector<TokenIds> texts = {{5, 9, 7}, {3, 4}};
    return Decoder(model.config, model.weights, model.config.vocab_size, 0)
        .Hidden(Pack(texts));
  };
  checkpoint.weights.layers[1].output.zero_();
  checkpoint.weights.layers[1].down.zero_();
  const auto whole = hidden(checkpoint);
  KeepLowestLayers(1, checkpoint);
  REQUIRE(
      WriteCheckpoint(dir.path(), checkpoint, torch::kFloat32, nullptr).ok());
  const auto lower = Value(ReadCheckpoint(dir.path(), torch::kFloat32));
  CHECK(lower.config.layers == 1);
  CHECK(torch::equal(hidden(lower), whole));
}

TEST_CASE("A language model is not taken for an embedder") {
  const auto status = ReadEmbedderHead(testing::TinyFolder(), 64).status();
  CHECK(absl::IsFailedPrecondition(status));
  CHECK_THAT(status.ToString(), Catch::Contains("has no larr.json"));
  const testing::TempDir dir;
  std::ofstream(dir.path() / "larr.json") << R"({"slots": 5})";
  CHECK(absl::IsInvalidArgument(ReadEmbedderHead(dir.path(), 64).status()));
}

TEST_CASE("Cutting keeps the end token") {
  TokenIds ids = {1, 2, 3, 4, 5};
  CutTokens(5, ids);
  CHECK(ids.size() == 5);
  CutTokens(3, ids);
  CHECK(ids == TokenIds{1, 2, 5});
}

}  // namespace
}  // namespace larr
