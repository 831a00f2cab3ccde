// SPDX-License-Identifier: Apache-2.0
#include "services/stage/p5_row_scores.h"

#include <catch2/catch.hpp>
#include <vector>

#include "common/llm/process_group.h"
#include "services/stage/align.h"
#include "services/stage/evaluate.h"
#include "tests/services/stage/p5_fixture.h"

namespace larr::stage {
namespace {

using config::v1::StageConfig;
using testing::CtrFixture;

TEST_CASE("A P5 is judged beside the other models, on the same rows") {
  const CtrFixture fixture;
  StageConfig evaluate = testing::P5Stage(fixture, StageConfig::EVALUATE);
  ProcessGroup alone;
  for (const std::string name : {"ple", "p5"}) {
    StageConfig config = testing::P5Stage(fixture, StageConfig::ALIGN);
    config.set_align_name(name);
    StageContext context = fixture.Context(config, name);
    context.ranks = &alone;
    REQUIRE(RunAlign(context).ok());
    (*evaluate.mutable_inputs())["align/" + name] = fixture.path() / name;
  }
  StageContext context = fixture.Context(evaluate, "evaluate");
  const absl::Status status = RunEvaluate(context);
  INFO(status.ToString());
  REQUIRE(status.ok());
  const auto metrics = fixture.Json("evaluate/metrics.json");
  for (const char* name : {"ple", "p5"}) {
    CAPTURE(name);
    const auto& model = metrics["models"][name];
    CHECK(model["test"]["rows"] == 60);
    CHECK(model["test"]["ctcvr_auc"].is_number());
    CHECK(model["missing"]["user"]["ctr_auc"].is_number());
    CHECK_FALSE(model["missing"].contains("texts"));
  }
  // Clicks alternate with the weather, which the prompt tells.
  CHECK(metrics["models"]["p5"]["test"]["ctr_auc"] > 0.8);

  const auto scores =
      P5RowScores::Open(fixture.dataset(), fixture.path() / "p5").value();
  CHECK(scores->has_order_task());
  CHECK_FALSE(scores->reads_texts());
  auto stream =
      ImpressionStream::Open(fixture.dataset(), {.part = Part::kTest}).value();
  std::vector<Impression> rows(4);
  for (Impression& row : rows) REQUIRE(stream.Next(row).value());
  const auto said = scores->Score(rows, true).value();
  CHECK(torch::equal(scores->Score(rows, false).value(), said));
  for (Impression& row : rows) row.user_index = -1;
  CHECK_FALSE(torch::equal(scores->Score(rows, true).value(), said));
}

}  // namespace
}  // namespace larr::stage
