// SPDX-License-Identifier: Apache-2.0
#include "tools/bfloat16/batch_requests.h"

#include <catch2/catch.hpp>

#include "common/ctr/model_io.h"
#include "common/ctr/row_scorer.h"
#include "services/stage/align.h"
#include "services/stage/ctr_batcher.h"
#include "tests/services/stage/ctr_fixture.h"

namespace larr::bfloat16 {
namespace {

using testing::CtrFixture;

TEST_CASE("a batch's requests have its rows, and its scores") {
  const CtrFixture fixture;
  auto config = fixture.Config(config::v1::StageConfig::ALIGN);
  config.set_align_name("larr");
  stage::StageContext context = fixture.Context(config, "larr");
  REQUIRE(stage::RunAlign(context).ok());
  const auto loaded = std::make_shared<const LoadedCtrModel>(
      LoadCtrModel(fixture.path() / "larr").value());
  const auto snapshot = Snapshot::Open(fixture.path() / "snapshot").value();
  auto batcher = stage::CtrBatcher::Create(fixture.dataset(),
                                           loaded->description, snapshot.get())
                     .value();
  auto stream =
      ImpressionStream::Open(fixture.dataset(), {.part = Part::kTest}).value();
  // Every row twice: at least two candidates a request.
  Impression row;
  while (stream.Next(row).value()) {
    batcher->Add(row);
    batcher->Add(row);
  }
  const CtrBatch batch = batcher->Take().value();
  const auto requests = RequestsOf(batch, loaded->model->layout());
  CHECK(static_cast<int64_t>(requests.size()) <= batch.rows() / 2);
  CHECK(requests.size() > 1);

  const auto scorer = MakePlainScorer(loaded);
  const torch::Tensor expected = loaded->model->Predict(batch);
  int64_t at = 0;
  for (const BatchRequest& request : requests) {
    const int64_t n = request.columns.candidates;
    REQUIRE(n == request.pois.count);
    std::vector<std::byte> states(n * scorer->poi_state_bytes());
    scorer->MakePoiStates(request.pois, states.data());
    std::vector<const std::byte*> pointers;
    for (int64_t i = 0; i < n; ++i)
      pointers.push_back(states.data() + i * scorer->poi_state_bytes());
    ScorerOutput output{std::vector<float>(n), std::vector<float>(n)};
    scorer->Score(request.columns, pointers, output);
    for (int64_t i = 0; i < n; ++i, ++at) {
      CHECK(output.ctr[i] == Approx(expected[at][0].item<float>()));
      CHECK(output.ctcvr[i] == Approx(expected[at][1].item<float>()));
    }
  }
  CHECK(at == batch.rows());
}

}  // namespace
}  // namespace larr::bfloat16
