// SPDX-License-Identifier: Apache-2.0
//
// larr_bench_ctr_train: `CtrTrainer`, what stage 3 runs, on batches of 2,400
// rows: 120 requests of 20 candidates. The model is that of the cases `score`.
//
//   larr_bench_ctr_train TASK FOLDER OUTPUT THREADS    see rounds.h; TASK is
//     larr   the whole model
//     ple    the same without texts
//     limit_larr, limit_ple   the multiplications alone that they do
//
// FOLDER gets `ctr`, the folder of the model before the first step, and
// `batches.safetensors`: as the cases `score` have it (score.cc), with `labels`
// [N, 2] and `candidates` [1], here the rows of a batch. The results are the
// losses of a round's steps.
#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <filesystem>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bench/rounds.h"
#include "bench/score_model.h"
#include "common/base/keep_freed_memory.h"
#include "common/base/status_macros.h"
#include "common/config/training_settings.h"
#include "common/ctr/linear.h"
#include "common/ctr/model_io.h"
#include "common/ctr/trainer.h"
#include "common/tensors/safetensors.h"

namespace larr::bench {
namespace {

using config::v1::CtrArchitecture;
using config::v1::CtrModelDescription;
using torch::Tensor;

constexpr int64_t kBatches = 4, kRequests = 120, kCandidates = 20;
constexpr int64_t kRows = kRequests * kCandidates;

CtrModelDescription Describe(CtrArchitecture::Kind kind) {
  CtrModelDescription description = DescribeScoreModel();
  description.mutable_architecture()->set_kind(kind);
  if (kind == CtrArchitecture::LARR) return description;
  description.set_text_dim(0);
  description.clear_embedder_fingerprint();
  return description;
}

// Texts of user and context are the same for all candidates of a request.
SceneBatch MakeScene(const CtrLayout& layout) {
  const int64_t slots = layout.slot_count();
  const int64_t shared = kBlocks[0].texts + kBlocks[1].texts;
  std::vector<int64_t> slot_of, index;
  std::vector<int64_t> current(slots);
  for (int64_t row = 0; row < kRows; ++row) {
    for (int64_t slot = 0; slot < slots; ++slot) {
      if (slot >= shared || row % kCandidates == 0) {
        current[slot] = static_cast<int64_t>(slot_of.size());
        slot_of.push_back(slot);
      }
      index.push_back(current[slot]);
    }
  }
  const auto texts = static_cast<int64_t>(slot_of.size());
  return {.texts_TC = torch::randn({texts, kTextDim}),
          .slots_T = torch::tensor(slot_of, torch::kInt64),
          .index_Br = torch::tensor(index, torch::kInt64).view({kRows, slots})};
}

std::vector<CtrBatch> MakeBatches(const CtrLayout& layout) {
  torch::manual_seed(2);
  std::vector<CtrBatch> batches;
  for (int64_t i = 0; i < kBatches; ++i) {
    CtrBatch& batch = batches.emplace_back();
    batch.ids = torch::randint(1, kTableRows, {kRows, layout.id_count()},
                               torch::kInt64);
    batch.dense = torch::randn({kRows, layout.dense_count});
    batch.labels = (torch::rand({kRows, 2}) < 0.2).to(torch::kFloat32);
    batch.pairs = torch::arange(kRows);
    if (layout.slot_count() > 0) batch.scene = MakeScene(layout);
  }
  return batches;
}

absl::Status WriteBatches(const std::filesystem::path& path,
                          const CtrLayout& layout,
                          const std::vector<CtrBatch>& batches) {
  const Tensor first_rows =
      torch::arange(layout.id_count(), torch::kInt64) * kTableRows;
  std::map<std::string, std::vector<Tensor>> parts;
  for (const CtrBatch& batch : batches) {
    parts["ids"].push_back(batch.ids + first_rows);
    parts["dense"].push_back(batch.dense);
    parts["labels"].push_back(batch.labels);
    if (batch.scene.index_Br.defined())
      parts["scene"].push_back(
          at::embedding(batch.scene.texts_TC, batch.scene.index_Br));
  }
  std::map<std::string, Tensor> tensors = {
      {"columns", PeerColumns(layout)}, {"candidates", torch::tensor({kRows})}};
  for (const auto& [name, tensors_of] : parts)
    tensors[name] = torch::cat(tensors_of, 0);
  return WriteSafetensors(path, tensors);
}

absl::Status Train(const Arguments& arguments, CtrArchitecture::Kind kind) {
  KeepFreedMemory();  // as stage 3 does
  at::set_num_threads(arguments.threads);
  const CtrModelDescription description = Describe(kind);
  LARR_ASSIGN_OR_RETURN(const auto model, NewCtrModel(description, 1));
  const auto folder = arguments.folder / "ctr";
  std::filesystem::create_directories(folder);
  LARR_RETURN_IF_ERROR(SaveCtrModel(folder, description, *model));
  const std::vector<CtrBatch> batches = MakeBatches(model->layout());
  LARR_RETURN_IF_ERROR(WriteBatches(arguments.folder / "batches.safetensors",
                                    model->layout(), batches));
  config::v1::AlignConfig config;
  config.set_name("bench");
  *config.mutable_architecture() = description.architecture();
  config.set_default_probability(1e-12);  // The peers have none.
  LARR_ASSIGN_OR_RETURN(const auto complete, CompleteAlignConfig(config));
  CtrTrainer trainer(*model, complete, 1);
  const Round round = [&]() -> absl::StatusOr<std::vector<float>> {
    std::vector<float> losses;
    for (const CtrBatch& batch : batches) {
      LARR_ASSIGN_OR_RETURN(const StepLoss loss, trainer.Step(batch));
      losses.push_back(static_cast<float>(loss.total));
    }
    return losses;
  };
  return ServeRounds(kBatches * kRows, round, arguments.output, std::cin,
                     std::cout);
}

// [rows, in, out] of each multiplication of a step forwards; backwards there
// are two of the size.
struct Shape {
  int64_t rows, in, out;
};
constexpr Shape kPle[] = {{kRows, 464, 1550}, {kRows, 256, 260},
                          {kRows, 256, 260},  {kRows, 256, 256},
                          {kRows, 128, 64},   {kRows, 128, 64}};
// Scores and values of heads once for each distinct text, the rest for each row.
constexpr int64_t kTexts = 7 * kRequests + 3 * kRows;
constexpr Shape kScene[] = {{kTexts, 128, 132}, {kRows, 128, 128},
                            {kRows, 128, 512},  {kRows, 512, 128},
                            {kRows, 128, 128},  {kRows, 128, 128}};

absl::Status Multiply(const Arguments& arguments, bool texts) {
  KeepFreedMemory();
  at::set_num_threads(arguments.threads);
  std::vector<Shape> shapes(std::begin(kPle), std::end(kPle));
  if (texts)
    shapes.insert(shapes.end(), std::begin(kScene), std::end(kScene));
  else
    shapes[0].in = 336;
  struct Layer {
    Tensor x, weight, bias, gradient;
  };
  std::vector<Layer> layers;
  for (const auto& [rows, in, out] : shapes)
    layers.push_back({torch::randn({rows, in}).requires_grad_(true),
                      torch::randn({out, in}).requires_grad_(true),
                      torch::zeros({out}), torch::randn({rows, out})});
  const Round round = [&]() -> absl::StatusOr<std::vector<float>> {
    for (int64_t step = 0; step < kBatches; ++step) {
      for (const Layer& layer : layers) {
        layer.x.mutable_grad().reset();
        layer.weight.mutable_grad().reset();
        Linear(layer.x, layer.weight, layer.bias).backward(layer.gradient);
      }
    }
    return std::vector<float>{0};
  };
  return ServeRounds(kBatches * kRows, round, arguments.output, std::cin,
                     std::cout);
}

}  // namespace
}  // namespace larr::bench

int main(int argc, char** argv) {
  using larr::bench::Multiply;
  using larr::bench::Train;
  using larr::config::v1::CtrArchitecture;
  return larr::bench::Main(
      argc, argv,
      {{"larr", [](const auto& a) { return Train(a, CtrArchitecture::LARR); }},
       {"ple", [](const auto& a) { return Train(a, CtrArchitecture::PLE); }},
       {"limit_larr", [](const auto& a) { return Multiply(a, true); }},
       {"limit_ple", [](const auto& a) { return Multiply(a, false); }}});
}
