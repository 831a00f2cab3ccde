// SPDX-License-Identifier: Apache-2.0
#include "services/scoring/request_scorer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "common/base/status_macros.h"
#include "services/scoring/bundle.h"
#include "services/scoring/explanation.h"
#include "services/scoring/outputs.h"

namespace larr {

namespace {

using scoring::v1::CTCVR;
using scoring::v1::CTR;

// The POIs of a request, and for each candidate which it is: distinct ones,
// then those that have texts of their own.
struct CandidatePois {
  std::vector<std::string_view> ids, own_ids;
  std::vector<const TextMap*> own_texts;  // by own id
  std::vector<size_t> of_candidate;
};

CandidatePois FindPois(const scoring::v1::ScoreRequest& request) {
  CandidatePois pois;
  std::unordered_map<std::string_view, size_t> index;
  index.reserve(request.candidates_size());
  for (const auto& candidate : request.candidates()) {
    pois.of_candidate.push_back(0);
    if (!candidate.texts().empty()) continue;
    const auto [it, is_new] =
        index.try_emplace(candidate.poi_id(), pois.ids.size());
    if (is_new) pois.ids.push_back(candidate.poi_id());
    pois.of_candidate.back() = it->second;
  }
  for (int i = 0; i < request.candidates_size(); ++i) {
    const auto& candidate = request.candidates(i);
    if (candidate.texts().empty()) continue;
    pois.of_candidate[i] = pois.ids.size() + pois.own_ids.size();
    pois.own_ids.push_back(candidate.poi_id());
    pois.own_texts.push_back(&candidate.texts());
  }
  return pois;
}

// What the cache has or gets, then what is made for this request alone.
absl::StatusOr<PoiStates::Found> Prepare(PoiStates& states,
                                         const CandidatePois& pois) {
  LARR_ASSIGN_OR_RETURN(PoiStates::Found found, states.Get(pois.ids));
  if (pois.own_ids.empty()) return found;
  LARR_ASSIGN_OR_RETURN(const PoiStates::Pois own,
                        states.Prepare(pois.own_ids, pois.own_texts));
  found.pois.insert(found.pois.end(), own.begin(), own.end());
  found.prepared += static_cast<int>(own.size());
  return found;
}

// No answer is better than an order that NaN made.
absl::Status CheckFinite(const scoring::v1::ScoreRequest& request,
                         const ScorerOutput& output) {
  for (size_t i = 0; i < output.ctr.size(); ++i) {
    if (std::isfinite(output.ctr[i]) && std::isfinite(output.ctcvr[i]))
      continue;
    const auto& candidate = request.candidates(static_cast<int>(i));
    return absl::InternalError(fmt::format(
        "the model's score of candidate {} (`{}`) is not a finite number", i,
        candidate.poi_id()));
  }
  return absl::OkStatus();
}

// The candidates to answer with, in the order of the answer.
std::vector<int> Choose(const scoring::v1::ScoreRequest& request,
                        const ScorerOutput& output, bool has_order_task) {
  std::vector<int> candidates(output.ctr.size());
  std::iota(candidates.begin(), candidates.end(), 0);
  if (request.top_k() == 0) return candidates;
  const bool by_ctcvr = request.order_by() == scoring::v1::OUTPUT_UNSPECIFIED
                            ? has_order_task
                            : request.order_by() == CTCVR;
  const std::vector<float>& scores = by_ctcvr ? output.ctcvr : output.ctr;
  const auto size = std::min<size_t>(request.top_k(), candidates.size());
  std::partial_sort(candidates.begin(),
                    candidates.begin() + static_cast<ptrdiff_t>(size),
                    candidates.end(), [&](int a, int b) {
                      if (scores[a] != scores[b]) return scores[a] > scores[b];
                      return a < b;
                    });
  candidates.resize(size);
  return candidates;
}

void FillScores(const Bundle& bundle, const scoring::v1::ScoreRequest& request,
                const ScorerOutput& output,
                scoring::v1::ScoreResponse& response) {
  const std::vector<int> chosen =
      Choose(request, output, bundle.scorer().description().has_order_task());
  const bool ctr = Wants(request, CTR), ctcvr = Wants(request, CTCVR);
  response.mutable_scores()->Reserve(static_cast<int>(chosen.size()));
  for (const int candidate : chosen) {
    scoring::v1::CandidateScore& score = *response.add_scores();
    if (ctr) score.set_ctr(output.ctr[candidate]);
    if (ctcvr) score.set_ctcvr(output.ctcvr[candidate]);
    score.set_candidate(candidate);
  }
}

void FillOrigin(const Bundle& bundle, const MissingInputs& missing,
                scoring::v1::ScoreResponse& response) {
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
  const CandidatePois candidates = FindPois(request);
  LARR_ASSIGN_OR_RETURN(const PoiStates::Found found,
                        Prepare(bundle.pois(), candidates));
  std::vector<const EncodedPoi*> pois;
  std::vector<const std::byte*> states;
  for (const size_t i : candidates.of_candidate) {
    pois.push_back(&found.pois[i]->encoded);
    states.push_back(found.pois[i]->state.data());
  }
  LARR_ASSIGN_OR_RETURN(EncodedRequest encoded,
                        bundle.encoder().Encode(request, pois));
  LARR_ASSIGN_OR_RETURN(ScorerOutput output,
                        bundle.scorer().Score(encoded.columns, states));
  LARR_RETURN_IF_ERROR(CheckFinite(request, output));
  FillScores(bundle, request, output, response);
  FillOrigin(bundle, encoded.missing, response);
  if (request.has_explain_candidate()) {
    LARR_ASSIGN_OR_RETURN(*response.mutable_explanation(),
                          Explain(bundle, request, encoded));
  }
  return RequestCounts{static_cast<int>(found.pois.size()), found.prepared,
                       std::move(encoded.missing), std::move(output)};
}

}  // namespace larr
