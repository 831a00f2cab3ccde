// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>

#include "larr/scoring/v1/scoring_service.pb.h"

namespace larr {

// Whether a request asks for an output; one that names none asks for all.
inline bool Wants(const scoring::v1::ScoreRequest& request,
                  scoring::v1::Output output) {
  const auto& outputs = request.outputs();
  return outputs.empty() ||
         std::find(outputs.begin(), outputs.end(), output) != outputs.end();
}

}  // namespace larr
