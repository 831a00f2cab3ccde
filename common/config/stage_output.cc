// SPDX-License-Identifier: Apache-2.0
#include "common/config/stage_output.h"

#include <fmt/format.h>

#include "absl/status/status.h"
#include "common/base/artifact_folder.h"
#include "common/base/status_macros.h"
#include "common/config/stage_inputs.h"

namespace larr {

absl::StatusOr<config::v1::ArtifactManifest> ReadStageOutput(
    const config::v1::StageConfig& config) {
  LARR_ASSIGN_OR_RETURN(auto manifest, ReadArtifact(config.output()));
  for (const auto& [role, path] : config.inputs()) {
    const auto parent = manifest.parents().find(role);
    if (parent == manifest.parents().end() || IsOfChampion(role)) continue;
    const auto input = ReadArtifact(path);
    if (absl::IsNotFound(input.status()) || absl::IsDataLoss(input.status()))
      continue;
    LARR_RETURN_IF_ERROR(input.status());
    if (input->digest() == parent->second) continue;
    return absl::FailedPreconditionError(fmt::format(
        "{} was made from another `{}` than {}; remove it, its work folder {} "
        "and those of the stages after it, then start again",
        config.output(), role, path, config.work()));
  }
  return manifest;
}

}  // namespace larr
