// SPDX-License-Identifier: Apache-2.0
//
// Decides whether a request fits a model, before anything is read or scored.
// What is merely missing (an unknown user, POI or value) fits.
//
// Threads:    const methods may be called concurrently without locking.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/features/row.h"
#include "common/features/tabular_encoder.h"
#include "larr/config/v1/dataset.pb.h"
#include "larr/scoring/v1/scoring_service.pb.h"

namespace larr {

class RequestChecker {
 public:
  // Copies what it needs of both.
  RequestChecker(const config::v1::DatasetSpec& spec,
                 const TabularEncoder& encoder);

  // Errors: kInvalidArgument  names the path of the field, e.g.
  //         `candidates[3].values["distance"]`, what is wrong, and the fix
  absl::Status Check(const scoring::v1::ScoreRequest& request,
                     int max_candidates) const;

 private:
  // `path` names the map, e.g. `context`; `context` says which one it is.
  absl::Status CheckValues(const ValueMap& values, bool context,
                           int candidate) const;
  absl::Status CheckValue(const std::string& column,
                          const storage::v1::Value& value, bool context) const;

  Schema impressions_;
  std::vector<bool> of_context_;    // by column
  std::vector<bool> needs_number_;  // by column
  std::vector<double> largest_;     // by column, of a number's magnitude
  bool has_pois_;
};

}  // namespace larr
