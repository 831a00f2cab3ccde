// SPDX-License-Identifier: Apache-2.0
//
// Writes ascending keys into RocksDB table files of bounded size, for
// ingestion. For common/store alone.
//
// Threads:  belongs to one thread.
#pragma once

#include <rocksdb/sst_file_writer.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/store/snapshot_db.h"

namespace larr {

class SstSequence {
 public:
  static constexpr uint64_t kFileBytes = uint64_t{1} << 30;

  // Files are named `<folder>/<family>-<number>.sst`; the folder exists. One
  // that reached `file_bytes` is followed by the next.
  SstSequence(Family family, std::filesystem::path folder,
              uint64_t file_bytes = kFileBytes)
      : options_(OptionsOf(family)),
        family_(family),
        folder_(std::move(folder)),
        file_bytes_(file_bytes) {}

  // REQUIRES: keys ascend strictly
  absl::Status Put(std::string_view key, std::string_view value);

  // Finishes the last file. Returns the paths; none if nothing was put.
  absl::StatusOr<std::vector<std::string>> Finish();

 private:
  absl::Status FinishFile();

  const rocksdb::Options options_;
  const Family family_;
  const std::filesystem::path folder_;
  const uint64_t file_bytes_;
  std::unique_ptr<rocksdb::SstFileWriter> writer_;
  std::vector<std::string> files_;
};

}  // namespace larr
