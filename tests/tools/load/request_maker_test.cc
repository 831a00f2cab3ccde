// SPDX-License-Identifier: Apache-2.0
#include "tools/load/request_maker.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <set>
#include <string>

#include "common/base/files.h"
#include "tests/testing/temp_dir.h"
#include "tests/tools/load/snapshot_sample.h"

namespace larr::load {
namespace {

TEST_CASE("Zipf draws halve with twice the rank", "[load]") {
  std::mt19937_64 random(1);
  const ZipfDraw draw(1000);
  std::vector<int> counts(1000);
  for (int i = 0; i < 400'000; ++i) ++counts[draw.Draw(random)];
  CHECK(counts[0] / static_cast<double>(counts[1]) == Approx(2).epsilon(0.05));
  CHECK(counts[1] / static_cast<double>(counts[3]) == Approx(2).epsilon(0.05));
  CHECK(*std::ranges::min_element(counts) > 0);
  CHECK(ZipfDraw(1).Draw(random) == 0);
}

TEST_CASE("Made requests have known users, different POIs, and the context",
          "[load]") {
  const testing::TempDir dir;
  const auto snapshot = Snapshot::Open(MakeSnapshot(dir.path(), 20, 60));
  REQUIRE(snapshot.ok());
  REQUIRE(WriteFileAtomically(dir.path() / "context",
                              R"({"hour": 12, "weather": "rain"})")
              .ok());
  const auto context = ReadContext(dir.path() / "context");
  REQUIRE(context.ok());
  const MadeRequests options{.count = 300, .candidates = 50, .seed = 4};
  const auto requests = MakeRequests(**snapshot, *context, options);
  REQUIRE(requests.ok());
  REQUIRE(requests->size() == 300);
  std::map<std::string, int> users;
  for (const auto& request : *requests) {
    CHECK(request.context().at("hour").int_value() == 12);
    CHECK(request.context().at("weather").string_value() == "rain");
    ++users[request.user_id()];
    std::set<std::string> pois;
    for (const auto& candidate : request.candidates()) {
      CHECK((*snapshot)
                ->ReadEntity(config::v1::POI, candidate.poi_id())
                .value()
                .has_value());
      pois.insert(candidate.poi_id());
    }
    CHECK(pois.size() == 50);
  }
  // The most popular of 20 has 28 % of all, were they equal it were 5 %.
  const auto most = std::ranges::max_element(
      users, {}, [](const auto& user) { return user.second; });
  CHECK(most->second > 50);
  CHECK(most->second < 130);
  CHECK((*snapshot)->ReadEntity(config::v1::USER, most->first)->has_value());

  const auto again = MakeRequests(**snapshot, *context, options);
  CHECK(again->front().user_id() == requests->front().user_id());
  CHECK(again->back().candidates(49).poi_id() ==
        requests->back().candidates(49).poi_id());
  CHECK(MakeRequests(**snapshot, {}, {.count = 1, .candidates = 60}).ok());
  const auto too_many =
      MakeRequests(**snapshot, {}, {.count = 1, .candidates = 61});
  CHECK(absl::IsInvalidArgument(too_many.status()));
  CHECK_THAT(std::string(too_many.status().message()),
             Catch::Contains("--candidates 61") && Catch::Contains("60 POIs"));
}

TEST_CASE("A context that is no object of values is refused", "[load]") {
  const testing::TempDir dir;
  const auto path = dir.path() / "context";
  const std::string text = GENERATE("[1]", "{", "", R"({"hour": [1]})");
  REQUIRE(WriteFileAtomically(path, text).ok());
  const auto context = ReadContext(path);
  CHECK(absl::IsInvalidArgument(context.status()));
  CHECK_THAT(std::string(context.status().message()),
             Catch::Contains("--context " + path.string()));
}

}  // namespace
}  // namespace larr::load
