// SPDX-License-Identifier: Apache-2.0
//
// The EMBED stage: the dataset's texts through the checkpoint of the contrast
// stage into a snapshot, by the core of the embedding service. With
// `embed.vectors_file` or the encoder RANDOM there is no such checkpoint.
#pragma once

#include "absl/status/status.h"
#include "services/embedding/text_encoder.h"
#include "services/stage/stage.h"

namespace larr::stage {

// Reads the role `contrast`, if it needs one. Progress: texts encoded of texts
// to encode, restarts included.
absl::Status RunEmbed(StageContext& context);

// The stage with another encoder, `checkpoint_digest` naming its model, if any.
//
// Errors: kInvalidArgument  the encoder knows none of the texts
absl::Status RunEmbed(StageContext& context, TextEncoder& encoder,
                      const std::string& checkpoint_digest);

}  // namespace larr::stage
