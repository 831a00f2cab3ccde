// SPDX-License-Identifier: Apache-2.0
#include "common/llm/frozen_cache.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "common/base/files.h"
#include "common/base/status_macros.h"

namespace larr {
namespace {

constexpr char kMagic[] = "LARR frozen rows 1\n";

// What stands before a text's rows.
struct Head {
  XXH128_canonical_t key;
  int64_t tokens = 0;
  uint64_t rows = 0;  // checksum of the rows
  uint64_t head = 0;  // checksum of the fields above
};

uint64_t SumOf(const Head& head) {
  return XXH3_64bits(&head, offsetof(Head, head));
}

XXH128_canonical_t KeyOf(std::span<const int64_t> ids) {
  XXH128_canonical_t key;
  XXH128_canonicalFromHash(&key, XXH3_128bits(ids.data(), ids.size_bytes()));
  return key;
}

std::string Text(const XXH128_canonical_t& key) {
  return {reinterpret_cast<const char*>(key.digest), sizeof(key.digest)};
}

// Whole or not at all.
bool ReadAt(int fd, void* bytes, int64_t size, int64_t at) {
  auto* to = static_cast<char*>(bytes);
  while (size > 0) {
    const ssize_t count = pread(fd, to, static_cast<size_t>(size), at);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    to += count;
    at += count;
    size -= count;
  }
  return true;
}

}  // namespace

FrozenCache::FrozenCache(std::filesystem::path path, int64_t width,
                         int64_t max_bytes)
    : path_(std::move(path)),
      width_(width),
      max_bytes_(max_bytes),
      file_(path_, O_RDWR | O_CREAT) {}

int64_t FrozenCache::RowBytes(int64_t tokens) const {
  return tokens * width_ * static_cast<int64_t>(sizeof(float));
}

bool FrozenCache::Write(const void* bytes, int64_t size, int64_t at) const {
  const auto* from = static_cast<const char*>(bytes);
  while (size > 0) {
    const ssize_t count =
        pwrite(file_.get(), from, static_cast<size_t>(size), at);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    from += count;
    at += count;
    size -= count;
  }
  return true;
}

void FrozenCache::Stop(const std::string& why) {
  full_ = true;
  spdlog::warn(
      "the cache of frozen layers takes no more texts file={} texts={} "
      "reason=\"{}\"",
      path_.string(), records_.size(), why);
}

absl::Status FrozenCache::Clear(const std::string& header) {
  records_.clear();
  if (ftruncate(file_.get(), 0) != 0) return ErrnoStatus("cannot empty", path_);
  end_ = static_cast<int64_t>(header.size());
  if (!Write(header.data(), end_, 0)) return ErrnoStatus("cannot write", path_);
  return absl::OkStatus();
}

absl::Status FrozenCache::ReadIndex(const std::string& identity) {
  struct stat info {};
  if (fstat(file_.get(), &info) != 0) return ErrnoStatus("cannot read", path_);
  const std::string header =
      fmt::format("{}{} {}\n", kMagic, Sha256(identity), width_);
  std::string found(header.size(), '\0');
  end_ = static_cast<int64_t>(header.size());
  if (!ReadAt(file_.get(), found.data(), end_, 0) || found != header)
    return Clear(header);
  while (true) {
    Head head;
    const int64_t begin = end_ + static_cast<int64_t>(sizeof(head));
    if (!ReadAt(file_.get(), &head, sizeof(head), end_)) break;
    if (head.head != SumOf(head) || head.tokens < 1 ||
        head.tokens > (info.st_size - begin) / RowBytes(1))
      break;
    records_[Text(head.key)] = {begin, head.tokens, head.rows};
    end_ = begin + RowBytes(head.tokens);
  }
  if (ftruncate(file_.get(), end_) != 0)
    return ErrnoStatus("cannot shorten", path_);
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<FrozenCache>> FrozenCache::Open(
    const std::filesystem::path& path, const std::string& identity,
    int64_t width, int64_t max_bytes) {
  std::unique_ptr<FrozenCache> cache(new FrozenCache(path, width, max_bytes));
  if (!cache->file_.valid()) return ErrnoStatus("cannot open", path);
  LARR_RETURN_IF_ERROR(cache->ReadIndex(identity));
  return cache;
}

bool FrozenCache::Find(std::span<const int64_t> ids, float* rows) {
  const std::lock_guard lock(mutex_);
  const auto found = records_.find(Text(KeyOf(ids)));
  if (found == records_.end()) return false;
  const Record& record = found->second;
  const int64_t bytes = RowBytes(record.tokens);
  if (record.tokens == static_cast<int64_t>(ids.size()) &&
      ReadAt(file_.get(), rows, bytes, record.begin) &&
      XXH3_64bits(rows, static_cast<size_t>(bytes)) == record.checksum)
    return true;
  records_.erase(found);
  return false;
}

void FrozenCache::Add(std::span<const int64_t> ids, const float* rows) {
  const std::lock_guard lock(mutex_);
  if (full_) return;
  const int64_t bytes = RowBytes(static_cast<int64_t>(ids.size()));
  Head head{.key = KeyOf(ids), .tokens = static_cast<int64_t>(ids.size())};
  head.rows = XXH3_64bits(rows, static_cast<size_t>(bytes));
  head.head = SumOf(head);
  const int64_t begin = end_ + static_cast<int64_t>(sizeof(head));
  if (begin + bytes > max_bytes_) {
    return Stop(fmt::format("its limit of {} MB", max_bytes_ >> 20));
  }
  // The head last: it stands for rows that are there.
  if (!Write(rows, bytes, begin) || !Write(&head, sizeof(head), end_)) {
    const std::string why = std::strerror(errno);
    (void)ftruncate(file_.get(), end_);
    return Stop(why);
  }
  records_[Text(head.key)] = {begin, head.tokens, head.rows};
  end_ = begin + bytes;
}

int64_t FrozenCache::texts() const {
  const std::lock_guard lock(mutex_);
  return static_cast<int64_t>(records_.size());
}

int64_t FrozenCache::bytes() const {
  const std::lock_guard lock(mutex_);
  return end_;
}

}  // namespace larr
