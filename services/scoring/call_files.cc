// SPDX-License-Identifier: Apache-2.0
#include "services/scoring/call_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <system_error>
#include <utility>

#include "common/base/files.h"
#include "common/base/status_macros.h"

namespace larr {
namespace {

using scoring::v1::LoggedCall;

constexpr char kPrefix[] = "calls-";
constexpr char kSuffix[] = ".larrlog";
constexpr int64_t kLengthBytes = 4;
constexpr int64_t kHeadBytes = 12;

void PutLittleEndian(uint64_t value, int64_t bytes, char* out) {
  for (int64_t i = 0; i < bytes; ++i) {
    out[i] = static_cast<char>(value >> (8 * i) & 0xff);
  }
}

uint64_t GetLittleEndian(const char* in, int64_t bytes) {
  uint64_t value = 0;
  for (int64_t i = 0; i < bytes; ++i) {
    value |= uint64_t{static_cast<unsigned char>(in[i])} << (8 * i);
  }
  return value;
}

int64_t Milliseconds() {
  using std::chrono::milliseconds;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<milliseconds>(now).count();
}

}  // namespace

absl::StatusOr<std::vector<std::filesystem::path>> ListCallFiles(
    const std::filesystem::path& folder) {
  LARR_ASSIGN_OR_RETURN(std::vector<std::filesystem::path> files,
                        ListFolder(folder));
  std::erase_if(files, [](const std::filesystem::path& file) {
    const std::string name = file.filename();
    return !name.starts_with(kPrefix) || !name.ends_with(kSuffix);
  });
  return files;
}

CallFileWriter::CallFileWriter(const CallFilesOptions& options)
    : options_(options) {}

absl::StatusOr<std::unique_ptr<CallFileWriter>> CallFileWriter::Create(
    const CallFilesOptions& options) {
  std::error_code error;
  if (!std::filesystem::exists(options.folder, error)) {
    LARR_RETURN_IF_ERROR(MakeFolder(options.folder));
    std::filesystem::permissions(options.folder,
                                 std::filesystem::perms::owner_all, error);
  }
  if (access(options.folder.c_str(), W_OK | X_OK) != 0) {
    return ErrnoStatus("cannot write to", options.folder);
  }
  return std::unique_ptr<CallFileWriter>(new CallFileWriter(options));
}

absl::Status CallFileWriter::DeleteOldest() {
  LARR_ASSIGN_OR_RETURN(const auto files, ListCallFiles(options_.folder));
  const auto count = static_cast<int64_t>(files.size());
  for (int64_t i = 0; i < count - options_.max_files; ++i) {
    if (unlink(files[i].c_str()) != 0 && errno != ENOENT) {
      return ErrnoStatus("cannot delete", files[i]);
    }
  }
  return absl::OkStatus();
}

absl::Status CallFileWriter::BeginFile() {
  LARR_ASSIGN_OR_RETURN(const auto files, ListCallFiles(options_.folder));
  // Also a clock that goes back, or two files in one millisecond, sort by age.
  std::string name =
      fmt::format("{}{:015}{}", kPrefix, Milliseconds(), kSuffix);
  if (!files.empty() && files.back().filename() >= name) {
    const std::string newest = files.back().filename();
    const int64_t time = std::atoll(newest.c_str() + sizeof(kPrefix) - 1);
    name = fmt::format("{}{:015}{}", kPrefix, time + 1, kSuffix);
  }
  const std::filesystem::path path = options_.folder / name;
  auto file = std::make_unique<FileDescriptor>(
      path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND);
  if (!file->valid()) return ErrnoStatus("cannot create", path);
  if (fchmod(file->get(), S_IRUSR | S_IWUSR) != 0) {
    const absl::Status status = ErrnoStatus("cannot make private", path);
    unlink(path.c_str());  // Else each call would leave one.
    return status;
  }
  file_ = std::move(file);
  path_ = path;
  size_ = 0;
  return DeleteOldest();
}

absl::Status CallFileWriter::Append(std::string_view message) {
  record_.assign(kHeadBytes, '\0');
  record_ += message;
  const auto bytes = static_cast<int64_t>(record_.size());
  PutLittleEndian(bytes - kHeadBytes, kLengthBytes, record_.data());
  PutLittleEndian(
      XXH3_64bits(record_.data() + kHeadBytes, record_.size() - kHeadBytes),
      kHeadBytes - kLengthBytes, record_.data() + kLengthBytes);
  if (file_ == nullptr ||
      (size_ > 0 && size_ + bytes > options_.max_file_bytes)) {
    LARR_RETURN_IF_ERROR(BeginFile());
  }
  ssize_t written = 0;
  do {
    written = write(file_->get(), record_.data(), record_.size());
  } while (written < 0 && errno == EINTR);
  if (written == static_cast<ssize_t>(bytes)) {
    size_ += bytes;
    return absl::OkStatus();
  }
  if (written >= 0) errno = ENOSPC;  // cut short: the disk is full
  const absl::Status status = ErrnoStatus("cannot write", path_);
  // A record in part would end the file for its readers.
  if (ftruncate(file_->get(), size_) != 0) file_ = nullptr;
  return status;
}

CallFileReader::CallFileReader(std::filesystem::path path, std::ifstream file,
                               int64_t size)
    : path_(std::move(path)), file_(std::move(file)), size_(size) {}

absl::StatusOr<CallFileReader> CallFileReader::Open(
    const std::filesystem::path& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) return ErrnoStatus("cannot read", path);
  std::ifstream file(path, std::ios::binary);
  if (!file) return ErrnoStatus("cannot open", path);
  return CallFileReader(path, std::move(file), info.st_size);
}

absl::StatusOr<std::optional<LoggedCall>> CallFileReader::Damaged(
    int64_t record_end) {
  if (record_end < size_) {
    return absl::DataLossError(fmt::format(
        "{}: the record at byte {} is damaged; records after it are lost, too",
        path_.string(), offset_));
  }
  torn_bytes_ = size_ - offset_;
  offset_ = size_;
  return std::nullopt;
}

absl::StatusOr<std::optional<LoggedCall>> CallFileReader::Next() {
  if (offset_ == size_) return std::nullopt;
  std::string head(kHeadBytes, '\0');
  if (size_ - offset_ < kHeadBytes || !file_.read(head.data(), kHeadBytes)) {
    return Damaged(size_);
  }
  const auto length =
      static_cast<int64_t>(GetLittleEndian(head.data(), kLengthBytes));
  const int64_t end = offset_ + kHeadBytes + length;
  if (length == 0 || end > size_) return Damaged(size_);
  std::string message(length, '\0');
  if (!file_.read(message.data(), length)) return Damaged(size_);
  std::optional<LoggedCall> call(std::in_place);
  const uint64_t checksum =
      GetLittleEndian(head.data() + kLengthBytes, kHeadBytes - kLengthBytes);
  if (XXH3_64bits(message.data(), message.size()) != checksum ||
      !call->ParseFromString(message)) {
    return Damaged(end);
  }
  offset_ = end;
  return call;
}

}  // namespace larr
