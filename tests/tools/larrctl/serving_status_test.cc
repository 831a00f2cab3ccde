// SPDX-License-Identifier: Apache-2.0
#include "tools/larrctl/serving_status.h"

#include <catch2/catch.hpp>

#include "common/config/text_proto.h"

namespace larr::ctl {
namespace {

using scoring::v1::ServingState;

ServingState Parse(const std::string& text) {
  const auto state = ParseTextProto<ServingState>(text);
  INFO(state.status().ToString());
  REQUIRE(state.ok());
  return *state;
}

TEST_CASE("The status of a server, at a glance", "[larrctl]") {
  const ServingState state = Parse(R"pb(
    model_version: "models/city/versions/7"
    model_path: "/a/m7"
    snapshot: "5f2c"
    snapshot_path: "/a/s9"
    embedder_fingerprint: "e01d"
    switch_time { seconds: 1700000600 }
    model_create_time { seconds: 1699913600 }
    snapshot_create_time { seconds: 1699996400 }
    fencing_token: 12
    refusal: "hash of model.safetensors is wrong"
    start_time { seconds: 1699900000 }
    queue { waiting: 3 limit_ms: 100 admitted: 1990 rejected: 10 }
    ready_pois: 970
    prepared_pois: 30
    arms {
      name: "control"
      weight: 9000
      calls: 1800
      model_version: "models/city/versions/7"
      snapshot: "5f2c"
      model_create_time { seconds: 1699913600 }
      snapshot_create_time { seconds: 1699996400 }
      poi_cache { pois: 70000 bytes: 536870912 budget_bytes: 1073741824 }
      has_score_distribution: true
      drift { output: CTR psi: 0.0312 scores: 5000 }
      drift { output: CTCVR psi: 0.3 scores: 5000 }
    }
    arms { name: "new" weight: 1000 refusal: "no such folder" }
    shadows {
      name: "next"
      weight: 500
      model_version: "8"
      snapshot: "5f2c"
      model_create_time { seconds: 1699999990 }
      snapshot_create_time { seconds: 1699996400 }
      poi_cache { pois: 5 bytes: 1048576 budget_bytes: 1073741824 }
    }
  )pb");
  google::protobuf::Timestamp now;
  now.set_seconds(1700000720);
  CHECK(ServingStatusText(state, now) == R"(model        models/city/versions/7
model path   /a/m7
model age    1d 00:12:00
snapshot     5f2c
snapshot at  /a/s9
snapshot age 01:12:00
embedder     e01d
live since   2023-11-14 22:23:20 UTC (00:02:00 ago)
fencing      12
refused      hash of model.safetensors is wrong
server       up since 2023-11-13 18:26:40 UTC
queue        3 waiting, 100.0 ms at most
calls        1990 taken, 10 turned away (0.50 %)
POIs         1000 asked for, 97.0 % ready

ARM      SHARE    CALLS  MODEL                   AGE          SNAPSHOT  AGE       POI CACHE                      DRIFT (PSI)             REFUSED
control  90.00 %  1800   models/city/versions/7  1d 00:12:00  5f2c      01:12:00  512.0 of 1024 MiB, 70000 POIs  ctr 0.031, ctcvr 0.300
new      10.00 %  0      -                       -            -         -         0.0 of 0 MiB, 0 POIs           not known to its model  no such folder

SHADOW  SHARE   MODEL  AGE       SNAPSHOT  AGE       POI CACHE                REFUSED
next    5.00 %  8      00:12:10  5f2c      01:12:00  1.0 of 1024 MiB, 5 POIs
)");
}

TEST_CASE("An answer to a switch has no server's figures", "[larrctl]") {
  const std::string text = ServingStatusText(Parse(R"pb(
    model_version: "7"
    switch_time { seconds: 1 }
  )pb"));
  CHECK_THAT(text, Catch::StartsWith("model        7\n") &&
                       !Catch::Contains("queue") && !Catch::Contains("ARM"));
}

TEST_CASE("An arm of few scores says so", "[larrctl]") {
  CHECK_THAT(ServingStatusText(Parse(R"pb(
               arms { name: "a" has_score_distribution: true }
             )pb")),
             Catch::Contains("too few scores"));
}

}  // namespace
}  // namespace larr::ctl
