// SPDX-License-Identifier: Apache-2.0
//
// Decides whether a request fits a model, before anything is read or scored.
// What is merely missing (an unknown user, POI, value or text) fits.
//
// Threads:    const methods may be called concurrently without locking.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "common/features/row.h"
#include "common/features/tabular_encoder.h"
#include "common/features/text_renderer.h"
#include "larr/config/v1/model.pb.h"
#include "larr/scoring/v1/scoring_service.pb.h"

namespace larr {

class RequestChecker {
 public:
  // Copies what it needs of both.
  RequestChecker(const config::v1::CtrModelDescription& description,
                 const TabularEncoder& encoder);

  // Errors: kInvalidArgument  by InvalidField (common/rpc/grpc_status.h): the
  //         path of the field, e.g. `candidates[3].values["distance"]`, what
  //         is wrong, and the fix
  absl::Status Check(const scoring::v1::ScoreRequest& request,
                     int max_candidates) const;

 private:
  // `path` names the map, e.g. `context`; `context` says which one it is.
  absl::Status CheckValues(std::string_view path, const ValueMap& values,
                           bool context) const;
  // What is wrong with a value; empty if nothing is.
  std::string FaultOf(const std::string& column,
                      const storage::v1::Value& value, bool context) const;
  absl::Status CheckTexts(std::string_view path, const TextMap& texts,
                          bool poi) const;
  absl::Status CheckOutputs(const scoring::v1::ScoreRequest& request) const;

  Schema impressions_;
  std::vector<bool> of_context_;       // by column
  std::vector<bool> needs_number_;     // by column
  std::vector<double> largest_;        // by column, of a number's magnitude
  std::map<std::string, bool> texts_;  // scene features: whether a POI's
  bool has_pois_, has_order_task_;
};

}  // namespace larr
