// SPDX-License-Identifier: Apache-2.0
#include <torch/utils.h>

#include <catch2/catch.hpp>
#include <cstddef>
#include <vector>

#include "common/ctr/row_scorer.h"
#include "tests/common/ctr/golden.h"
#include "tests/common/ctr/tiny_request.h"

namespace larr {
namespace {

TEST_CASE("readout MEAN cannot be split and is the model's own forward pass") {
  auto description = testing::TinyDescription();
  description.mutable_architecture()->set_readout(
      config::v1::CtrArchitecture::MEAN);
  const auto loaded = std::make_shared<const LoadedCtrModel>(
      LoadedCtrModel{description, NewCtrModel(description, 3).value()});
  REQUIRE_FALSE(CanSplit(description.architecture()));
  const auto scorer = MakePlainScorer(loaded);
  const testing::TinyRequest request;
  const PoiColumns pois{.count = 2,
                        .ids = {1, 4},
                        .dense = {-1, 1},
                        .vectors = {request.menu.data(), nullptr}};
  const size_t bytes = scorer->poi_state_bytes();
  std::vector<std::byte> states(2 * bytes);
  scorer->MakePoiStates(pois, states.data());
  ScorerOutput output{std::vector<float>(3), std::vector<float>(3)};
  const std::vector<const std::byte*> of = {
      states.data(), states.data() + bytes, states.data()};
  scorer->Score(request.columns, of, output);

  // Columns: user_id, hour, poi_id, far; temperature, price, distance.
  const CtrBatch batch{
      .ids = torch::tensor({{2, 1, 1, 2}, {2, 1, 4, 1}, {2, 1, 1, 0}},
                           torch::kInt64),
      .dense = torch::tensor(
          {{0.5F, -1.0F, 0.1F}, {0.5F, 1.0F, 0.2F}, {0.5F, -1.0F, 0.3F}}),
      .scene = {
          torch::stack({torch::full({8}, 0.5F), torch::full({8}, -1.0F)}),
          torch::tensor({0, 1}, torch::kInt64),
          torch::tensor({{0, 1, -1}, {0, -1, -1}, {0, 1, -1}}, torch::kInt64)}};
  const torch::Tensor expected = loaded->model->Predict(batch);
  for (int i = 0; i < 3; ++i) {
    REQUIRE(output.ctr[i] == Approx(expected[i][0].item<float>()).margin(1e-6));
    REQUIRE(output.ctcvr[i] ==
            Approx(expected[i][1].item<float>()).margin(1e-6));
  }
}

}  // namespace
}  // namespace larr
