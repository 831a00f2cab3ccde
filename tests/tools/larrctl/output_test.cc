// SPDX-License-Identifier: Apache-2.0
#include "tools/larrctl/output.h"

#include <catch2/catch.hpp>

#include "larr/scoring/v1/scoring_service.pb.h"

namespace larr::ctl {
namespace {

TEST_CASE("A table's columns are as wide as their widest cell", "[larrctl]") {
  CHECK(Table({"A", "LONG"}, {{"wide", "x"}, {"b", ""}}) ==
        "A     LONG\nwide  x\nb\n");
  CHECK(Table({"A"}, {}) == "A\n");
}

TEST_CASE("JSON has the proto's names and every plain field", "[larrctl]") {
  scoring::v1::MissingCounts missing;
  missing.set_pois(2);
  CHECK(ToJson(missing) ==
        R"({"users":0,"pois":2,"texts":0,"texts_by_feature":{}})");
}

TEST_CASE("Times and durations read like a clock", "[larrctl]") {
  google::protobuf::Timestamp time;
  CHECK(TimeText(time) == "-");
  time.set_seconds(1'700'000'000);
  CHECK(TimeText(time) == "2023-11-14 22:13:20");
  CHECK(DurationText(-1) == "00:00:00");
  CHECK(DurationText(3725.9) == "01:02:05");
  CHECK(DurationText(86400 + 61) == "1d 00:01:01");
  google::protobuf::Timestamp end = time;
  end.set_seconds(time.seconds() + 5);
  end.set_nanos(500'000'000);
  CHECK(SecondsBetween(time, end) == Approx(5.5));
  CHECK(SecondsBetween({}, end) == 0);
  CHECK(SecondsBetween(time, {}) > 9e7);
}

}  // namespace
}  // namespace larr::ctl
