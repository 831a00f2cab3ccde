// SPDX-License-Identifier: Apache-2.0
#include "common/llm/p5_model.h"

#include <torch/utils.h>

#include <algorithm>
#include <numeric>
#include <string>
#include <utility>

#include "common/base/files.h"
#include "common/base/invalid_argument.h"
#include "common/base/status_macros.h"
#include "common/config/text_proto.h"
#include "common/llm/language_loss.h"
#include "common/tensors/safetensors.h"
#include "common/tensors/torch_status.h"

namespace larr {
namespace {

using config::v1::P5Config;
using torch::Tensor;

constexpr char kTableFile[] = "whole_word.safetensors";
constexpr char kTable[] = "whole_word";
constexpr char kConfigFile[] = "p5.textproto";

absl::StatusOr<std::unique_ptr<P5Model>> Make(
    const std::filesystem::path& folder, const P5Config& config,
    const Tensor& whole_words) {
  LARR_ASSIGN_OR_RETURN(auto checkpoint,
                        ReadCheckpoint(folder, DtypeOf(config.precision())));
  const LlmConfig& shape = checkpoint.config;
  if (config.frozen_layers() > shape.layers)
    return Invalid(
        "`p5.frozen_layers` is {}; it must be in [0, {}], the model's layers",
        config.frozen_layers(), shape.layers);
  if (config.max_tokens() > shape.max_positions)
    return Invalid(
        "`p5.max_tokens` is {}; it must be at most {}, the model's positions",
        config.max_tokens(), shape.max_positions);
  return GuardTorch("making a P5 model", [&] {
    Tensor table = whole_words.defined()
                       ? whole_words
                       : torch::zeros({kWholeWords, shape.hidden_size});
    return absl::StatusOr<std::unique_ptr<P5Model>>(std::make_unique<P5Model>(
        std::move(checkpoint), std::move(table), config));
  });
}

}  // namespace

P5Batch MakeP5Batch(std::span<const P5Prompt> prompts) {
  std::vector<TokenIds> texts;
  for (const P5Prompt& prompt : prompts) texts.push_back(prompt.ids);
  P5Batch out{.batch = Pack(texts), .tasks = std::ssize(prompts[0].asked)};
  std::vector<int64_t> words(out.batch.tokens()), asked;
  for (size_t i = 0; i < prompts.size(); ++i)
    std::copy(prompts[i].words.begin(), prompts[i].words.end(),
              words.begin() + out.batch.begin[i]);
  for (int64_t task = 0; task < out.tasks; ++task)
    for (size_t i = 0; i < prompts.size(); ++i)
      asked.push_back(out.batch.begin[i] + prompts[i].asked[task]);
  out.words = torch::tensor(words, torch::kInt64);
  out.asked = torch::tensor(asked, torch::kInt64);
  return out;
}

absl::StatusOr<std::unique_ptr<P5Model>> P5Model::Start(
    const std::filesystem::path& base_model, const P5Config& config) {
  return Make(base_model, config, {});
}

absl::StatusOr<std::unique_ptr<P5Model>> P5Model::Read(
    const std::filesystem::path& folder) {
  LARR_ASSIGN_OR_RETURN(const auto config,
                        LoadTextProto<P5Config>(folder / kConfigFile));
  LARR_ASSIGN_OR_RETURN(const auto shape,
                        ReadLlmConfig(folder / kLlmConfigFile));
  LARR_ASSIGN_OR_RETURN(const auto file,
                        SafetensorsFile::Open(folder / kTableFile));
  const int64_t sizes[] = {kWholeWords, shape.hidden_size};
  LARR_ASSIGN_OR_RETURN(const Tensor table,
                        file.View(kTable, sizes, torch::kFloat32));
  return Make(folder, config, table.clone());
}

absl::Status P5Model::Write(const std::filesystem::path& folder) const {
  LARR_RETURN_IF_ERROR(WriteCheckpoint(folder, checkpoint_,
                                       DtypeOf(config_.precision()), nullptr));
  LARR_RETURN_IF_ERROR(
      WriteSafetensors(folder / kTableFile, {{kTable, whole_words_.detach()}}));
  return WriteFileAtomically(folder / kConfigFile, ToTextProto(config_));
}

P5Model::P5Model(Checkpoint checkpoint, Tensor whole_words, P5Config config)
    : checkpoint_(std::move(checkpoint)),
      config_(std::move(config)),
      whole_words_(std::move(whole_words)),
      decoder_(checkpoint_.config, checkpoint_.weights,
               checkpoint_.config.vocab_size, config_.frozen_layers()) {}

std::vector<TrainedTensor> P5Model::Train() {
  auto trained = decoder_.Train(/*with_vocabulary=*/true);
  trained.push_back(
      {kTable, whole_words_.requires_grad_(true), /*is_new=*/true});
  return trained;
}

Tensor P5Model::States(const P5Batch& batch) const {
  return decoder_
      .Hidden(batch.batch, torch::embedding(whole_words_, batch.words))
      .index_select(0, batch.asked);
}

std::vector<Tensor> P5Model::Losses(const P5Batch& batch,
                                    const Tensor& answers) const {
  const Tensor states = States(batch);
  const VocabularyTable head = decoder_.head();
  const int64_t rows = answers.size(1);
  std::vector<Tensor> losses;
  for (int64_t task = 0; task < batch.tasks; ++task)
    losses.push_back(NextTokenLoss(states.narrow(0, task * rows, rows), head,
                                   answers[task],
                                   1.0 / static_cast<double>(rows)));
  return losses;
}

Tensor P5Model::Probabilities(std::span<const P5Prompt> prompts, int32_t yes,
                              int32_t no, int64_t tokens_per_batch) const {
  const torch::NoGradGuard no_grad;
  std::vector<size_t> order(prompts.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return prompts[a].ids.size() > prompts[b].ids.size();
  });
  // Two rows: in float32, for logits in bfloat16 would tie.
  const Tensor head =
      decoder_.head()
          .known
          .index_select(
              0, torch::tensor({int64_t{yes}, int64_t{no}}, torch::kInt64))
          .to(torch::kFloat32);
  const int64_t tasks = prompts.empty() ? 0 : std::ssize(prompts[0].asked);
  const Tensor out = torch::empty({std::ssize(prompts), tasks});
  for (size_t from = 0; from < order.size();) {
    std::vector<P5Prompt> chosen;
    std::vector<int64_t> rows;
    for (int64_t tokens = 0; from < order.size(); ++from) {
      const P5Prompt& prompt = prompts[order[from]];
      tokens += std::ssize(prompt.ids);
      if (!chosen.empty() && tokens > tokens_per_batch) break;
      chosen.push_back(prompt);
      rows.push_back(static_cast<int64_t>(order[from]));
    }
    const Tensor states = States(MakeP5Batch(chosen)).to(torch::kFloat32);
    const Tensor said = at::linear(states, head).softmax(-1).select(1, 0);
    out.index_copy_(0, torch::tensor(rows, torch::kInt64),
                    said.view({tasks, std::ssize(rows)}).t());
  }
  return out;
}

}  // namespace larr
