// SPDX-License-Identifier: Apache-2.0
#include "common/base/files.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <fstream>
#include <random>
#include <sstream>

#include "common/base/file_descriptor.h"
#include "common/base/sha256.h"
#include "common/base/status_macros.h"

namespace larr {
namespace {

absl::Status WriteAll(int fd, std::string_view bytes,
                      const std::filesystem::path& path) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return ErrnoStatus("cannot write", path);
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

absl::Status SyncPath(const std::filesystem::path& path, int flags) {
  const FileDescriptor file(path, flags);
  if (!file.valid()) return ErrnoStatus("cannot open", path);
  if (fsync(file.get()) != 0) return ErrnoStatus("cannot sync", path);
  return absl::OkStatus();
}

}  // namespace

absl::Status FileStatus(std::string_view what,
                        const std::filesystem::path& path,
                        const std::error_code& error) {
  const std::string message =
      fmt::format("{} {}: {}", what, path.string(), error.message());
  switch (error.value()) {
    case ENOENT:
    case ENOTDIR:
      return absl::NotFoundError(message);
    case EACCES:
    case EPERM:
    case EROFS:
      return absl::PermissionDeniedError(message);
    case ENOSPC:
    case EDQUOT:
      return absl::ResourceExhaustedError(message + "; free some space");
    default:
      return absl::UnavailableError(message);
  }
}

absl::Status ErrnoStatus(std::string_view what,
                         const std::filesystem::path& path) {
  return FileStatus(what, path, {errno, std::generic_category()});
}

std::filesystem::path WithoutTrailingSlash(const std::filesystem::path& path) {
  return path.has_filename() ? path : path.parent_path();
}

absl::Status MakeFolder(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  return error ? FileStatus("cannot make folder", path, error)
               : absl::OkStatus();
}

absl::StatusOr<std::vector<std::filesystem::path>> ListFolder(
    const std::filesystem::path& path) {
  std::vector<std::filesystem::path> entries;
  std::error_code error;
  for (std::filesystem::directory_iterator it(path, error), end;
       !error && it != end; it.increment(error))
    entries.push_back(it->path());
  if (error) return FileStatus("cannot list", path, error);
  std::sort(entries.begin(), entries.end());
  return entries;
}

absl::Status LinkFile(const std::filesystem::path& from,
                      const std::filesystem::path& to) {
  std::error_code error;
  std::filesystem::create_hard_link(from, to, error);
  if (!error) return absl::OkStatus();
  std::filesystem::copy_file(from, to, error);
  if (!error) return SyncFile(to);
  return FileStatus(fmt::format("cannot copy {} to", from.string()), to, error);
}

absl::StatusOr<std::string> ReadFile(const std::filesystem::path& path) {
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  if (!in) return ErrnoStatus("cannot open", path);
  std::ostringstream content;
  if (in.peek() != std::ifstream::traits_type::eof()) content << in.rdbuf();
  if (in.bad() || content.fail()) return ErrnoStatus("cannot read", path);
  return std::move(content).str();
}

absl::Status WriteFileAtomically(const std::filesystem::path& path,
                                 std::string_view bytes) {
  return WriteFileAtomically(
      path, [&](const AppendBytes& append) { return append(bytes); });
}

absl::Status WriteFileAtomically(
    const std::filesystem::path& path,
    const std::function<absl::Status(const AppendBytes&)>& write) {
  // A name of this call's own: other threads, and processes of other
  // containers, may write the same path.
  std::random_device random;
  std::filesystem::path aside = path;
  aside += fmt::format(".tmp.{:08x}{:08x}", random(), random());
  const auto write_aside = [&]() -> absl::Status {
    const FileDescriptor file(aside, O_WRONLY | O_CREAT | O_EXCL);
    if (!file.valid()) return ErrnoStatus("cannot create", path);
    LARR_RETURN_IF_ERROR(write([&](std::string_view bytes) {
      return WriteAll(file.get(), bytes, path);
    }));
    if (fsync(file.get()) != 0) return ErrnoStatus("cannot sync", path);
    return absl::OkStatus();
  };
  absl::Status status = write_aside();
  if (status.ok() && std::rename(aside.c_str(), path.c_str()) != 0)
    status = ErrnoStatus("cannot rename to", path);
  if (!status.ok()) {
    unlink(aside.c_str());
    return status;
  }
  return SyncFolder(path.has_parent_path() ? path.parent_path() : ".");
}

absl::Status SyncFile(const std::filesystem::path& path) {
  return SyncPath(path, O_RDONLY);
}

absl::Status SyncFolder(const std::filesystem::path& path) {
  return SyncPath(path, O_RDONLY | O_DIRECTORY);
}

absl::StatusOr<std::string> Sha256File(const std::filesystem::path& path) {
  return Sha256File(path, {});
}

std::string Sha256(std::string_view bytes) {
  Sha256Stream hash;
  hash.Update(bytes);
  return hash.Finish();
}

}  // namespace larr
