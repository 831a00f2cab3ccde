// SPDX-License-Identifier: Apache-2.0
#include "common/store/sst_sequence.h"

#include <fmt/format.h>

#include "common/base/status_macros.h"
#include "common/rocks/rocks_status.h"

namespace larr {

absl::Status SstSequence::Put(std::string_view key, std::string_view value) {
  if (writer_ != nullptr && writer_->FileSize() >= file_bytes_) {
    LARR_RETURN_IF_ERROR(FinishFile());
  }
  if (writer_ == nullptr) {
    files_.push_back(
        (folder_ /
         fmt::format("{}-{}.sst", static_cast<int>(family_), files_.size()))
            .string());
    writer_ = std::make_unique<rocksdb::SstFileWriter>(rocksdb::EnvOptions(),
                                                       options_);
    LARR_RETURN_IF_ERROR(
        FromRocks(writer_->Open(files_.back()), "creating " + files_.back()));
  }
  return FromRocks(writer_->Put(ToSlice(key), ToSlice(value)),
                   "writing " + files_.back());
}

absl::StatusOr<std::vector<std::string>> SstSequence::Finish() {
  if (writer_ != nullptr) LARR_RETURN_IF_ERROR(FinishFile());
  return files_;
}

absl::Status SstSequence::FinishFile() {
  const auto writer = std::move(writer_);
  return FromRocks(writer->Finish(), "finishing " + files_.back());
}

}  // namespace larr
