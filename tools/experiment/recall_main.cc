// SPDX-License-Identifier: Apache-2.0
//
// larr_city_recall: the paper's case study on a trained language model
// (recall.h), with a map of the POIs (poi_map.h), as JSON on stdout. `larrctl
// experiment run` calls it.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "common/base/status_macros.h"
#include "common/config/text_proto.h"
#include "examples/city/embedded.h"
#include "services/embedding/llm_encoder.h"
#include "tools/experiment/places.h"
#include "tools/experiment/poi_map.h"
#include "tools/experiment/recall.h"

namespace larr::experiment {
namespace {

constexpr size_t kMapPois = 500;  // 10 KB of JSON

absl::Status Run(const std::string& checkpoint, const std::string& snapshot,
                 const std::string& embed) {
  LARR_ASSIGN_OR_RETURN(const auto world,
                        city::ParseWorld(city::kDishesCsv, city::kCitiesCsv));
  LARR_ASSIGN_OR_RETURN(const auto opened, Snapshot::Open(snapshot));
  LARR_ASSIGN_OR_RETURN(const auto config,
                        ParseTextProto<config::v1::EmbedConfig>(embed));
  LARR_ASSIGN_OR_RETURN(const auto encoder,
                        OpenLlmEncoder(checkpoint, config, 0));
  LARR_ASSIGN_OR_RETURN(const Places places, ReadPlaces(*opened, world));
  LARR_ASSIGN_OR_RETURN(const PoiIndex pois, PoiIndex::Load(*opened));
  LARR_ASSIGN_OR_RETURN(const auto search, SearchBy(*encoder, *opened, pois));
  LARR_ASSIGN_OR_RETURN(auto json, MeasureRecall(places, world, search));
  for (auto& region : json["regions"])
    region = {{"region", region["region"]},
              {"precision", region["precision"]},
              {"cuisine_share", region["cuisine_share"]}};
  json["map"] = MapPois(pois, places, kMapPois);
  fmt::print("{}\n", json.dump());
  return absl::OkStatus();
}

}  // namespace
}  // namespace larr::experiment

int main(int argc, char** argv) {
  std::string checkpoint, snapshot, embed;
  CLI::App app("POIs nearest to a traveller, by region, as JSON.");
  app.add_option("--checkpoint", checkpoint, "Artifact of the contrast stage")
      ->required();
  app.add_option("--snapshot", snapshot, "Artifact of the embed stage")
      ->required();
  app.add_option("--embed", embed, "The run's EmbedConfig, as text");
  CLI11_PARSE(app, argc, argv);
  const absl::Status status =
      larr::experiment::Run(checkpoint, snapshot, embed);
  if (status.ok()) return EXIT_SUCCESS;
  fmt::print(stderr, "larr_city_recall: {}\n", std::string(status.message()));
  return EXIT_FAILURE;
}
