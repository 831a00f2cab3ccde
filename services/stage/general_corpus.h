// SPDX-License-Identifier: Apache-2.0
//
// A file of general documents that stage 1 mixes in, so that the model does
// not forget what it knew: plain text, one document a line, or Parquet, one
// column of it.
//
// The file is read in groups: a Parquet file's row groups, or about 4 MiB of
// lines. A pass goes through the groups in random order and through each one's
// documents in random order, so one group is in memory at a time. A file whose
// groups are each of one source is better shuffled before.
//
// A hundred documents, or a tenth of a smaller file, spread evenly over it, are
// held out: they never train. Empty lines are no documents; empty and null
// rows are, without text.
//
// Threads: one at a time.
// Errors:  kNotFound, kPermissionDenied  the file cannot be opened
//          kInvalidArgument  it has no document, or no such column of text
//          kDataLoss         it is damaged, or changed while it was read
#pragma once

#include <cstdint>
#include <filesystem>
#include <ios>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/dataset/parquet_reader.h"
#include "services/stage/sampling.h"

namespace larr::stage {

struct GeneralDocument {
  std::string text;
  std::string where;  // File and number, for messages.
};

class GeneralCorpus {
 public:
  // Parquet if the name ends in `.parquet`; `column` is of no interest else.
  static absl::StatusOr<GeneralCorpus> Open(const std::filesystem::path& path,
                                            const std::string& column,
                                            uint64_t seed);

  // Documents of one pass.
  int64_t size() const { return size_; }
  // The document at a position, counted from 0 over all passes: a function of
  // (file, seed, position). Positions in their order read a group once a pass.
  absl::StatusOr<GeneralDocument> At(int64_t position);
  // In the file's order, whatever the seed.
  absl::StatusOr<std::vector<GeneralDocument>> HeldOut() const;

 private:
  struct Group {
    std::streamoff begin = 0;  // Of its first line; text alone.
    int64_t first = 0;         // Number of its first document.
    int64_t documents = 0;
  };
  GeneralCorpus(const std::filesystem::path& path, const std::string& column,
                uint64_t seed);
  absl::Status FindLines();
  absl::Status FindRows();
  void HoldOut(int64_t documents);
  bool IsHeldOut(int64_t document) const;
  absl::StatusOr<std::vector<GeneralDocument>> Read(int64_t group) const;
  absl::StatusOr<std::vector<std::string>> ReadLines(const Group& group) const;
  absl::StatusOr<std::vector<std::string>> ReadRows(const ParquetFile& file,
                                                    int64_t group) const;
  absl::Status Load(int64_t position);

  std::filesystem::path path_;
  std::string column_;
  uint64_t seed_;
  std::optional<ParquetFile> parquet_;
  std::vector<Group> groups_;
  std::vector<int64_t> held_out_;  // Numbers, ascending.
  std::vector<int64_t> training_;  // Documents of each group that train.
  int64_t size_ = 0;
  EpochOrder order_;  // Of groups.
  // What is in memory: the training documents of one group, shuffled, the
  // first at position `from_`.
  std::vector<GeneralDocument> loaded_;
  int64_t from_ = 0;
};

}  // namespace larr::stage
