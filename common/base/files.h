// SPDX-License-Identifier: Apache-2.0
//
// Files whose content is either wholly there or not there at all.
//
// Threads:    safe; two writers of one path: the last rename wins.
// Errors:     kNotFound          the file or its folder does not exist
//             kPermissionDenied  the system refused access
//             kResourceExhausted the disk or a quota is full
//             kUnavailable       any other failure of the system
//             Messages name the path and the system's reason.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace larr {

// Reads a whole file.
absl::StatusOr<std::string> ReadFile(const std::filesystem::path& path);

// Replaces `path` by `bytes`: writes aside, fsyncs, renames, fsyncs the folder.
// A reader sees the old content or the new one; after a crash, too.
absl::Status WriteFileAtomically(const std::filesystem::path& path,
                                 std::string_view bytes);

// As above, of what `write` appends: a content that is never held at once. An
// error of `write` leaves the old file.
using AppendBytes = std::function<absl::Status(std::string_view bytes)>;
absl::Status WriteFileAtomically(
    const std::filesystem::path& path,
    const std::function<absl::Status(const AppendBytes&)>& write);

// `folder/` as `folder`: what stands beside it has its name and a suffix.
std::filesystem::path WithoutTrailingSlash(const std::filesystem::path& path);

// Makes a folder and those above it; OK if it is there already.
// Errors: those above
absl::Status MakeFolder(const std::filesystem::path& path);

// What stands in a folder, as `path/name`, sorted.
absl::StatusOr<std::vector<std::filesystem::path>> ListFolder(
    const std::filesystem::path& path);

// Links a file, or copies it to the disk where it cannot be linked, as where
// the two folders are on different ones. `to` must not be there.
absl::Status LinkFile(const std::filesystem::path& from,
                      const std::filesystem::path& to);

// Flushes a file's content to the disk.
absl::Status SyncFile(const std::filesystem::path& path);

// Flushes a folder's entries (created, renamed, removed names) to the disk.
absl::Status SyncFolder(const std::filesystem::path& path);

// SHA-256 as 64 lower-case hex digits. The file is streamed.
absl::StatusOr<std::string> Sha256File(const std::filesystem::path& path);
std::string Sha256(std::string_view bytes);

// The status for a call's error: "<what> <path>: <reason>".
absl::Status FileStatus(std::string_view what,
                        const std::filesystem::path& path,
                        const std::error_code& error);
// The same for the present `errno`.
absl::Status ErrnoStatus(std::string_view what,
                         const std::filesystem::path& path);

}  // namespace larr
