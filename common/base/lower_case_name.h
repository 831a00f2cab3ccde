// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <string_view>

namespace larr {

// Whether a name is made of lower-case letters, digits and `-`, at least one:
// what datasets, slices, runs and models may be called.
inline bool IsLowerCaseName(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
}

}  // namespace larr
