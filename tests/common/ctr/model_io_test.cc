// SPDX-License-Identifier: Apache-2.0
#include "common/ctr/model_io.h"

#include <catch2/catch.hpp>

#include "common/base/files.h"
#include "tests/common/ctr/golden.h"
#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

using testing::Golden;
using testing::GoldenBatch;
using testing::TempDir;
using testing::TinyDescription;

TEST_CASE("what was saved is what is loaded") {
  const TempDir folder;
  const auto model = NewCtrModel(TinyDescription(), 11).value();
  REQUIRE(SaveCtrModel(folder.path(), TinyDescription(), *model).ok());
  const auto loaded = LoadCtrModel(folder.path()).value();
  REQUIRE(loaded.description.name() == "larr");
  const auto expected = NamedTensors(*model);
  for (const auto& [name, tensor] : NamedTensors(*loaded.model)) {
    INFO(name);
    REQUIRE(torch::equal(tensor, expected.at(name)));
  }
  const CtrBatch batch = GoldenBatch(Golden("larr_steps.safetensors"), 0);
  REQUIRE(torch::equal(loaded.model->Predict(batch), model->Predict(batch)));
}

TEST_CASE("equal seeds make equal models, others do not") {
  const auto weight = [](uint64_t seed) {
    return NewCtrModel(TinyDescription(), seed).value()->tables().weight();
  };
  REQUIRE(torch::equal(weight(1), weight(1)));
  REQUIRE_FALSE(torch::equal(weight(1), weight(2)));
}

TEST_CASE("weights of another model are refused by tensor") {
  const TempDir folder;
  const auto model = NewCtrModel(TinyDescription(), 1).value();
  auto description = TinyDescription();
  std::string culprit;
  SECTION("shape") {
    description.mutable_features(0)->add_vocabulary("u4");
    culprit = "tables.weight";
  }
  SECTION("unknown tensor") {
    description = testing::TinyPleDescription();
    culprit = "scene.";
  }
  SECTION("missing tensor") {
    description.mutable_architecture()->set_ple_levels(3);
    description.mutable_architecture()->add_expert_widths(4);
    culprit = "ple.level";
  }
  SECTION("terabytes") {
    auto& feature = *description.mutable_dataset()->add_tabular_features();
    feature.set_name("wide");
    feature.set_side(config::v1::USER);
    feature.mutable_hash()->add_columns("user_id");
    feature.mutable_hash()->set_buckets(2'000'000'000);
    description.mutable_architecture()->set_embedding_width(1024);
    description.add_features()->set_name("wide");
    culprit = "of which `wide` has 2000000000";
  }
  REQUIRE(SaveCtrModel(folder.path(), description, *model).ok());
  const auto status = LoadCtrModel(folder.path()).status();
  CAPTURE(status.ToString());
  REQUIRE(status.code() == absl::StatusCode::kInvalidArgument);
  REQUIRE_THAT(std::string(status.message()), Catch::Contains(kCtrWeightsFile));
  REQUIRE_THAT(std::string(status.message()), Catch::Contains(culprit));
}

TEST_CASE("missing and damaged files") {
  const TempDir folder;
  REQUIRE(LoadCtrModel(folder.path()).status().code() ==
          absl::StatusCode::kNotFound);
  const auto model = NewCtrModel(TinyDescription(), 1).value();
  REQUIRE(SaveCtrModel(folder.path(), TinyDescription(), *model).ok());
  const auto weights = folder.path() / kCtrWeightsFile;
  std::filesystem::resize_file(weights,
                               std::filesystem::file_size(weights) / 2);
  REQUIRE(LoadCtrModel(folder.path()).status().code() ==
          absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace larr
