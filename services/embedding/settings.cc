// SPDX-License-Identifier: Apache-2.0
#include "services/embedding/settings.h"

#include <utility>

#include "common/base/invalid_argument.h"
#include "common/base/status_macros.h"
#include "common/config/text_proto.h"

namespace larr {

using config::v1::EmbeddingConfig;

absl::StatusOr<EmbeddingConfig> LoadEmbeddingSettings(
    const std::filesystem::path& path) {
  LARR_ASSIGN_OR_RETURN(auto config, LoadTextProto<EmbeddingConfig>(path));
  for (const auto& [field, value] :
       {std::pair("state_dir", config.state_dir()),
        std::pair("snapshot_dir", config.snapshot_dir()),
        std::pair("checkpoint", config.checkpoint()),
        std::pair("dataset", config.dataset())}) {
    if (value.empty()) {
      return Invalid("{}: `{}` is not set; it is required", path.string(),
                     field);
    }
  }
  if (!config.embed().vectors_file().empty()) {
    return Invalid(
        "{}: `embed.vectors_file` is {}; the service encodes texts itself, "
        "also "
        "those that no file knows: clear it, or make the snapshot by a run's "
        "embed stage",
        path.string(), config.embed().vectors_file());
  }
  return config;
}

}  // namespace larr
