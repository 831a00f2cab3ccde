// SPDX-License-Identifier: Apache-2.0
//
// The refresh jobs of the service, on disk: what `Put` returned OK for is
// there after a crash. All jobs are kept in memory, too; a job is small.
//
// Threads:  one at a time.
// Errors:   kDataLoss           the database is damaged
//           kUnavailable        the disk failed, or another server has the folder
//           kResourceExhausted  the disk is full
//           kPermissionDenied   the folder may not be made
#pragma once

#include <rocksdb/db.h>

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "larr/embedding/v1/embedding_service.pb.h"

namespace larr {

// True for SUCCEEDED, FAILED and CANCELLED.
bool IsFinished(embedding::v1::RefreshJob::State state);

class JobStore {
 public:
  static absl::StatusOr<JobStore> Open(const std::filesystem::path& folder);

  // Stores a new job, or a job's new state.
  absl::Status Put(const embedding::v1::RefreshJob& job);

  // Null if there is none of this name.
  const embedding::v1::RefreshJob* Find(std::string_view name) const;

  // Up to `limit` jobs, newest first, after the job named `after` (empty: from
  // the newest on). Nothing if `after` is not known.
  std::optional<std::vector<embedding::v1::RefreshJob>> List(
      int limit, std::string_view after) const;

  // The oldest job that is not finished; null if there is none.
  const embedding::v1::RefreshJob* Next() const;

 private:
  JobStore(std::filesystem::path folder, std::unique_ptr<rocksdb::DB> db)
      : folder_(std::move(folder)), db_(std::move(db)) {}
  void Remember(const embedding::v1::RefreshJob& job);

  std::filesystem::path folder_;
  std::unique_ptr<rocksdb::DB> db_;
  std::map<std::string, embedding::v1::RefreshJob, std::less<>> jobs_;
  // By creation: seconds, nanoseconds, name.
  using Order = std::tuple<int64_t, int32_t, std::string>;
  static Order OrderOf(const embedding::v1::RefreshJob& job);
  std::set<Order> all_, unfinished_;
};

}  // namespace larr
