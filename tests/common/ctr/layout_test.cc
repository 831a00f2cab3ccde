// SPDX-License-Identifier: Apache-2.0
#include "common/ctr/layout.h"

#include <catch2/catch.hpp>

#include "tests/common/ctr/golden.h"

namespace larr {
namespace {

using testing::TinyDescription;
using testing::TinyPleDescription;

TEST_CASE("blocks follow one another whatever the spec's order") {
  const CtrLayout layout = MakeCtrLayout(TinyDescription()).value();
  REQUIRE(layout.table_rows == std::vector<int64_t>{4, 4, 5, 3});
  REQUIRE(layout.dense_count == 3);
  int64_t column = 0;
  for (const CtrBlock& block : layout.blocks) {
    REQUIRE(block.first_column == column);
    column += block.column_count;
  }
  REQUIRE(column == layout.tabular_columns);
  REQUIRE(layout.tabular_columns == 4 * 4 + 3);
  REQUIRE(layout.blocks[2].first_id == 2);
  REQUIRE(layout.blocks[2].first_dense == 1);
  REQUIRE(layout.target_ids == std::vector<int64_t>{0, 2});
  REQUIRE(layout.target_width() == 8);
  REQUIRE(layout.slots == std::vector<config::v1::Side>{config::v1::USER,
                                                        config::v1::POI,
                                                        config::v1::CONTEXT});
  REQUIRE(layout.tasks == 2);
}

TEST_CASE("a model without texts has no slots and no e_s") {
  const CtrLayout layout = MakeCtrLayout(TinyPleDescription()).value();
  REQUIRE(layout.slot_count() == 0);
  REQUIRE(layout.input_width() == layout.tabular_columns);
}

// The message must name what is wrong.
void RequireRefused(const config::v1::CtrModelDescription& description,
                    const std::string& what) {
  const auto status = MakeCtrLayout(description).status();
  REQUIRE(status.code() == absl::StatusCode::kInvalidArgument);
  REQUIRE_THAT(std::string(status.message()), Catch::Contains(what));
}

TEST_CASE("impossible descriptions are refused by name") {
  auto description = TinyDescription();
  SECTION("kind") {
    description.mutable_architecture()->clear_kind();
    RequireRefused(description, "architecture.kind");
  }
  SECTION("expert widths") {
    description.mutable_architecture()->set_ple_levels(3);
    RequireRefused(description, "expert_widths");
  }
  SECTION("negative width") {
    description.mutable_architecture()->set_tower_width(-1);
    RequireRefused(description, "tower_width");
  }
  SECTION("heads") {
    description.mutable_architecture()->set_encoder_heads(3);
    RequireRefused(description, "encoder_heads");
  }
  SECTION("no width of texts") {
    description.set_text_dim(0);
    RequireRefused(description, "text_dim");
  }
  SECTION("scene feature") {
    description.mutable_dataset()->add_scene_features("nothing");
    RequireRefused(description, "nothing");
  }
  SECTION("embedding feature that is a number") {
    description.mutable_dataset()->add_user_embedding_features("price");
    RequireRefused(description, "price");
  }
  SECTION("no embedding features") {
    description.mutable_dataset()->clear_user_embedding_features();
    description.mutable_dataset()->clear_poi_embedding_features();
    RequireRefused(description, "user_embedding_features");
  }
}

}  // namespace
}  // namespace larr
