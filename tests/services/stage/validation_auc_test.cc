// SPDX-License-Identifier: Apache-2.0
#include "services/stage/validation_auc.h"

#include <catch2/catch.hpp>
#include <string>

#include "services/stage/align.h"
#include "tests/services/stage/ctr_fixture.h"

namespace larr::stage {
namespace {

class ValidationAucTest {
 public:
  ValidationAucTest() {
    for (const std::string name : {"ple", "larr"}) {
      auto config = fixture_.Config(config::v1::StageConfig::ALIGN);
      config.set_align_name(name);
      StageContext context = fixture_.Context(config, name);
      REQUIRE(RunAlign(context).ok());
    }
  }

 protected:
  absl::StatusOr<ValidationAuc> Judge(const std::string& model,
                                      const std::string& snapshot) const {
    return ComputeValidationAuc(fixture_.path() / "dataset.textproto",
                                fixture_.path() / model,
                                fixture_.path() / snapshot);
  }

  testing::CtrFixture fixture_;
};

TEST_CASE_METHOD(ValidationAucTest,
                 "a finished model is judged as its training judged it") {
  for (const std::string name : {"ple", "larr"}) {
    CAPTURE(name);
    const auto trained = fixture_.Json(name + "/training.json")["validation"];
    const ValidationAuc judged = Judge(name, "snapshot").value();
    CHECK(judged.ctr_auc == trained["ctr_auc"]);
    CHECK(judged.rows == trained["rows"]);
    CHECK(judged.clicks == trained["clicks"]);
    CHECK(judged.missing_texts == 0);
  }
  CHECK(Judge("ple", "gone").ok());  // It needs none.
}

TEST_CASE_METHOD(ValidationAucTest, "texts that the snapshot lacks are told") {
  fixture_.WriteSnapshot("poorer", "print", /*without=*/"e");
  CHECK(Judge("larr", "poorer")->missing_texts > 0);
  fixture_.WriteSnapshot("other", "another print");
  CHECK(absl::IsFailedPrecondition(Judge("larr", "other").status()));
}

TEST_CASE_METHOD(ValidationAucTest, "rows must say something of a model") {
  SECTION("a dataset that lost what it reads") {
    auto spec = testing::TinySpec();
    spec.mutable_scene_features()->RemoveLast();
    REQUIRE(WriteFileAtomically(fixture_.path() / "dataset.textproto",
                                ToTextProto(spec))
                .ok());
    const absl::Status status = Judge("larr", "snapshot").status();
    CHECK(absl::IsInvalidArgument(status));
    CHECK_THAT(std::string(status.message()),
               Catch::Contains("does not have it"));
  }
  SECTION("no rows") {
    testing::WriteParquet(
        testing::TinyFile(fixture_.path(), "impressions", "2024-01-05"),
        testing::TinyImpressionColumns(), {});
    const absl::Status status = Judge("ple", "snapshot").status();
    CHECK(absl::IsInvalidArgument(status));
    CHECK_THAT(std::string(status.message()),
               Catch::Contains("0 validation rows"));
  }
}

}  // namespace
}  // namespace larr::stage
