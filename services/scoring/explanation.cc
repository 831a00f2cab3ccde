// SPDX-License-Identifier: Apache-2.0
#include "services/scoring/explanation.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/status_macros.h"
#include "services/scoring/bundle.h"

namespace larr {
namespace {

using scoring::v1::Explanation;

// Columns [candidate * size / candidates, ...) of a block: one candidate's.
template <typename T>
std::vector<T> RowOfCandidate(const std::vector<T>& rows, int64_t candidates,
                              int candidate) {
  const auto width = static_cast<int64_t>(rows.size()) / candidates;
  const auto first = rows.begin() + candidate * width;
  return {first, first + width};
}

RequestColumns Only(const RequestColumns& all, int candidate) {
  RequestColumns one = all;
  one.candidates = 1;
  one.cross_ids = RowOfCandidate(all.cross_ids, all.candidates, candidate);
  one.cross_dense = RowOfCandidate(all.cross_dense, all.candidates, candidate);
  return one;
}

void AddTexts(const Bundle& bundle, const EncodedRequest& encoded,
              const SideBlock& poi, const ScoreParts& parts,
              Explanation& explanation) {
  if (parts.attention.empty()) return;
  const CtrLayout& layout = bundle.scorer().layout();
  const auto& names = bundle.scorer().description().dataset().scene_features();
  for (const std::string& name : names)
    explanation.add_texts()->set_feature(name);
  const auto fill = [&](config::v1::Side side, const SideBlock& block) {
    const std::vector<int64_t> slots = layout.SlotsOf(side);
    for (size_t i = 0; i < slots.size(); ++i) {
      auto& text = *explanation.mutable_texts(static_cast<int>(slots[i]));
      text.set_found(block.present[i] != 0);
      text.set_attention(parts.attention[slots[i]]);
    }
  };
  fill(config::v1::USER, encoded.user);
  fill(config::v1::CONTEXT, encoded.context);
  fill(config::v1::POI, poi);
  explanation.set_own_attention(parts.attention.back());
}

void AddContributions(const Bundle& bundle, const ScoreParts& parts,
                      Explanation& explanation) {
  const ScorerOutput& scores = parts.scores;
  size_t row = 0;
  const auto add = [&](const std::string& feature, bool is_text) {
    ++row;
    auto& contribution = *explanation.add_contributions();
    contribution.set_feature(feature);
    contribution.set_ctr(scores.ctr[0] - scores.ctr[row]);
    contribution.set_ctcvr(scores.ctcvr[0] - scores.ctcvr[row]);
    contribution.set_is_text(is_text);
  };
  const TabularEncoder& tabular = bundle.encoder().tabular();
  for (const CategoricalColumn& column : tabular.categorical())
    add(column.name, false);
  for (const std::string& name : tabular.dense()) add(name, false);
  for (const auto& text : explanation.texts()) add(text.feature(), true);
}

}  // namespace

absl::StatusOr<Explanation> Explain(const Bundle& bundle,
                                    const scoring::v1::ScoreRequest& request,
                                    const EncodedRequest& encoded) {
  const int candidate = request.explain_candidate();
  const std::string_view id = request.candidates(candidate).poi_id();
  const TextMap* texts = &request.candidates(candidate).texts();
  LARR_ASSIGN_OR_RETURN(const EncodedPois pois,
                        bundle.encoder().EncodePois({&id, 1}, {&texts, 1}));
  LARR_ASSIGN_OR_RETURN(
      const ScoreParts parts,
      bundle.scorer().Explain(Only(encoded.columns, candidate), pois.columns));
  Explanation explanation;
  explanation.set_candidate(candidate);
  AddTexts(bundle, encoded, pois.blocks[0], parts, explanation);
  AddContributions(bundle, parts, explanation);
  return explanation;
}

}  // namespace larr
