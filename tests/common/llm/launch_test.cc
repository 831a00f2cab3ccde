// SPDX-License-Identifier: Apache-2.0
#include "common/llm/launch.h"

#include <catch2/catch.hpp>
#include <map>

namespace larr {
namespace {

using Variables = std::map<std::string, std::string>;

const Variables kGood = {{"RANK", "3"},
                         {"WORLD_SIZE", "8"},
                         {"LOCAL_RANK", "1"},
                         {"MASTER_ADDR", "node-0"},
                         {"MASTER_PORT", "29500"}};

absl::StatusOr<Launch> Read(const Variables& variables) {
  return ReadLaunch([&](const char* name) -> const char* {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
}

TEST_CASE("torchrun's variables are read; none of them is one process") {
  const auto launch = Read(kGood);
  REQUIRE(launch.ok());
  CHECK(launch->rank == 3);
  CHECK(launch->world_size == 8);
  CHECK(launch->address == "node-0");
  CHECK(launch->port == 29500);
  REQUIRE(Read({}).ok());
  CHECK(Read({})->world_size == 1);
}

TEST_CASE("Impossible variables are refused by name and value") {
  const struct {
    const char* name;
    const char* value;
    const char* error;
  } cases[] = {
      {"RANK", "8", "RANK is '8'; it must be a whole number in [0, 7]"},
      {"RANK", "-1", "RANK is '-1'"},
      {"RANK", "1x", "RANK is '1x'"},
      {"WORLD_SIZE", "0", "WORLD_SIZE is '0'"},
      {"LOCAL_RANK", "4", "LOCAL_RANK is '4'; it must be a whole number in [0"},
      {"MASTER_PORT", "65536", "MASTER_PORT is '65536'"},
      {"MASTER_ADDR", "", "MASTER_ADDR is not set, but LOCAL_RANK is '1'"},
      {"MASTER_PORT", "", "MASTER_PORT is not set"},
      {"RANK", "", "RANK is not set"}};
  for (const auto& [name, value, error] : cases) {
    Variables variables = kGood;
    variables[name] = value;
    const auto launch = Read(variables);
    CHECK(absl::IsInvalidArgument(launch.status()));
    CHECK_THAT(launch.status().ToString(), Catch::Contains(error));
  }
}

}  // namespace
}  // namespace larr
