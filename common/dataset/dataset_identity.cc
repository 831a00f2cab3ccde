// SPDX-License-Identifier: Apache-2.0
#include "common/dataset/dataset_identity.h"

#include <utility>

#include "common/base/file_stamp.h"
#include "common/base/status_macros.h"
#include "common/dataset/data_files.h"

namespace larr {

absl::StatusOr<DatasetIdentity> IdentifyDataset(
    config::v1::DatasetSpec spec, const std::filesystem::path& folder,
    std::string_view until) {
  std::string stamps;
  const auto add = [&](std::string& path) -> absl::Status {
    path = (folder / path).lexically_normal().string();
    LARR_ASSIGN_OR_RETURN(const auto files, ListDataFiles(path));
    for (const DataFile& file : files) {
      if (until.empty() || file.date < until) stamps += FileStamp(file.path);
    }
    return absl::OkStatus();
  };
  LARR_RETURN_IF_ERROR(add(*spec.mutable_impressions()->mutable_path()));
  if (spec.has_users() && !spec.users().from_impressions())
    LARR_RETURN_IF_ERROR(add(*spec.mutable_users()->mutable_path()));
  if (spec.has_pois() && !spec.pois().from_impressions())
    LARR_RETURN_IF_ERROR(add(*spec.mutable_pois()->mutable_path()));
  return DatasetIdentity{std::move(spec), std::move(stamps)};
}

}  // namespace larr
