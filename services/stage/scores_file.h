// SPDX-License-Identifier: Apache-2.0
//
// scores.parquet of the EVALUATE stage, written while the rows stream by; its
// columns are in evaluate.h.
//
// Threads: one at a time.
// Errors:  those of ParquetWriter
#pragma once

#include <absl/status/statusor.h>
#include <torch/types.h>

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/dataset/impression_stream.h"
#include "common/dataset/parquet_writer.h"

namespace larr::stage {

class ScoresFile {
 public:
  struct Model {
    std::string name;
    bool has_order_task = false;
  };
  static absl::StatusOr<ScoresFile> Create(const std::filesystem::path& path,
                                           const std::vector<Model>& models);

  // The next rows and each model's probabilities of them, float32 [B, tasks].
  absl::Status Append(std::span<const Impression> rows,
                      const std::vector<torch::Tensor>& probabilities);

  // Ends the file. Nothing is readable before.
  absl::Status Finish() { return writer_.Finish(); }

 private:
  explicit ScoresFile(ParquetWriter writer) : writer_(std::move(writer)) {}

  ParquetWriter writer_;
  std::string date_;
  std::unordered_map<std::string, int64_t> positions_;  // By request of a day.
};

}  // namespace larr::stage
