// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <catch2/catch.hpp>
#include <filesystem>
#include <string>

#include "common/base/files.h"

namespace larr::testing {

// A program that is a shell script.
inline std::filesystem::path Script(const std::filesystem::path& path,
                                    const std::string& text) {
  REQUIRE(WriteFileAtomically(path, "#!/bin/sh\n" + text).ok());
  std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  return path;
}

}  // namespace larr::testing
