// SPDX-License-Identifier: Apache-2.0
#include "common/ctr/scorer.h"

#include <catch2/catch.hpp>

#include "common/base/status_macros.h"
#include "tests/common/ctr/golden.h"
#include "tests/common/ctr/tiny_request.h"
#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

using testing::GoldenFolder;
using testing::TinyRequest;

absl::StatusOr<ScorerOutput> Score(const Scorer& scorer,
                                   const TinyRequest& request) {
  const size_t bytes = scorer.poi_state_bytes();
  std::vector<std::byte> made(request.pois.count * bytes);
  LARR_RETURN_IF_ERROR(scorer.MakePoiStates(request.pois, made));
  std::vector<const std::byte*> states;
  for (int64_t i = 0; i < request.pois.count; ++i)
    states.push_back(made.data() + i * bytes);
  return scorer.Score(request.columns, states);
}

TEST_CASE("scores equal the plain forward pass of the same rows") {
  const auto scorer = Scorer::Open(GoldenFolder() / "larr", 1).value();
  const TinyRequest request;
  const auto out = Score(scorer, request).value();
  const auto loaded = LoadCtrModel(GoldenFolder() / "larr").value();
  // Columns: user_id, hour, poi_id, far; temperature, price, distance.
  const CtrBatch batch{
      .ids = torch::tensor({{2, 1, 1, 2}, {2, 1, 0, 1}, {2, 1, 4, 0}},
                           torch::kInt64),
      .dense = torch::tensor(
          {{0.5F, -1.0F, 0.1F}, {0.5F, 0.0F, 0.2F}, {0.5F, 1.0F, 0.3F}}),
      .scene = {
          torch::stack({torch::full({8}, 0.5F), torch::full({8}, -1.0F)}),
          torch::tensor({0, 1}, torch::kInt64),
          torch::tensor({{0, 1, -1}, {0, -1, -1}, {0, 1, -1}}, torch::kInt64)}};
  const torch::Tensor expected = loaded.model->Predict(batch);
  for (int i = 0; i < 3; ++i) {
    REQUIRE(out.ctr[i] == Approx(expected[i][0].item<float>()).margin(1e-6));
    REQUIRE(out.ctcvr[i] == Approx(expected[i][1].item<float>()).margin(1e-6));
  }
}

TEST_CASE("an explanation's first score is the score") {
  const auto scorer = Scorer::Open(GoldenFolder() / "larr", 1).value();
  TinyRequest request;
  request.columns.candidates = 1;
  request.columns.cross_ids.resize(1);
  request.columns.cross_dense.resize(1);
  request.pois = {
      .count = 1, .ids = {1}, .dense = {-1}, .vectors = {request.menu.data()}};
  const auto scores = Score(scorer, request).value();
  const auto parts = scorer.Explain(request.columns, request.pois).value();
  REQUIRE(parts.scores.ctr.size() == 1 + 4 + 3 + 3);
  REQUIRE(parts.scores.ctr[0] == Approx(scores.ctr[0]).margin(1e-5));
  REQUIRE(parts.attention.size() == 4);
  request.pois.vectors.clear();
  REQUIRE(absl::IsInvalidArgument(
      scorer.Explain(request.columns, request.pois).status()));
}

TEST_CASE("no candidates, and nothing known") {
  const auto scorer = Scorer::Open(GoldenFolder() / "larr", 1).value();
  TinyRequest request;
  request.columns.candidates = 0;
  request.columns.cross_ids.clear();
  request.columns.cross_dense.clear();
  request.pois = {};
  REQUIRE(Score(scorer, request)->ctr.empty());

  request.columns = {.candidates = 1,
                     .user_ids = {0},
                     .context_ids = {0},
                     .user_dense = {},
                     .context_dense = {0},
                     .user_vectors = {nullptr},
                     .context_vectors = {nullptr},
                     .cross_ids = {0},
                     .cross_dense = {0}};
  request.pois = {.count = 1, .ids = {0}, .dense = {0}, .vectors = {nullptr}};
  const auto out = Score(scorer, request).value();
  REQUIRE(out.ctr[0] > 0);
  REQUIRE(out.ctr[0] < 1);
}

TEST_CASE("a model without texts or orders takes no vectors and gives 0") {
  const testing::TempDir folder;
  auto description = testing::TinyPleDescription();
  description.set_has_order_task(false);
  const auto model = NewCtrModel(description, 1).value();
  REQUIRE(SaveCtrModel(folder.path(), description, *model).ok());
  const auto scorer = Scorer::Open(folder.path(), 1).value();
  TinyRequest request;
  request.columns.user_vectors.clear();
  request.columns.context_vectors.clear();
  request.pois.vectors.clear();
  const auto out = Score(scorer, request).value();
  REQUIRE(out.ctr.size() == 3);
  REQUIRE(out.ctcvr == std::vector<float>(3, 0.0F));
}

TEST_CASE("inputs that do not fit are refused by field") {
  const auto scorer = Scorer::Open(GoldenFolder() / "larr", 1).value();
  TinyRequest request;
  std::string field;
  SECTION("user_ids") {
    request.columns.user_ids.push_back(1);
    field = "user_ids";
  }
  SECTION("cross_dense") {
    request.columns.cross_dense.pop_back();
    field = "cross_dense";
  }
  SECTION("poi_vectors") {
    request.pois.vectors.pop_back();
    field = "poi_vectors";
  }
  SECTION("an id beyond its table") {
    request.pois.ids[2] = 5;
    field = "poi_ids[2] is 5";
  }
  SECTION("a negative id") {
    request.columns.context_ids[0] = -1;
    field = "context_ids[0] is -1";
  }
  const auto status = Score(scorer, request).status();
  REQUIRE(status.code() == absl::StatusCode::kInvalidArgument);
  REQUIRE_THAT(std::string(status.message()), Catch::Contains(field));
}

}  // namespace
}  // namespace larr
