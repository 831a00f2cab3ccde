// SPDX-License-Identifier: Apache-2.0
//
// What we trained and wrote, transformers opens and computes alike.
#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "common/base/files.h"
#include "common/llm/language_loss.h"
#include "common/llm/optimizer.h"
#include "tests/common/llm/golden.h"
#include "tests/testing/program.h"
#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

namespace fs = std::filesystem;
using namespace larr::testing;  // NOLINT

// Trains the model for a step, with new special tokens, and writes it with the
// logits that it then has.
void WriteTrained(const fs::path& from, const fs::path& to) {
  Model model = ReadModel(from, torch::kFloat32);
  const int64_t first_new = model.config.vocab_size;
  ResizeVocabulary(first_new + 5, first_new, 1, model.config, model.weights);
  Decoder decoder(model.config, model.weights, first_new, 0);
  config::v1::LlmOptimizer options;
  options.set_learning_rate(0.01);
  options.set_new_parameter_learning_rate(0.01);
  options.set_clip_norm(1);
  Optimizer optimizer(decoder.Train(/*with_vocabulary=*/true), options, 10);

  const auto goldens =
      Value(SafetensorsFile::Open(from / "goldens.safetensors"));
  TokenIds ids = Ids(goldens, 0);
  ids[3] = static_cast<int32_t>(first_new + 2);
  const std::vector<Description> texts = {{ids, 1}};
  const LanguageBatch batch = MakeLanguageBatch(texts);
  const auto loss = [&] {
    return NextTokenLoss(
        decoder.Hidden(batch.batch).index_select(0, batch.rows), decoder.head(),
        batch.targets);
  };
  const auto before = loss();
  before.backward();
  optimizer.Accumulate();
  REQUIRE(Value(optimizer.Step(0)) > 0);
  const torch::NoGradGuard no_grad;
  REQUIRE(loss().item<float>() != before.item<float>());

  fs::create_directories(to);
  REQUIRE(
      WriteLlmWeights(to, model.config, model.weights, torch::kFloat32).ok());
  REQUIRE(WriteFileAtomically(to / "config.json",
                              LlmConfigJson(model.config, "float32"))
              .ok());
  REQUIRE(WriteSafetensors(
              to / "expected.safetensors",
              {{"ids", batch.batch.ids},
               {"logits", decoder.Logits(decoder.Hidden(batch.batch))}})
              .ok());
}

TEST_CASE("transformers opens every family that we trained") {
  const TempDir dir;
  const fs::path source = Folder("LARR_SOURCE_DIR", ".");
  const std::string deps = Folder("LARR_DEPS", ".deps");
  std::vector<std::string> command = {
      "/usr/bin/python3", "-B",
      source / "tests/common/llm/open_checkpoints.py"};
  for (const auto& folder : GoldenFolders()) {
    INFO(folder);
    command.push_back(dir.path() / folder.filename());
    WriteTrained(folder, command.back());
  }
  const std::string path = deps + "/transformers:" + deps +
                           "/torch:" + (source / "bench/peers").string();
  setenv("PYTHONPATH", path.c_str(), 1);
  setenv("LD_LIBRARY_PATH", NO_CUDA, 1);
  setenv("HF_HUB_OFFLINE", "1", 1);
  const fs::path log = dir.path() / "log";
  Program program(command, log);
  const int status = program.Wait();
  std::ifstream in(log);
  INFO(std::string(std::istreambuf_iterator<char>(in), {}));
  CHECK(status == 0);
}

}  // namespace
}  // namespace larr
