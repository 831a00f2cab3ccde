// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <cmath>
#include <cstddef>
#include <vector>

#include "common/ctr/row_scorer.h"
#include "tests/common/ctr/random_model.h"

namespace larr {
namespace {

using testing::RandomModel;

// States of pois, one behind the other; which[n] is candidate n's POI.
ScorerOutput Score(const RowScorer& scorer, const PoiColumns& pois,
                   const RequestColumns& request,
                   const std::vector<int64_t>& which) {
  std::vector<std::byte> made(pois.count * scorer.poi_state_bytes());
  scorer.MakePoiStates(pois, made.data());
  std::vector<const std::byte*> states;
  for (const int64_t poi : which)
    states.push_back(made.data() + poi * scorer.poi_state_bytes());
  ScorerOutput output{std::vector<float>(which.size()),
                      std::vector<float>(which.size())};
  scorer.Score(request, states, output);
  return output;
}

double Furthest(const std::vector<float>& a, const std::vector<float>& b) {
  REQUIRE(a.size() == b.size());
  double furthest = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    REQUIRE((std::isfinite(a[i]) && std::isfinite(b[i])));
    furthest = std::max<double>(furthest, std::abs(a[i] - b[i]));
  }
  return furthest;
}

TEST_CASE("the split equals the plain forward pass for random models") {
  for (unsigned seed = 0; seed < 60; ++seed) {
    CAPTURE(seed);
    RandomModel model(seed);
    const auto plain = MakePlainScorer(model.loaded());
    REQUIRE(CanSplit(model.loaded()->description.architecture()));
    const auto split = MakeSplitScorer(model.loaded());
    const int most = seed % 10 == 0 ? 1000 : 40;
    const PoiColumns pois = model.Pois(model.Draw(1, most));
    std::vector<int64_t> which(model.Draw(0, most));
    for (int64_t& poi : which)  // Some of them repeated.
      poi = model.Draw(0, static_cast<int>(pois.count) - 1);
    const auto request = model.Request(static_cast<int64_t>(which.size()));
    const ScorerOutput expected = Score(*plain, pois, request, which);
    const ScorerOutput scores = Score(*split, pois, request, which);
    REQUIRE(Furthest(expected.ctr, scores.ctr) < 1e-5);
    REQUIRE(Furthest(expected.ctcvr, scores.ctcvr) < 1e-5);
  }
}

TEST_CASE(
    "a score depends neither on the other candidates nor on the other "
    "POIs that were prepared") {
  for (const unsigned seed : {1U, 2U, 3U, 4U}) {
    CAPTURE(seed);
    RandomModel model(seed);
    const auto split = MakeSplitScorer(model.loaded());
    const PoiColumns pois = model.Pois(200);
    std::vector<int64_t> which(200);
    for (int64_t i = 0; i < 200; ++i) which[i] = i;
    RequestColumns request = model.Request(200);
    const ScorerOutput all = Score(*split, pois, request, which);
    const auto& cross = model.layout().blocks[3];
    for (const int64_t n : {0, 63, 128, 199}) {
      CAPTURE(n);
      RequestColumns one = request;
      one.candidates = 1;
      one.cross_ids.assign(
          request.cross_ids.begin() + n * cross.id_count,
          request.cross_ids.begin() + (n + 1) * cross.id_count);
      one.cross_dense.assign(
          request.cross_dense.begin() + n * cross.dense_count,
          request.cross_dense.begin() + (n + 1) * cross.dense_count);
      REQUIRE(Furthest(Score(*split, pois, one, {n}).ctr, {all.ctr[n]}) == 0.0);
    }
  }
}

TEST_CASE("bfloat16 rows stay near float32's") {
  for (unsigned seed = 0; seed < 20; ++seed) {
    CAPTURE(seed);
    RandomModel model(seed);
    auto description = model.loaded()->description;
    description.set_serve_in_bfloat16(true);
    auto weights = NewCtrModel(description, seed).value();
    const torch::NoGradGuard no_grad;
    for (auto& [name, tensor] : NamedTensors(*weights))
      tensor.copy_(NamedTensors(*model.loaded()->model).at(name));
    const auto half = MakeSplitScorer(std::make_shared<const LoadedCtrModel>(
        LoadedCtrModel{description, std::move(weights)}));
    const auto split = MakeSplitScorer(model.loaded());
    const PoiColumns pois = model.Pois(30);
    std::vector<int64_t> which(30);
    for (int64_t i = 0; i < 30; ++i) which[i] = i;
    const auto request = model.Request(30);
    const ScorerOutput expected = Score(*split, pois, request, which);
    const ScorerOutput scores = Score(*half, pois, request, which);
    REQUIRE(Furthest(expected.ctr, scores.ctr) < 0.03);
    REQUIRE(Furthest(expected.ctcvr, scores.ctcvr) < 0.03);
    REQUIRE(half->poi_state_bytes() <= split->poi_state_bytes());
  }
}

}  // namespace
}  // namespace larr
