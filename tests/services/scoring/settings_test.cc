// SPDX-License-Identifier: Apache-2.0
#include "services/scoring/settings.h"

#include <catch2/catch.hpp>
#include <cstdlib>

#include "common/base/files.h"
#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

absl::StatusOr<ScoringSettings> Load(const std::string& text) {
  const testing::TempDir dir;
  REQUIRE(WriteFileAtomically(dir.path() / "config", text).ok());
  return LoadScoringSettings(dir.path() / "config");
}

TEST_CASE("Settings that are left out have their defaults", "[scoring]") {
  const auto settings = Load("alias_file: '/alias'");
  REQUIRE(settings.ok());
  CHECK(settings->config.alias_file() == "/alias");
  CHECK(settings->service.max_candidates == 1000);
  CHECK(settings->service.max_request_bytes == 1 << 20);
  CHECK(settings->service.default_deadline == std::chrono::seconds(1));
  CHECK(settings->service.admission.threads == 1);
  CHECK(settings->bundle.poi_cache_bytes == 1 << 30);
}

TEST_CASE("Settings that are given are used", "[scoring]") {
  const auto settings = Load(
      "model_path: '/m' snapshot_path: '/s' max_candidates: 7 threads: 3 "
      "poi_cache_bytes: 1000 max_request_bytes: 2000000 "
      "admission { target_wait_ms: 20 default_deadline_ms: 300 }");
  REQUIRE(settings.ok());
  CHECK(settings->service.max_candidates == 7);
  CHECK(settings->service.max_request_bytes == 2'000'000);
  CHECK(settings->service.default_deadline == std::chrono::milliseconds(300));
  CHECK(settings->service.admission.threads == 3);
  CHECK(settings->service.admission.target_wait ==
        std::chrono::milliseconds(20));
  CHECK(settings->bundle.poi_cache_bytes == 500);  // A switch has two bundles.
}

TEST_CASE("A request is refused before gRPC would", "[scoring]") {
  const auto settings =
      Load("alias_file: '/a' server { max_message_bytes: 1000 }");
  REQUIRE(settings.ok());
  CHECK(settings->service.max_request_bytes == 500);
}

TEST_CASE("Settings that cannot work are named", "[scoring]") {
  const std::pair<const char*, const char*> cases[] = {
      {"", "nothing to serve"},
      {"alias_file: 'a' snapshot_path: 'b'", "either alias_file"},
      {"alias_file: 'a' threads: -1", "must not be negative"},
      {"alias_file: 'a' max_candidates: -1", "must not be negative"},
      {"alias_file: 'a' poi_cache_bytes: -1", "must not be negative"},
      {"alias_file: 'a' admission { target_wait_ms: 10001 }",
       "admission.target_wait_ms is 10001"},
      {"alias_file: 'a' admission { default_deadline_ms: 600001 }",
       "admission.default_deadline_ms is 600001"},
      {"alias_file: 'a' max_request_bytes: 4194304",
       "max_request_bytes is 4194304"},
      {"alias_file: 'a' max_request_bytes: -1", "max_request_bytes is -1"},
  };
  for (const auto& [text, message] : cases) {
    CAPTURE(text);
    const auto status = Load(text).status();
    CHECK(absl::IsInvalidArgument(status));
    CHECK_THAT(std::string(status.message()), Catch::Contains(message));
  }
  CHECK(absl::IsNotFound(LoadScoringSettings("/nowhere").status()));
}

TEST_CASE("The scoring examples that ship can be read", "[scoring]") {
  const std::filesystem::path source = std::getenv("LARR_SOURCE_DIR");
  for (const char* path :
       {"deploy/config/scoring.textproto", "deploy/compose/scoring.textproto"})
    CHECK(LoadScoringSettings(source / path).ok());
}

}  // namespace
}  // namespace larr
