// SPDX-License-Identifier: Apache-2.0
#include "common/llm/decoder.h"

#include <torch/utils.h>

#include <catch2/catch.hpp>
#include <random>

#include "common/llm/language_loss.h"
#include "tests/common/llm/golden.h"

namespace larr {
namespace {

using namespace larr::testing;  // NOLINT
using torch::Tensor;

// Rows of text i of a packed matrix.
Tensor Rows(const PackedBatch& batch, const Tensor& matrix, size_t i) {
  return matrix.narrow(0, batch.begin[i], batch.length[i]);
}

// The three ways through a layer.
enum class Way { kPlain, kFused, kFrozen };
constexpr Way kWays[] = {Way::kPlain, Way::kFused, Way::kFrozen};

Decoder MakeDecoder(const Model& model, Way way) {
  Decoder decoder(model.config, model.weights, model.config.vocab_size,
                  way == Way::kFrozen ? model.config.layers : 0);
  if (way == Way::kPlain) decoder.UsePlainOperations();
  return decoder;
}

// The goldens' largest difference of logits and smallest cosine of states.
void Compare(const std::filesystem::path& folder,
             const std::filesystem::path& goldens_file, torch::ScalarType dtype,
             Way way, double max_logit, double min_cosine) {
  const torch::NoGradGuard no_grad;
  const auto goldens = Value(SafetensorsFile::Open(goldens_file));
  const Model model = ReadModel(folder, dtype);
  const Decoder decoder = MakeDecoder(model, way);
  const auto texts = AllIds(goldens);
  REQUIRE(texts.size() >= 3);
  const PackedBatch batch = Pack(texts);
  const Tensor hidden = decoder.Hidden(batch);
  for (size_t i = 0; i < texts.size(); ++i) {
    const std::string name = std::to_string(i);
    INFO("text " << name << " way " << static_cast<int>(way) << " " << dtype);
    const Tensor expected = Value(goldens.View(name + ".hidden"));
    CHECK(MinCosine(Rows(batch, hidden, i), expected) >= min_cosine);
    const Tensor logits = Value(goldens.View(name + ".logits"));
    const Tensor rows = Rows(batch, hidden, i);
    CHECK(MaxDifference(decoder.Logits(rows.narrow(
                            0, rows.size(0) - logits.size(0), logits.size(0))),
                        logits) <= max_logit);
  }
}

TEST_CASE("The tiny Llama agrees with transformers") {
  const auto goldens = TinyFolder() / "goldens.safetensors";
  for (const Way way : kWays) {
    Compare(TinyFolder(), goldens, torch::kFloat32, way, 1e-4, 0.999999);
    Compare(TinyFolder(), goldens, torch::kBFloat16, way, 0.25, 0.999);
  }
}

TEST_CASE("SmolLM2-135M agrees with transformers") {
  const auto goldens = SmolGoldens() / "goldens.safetensors";
  for (const Way way : kWays) {
    Compare(SmolFolder(), goldens, torch::kFloat32, way, 1e-3, 0.9999);
    Compare(SmolFolder(), goldens, torch::kBFloat16, way, 1.0, 0.995);
  }
}

void CompareGradients(bool plain) {
  const auto goldens =
      Value(SafetensorsFile::Open(TinyFolder() / "goldens.safetensors"));
  const Model model = ReadModel(TinyFolder(), torch::kFloat32);
  // Special tokens apart, as in training.
  const int64_t first_special = model.config.vocab_size - 7;
  Decoder decoder(model.config, model.weights, first_special, 0);
  if (plain) decoder.UsePlainOperations();
  const auto trained = decoder.Train(/*with_vocabulary=*/true);

  std::vector<Description> descriptions;
  for (int i = 0; i < 3; ++i) {
    const Tensor labels = Value(goldens.View(std::to_string(i) + ".labels"));
    descriptions.push_back(
        {Ids(goldens, i), labels.eq(-100).sum().item<int64_t>()});
  }
  const LanguageBatch batch = MakeLanguageBatch(descriptions);
  const Tensor loss =
      NextTokenLoss(decoder.Hidden(batch.batch).index_select(0, batch.rows),
                    decoder.head(), batch.targets) /
      batch.targets.size(0);
  const Tensor expected = Value(goldens.View("loss"));
  CHECK(std::abs(loss.item<float>() - expected.item<float>()) < 1e-5);
  loss.backward();

  LlmWeights gradients;  // arranged as the weights, to be named as they are
  gradients.layers.resize(model.weights.layers.size());
  std::map<std::string, Tensor> by_name;
  for (const auto& [name, tensor, is_new] : trained)
    by_name[name] = tensor.grad();
  gradients.embedding =
      torch::cat({by_name["embedding.known"], by_name["embedding.special"]});
  gradients.head = torch::cat({by_name["head.known"], by_name["head.special"]});
  gradients.norm = by_name["norm"];
  for (size_t i = 0; i < gradients.layers.size(); ++i) {
    const auto of = [&](const char* name) {
      return by_name["layers." + std::to_string(i) + "." + name];
    };
    gradients.layers[i] = {of("input_norm"), of("qkv"),     of("output"),
                           of("post_norm"),  of("gate_up"), of("down")};
  }
  int compared = 0;
  for (const auto& [name, view] : NamedWeights(model.config, gradients)) {
    INFO(name);
    CHECK(MaxDifference(view, Value(goldens.View("grad." + name))) < 1e-5);
    ++compared;
  }
  CHECK(compared == 21);
}

TEST_CASE("Loss and gradients of one step agree with transformers") {
  CompareGradients(/*plain=*/true);
  CompareGradients(/*plain=*/false);
}

TEST_CASE(
    "Gradients of the kernels in bfloat16 are those of plain operations") {
  const Model model = ReadModel(TinyFolder(), torch::kBFloat16);
  std::vector<std::vector<Tensor>> gradients;
  std::mt19937 random(5);
  std::vector<TokenIds> texts;
  for (const size_t length : {40, 3, 17, 1, 64}) {
    texts.emplace_back();
    for (size_t i = 0; i < length; ++i) texts.back().push_back(random() % 260);
  }
  const PackedBatch batch = Pack(texts);
  const Tensor mix = torch::randn({batch.tokens(), model.config.hidden_size});
  for (const Way way : {Way::kPlain, Way::kFused}) {
    Decoder decoder = MakeDecoder(model, way);
    auto trained = decoder.Train(true);
    (decoder.Hidden(batch).to(torch::kFloat32) * mix).sum().backward();
    gradients.emplace_back();
    for (auto& [name, tensor, is_new] : trained) {
      if (tensor.grad().defined())
        gradients.back().push_back(tensor.grad().to(torch::kFloat32).flatten());
    }
  }
  REQUIRE(gradients[0].size() == gradients[1].size());
  REQUIRE(gradients[0].size() >= 13);
  for (size_t i = 0; i < gradients[0].size(); ++i) {
    INFO(i);
    CHECK(MinCosine(gradients[0][i].unsqueeze(0),
                    gradients[1][i].unsqueeze(0)) > 0.998);
  }
}

TEST_CASE("Below frozen layers nothing learns but special tokens") {
  const Model model = ReadModel(TinyFolder(), torch::kFloat32);
  Decoder decoder(model.config, model.weights, 262, 1);
  std::vector<std::string> names;
  for (const auto& trained : decoder.Train(true)) names.push_back(trained.name);
  CHECK(names == std::vector<std::string>{
                     "embedding.special", "head.special", "layers.1.input_norm",
                     "layers.1.qkv", "layers.1.output", "layers.1.post_norm",
                     "layers.1.gate_up", "layers.1.down", "norm"});
  // A leaf is the weights' own memory.
  const torch::NoGradGuard no_grad;
  decoder.Train(true)[0].tensor.fill_(3);
  CHECK(model.weights.embedding[262][0].item<float>() == 3);
}

TEST_CASE("A text's states do not depend on its neighbours") {
  const torch::NoGradGuard no_grad;
  const Model model = ReadModel(TinyFolder(), torch::kFloat32);
  std::mt19937 random(3);
  const auto text = [&](int64_t length) {
    TokenIds ids;
    for (int64_t i = 0; i < length; ++i) ids.push_back(random() % 260);
    return ids;
  };
  for (const Way way : kWays) {
    const Decoder decoder = MakeDecoder(model, way);
    const TokenIds probe = text(23);
    const Tensor alone = decoder.Hidden(Pack(std::vector<TokenIds>{probe}));
    for (int round = 0; round < 20; ++round) {
      std::vector<TokenIds> texts;
      for (int i = 0; i < 9; ++i) texts.push_back(text(1 + random() % 60));
      const size_t place = random() % texts.size();
      texts[place] = probe;
      const PackedBatch batch = Pack(texts);
      const Tensor hidden = Rows(batch, decoder.Hidden(batch), place);
      CHECK(MinCosine(hidden, alone) > 0.99999);
      CHECK(MaxDifference(hidden, alone) < 1e-4);
    }
  }
}

TEST_CASE("A text longer than the model's positions is an error") {
  const Model model = ReadModel(TinyFolder(), torch::kFloat32);
  const Decoder decoder(model.config, model.weights, 269, 0);
  CHECK_THROWS_AS(decoder.Hidden(Pack(std::vector<TokenIds>{TokenIds(513, 1)})),
                  c10::Error);
}

}  // namespace
}  // namespace larr
