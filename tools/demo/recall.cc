// SPDX-License-Identifier: Apache-2.0
#include "tools/demo/recall.h"

#include <fmt/format.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <chrono>
#include <unordered_map>

#include "common/base/status_macros.h"
#include "common/dataset/parquet_reader.h"
#include "common/rpc/grpc_status.h"
#include "examples/city/embedded.h"
#include "examples/city/world.h"
#include "larr/embedding/v1/embedding_service.grpc.pb.h"
#include "tools/demo/catalogue.h"
#include "tools/demo/part_progress.h"

namespace larr::demo {
namespace {

using embedding::v1::EmbeddingService;

constexpr int kTop = 10;

struct Listing {
  std::string name;
  std::string city;
  std::string category;
  std::string menu;
};
using Listings = std::unordered_map<std::string, Listing>;

// The POIs of the last day, as the platform lists them.
absl::StatusOr<Listings> ReadListings(const Demo& demo) {
  LARR_ASSIGN_OR_RETURN(
      const auto file,
      ParquetFile::Open(demo.path("city") / "pois" /
                        fmt::format("date={}", kLastDay) / "part-0.parquet"));
  Listings listings;
  for (int g = 0; g < file.row_groups(); ++g) {
    LARR_ASSIGN_OR_RETURN(
        const RowGroup group,
        file.Read(g, {"poi_id", "name", "city", "category", "menu"}));
    for (int64_t i = 0; i < group.rows(); ++i) {
      const auto text = [&](int c) {
        return std::string(group.column(c).String(i));
      };
      listings[text(0)] = {text(1), text(2), text(3), text(4)};
    }
  }
  return listings;
}

// Shares of a set of POIs.
struct Shares {
  int all = 0;
  int in_city = 0;
  int of_cuisine = 0;
  int of_cuisine_in_city = 0;

  void Add(const Listing& poi, const std::string& city,
           const std::string& cuisine) {
    ++all;
    in_city += poi.city == city;
    of_cuisine += poi.category == cuisine;
    of_cuisine_in_city += poi.city == city && poi.category == cuisine;
  }
};

double Ratio(int part, int whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / whole;
}

Json Found(const Listing& poi, float score, bool in_region, bool of_cuisine) {
  return {{"name", poi.name},         {"city", poi.city},
          {"category", poi.category}, {"menu", poi.menu},
          {"score", score},           {"in_region", in_region},
          {"of_cuisine", of_cuisine}};
}

// One query: its ten POIs, and how many are what was asked for.
absl::StatusOr<Json> Search(EmbeddingService::Stub& stub,
                            const Listings& listings, const city::City& city,
                            const std::string& cuisine) {
  embedding::v1::SearchPoisRequest request;
  // A scene as the embedder knows it: a context text between its tokens.
  request.set_scene_text("<situation>travelling on vacation in " + city.region +
                         "</situation>");
  request.set_top_k(kTop);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::seconds(60));
  embedding::v1::SearchPoisResponse response;
  LARR_RETURN_IF_ERROR(FromGrpc(stub.SearchPois(&context, request, &response)));
  Shares found, chance;
  Json results = Json::array();
  for (const auto& result : response.results()) {
    const auto poi = listings.find(result.poi_id());
    if (poi == listings.end()) continue;
    found.Add(poi->second, city.name, cuisine);
    results.push_back(Found(poi->second, result.score(),
                            poi->second.city == city.name,
                            poi->second.category == cuisine));
  }
  for (const auto& [id, poi] : listings) chance.Add(poi, city.name, cuisine);
  return Json{{"query", request.scene_text()},
              {"region", city.region},
              {"city", city.name},
              {"cuisine", cuisine},
              {"precision", Ratio(found.in_city, kTop)},
              {"precision_chance", Ratio(chance.in_city, chance.all)},
              {"cuisine_share", Ratio(found.of_cuisine, kTop)},
              {"cuisine_share_chance", Ratio(chance.of_cuisine, chance.all)},
              {"cuisine_share_in_city",
               Ratio(chance.of_cuisine_in_city, chance.in_city)},
              {"results", results}};
}

void PrintExample(const Json& region) {
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
  LARR_ASSIGN_OR_RETURN(Server embedding, StartEmbedding(demo, run));
  const auto stub = EmbeddingService::NewStub(grpc::CreateChannel(
      embedding.address(), grpc::InsecureChannelCredentials()));
  Json regions = Json::array();
  Json sums = Json::object();
  const auto count = static_cast<int64_t>(world.cities.size());
  PartProgress progress("queries", count);
  for (const city::City& city : world.cities) {
    LARR_RETURN_IF_ERROR(CheckInterrupt());
    progress.Update(static_cast<int64_t>(regions.size()));
    LARR_ASSIGN_OR_RETURN(Json region, Search(*stub, listings, city,
                                              world.cuisines[city.cuisine]));
    for (const char* key : {"precision", "precision_chance", "cuisine_share",
                            "cuisine_share_chance", "cuisine_share_in_city"}) {
      sums[key] =
          sums.value(key, 0.0) +
          region[key].get<double>() / static_cast<double>(world.cities.size());
    }
    regions.push_back(std::move(region));
  }
  progress.Finish(count);
  fmt::print(
      "top {} for a user travelling in a region, mean of {} regions: {:.0f} % "
      "from the region (chance {:.0f} %), {:.0f} % of its cuisine (chance "
      "{:.0f} %, among POIs of the city {:.0f} %)\n",
      kTop, world.cities.size(), 100 * sums["precision"].get<double>(),
      100 * sums["precision_chance"].get<double>(),
      100 * sums["cuisine_share"].get<double>(),
      100 * sums["cuisine_share_chance"].get<double>(),
      100 * sums["cuisine_share_in_city"].get<double>());
  PrintExample(regions[0]);
  Json json = {{"precision_at_10", sums["precision"]}};
  json.update(sums);
  json["regions"] = std::move(regions);
  return json;
}

}  // namespace larr::demo
