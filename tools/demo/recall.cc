// SPDX-License-Identifier: Apache-2.0
#include "tools/demo/recall.h"

#include <fmt/format.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <chrono>
#include <map>

#include "common/base/status_macros.h"
#include "common/dataset/parquet_reader.h"
#include "common/rpc/grpc_status.h"
#include "examples/city/embedded.h"
#include "examples/city/world.h"
#include "larr/embedding/v1/embedding_service.grpc.pb.h"
#include "tools/demo/catalogue.h"
#include "tools/experiment/recall.h"
#include "tools/larrctl/part_progress.h"
#include "tools/programs/interrupts.h"

namespace larr::demo {
namespace {

using embedding::v1::EmbeddingService;
using experiment::Places;

// The POIs of the last day, as the platform lists them.
struct Listings {
  Places places;
  std::map<std::string, Json> shown;  // by POI id
};

absl::StatusOr<Listings> ReadListings(const Demo& demo) {
  LARR_ASSIGN_OR_RETURN(
      const auto file,
      ParquetFile::Open(demo.path("city") / "pois" /
                        fmt::format("date={}", kLastDay) / "part-0.parquet"));
  Listings listings;
  LARR_RETURN_IF_ERROR(file.ForEachRow(
      {"poi_id", "name", "city", "category", "menu"},
      [&](const RowGroup& group, int64_t i, int64_t /*number*/) {
        const auto text = [&](int c) {
          return std::string(group.column(c).String(i));
        };
        listings.places[text(0)] = {text(2), text(3)};
        listings.shown[text(0)] = {{"name", text(1)},
                                   {"city", text(2)},
                                   {"category", text(3)},
                                   {"menu", text(4)}};
        return absl::OkStatus();
      }));
  return listings;
}

// What the service finds for a scene.
absl::StatusOr<embedding::v1::SearchPoisResponse> Search(
    EmbeddingService::Stub& stub, const std::string& scene, int top) {
  embedding::v1::SearchPoisRequest request;
  request.set_scene_text(scene);
  request.set_top_k(top);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::seconds(60));
  embedding::v1::SearchPoisResponse response;
  LARR_RETURN_IF_ERROR(FromGrpc(stub.SearchPois(&context, request, &response)));
  return response;
}

void Print(const Json& recall) {
  const auto percent = [&](const char* key) {
    return 100 * recall[key].get<double>();
  };
  fmt::print(
      "top {} for a user travelling in a region, mean of {} regions: {:.0f} % "
      "from the region (chance {:.0f} %), {:.0f} % of its cuisine (chance "
      "{:.0f} %, among POIs of the city {:.0f} %)\n",
      recall["top"].get<int>(), recall["regions"].size(), percent("precision"),
      percent("precision_chance"), percent("cuisine_share"),
      percent("cuisine_share_chance"), percent("cuisine_share_in_city"));
  const Json& region = recall["regions"][0];
  fmt::print("first in {}:", region["region"].get<std::string>());
  for (size_t i = 0; i < std::min<size_t>(3, region["results"].size()); ++i) {
    const Json& poi = region["results"][i];
    fmt::print("{} {} ({})", i > 0 ? "," : "", poi["name"].get<std::string>(),
               poi["city"].get<std::string>());
  }
  fmt::print("\n");
}

}  // namespace

absl::StatusOr<Json> SearchRegions(const Demo& demo,
                                   const coordinator::v1::TrainingRun& run) {
  LARR_ASSIGN_OR_RETURN(const Listings listings, ReadListings(demo));
  LARR_ASSIGN_OR_RETURN(const city::World world,
                        city::ParseWorld(city::kDishesCsv, city::kCitiesCsv));
  LARR_ASSIGN_OR_RETURN(const auto embedding, StartEmbedding(demo, run));
  const auto stub = EmbeddingService::NewStub(grpc::CreateChannel(
      embedding.address(), grpc::InsecureChannelCredentials()));
  std::vector<Json> results;  // by region
  ctl::PartProgress progress("queries", std::ssize(world.cities));
  const auto search = [&](const std::string& scene,
                          int top) -> absl::StatusOr<std::vector<std::string>> {
    LARR_RETURN_IF_ERROR(programs::CheckInterrupt());
    progress.Update(std::ssize(results));
    LARR_ASSIGN_OR_RETURN(const auto found, Search(*stub, scene, top));
    std::vector<std::string> ids;
    Json& shown = results.emplace_back(Json::array());
    for (const auto& hit : found.results()) {
      const auto poi = listings.shown.find(hit.poi_id());
      if (poi == listings.shown.end()) continue;
      ids.push_back(hit.poi_id());
      shown.push_back(poi->second);
      shown.back()["score"] = hit.score();
    }
    return ids;
  };
  LARR_ASSIGN_OR_RETURN(
      Json recall, experiment::MeasureRecall(listings.places, world, search));
  progress.Finish(std::ssize(results));
  for (size_t i = 0; i < results.size(); ++i) {
    Json& region = recall["regions"][i];
    for (Json& poi : results[i]) {
      poi["in_region"] = poi["city"] == region["city"];
      poi["of_cuisine"] = poi["category"] == region["cuisine"];
    }
    region["results"] = std::move(results[i]);
  }
  Print(recall);
  recall.erase("top");
  recall["precision_at_10"] = recall["precision"];
  return recall;
}

}  // namespace larr::demo
