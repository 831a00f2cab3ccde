// SPDX-License-Identifier: Apache-2.0
#include "services/stage/validation_auc.h"

#include <memory>

#include "common/base/invalid_argument.h"
#include "common/base/status_macros.h"
#include "common/ctr/model_io.h"
#include "common/dataset/dataset_spec.h"
#include "common/store/snapshot.h"
#include "common/tensors/torch_status.h"
#include "services/stage/ctr_batcher.h"
#include "services/stage/validation.h"

namespace larr::stage {
namespace {

absl::StatusOr<ValidationAuc> Compute(
    const std::string& dataset_file, const std::filesystem::path& model,
    const std::filesystem::path& snapshot_folder) {
  LARR_ASSIGN_OR_RETURN(const Dataset dataset, OpenDataset(dataset_file));
  LARR_ASSIGN_OR_RETURN(const LoadedCtrModel loaded, LoadCtrModel(model));
  std::unique_ptr<const Snapshot> snapshot;
  if (loaded.description.text_dim() > 0) {
    LARR_ASSIGN_OR_RETURN(snapshot, Snapshot::Open(snapshot_folder));
  }
  LARR_ASSIGN_OR_RETURN(
      const auto batcher,
      CtrBatcher::Create(dataset, loaded.description, snapshot.get()));
  LARR_ASSIGN_OR_RETURN(const Validation validation,
                        Validate(dataset, *loaded.model, *batcher));
  const auto& metrics = validation.metrics;
  ValidationAuc judged{.rows = metrics.at("rows"),
                       .clicks = metrics.at("clicks"),
                       .missing_texts = batcher->missing_texts()};
  if (!metrics.at("ctr_auc").is_number())
    return Invalid("dataset \"{}\" has {} validation rows, {} of them clicked",
                   dataset.spec.name(), judged.rows, judged.clicks);
  judged.ctr_auc = metrics.at("ctr_auc");
  return judged;
}

}  // namespace

absl::StatusOr<ValidationAuc> ComputeValidationAuc(
    const std::string& dataset, const std::filesystem::path& model,
    const std::filesystem::path& snapshot) {
  return GuardTorch("validation",
                    [&] { return Compute(dataset, model, snapshot); });
}

}  // namespace larr::stage
