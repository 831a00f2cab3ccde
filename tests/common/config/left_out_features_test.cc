// SPDX-License-Identifier: Apache-2.0
#include "common/config/left_out_features.h"

#include <catch2/catch.hpp>

#include "absl/status/status.h"
#include "common/config/text_proto.h"

namespace larr {
namespace {

using config::v1::AlignConfig;
using config::v1::DatasetSpec;

DatasetSpec Spec() {
  return *ParseTextProto<DatasetSpec>(R"pb(
    keywords { name: "sky" }
    keywords { name: "menu" }
    tabular_features { name: "user_id" }
    tabular_features { name: "poi_id" }
    tabular_features { name: "price" }
    scene_features: [ "sky", "menu" ]
    user_embedding_features: "user_id"
    poi_embedding_features: "poi_id"
  )pb");
}

TEST_CASE("What is left out is gone wherever it is named, and nothing else",
          "[config]") {
  AlignConfig align;
  CHECK(ToTextProto(*WithoutLeftOutFeatures(Spec(), align)) ==
        ToTextProto(Spec()));
  align.add_left_out_features("poi_id");
  align.add_left_out_features("sky");
  CHECK(ToTextProto(*WithoutLeftOutFeatures(Spec(), align)) ==
        ToTextProto(*ParseTextProto<DatasetSpec>(R"pb(
          keywords { name: "sky" }
          keywords { name: "menu" }
          tabular_features { name: "user_id" }
          tabular_features { name: "price" }
          scene_features: "menu"
          user_embedding_features: "user_id"
        )pb")));
}

TEST_CASE("A name that is no feature, or is there twice, is refused",
          "[config]") {
  AlignConfig align;
  align.add_left_out_features("price");
  align.add_left_out_features(GENERATE("cuisine", "price"));
  const absl::Status status = WithoutLeftOutFeatures(Spec(), align).status();
  CHECK(absl::IsInvalidArgument(status));
  CHECK_THAT(std::string(status.message()),
             Catch::Contains("`left_out_features` names \"" +
                             align.left_out_features(1) + "\""));
}

}  // namespace
}  // namespace larr
