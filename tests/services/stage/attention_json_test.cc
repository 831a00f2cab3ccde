// SPDX-License-Identifier: Apache-2.0
#include "services/stage/attention_json.h"

#include <catch2/catch.hpp>

namespace larr::stage {
namespace {

TEST_CASE("mean weights of all rows and of those of each slice") {
  const auto weights = torch::tensor(
      {{0.5F, 0.25F, 0.25F}, {0.25F, 0.5F, 0.25F}, {0.0F, 0.75F, 0.25F}});
  const auto json = AttentionJson({"weather", "menu"}, weights,
                                  {{"rain", {true, false, true}},
                                   {"heat", {false, true, false}},
                                   {"cold", {false, false, false}}});
  CHECK(json == nlohmann::ordered_json::parse(R"({
          "features": ["weather", "menu", "agg"],
          "all": [0.25, 0.5, 0.25],
          "slices": {"rain": [0.25, 0.5, 0.25], "heat": [0.25, 0.5, 0.25]}})"));
}

}  // namespace
}  // namespace larr::stage
