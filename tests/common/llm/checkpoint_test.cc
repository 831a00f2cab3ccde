// SPDX-License-Identifier: Apache-2.0
#include "common/llm/checkpoint.h"

#include <torch/utils.h>

#include <catch2/catch.hpp>
#include <fstream>

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
  checkpoint.weights.norm[0] += 1;
  CHECK(write("e") != first);
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
