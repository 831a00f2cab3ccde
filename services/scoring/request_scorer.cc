// SPDX-License-Identifier: Apache-2.0
#include "services/scoring/request_scorer.h"

#include "common/base/status_macros.h"
#include "services/scoring/bundle.h"

namespace larr {

absl::StatusOr<MissingInputs> ScoreRequest(
    const Bundle& bundle, const scoring::v1::ScoreRequest& request,
    scoring::v1::ScoreResponse& response) {
  LARR_ASSIGN_OR_RETURN(const EncodedRequest encoded,
                        bundle.encoder().Encode(request));
  LARR_ASSIGN_OR_RETURN(const ScorerOutput output,
                        bundle.scorer().Score(encoded.input));
  response.mutable_scores()->Reserve(request.candidates_size());
  for (size_t i = 0; i < output.ctr.size(); ++i) {
    scoring::v1::CandidateScore& score = *response.add_scores();
    score.set_ctr(output.ctr[i]);
    score.set_ctcvr(output.ctcvr[i]);
  }
  const MissingInputs& missing = encoded.missing;
  scoring::v1::MissingCounts& counts = *response.mutable_missing();
  counts.set_users(missing.users);
  counts.set_pois(missing.pois);
  counts.set_texts(missing.user_texts + missing.context_texts +
                   missing.poi_texts);
  response.set_model_version(bundle.state().model_version());
  response.set_snapshot(bundle.state().snapshot());
  return missing;
}

}  // namespace larr
