// SPDX-License-Identifier: Apache-2.0
#include "services/stage/validation.h"

#include <torch/utils.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <string>

#include "common/ctr/model_io.h"
#include "common/features/feature_learner.h"
#include "tests/services/stage/ctr_fixture.h"

namespace larr::stage {
namespace {

config::v1::CtrModelDescription Describe(const Dataset& dataset) {
  config::v1::CtrModelDescription description;
  description.mutable_architecture()->set_kind(
      config::v1::CtrArchitecture::PLE);
  *description.mutable_dataset() = dataset.spec;
  *description.mutable_features() =
      FeatureLearner::Create(dataset.spec).value().Finish();
  description.set_has_order_task(true);
  return description;
}

TEST_CASE("the loss of a model that always says one half is two bits") {
  const testing::CtrFixture fixture;
  const auto description = Describe(fixture.dataset());
  const auto model = NewCtrModel(description, 1).value();
  for (auto& [name, tensor] : NamedTensors(*model)) tensor.zero_();
  const auto batcher =
      CtrBatcher::Create(fixture.dataset(), description, nullptr).value();
  CHECK(ValidationLoss(fixture.dataset(), *model, *batcher).value() ==
        Approx(2 * std::log(2)));
  // ln(1 + e) - y for a logit of 1; half of the rows are clicked.
  NamedTensors(*model).at("ple.tower0_logit_bias").fill_(1);
  CHECK(ValidationLoss(fixture.dataset(), *model, *batcher).value() ==
        Approx(std::log(2) + std::log(1 + std::exp(1)) - 0.5));

  const Validation validation =
      Validate(fixture.dataset(), *model, *batcher).value();
  CHECK(validation.metrics["rows"] == 60);
  CHECK(validation.scores.has_ctr());
}

TEST_CASE("without validation rows there is no loss") {
  const testing::CtrFixture fixture;
  testing::WriteParquet(
      testing::TinyFile(fixture.path(), "impressions", "2024-01-05"),
      testing::TinyImpressionColumns(), {});
  const auto description = Describe(fixture.dataset());
  const auto model = NewCtrModel(description, 1).value();
  const auto batcher =
      CtrBatcher::Create(fixture.dataset(), description, nullptr).value();
  const absl::Status status =
      ValidationLoss(fixture.dataset(), *model, *batcher).status();
  CHECK(absl::IsInvalidArgument(status));
  CHECK_THAT(std::string(status.message()),
             Catch::Contains("0 validation rows of dataset \"tiny\""));
}

}  // namespace
}  // namespace larr::stage
