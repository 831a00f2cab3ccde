// SPDX-License-Identifier: Apache-2.0
#include "tools/market/retraining.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "common/base/artifact_folder.h"
#include "common/config/text_proto.h"
#include "tests/testing/temp_dir.h"

namespace larr::market {
namespace {

TEST_CASE("a recommender is trained anew without what its choices add up to") {
  const testing::TempDir dir;
  auto writer = ArtifactWriter::Create(dir.path() / "model");
  REQUIRE(writer.ok());
  config::v1::AlignConfig trained;
  trained.set_name("larr");
  trained.set_seed(7);
  trained.add_left_out_features("weather");
  trained.add_left_out_features("poi_ctr");
  config::v1::ArtifactManifest manifest;
  manifest.set_config(ToTextProto(trained));
  REQUIRE(writer->Finish(manifest).ok());

  const auto recommender = Recommender::Of(dir.path() / "model");
  INFO(recommender.status().ToString());
  REQUIRE(recommender.ok());
  const config::v1::AlignConfig& again = recommender->config;
  CHECK(again.name() == "larr");
  CHECK(again.seed() == 7);
  CHECK(std::vector<std::string>(again.left_out_features().begin(),
                                 again.left_out_features().end()) ==
        std::vector<std::string>{"weather", "poi_ctr", "user_ctr", "user_cvr",
                                 "user_impressions", "user_orders", "poi_ctcvr",
                                 "poi_impressions", "poi_orders", "user_stats",
                                 "POI_stats"});
  CHECK(recommender->RunId("2024-04-16") == "larr-2024-04-16");
}

}  // namespace
}  // namespace larr::market
