// SPDX-License-Identifier: Apache-2.0
#include "common/llm/p5_model.h"

#include <torch/utils.h>

#include <catch2/catch.hpp>
#include <map>
#include <string>

#include "common/base/files.h"
#include "tests/common/llm/golden.h"
#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

using namespace larr::testing;  // NOLINT
using config::v1::P5Config;
using torch::Tensor;

SafetensorsFile Goldens() {
  return Value(SafetensorsFile::Open(Folder("LARR_SOURCE_DIR", ".") /
                                     "tests/golden/p5/goldens.safetensors"));
}

template <typename T>
std::vector<T> Numbers(const SafetensorsFile& goldens,
                       const std::string& name) {
  const Tensor values = Value(goldens.View(name));
  const auto* data = values.const_data_ptr<int64_t>();
  return {data, data + values.size(0)};
}

std::vector<P5Prompt> Prompts(const SafetensorsFile& goldens) {
  std::vector<P5Prompt> prompts;
  for (int i = 0; i < 3; ++i) {
    const std::string n = std::to_string(i);
    prompts.push_back({Numbers<int32_t>(goldens, n + ".ids"),
                       Numbers<int32_t>(goldens, n + ".words"),
                       Numbers<int32_t>(goldens, n + ".asked")});
  }
  return prompts;
}

P5Config Config(int32_t frozen, config::v1::Precision precision) {
  P5Config config;
  config.set_max_tokens(256);
  config.set_frozen_layers(frozen);
  config.set_precision(precision);
  return config;
}

// tiny_llama with the goldens' table.
P5Model MakeModel(const SafetensorsFile& goldens, const P5Config& config) {
  const Tensor rows = Value(goldens.View("whole_word"));
  const Tensor table = torch::zeros({kWholeWords, rows.size(1)});
  table.narrow(0, 0, rows.size(0)).copy_(rows);
  return {Value(ReadCheckpoint(TinyFolder(), DtypeOf(config.precision()))),
          table, config};
}

double Relative(const Tensor& a, const Tensor& expected) {
  return MaxDifference(a, expected) / expected.abs().max().item<double>();
}

// Gradients by our names; of the goldens those that stand for a whole tensor
// here, or for its first rows.
const std::map<std::string, std::string> kNames = {
    {"norm", "model.norm.weight"},
    {"layers.1.input_norm", "model.layers.1.input_layernorm.weight"},
    {"layers.1.qkv", "model.layers.1.self_attn.q_proj.weight"},
    {"layers.1.down", "model.layers.1.mlp.down_proj.weight"},
    {"layers.0.gate_up", "model.layers.0.mlp.gate_proj.weight"},
    {"embedding.known", "model.embed_tokens.weight"},
    {"head.known", "lm_head.weight"},
    {"whole_word", "whole_word"}};

TEST_CASE("Losses, gradients and probabilities agree with transformers") {
  const auto goldens = Goldens();
  const auto prompts = Prompts(goldens);
  const Tensor answers = Value(goldens.View("answers"));
  const auto yes_no = Numbers<int32_t>(goldens, "yes_no");
  for (const int frozen : {0, 1}) {
    for (const auto precision : {config::v1::FP32, config::v1::BF16}) {
      const std::string prefix = std::to_string(frozen) + ".";
      const bool exact = precision == config::v1::FP32;
      INFO("frozen " << frozen << " exact " << exact);
      P5Model model = MakeModel(goldens, Config(frozen, precision));
      const auto trained = model.Train();
      const auto losses = model.Losses(MakeP5Batch(prompts), answers);
      REQUIRE(losses.size() == 2);
      CHECK(Relative(torch::stack(losses),
                     Value(goldens.View(prefix + "losses"))) <=
            (exact ? 1e-5 : 0.03));
      (losses[0] + losses[1]).backward();
      size_t compared = 0;
      for (const auto& [name, tensor, is_new] : trained) {
        CHECK(is_new == (name == "whole_word"));
        const auto known = kNames.find(name);
        if (known == kNames.end()) continue;
        INFO(name);
        const Tensor expected =
            Value(goldens.View(prefix + "grad." + known->second));
        CHECK(Relative(tensor.grad().narrow(0, 0, expected.size(0)),
                       expected) <= (exact ? 1e-4 : 0.2));
        ++compared;
      }
      CHECK(compared == (frozen == 0 ? 8 : 5));

      const Tensor expected = Value(goldens.View(prefix + "probabilities"));
      // All at once, and each alone.
      for (const int64_t tokens : {1000, 1}) {
        const Tensor said =
            model.Probabilities(prompts, yes_no[0], yes_no[1], tokens);
        CHECK(said.sizes() == torch::IntArrayRef({3, 2}));
        CHECK(MaxDifference(said, expected) <= (exact ? 1e-5 : 0.05));
      }
    }
  }
}

TEST_CASE("A model that was written says the same when it is read") {
  const TempDir dir;
  const auto goldens = Goldens();
  const auto prompts = Prompts(goldens);
  const P5Model model = MakeModel(goldens, Config(1, config::v1::BF16));
  REQUIRE(model.Write(dir.path()).ok());
  const auto read = Value(P5Model::Read(dir.path()));
  CHECK(read->config().max_tokens() == 256);
  CHECK(torch::equal(read->Probabilities(prompts, 121, 110, 1000),
                     model.Probabilities(prompts, 121, 110, 1000)));
  // It is a language model's folder, too: what starts there has no table.
  const auto start =
      Value(P5Model::Start(dir.path(), Config(1, config::v1::BF16)));
  CHECK_FALSE(torch::equal(start->Probabilities(prompts, 121, 110, 1000),
                           model.Probabilities(prompts, 121, 110, 1000)));

  SECTION("a damaged table is found") {
    const auto file = dir.path() / "whole_word.safetensors";
    const std::string bytes = ReadFile(file).value();
    REQUIRE(WriteFileAtomically(file, bytes.substr(0, 1000)).ok());
    CHECK_FALSE(P5Model::Read(dir.path()).ok());
  }
}

TEST_CASE("Settings that do not fit the language model are refused") {
  P5Config config = Config(3, config::v1::FP32);
  std::string message = "`p5.frozen_layers` is 3; it must be in [0, 2]";
  SECTION("layers") {}
  SECTION("positions") {
    config.set_frozen_layers(0);
    config.set_max_tokens(513);
    message = "`p5.max_tokens` is 513; it must be at most 512";
  }
  const auto model = P5Model::Start(TinyFolder(), config);
  CHECK(absl::IsInvalidArgument(model.status()));
  CHECK_THAT(std::string(model.status().message()), Catch::Contains(message));
}

TEST_CASE("A model starts as the language model that it starts from") {
  const auto prompts = Prompts(Goldens());
  const auto start =
      Value(P5Model::Start(TinyFolder(), Config(0, config::v1::FP32)));
  const Model plain = ReadModel(TinyFolder(), torch::kFloat32);
  const Decoder decoder(plain.config, plain.weights, plain.config.vocab_size,
                        0);
  const torch::NoGradGuard no_grad;
  const P5Batch batch = MakeP5Batch(prompts);
  const Tensor said =
      decoder.Logits(decoder.Hidden(batch.batch).index_select(0, batch.asked))
          .index_select(1, torch::tensor({121, 110}))
          .softmax(1)
          .select(1, 0);
  CHECK(MaxDifference(start->Probabilities(prompts, 121, 110, 1000),
                      said.view({2, 3}).t()) < 1e-6);
}

}  // namespace
}  // namespace larr
