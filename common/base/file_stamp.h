// SPDX-License-Identifier: Apache-2.0
//
// Whether a file is still the one that it was, without reading it.
//
// Threads:    safe.
// Errors:     none
#pragma once

#include <filesystem>
#include <string>

namespace larr {

// A line of path, bytes and time of the last change, in nanoseconds. Of a file
// that is not there, that it is not: who reads it tells why.
std::string FileStamp(const std::filesystem::path& path);

// A line for each file directly in a folder, by name.
std::string FolderStamp(const std::filesystem::path& folder);

}  // namespace larr
