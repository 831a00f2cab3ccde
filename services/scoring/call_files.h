// SPDX-License-Identifier: Apache-2.0
//
// The files of the request log: `calls-<milliseconds>.larrlog`, one after the
// other, so that names sort by age, with mode 0600. Each is a sequence of
// records
//
//   length    4 bytes, little-endian: of the message; never 0
//   checksum  8 bytes, little-endian: XXH3_64 of the message
//   message   larr.scoring.v1.LoggedCall
//
// A record is written by one system call: what a killed process had written is
// there whole, but for the last record, which may be cut. After a failure of
// power the end of a file may lack, too.
//
// Threads: one at a time for each object; a reader may read what a writer still
//          writes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/file_descriptor.h"
#include "larr/scoring/v1/request_log.pb.h"

namespace larr {

struct CallFilesOptions {
  std::filesystem::path folder;
  int64_t max_file_bytes = 64 << 20;
  int max_files = 16;
};

// The log's files, oldest first.
// Errors: kNotFound  no such folder
absl::StatusOr<std::vector<std::filesystem::path>> ListCallFiles(
    const std::filesystem::path& folder);

class CallFileWriter {
 public:
  // Makes the folder, with mode 0700, if it is not there. Begins no file.
  static absl::StatusOr<std::unique_ptr<CallFileWriter>> Create(
      const CallFilesOptions& options);

  // Appends the record of a serialized LoggedCall; begins another file, and
  // deletes the oldest, as needed.
  // After an error nothing of the record is in the file.
  // Errors: those of common/base/files.h
  absl::Status Append(std::string_view message);

 private:
  explicit CallFileWriter(const CallFilesOptions& options);
  absl::Status BeginFile();
  absl::Status DeleteOldest();

  const CallFilesOptions options_;
  std::unique_ptr<FileDescriptor> file_;  // Null before the first record.
  std::filesystem::path path_;
  int64_t size_ = 0;
  std::string record_;  // Reused.
};

class CallFileReader {
 public:
  // Errors: those of common/base/files.h
  static absl::StatusOr<CallFileReader> Open(const std::filesystem::path& path);

  // The next call; nothing at the end, or where a cut record ends the file.
  // Errors: kDataLoss  a record is damaged and is not the last one; the message
  //                    names file and offset
  absl::StatusOr<std::optional<scoring::v1::LoggedCall>> Next();

  // Bytes at the end that are no whole record. Known after the last call.
  int64_t torn_bytes() const { return torn_bytes_; }

 private:
  CallFileReader(std::filesystem::path path, std::ifstream file, int64_t size);
  absl::StatusOr<std::optional<scoring::v1::LoggedCall>> Damaged(
      int64_t record_end);

  std::filesystem::path path_;
  std::ifstream file_;
  int64_t size_;
  int64_t offset_ = 0;
  int64_t torn_bytes_ = 0;
};

}  // namespace larr
