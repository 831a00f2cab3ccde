// SPDX-License-Identifier: Apache-2.0
//
// The outputs of frozen layers on disk, by a text's token ids: one file, to
// which texts are appended.
//
//   header   magic, identity of the layers, width
//   records  hash of the ids, tokens, checksums, rows
//
// The index is in memory, and is read from the records' heads when the file is
// opened. What a kill has cut off at the end is dropped; rows whose checksum
// is wrong are as if they were not there. Nothing is fsynced: what is lost is
// computed again.
//
// Units:   rows are float32: what is found is, bit by bit, what was added.
// Threads: safe.
// Errors:  Open: those of files.h. Later on there are none: where the disk or
//          the limit is full, nothing is added any more, and the log says so.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <unordered_map>

#include "common/base/file_descriptor.h"

namespace larr {

class FrozenCache {
 public:
  // A file of another identity or width is emptied. `max_bytes` bounds it.
  static absl::StatusOr<std::unique_ptr<FrozenCache>> Open(
      const std::filesystem::path& path, const std::string& identity,
      int64_t width, int64_t max_bytes);

  // Fills `rows` [ids, width] if the text is there.
  bool Find(std::span<const int64_t> ids, float* rows);
  void Add(std::span<const int64_t> ids, const float* rows);

  int64_t texts() const;
  int64_t bytes() const;  // of the file

 private:
  struct Record {
    int64_t begin = 0;  // of its rows in the file
    int64_t tokens = 0;
    uint64_t checksum = 0;  // of its rows
  };
  FrozenCache(std::filesystem::path path, int64_t width, int64_t max_bytes);
  absl::Status ReadIndex(const std::string& identity);
  absl::Status Clear(const std::string& header);
  // Bytes of a text's rows.
  int64_t RowBytes(int64_t tokens) const;
  bool Write(const void* bytes, int64_t size, int64_t at) const;
  // Adds nothing from now on.
  void Stop(const std::string& why);

  const std::filesystem::path path_;
  const int64_t width_;
  const int64_t max_bytes_;
  const FileDescriptor file_;
  mutable std::mutex mutex_;
  std::unordered_map<std::string, Record> records_;  // by the ids' hash
  int64_t end_ = 0;
  bool full_ = false;
};

}  // namespace larr
