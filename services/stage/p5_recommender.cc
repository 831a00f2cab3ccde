// SPDX-License-Identifier: Apache-2.0
#include "services/stage/p5_recommender.h"

#include <string>
#include <vector>

#include "common/base/files.h"
#include "common/base/status_macros.h"
#include "common/config/text_proto.h"
#include "common/ctr/model_files.h"
#include "common/tensors/torch_status.h"

namespace larr::stage {
namespace {

using config::v1::CtrModelDescription;

// Larger ones are hardly faster, and take memory.
constexpr int64_t kTokensPerBatch = 4096;

}  // namespace

absl::StatusOr<std::unique_ptr<P5Recommender>> P5Recommender::Make(
    std::unique_ptr<P5Model> model, const CtrModelDescription& description,
    const Dataset& dataset) {
  LARR_ASSIGN_OR_RETURN(auto text,
                        P5Text::Create(dataset, description.dataset()));
  LARR_ASSIGN_OR_RETURN(
      auto prompts,
      P5Prompts::Create(model->tokenizer(), model->config().max_tokens(),
                        description.has_order_task() ? 2 : 1));
  return std::unique_ptr<P5Recommender>(new P5Recommender(
      std::move(model), description, std::move(text), std::move(prompts)));
}

absl::StatusOr<std::unique_ptr<P5Recommender>> P5Recommender::Read(
    const std::filesystem::path& folder, const Dataset& dataset) {
  LARR_ASSIGN_OR_RETURN(
      const auto description,
      LoadTextProto<CtrModelDescription>(folder / kCtrDescriptionFile));
  LARR_ASSIGN_OR_RETURN(auto model, P5Model::Read(folder));
  return Make(std::move(model), description, dataset);
}

absl::Status P5Recommender::Write(const std::filesystem::path& folder) const {
  LARR_RETURN_IF_ERROR(model_->Write(folder));
  return WriteFileAtomically(folder / kCtrDescriptionFile,
                             ToTextProto(description_));
}

absl::StatusOr<torch::Tensor> P5Recommender::Score(
    std::span<const Impression> rows, bool /*with_texts*/) {
  std::vector<std::string> texts;
  for (const Impression& row : rows) texts.push_back(text_.Of(row.rows()));
  LARR_ASSIGN_OR_RETURN(const auto prompts, prompts_.Make(texts));
  return GuardTorch("scoring prompts", [&]() -> absl::StatusOr<torch::Tensor> {
    return model_->Probabilities(prompts, prompts_.yes(), prompts_.no(),
                                 kTokensPerBatch);
  });
}

}  // namespace larr::stage
