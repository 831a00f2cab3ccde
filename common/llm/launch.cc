// SPDX-License-Identifier: Apache-2.0
#include "common/llm/launch.h"

#include <absl/status/status.h>

#include <array>
#include <charconv>
#include <cstdlib>
#include <limits>
#include <map>
#include <string_view>

#include "common/base/invalid_argument.h"
#include "common/base/status_macros.h"

namespace larr {
namespace {

constexpr std::array kVariables = {"RANK", "WORLD_SIZE", "LOCAL_RANK",
                                   "MASTER_ADDR", "MASTER_PORT"};

using Values = std::map<std::string, std::string>;

absl::StatusOr<int> Number(const Values& values, const std::string& name,
                           int least, int most) {
  const std::string& text = values.at(name);
  int number = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() ||
      number < least || number > most) {
    return Invalid("{} is '{}'; it must be a whole number in [{}, {}]", name,
                   text, least, most);
  }
  return number;
}

}  // namespace

absl::StatusOr<Launch> ReadLaunch(const Environment& environment) {
  Values values;
  std::string missing;
  for (const char* name : kVariables) {
    const char* value = environment(name);
    if (value != nullptr && *value != 0) {
      values[name] = value;
    } else {
      missing = name;
    }
  }
  if (values.empty()) return Launch{};
  if (!missing.empty()) {
    const auto& [name, value] = *values.begin();
    return Invalid(
        "{} is not set, but {} is '{}'; set all of RANK, WORLD_SIZE, "
        "LOCAL_RANK, MASTER_ADDR and MASTER_PORT, or none",
        missing, name, value);
  }
  constexpr int kMost = std::numeric_limits<int>::max();
  Launch launch;
  LARR_ASSIGN_OR_RETURN(launch.world_size,
                        Number(values, "WORLD_SIZE", 1, kMost));
  LARR_ASSIGN_OR_RETURN(launch.rank,
                        Number(values, "RANK", 0, launch.world_size - 1));
  LARR_RETURN_IF_ERROR(Number(values, "LOCAL_RANK", 0, launch.rank).status());
  LARR_ASSIGN_OR_RETURN(const int port,
                        Number(values, "MASTER_PORT", 1, 65535));
  launch.port = static_cast<uint16_t>(port);
  launch.address = values.at("MASTER_ADDR");
  return launch;
}

absl::StatusOr<Launch> ReadLaunch() {
  return ReadLaunch([](const char* name) { return std::getenv(name); });
}

}  // namespace larr
