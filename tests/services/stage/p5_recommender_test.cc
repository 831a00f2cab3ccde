// SPDX-License-Identifier: Apache-2.0
#include "services/stage/p5_recommender.h"

#include <torch/utils.h>

#include <catch2/catch.hpp>
#include <vector>

#include "common/config/training_settings.h"
#include "common/ctr/model_io.h"
#include "tests/services/stage/p5_fixture.h"

namespace larr::stage {
namespace {

using testing::CtrFixture;

TEST_CASE("A recommender that was written predicts the same when it is read") {
  const CtrFixture fixture;
  const auto stage = testing::P5Stage(fixture, config::v1::StageConfig::ALIGN);
  const auto config = CompleteAlignConfig(stage.spec().align(1)).value();
  config::v1::CtrModelDescription description;
  description.set_name("p5");
  *description.mutable_architecture() = config.architecture();
  *description.mutable_dataset() = fixture.dataset().spec;
  SECTION("both tasks") { description.set_has_order_task(true); }
  SECTION("clicks alone") {}
  const auto made =
      P5Recommender::Make(
          P5Model::Start(testing::TinyLlama(), config.p5()).value(),
          description, fixture.dataset())
          .value();
  std::vector<Impression> rows(5);
  auto stream =
      ImpressionStream::Open(fixture.dataset(), {.part = Part::kTest}).value();
  for (Impression& row : rows) REQUIRE(stream.Next(row).value());
  const auto said = made->Score(rows, true).value();
  CHECK(said.size(0) == 5);
  CHECK(said.size(1) == (description.has_order_task() ? 2 : 1));
  CHECK(said.gt(0).all().item<bool>());
  CHECK(said.lt(1).all().item<bool>());

  const auto folder = fixture.path() / "model";
  std::filesystem::create_directory(folder);
  REQUIRE(made->Write(folder).ok());
  const auto read = P5Recommender::Read(folder, fixture.dataset()).value();
  CHECK(read->description().name() == "p5");
  CHECK(torch::equal(read->Score(rows, true).value(), said));

  // What serves models says what this one is.
  const auto loaded = LoadCtrModel(folder);
  CHECK(absl::IsInvalidArgument(loaded.status()));
  CHECK_THAT(std::string(loaded.status().message()),
             Catch::Contains("of kind P5"));
}

}  // namespace
}  // namespace larr::stage
