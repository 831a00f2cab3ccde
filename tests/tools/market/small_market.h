// SPDX-License-Identifier: Apache-2.0
//
// A market in a small city, with artifacts that no service could load.
#pragma once

#include <catch2/catch.hpp>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "common/base/artifact_folder.h"
#include "common/base/files.h"
#include "examples/city/generator.h"
#include "examples/city/impression_rows.h"
#include "examples/city/random.h"
#include "examples/city/visits.h"
#include "tests/testing/temp_dir.h"
#include "tools/market/day_log.h"
#include "tools/market/market.h"
#include "tools/market/oracle.h"

namespace larr::market {

class SmallMarket {
 public:
  SmallMarket() {
    REQUIRE(city::GenerateCity(
                {.seed = 3, .pois = 240, .users = 50, .impressions = 8000},
                dir_.path() / "city",
                [](const std::string&, int64_t) { return absl::OkStatus(); })
                .ok());
    for (const char* name : {"ple", "larr", "embedder", "snapshot"}) {
      auto writer = ArtifactWriter::Create(dir_.path() / name);
      REQUIRE(writer.ok());
      REQUIRE(WriteFileAtomically(writer->path() / "file", name).ok());
      REQUIRE(writer->Finish({}).ok());
    }
  }

  std::filesystem::path path(const std::string& name) const {
    return dir_.path() / name;
  }

  MarketOptions options() const {
    return {.out = path("out"),
            .dataset = path("city"),
            .ple = path("ple"),
            .larr = path("larr"),
            .embedder = path("embedder"),
            .snapshot = path("snapshot"),
            .days = 4,
            .requests = 30,
            .candidates = 15};
  }

  std::unique_ptr<const Market> Open() const {
    auto market = Market::Open(options());
    INFO(market.status().ToString());
    REQUIRE(market.ok());
    return *std::move(market);
  }

 private:
  const testing::TempDir dir_;
};

// A day of lists in the order of the candidates, with arms by the user's
// number; as it was written into `folder`.
inline std::vector<ServedRequest> WriteSomeDay(
    const Market& market, const std::filesystem::path& folder, int day) {
  auto writer = DayWriter::Create(market, folder, day);
  INFO(writer.status().ToString());
  REQUIRE(writer.ok());
  city::Visits visits(market.city_seed(), market.platform());
  visits.StartDay(day);
  std::vector<ServedRequest> requests;
  for (int64_t i = 0; i < market.requests(); ++i) {
    ServedRequest request{.id = market.FirstRequest(day) + i};
    city::Random random({9, static_cast<uint64_t>(request.id)});
    const city::Visit visit = visits.Draw(i, market.requests(), 15, random);
    const auto candidates = CandidatesOf(market.platform(), visit);
    request.user = visit.user;
    request.arm = visit.user % 2 == 0 ? "control" : "treatment";
    request.bounds = ClickBounds(market.platform(), candidates);
    for (int p = 0; p < std::min<int>(kShown, std::ssize(candidates)); ++p) {
      city::Shown shown{.request_id = request.id,
                        .position = p,
                        .distance = candidates[p].distance,
                        .truth = TruthAt(market.platform(), candidates[p], p)};
      shown.event = EventOf(market, request.id, visit.user, candidates[p].poi,
                            shown.truth);
      request.shown.push_back(shown);
    }
    REQUIRE(writer
                ->Add(city::MomentColumns(market.platform().world,
                                          market.platform().calendar.days[day],
                                          visit.moment),
                      request)
                .ok());
    requests.push_back(std::move(request));
  }
  REQUIRE(writer->Finish().ok());
  return requests;
}

}  // namespace larr::market
