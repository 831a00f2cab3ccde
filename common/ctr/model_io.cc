// SPDX-License-Identifier: Apache-2.0
#include "common/ctr/model_io.h"

#include <torch/utils.h>

#include <utility>

#include "common/base/files.h"
#include "common/base/invalid_argument.h"
#include "common/base/status_macros.h"
#include "common/config/text_proto.h"
#include "common/config/training_settings.h"
#include "common/ctr/tensor_shapes.h"
#include "common/tensors/torch_status.h"

namespace larr {

using config::v1::CtrModelDescription;

absl::StatusOr<std::unique_ptr<CtrModel>> NewCtrModel(
    const CtrModelDescription& description, uint64_t seed) {
  LARR_ASSIGN_OR_RETURN(const auto architecture,
                        CompleteArchitecture(description.architecture()));
  LARR_ASSIGN_OR_RETURN(CtrLayout layout, MakeCtrLayout(description));
  return GuardTorch(
      "making a CTR model", [&]() -> absl::StatusOr<std::unique_ptr<CtrModel>> {
        torch::manual_seed(seed);
        return std::make_unique<CtrModel>(architecture, std::move(layout));
      });
}

std::map<std::string, torch::Tensor> NamedTensors(const CtrModel& model) {
  std::map<std::string, torch::Tensor> tensors;
  for (const auto& item : model.named_parameters())
    tensors[item.key()] = item.value().detach();
  for (const auto& item : model.named_buffers())
    tensors[item.key()] = item.value();
  return tensors;
}

absl::Status CopyTensors(const SafetensorsFile& file,
                         const std::map<std::string, torch::Tensor>& targets) {
  for (const std::string& name : file.names())
    if (!targets.contains(name))
      return Invalid("{}: unknown tensor \"{}\"; the file is of another model",
                     file.path().string(), name);
  for (const auto& [name, target] : targets) {
    LARR_ASSIGN_OR_RETURN(
        const torch::Tensor source,
        file.View(name, {target.sizes().begin(), target.sizes().end()},
                  target.scalar_type()));
    target.copy_(source);
  }
  return absl::OkStatus();
}

absl::Status SaveCtrModel(const std::filesystem::path& folder,
                          const CtrModelDescription& description,
                          const CtrModel& model) {
  return GuardTorch("saving a CTR model", [&]() -> absl::Status {
    LARR_RETURN_IF_ERROR(
        WriteSafetensors(folder / kCtrWeightsFile, NamedTensors(model)));
    return WriteFileAtomically(folder / kCtrDescriptionFile,
                               ToTextProto(description));
  });
}

absl::StatusOr<LoadedCtrModel> LoadCtrModel(
    const std::filesystem::path& folder) {
  return GuardTorch(
      "loading a CTR model", [&]() -> absl::StatusOr<LoadedCtrModel> {
        LoadedCtrModel loaded;
        LARR_ASSIGN_OR_RETURN(
            loaded.description,
            LoadTextProto<CtrModelDescription>(folder / kCtrDescriptionFile));
        LARR_ASSIGN_OR_RETURN(
            *loaded.description.mutable_architecture(),
            CompleteArchitecture(loaded.description.architecture()));
        LARR_ASSIGN_OR_RETURN(CtrLayout layout,
                              MakeCtrLayout(loaded.description));
        const auto& architecture = loaded.description.architecture();
        LARR_ASSIGN_OR_RETURN(const auto file,
                              SafetensorsFile::Open(folder / kCtrWeightsFile));
        LARR_RETURN_IF_ERROR(CheckCtrTensors(
            file.header(), file.path().string(), architecture, layout));
        loaded.model = std::make_unique<CtrModel>(
            architecture, std::move(layout), TableStart::kUnset);
        const torch::NoGradGuard no_grad;
        LARR_RETURN_IF_ERROR(CopyTensors(file, NamedTensors(*loaded.model)));
        return loaded;
      });
}

}  // namespace larr
