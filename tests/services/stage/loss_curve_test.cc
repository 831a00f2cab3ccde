// SPDX-License-Identifier: Apache-2.0
#include "services/stage/loss_curve.h"

#include <catch2/catch.hpp>

#include "common/base/files.h"
#include "tests/testing/temp_dir.h"

namespace larr::stage {
namespace {

StepLoss Loss(int64_t step) {
  return {.total = static_cast<double>(step), .ctr = 1, .alignment = 0.5};
}

TEST_CASE("a point is the mean of its steps; the last step makes one") {
  LossCurve curve;
  for (int64_t step = 1; step <= 13; ++step)
    REQUIRE(curve.Add(step, Loss(step), 13) == (step == 10 || step == 13));
  REQUIRE(curve.points().size() == 2);
  REQUIRE(curve.points()[0]["step"] == 10);
  REQUIRE(curve.points()[0]["loss"] == 5.5);
  REQUIRE(curve.points()[0]["alignment"] == 0.5);
  REQUIRE(curve.last() == 12.0);
}

TEST_CASE("training that ends early makes its last point") {
  LossCurve curve;
  for (int64_t step = 1; step <= 12; ++step) curve.Add(step, Loss(step), 90);
  curve.Finish(12);
  curve.Finish(12);
  REQUIRE(curve.points().size() == 2);
  REQUIRE(curve.points()[1]["step"] == 12);
  REQUIRE(curve.last() == 11.5);
}

TEST_CASE("a loaded curve drops what comes again") {
  const testing::TempDir folder;
  const auto path = folder.path() / "curve.json";
  LossCurve curve;
  for (int64_t step = 1; step <= 30; ++step) curve.Add(step, Loss(step), 90);
  REQUIRE(curve.Save(path).ok());
  LossCurve loaded;
  REQUIRE(loaded.Load(path, 20).ok());
  REQUIRE(loaded.points().size() == 2);
  for (int64_t step = 21; step <= 30; ++step) loaded.Add(step, Loss(step), 90);
  REQUIRE(loaded.points() == curve.points());
}

TEST_CASE("a damaged file is named") {
  const testing::TempDir folder;
  const auto path = folder.path() / "curve.json";
  REQUIRE(WriteFileAtomically(path, "[{\"st").ok());
  const absl::Status status = LossCurve().Load(path, 20);
  REQUIRE(status.code() == absl::StatusCode::kDataLoss);
  REQUIRE_THAT(std::string(status.message()), Catch::Contains("curve.json"));
}

}  // namespace
}  // namespace larr::stage
