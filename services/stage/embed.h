// SPDX-License-Identifier: Apache-2.0
//
// The EMBED stage: the dataset's texts through the checkpoint of the contrast
// stage into a snapshot, by the core of the embedding service.
#pragma once

#include "absl/status/status.h"
#include "services/embedding/text_encoder.h"
#include "services/stage/stage.h"

namespace larr::stage {

// Reads the role `contrast`. Progress: texts encoded of texts to encode,
// restarts included.
absl::Status RunEmbed(StageContext& context);

// The stage with another encoder, `checkpoint_digest` naming its model.
absl::Status RunEmbed(StageContext& context, TextEncoder& encoder,
                      const std::string& checkpoint_digest);

}  // namespace larr::stage
