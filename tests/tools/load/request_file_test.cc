// SPDX-License-Identifier: Apache-2.0
#include "tools/load/request_file.h"

#include <catch2/catch.hpp>
#include <string>

#include "common/base/files.h"
#include "tests/testing/temp_dir.h"

namespace larr::load {
namespace {

using scoring::v1::ScoreRequest;

std::vector<ScoreRequest> Sample() {
  std::vector<ScoreRequest> requests(3);
  for (int i = 0; i < 3; ++i) {
    requests[i].set_user_id("u" + std::to_string(i));
    (*requests[i].mutable_context())["hour"].set_int_value(i);
    for (int k = 0; k <= 100 * i; ++k) {
      requests[i].add_candidates()->set_poi_id("p" + std::to_string(k));
    }
  }
  return requests;
}

TEST_CASE("Requests come back as they were written", "[load]") {
  const testing::TempDir dir;
  const auto requests = Sample();
  REQUIRE(WriteRequests(dir.path() / "r", requests).ok());
  const auto read = ReadRequests(dir.path() / "r");
  REQUIRE(read.ok());
  REQUIRE(read->size() == requests.size());
  for (size_t i = 0; i < requests.size(); ++i) {
    CHECK((*read)[i].ShortDebugString() == requests[i].ShortDebugString());
  }
}

TEST_CASE("A file that is empty, cut off or something else is refused",
          "[load]") {
  const testing::TempDir dir;
  const auto path = dir.path() / "r";
  REQUIRE(WriteRequests(path, Sample()).ok());
  const std::string bytes = ReadFile(path).value();
  const auto message_of = [&](const std::string& content) {
    REQUIRE(WriteFileAtomically(path, content).ok());
    const auto read = ReadRequests(path);
    CHECK(absl::IsInvalidArgument(read.status()));
    return std::string(read.status().message());
  };
  CHECK_THAT(message_of(""), Catch::Contains("no requests"));
  CHECK_THAT(message_of(bytes.substr(0, bytes.size() - 1)),
             Catch::Contains("request 3 is cut off"));
  CHECK_THAT(message_of("{\"user_id\": \"u1\"}"),
             Catch::Contains("request 1") && Catch::Contains(path.string()));
  CHECK(absl::IsNotFound(ReadRequests(dir.path() / "none").status()));
}

TEST_CASE("A file of more than 2 GiB is read request by request", "[load]") {
  const testing::TempDir dir;
  const auto path = dir.path() / "r";
  REQUIRE(WriteRequests(path, Sample()).ok());
  const std::string bytes = ReadFile(path).value();
  // What follows is no request, and 3 GiB that take no space.
  REQUIRE(WriteFileAtomically(path, bytes + "\x03\xff\xff\xff").ok());
  std::filesystem::resize_file(path, int64_t{3} << 30);
  const auto status = ReadRequests(path).status();
  CHECK(absl::IsInvalidArgument(status));
  CHECK_THAT(std::string(status.message()), Catch::Contains("request 4 is"));
}

TEST_CASE("A folder is no file of requests", "[load]") {
  const testing::TempDir dir;
  CHECK(absl::IsUnavailable(ReadRequests(dir.path()).status()));
}

}  // namespace
}  // namespace larr::load
