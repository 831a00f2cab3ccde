// SPDX-License-Identifier: Apache-2.0
#include <ATen/Parallel.h>
#include <ATen/record_function.h>
#include <torch/types.h>

#include <cstdint>
#include <utility>
#include <vector>

#include "bench/llm.h"
#include "bench/llm_material.h"
#include "common/base/status_macros.h"
#include "common/llm/checkpoint.h"
#include "common/llm/decoder.h"
#include "common/llm/language_loss.h"
#include "common/llm/optimizer.h"
#include "common/tensors/torch_status.h"

namespace larr::bench {
namespace {

constexpr double kLearningRate = 1e-4;
constexpr int64_t kSteps = 1000;  // More than there are rounds.

config::v1::LlmOptimizer OptimizerOptions() {
  config::v1::LlmOptimizer options;
  options.set_learning_rate(kLearningRate);
  options.set_new_parameter_learning_rate(kLearningRate);
  return options;
}

torch::Tensor Loss(const Decoder& decoder, const LanguageBatch& batch) {
  const torch::Tensor hidden =
      decoder.Hidden(batch.batch).index_select(0, batch.rows);
  RECORD_USER_SCOPE("loss");
  return NextTokenLoss(hidden, decoder.head(), batch.targets,
                       1.0 / static_cast<double>(batch.targets.size(0)));
}

absl::Status Move(int64_t step, Optimizer& optimizer) {
  RECORD_USER_SCOPE("optimizer");
  optimizer.Accumulate();
  return optimizer.Step(step).status();
}

}  // namespace

absl::Status TrainStep(const Arguments& arguments, const Serve& serve) {
  at::set_num_threads(arguments.threads);
  LARR_ASSIGN_OR_RETURN(
      const Checkpoint checkpoint,
      ReadCheckpoint(arguments.folder / "embedder", torch::kBFloat16));
  const int64_t first_special = checkpoint.tokenizer.IdOf("<ctx>").value();
  Decoder decoder(checkpoint.config, checkpoint.weights, first_special,
                  /*frozen_layers=*/0);
  Optimizer optimizer(decoder.Train(/*with_vocabulary=*/true),
                      OptimizerOptions(), kSteps);
  std::vector<Description> texts;
  for (TokenIds& ids : MakeTrainingIds()) texts.push_back({std::move(ids), 1});
  const LanguageBatch batch = MakeLanguageBatch(texts);
  const auto round = [&, step = int64_t{0}]() mutable {
    return GuardTorch("a step", [&]() -> absl::StatusOr<std::vector<float>> {
      const torch::Tensor loss = Loss(decoder, batch);
      loss.backward();
      LARR_RETURN_IF_ERROR(Move(step++, optimizer));
      return std::vector<float>{loss.item<float>()};
    });
  };
  return serve(batch.batch.tokens(), round);
}

}  // namespace larr::bench
