// SPDX-License-Identifier: Apache-2.0
#include "common/base/files.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <memory>
#include <random>
#include <sstream>

#include "common/base/file_descriptor.h"
#include "common/base/status_macros.h"

namespace larr {
namespace {

class Sha256Stream {
 public:
  Sha256Stream() : context_(EVP_MD_CTX_new(), &EVP_MD_CTX_free) {
    EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr);
  }
  void Update(std::string_view bytes) {
    EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size());
  }
  std::string Finish() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
    unsigned int length = 0;
    EVP_DigestFinal_ex(context_.get(), digest.data(), &length);
    std::string hex;
    for (unsigned int i = 0; i < length; ++i)
      hex += fmt::format("{:02x}", digest[i]);
    return hex;
  }

 private:
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

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

absl::Status ErrnoStatus(std::string_view what,
                         const std::filesystem::path& path) {
  const int error = errno;
  const std::string message =
      fmt::format("{} {}: {}", what, path.string(), std::strerror(error));
  switch (error) {
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

absl::Status MakeFolder(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (!error) return absl::OkStatus();
  return absl::UnavailableError(
      fmt::format("cannot make folder {}: {}", path.string(), error.message()));
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
    if (!file.valid()) return ErrnoStatus("cannot create", aside);
    LARR_RETURN_IF_ERROR(write([&](std::string_view bytes) {
      return WriteAll(file.get(), bytes, aside);
    }));
    if (fsync(file.get()) != 0) return ErrnoStatus("cannot sync", aside);
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
  const FileDescriptor file(path, O_RDONLY);
  if (!file.valid()) return ErrnoStatus("cannot open", path);
  Sha256Stream hash;
  std::string buffer(1 << 20, '\0');
  while (true) {
    const ssize_t count = read(file.get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return ErrnoStatus("cannot read", path);
    if (count == 0) return hash.Finish();
    hash.Update(std::string_view(buffer).substr(0, static_cast<size_t>(count)));
  }
}

std::string Sha256(std::string_view bytes) {
  Sha256Stream hash;
  hash.Update(bytes);
  return hash.Finish();
}

}  // namespace larr
