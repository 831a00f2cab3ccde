// SPDX-License-Identifier: Apache-2.0
#include "common/ctr/leave_one_out.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstddef>
#include <numeric>
#include <utility>
#include <vector>

#include "common/ctr/row_scorer.h"
#include "tests/common/ctr/random_model.h"

namespace larr {
namespace {

using testing::RandomModel;

// The scores of the plain scorer, which knows nothing of explanations.
std::pair<float, float> Score(const RowScorer& plain,
                              const RequestColumns& request,
                              const PoiColumns& poi) {
  std::vector<std::byte> state(plain.poi_state_bytes());
  plain.MakePoiStates(poi, state.data());
  const std::byte* states[] = {state.data()};
  ScorerOutput output{{0}, {0}};
  plain.Score(request, states, output);
  return {output.ctr[0], output.ctcvr[0]};
}

TEST_CASE("each score is that of a request that lacks the input") {
  int texts = 0;
  for (unsigned seed = 0; seed < 20; ++seed) {
    CAPTURE(seed);
    RandomModel model(seed);
    const CtrLayout& layout = model.layout();
    const auto plain = MakePlainScorer(model.loaded());
    const PoiColumns poi = model.Pois(1);
    const RequestColumns request = model.Request(1);
    const ScoreParts parts = LeaveOneOut(*model.loaded(), request, poi);
    size_t row = 0;
    const auto check = [&](const RequestColumns& r, const PoiColumns& p) {
      const auto [ctr, ctcvr] = Score(*plain, r, p);
      REQUIRE(row < parts.scores.ctr.size());
      CHECK(parts.scores.ctr[row] == Approx(ctr).margin(1e-5));
      CHECK(parts.scores.ctcvr[row] == Approx(ctcvr).margin(1e-5));
      ++row;
    };
    check(request, poi);
    // Every input in turn is its default, in the order of the blocks.
    const auto leave_out = [&](auto of_request, auto of_poi, auto standard) {
      for (size_t i = 0; i < of_request.size() + 1; ++i) {
        // The POI's block stands before the last one.
        if (i + 1 == of_request.size()) {
          for (size_t j = 0; j < (poi.*of_poi).size(); ++j) {
            PoiColumns other = poi;
            (other.*of_poi)[j] = standard;
            check(request, other);
          }
        }
        if (i == of_request.size()) break;
        for (size_t j = 0; j < (request.*of_request[i]).size(); ++j) {
          RequestColumns other = request;
          (other.*of_request[i])[j] = standard;
          check(other, poi);
        }
      }
    };
    leave_out(
        std::vector{&RequestColumns::user_ids, &RequestColumns::context_ids,
                    &RequestColumns::cross_ids},
        &PoiColumns::ids, int64_t{0});
    leave_out(
        std::vector{&RequestColumns::user_dense, &RequestColumns::context_dense,
                    &RequestColumns::cross_dense},
        &PoiColumns::dense, 0.0F);
    for (int64_t s = 0; s < layout.slot_count(); ++s) {
      RequestColumns other = request;
      PoiColumns other_poi = poi;
      const auto side = layout.slots[s];
      auto& vectors = side == config::v1::USER      ? other.user_vectors
                      : side == config::v1::CONTEXT ? other.context_vectors
                                                    : other_poi.vectors;
      const auto slots = layout.SlotsOf(side);
      vectors[std::find(slots.begin(), slots.end(), s) - slots.begin()] =
          nullptr;
      check(other, other_poi);
    }
    REQUIRE(row == parts.scores.ctr.size());
    if (layout.slot_count() == 0) {
      CHECK(parts.attention.empty());
      continue;
    }
    ++texts;
    REQUIRE(parts.attention.size() ==
            static_cast<size_t>(layout.slot_count()) + 1);
    CHECK(std::accumulate(parts.attention.begin(), parts.attention.end(),
                          0.0) == Approx(1).margin(1e-5));
    for (const float weight : parts.attention) CHECK(weight > 0);
  }
  CHECK(texts > 5);
}

}  // namespace
}  // namespace larr
