// SPDX-License-Identifier: Apache-2.0
#include "common/config/text_proto.h"

#include <catch2/catch.hpp>

#include "common/base/files.h"
#include "larr/config/v1/server.pb.h"
#include "tests/testing/temp_dir.h"

namespace larr {

using config::v1::CoordinatorConfig;

TEST_CASE("A text proto is read and written", "[config]") {
  const testing::TempDir dir;
  const auto path = dir.path() / "c.textproto";
  REQUIRE(WriteFileAtomically(
              path, "server { listen: '127.0.0.1:0' }  # why\ncpu_slots: 2")
              .ok());
  const auto config = LoadTextProto<CoordinatorConfig>(path);
  REQUIRE(config.ok());
  CHECK(config->server().listen() == "127.0.0.1:0");
  CHECK(ParseTextProto<CoordinatorConfig>(ToTextProto(*config))->cpu_slots() ==
        2);
}

TEST_CASE("A mistake is named with file, line and column", "[config]") {
  struct Case {
    const char* text;
    const char* place;
    const char* what;
  };
  const Case cases[] = {
      {"cpu_slots: 1\ncpu_slotz: 2", "x.textproto:2:", "cpu_slotz"},
      {"cpu_slots: 'two'", "x.textproto:1:", "integer"},
      {"server { listen: 'a'", "x.textproto:1:", "xpected"},
      {"cpu_slots: 99999999999", "x.textproto:1:", "range"},
  };
  for (const Case& c : cases) {
    INFO(c.text);
    const auto config =
        ParseTextProto<CoordinatorConfig>(c.text, "x.textproto");
    REQUIRE(absl::IsInvalidArgument(config.status()));
    const std::string message(config.status().message());
    CHECK(message.find(c.place) == 0);
    CHECK(message.find(c.what) != std::string::npos);
    CHECK(message.find("larr.config.v1.CoordinatorConfig") !=
          std::string::npos);
  }
  CHECK(absl::IsNotFound(LoadTextProto<CoordinatorConfig>("/none/x").status()));
}

}  // namespace larr
