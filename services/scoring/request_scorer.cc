// SPDX-License-Identifier: Apache-2.0
#include "services/scoring/request_scorer.h"

#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "common/base/status_macros.h"
#include "services/scoring/bundle.h"

namespace larr {

namespace {

// The distinct POIs of a request, and for each candidate which it is.
struct DistinctPois {
  std::vector<std::string_view> ids;
  std::vector<size_t> of_candidate;
};

DistinctPois FindDistinct(const scoring::v1::ScoreRequest& request) {
  DistinctPois pois;
  std::unordered_map<std::string_view, size_t> index;
  index.reserve(request.candidates_size());
  for (const auto& candidate : request.candidates()) {
    const auto [it, is_new] =
        index.try_emplace(candidate.poi_id(), pois.ids.size());
    if (is_new) pois.ids.push_back(candidate.poi_id());
    pois.of_candidate.push_back(it->second);
  }
  return pois;
}

void FillResponse(const Bundle& bundle, const ScorerOutput& output,
                  const MissingInputs& missing,
                  scoring::v1::ScoreResponse& response) {
  response.mutable_scores()->Reserve(static_cast<int>(output.ctr.size()));
  for (size_t i = 0; i < output.ctr.size(); ++i) {
    scoring::v1::CandidateScore& score = *response.add_scores();
    score.set_ctr(output.ctr[i]);
    score.set_ctcvr(output.ctcvr[i]);
  }
  scoring::v1::MissingCounts& counts = *response.mutable_missing();
  counts.set_users(missing.users);
  counts.set_pois(missing.pois);
  for (const auto& [feature, texts] : missing.texts) {
    counts.set_texts(counts.texts() + texts);
    (*counts.mutable_texts_by_feature())[feature] = texts;
  }
  response.set_model_version(bundle.state().model_version());
  response.set_snapshot(bundle.state().snapshot());
}

}  // namespace

absl::StatusOr<RequestCounts> ScoreRequest(
    const Bundle& bundle, const scoring::v1::ScoreRequest& request,
    scoring::v1::ScoreResponse& response) {
  const DistinctPois distinct = FindDistinct(request);
  LARR_ASSIGN_OR_RETURN(const PoiStates::Found found,
                        bundle.pois().Get(distinct.ids));
  std::vector<const EncodedPoi*> pois;
  std::vector<const std::byte*> states;
  for (const size_t i : distinct.of_candidate) {
    pois.push_back(&found.pois[i]->encoded);
    states.push_back(found.pois[i]->state.data());
  }
  LARR_ASSIGN_OR_RETURN(EncodedRequest encoded,
                        bundle.encoder().Encode(request, pois));
  LARR_ASSIGN_OR_RETURN(const ScorerOutput output,
                        bundle.scorer().Score(encoded.columns, states));
  FillResponse(bundle, output, encoded.missing, response);
  return RequestCounts{static_cast<int>(distinct.ids.size()), found.prepared,
                       std::move(encoded.missing)};
}

}  // namespace larr
