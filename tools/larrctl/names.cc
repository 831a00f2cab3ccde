// SPDX-License-Identifier: Apache-2.0
#include "tools/larrctl/names.h"

#include <fmt/format.h>

#include <vector>

#include "absl/strings/str_split.h"
#include "common/base/invalid_argument.h"

namespace larr::ctl {

std::string FullName(std::string_view collection, std::string_view name) {
  const std::string prefix = fmt::format("{}/", collection);
  if (name.starts_with(prefix)) return std::string(name);
  return fmt::format("{}{}", prefix, name);
}

absl::StatusOr<std::string> FullVersionName(std::string_view name) {
  const std::vector<std::string> parts = absl::StrSplit(std::string(name), '/');
  const bool full =
      parts.size() == 4 && parts[0] == "models" && parts[2] == "versions";
  if (full) return std::string(name);
  if (parts.size() == 2 && !parts[0].empty() && !parts[1].empty() &&
      parts[0] != "models") {
    return fmt::format("models/{}/versions/{}", parts[0], parts[1]);
  }
  return Invalid(
      "'{}' does not name a model version: write MODEL/VERSION, "
      "e.g. city/3 (see `larrctl model list`)",
      name);
}

}  // namespace larr::ctl
