// SPDX-License-Identifier: Apache-2.0
//
// A snapshot of users u0, u1, ... and POIs p0, p1, ...
#pragma once

#include <catch2/catch.hpp>
#include <filesystem>
#include <string>

#include "common/store/snapshot_builder.h"
#include "tests/testing/snapshot_fixture.h"

namespace larr::load {

inline std::filesystem::path MakeSnapshot(const std::filesystem::path& dir,
                                          int users, int pois) {
  const auto builder =
      SnapshotBuilder::Open(dir / "work", testing::InfoOf("fp", 8), nullptr);
  REQUIRE(builder.ok());
  REQUIRE(testing::AddTexts(**builder, {1}, 8).ok());
  const auto add = [&](config::v1::Side side, const char* prefix, int count) {
    for (int i = 0; i < count; ++i) {
      REQUIRE((*builder)->AddEntity(side, prefix + std::to_string(i), {}).ok());
    }
  };
  add(config::v1::USER, "u", users);
  add(config::v1::POI, "p", pois);
  REQUIRE((*builder)->Publish(dir / "snapshot", {}).ok());
  return dir / "snapshot";
}

}  // namespace larr::load
