// SPDX-License-Identifier: Apache-2.0
#include "services/embedding/job_store.h"

#include <fmt/format.h>

#include <utility>

#include "common/base/files.h"
#include "common/base/status_macros.h"
#include "common/rocks/rocks_status.h"

namespace larr {

using embedding::v1::RefreshJob;

bool IsFinished(RefreshJob::State state) {
  return state == RefreshJob::SUCCEEDED || state == RefreshJob::FAILED ||
         state == RefreshJob::CANCELLED;
}

absl::StatusOr<JobStore> JobStore::Open(const std::filesystem::path& folder) {
  LARR_RETURN_IF_ERROR(MakeFolder(folder));
  rocksdb::Options options;
  options.create_if_missing = true;
  options.info_log = NoInfoLog();
  rocksdb::DB* db = nullptr;
  LARR_RETURN_IF_ERROR(
      FromRocks(rocksdb::DB::Open(options, folder.string(), &db),
                "opening the jobs of " + folder.string()));
  JobStore store(folder, std::unique_ptr<rocksdb::DB>(db));
  const std::unique_ptr<rocksdb::Iterator> it(db->NewIterator({}));
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    RefreshJob job;
    if (!job.ParseFromArray(it->value().data(),
                            static_cast<int>(it->value().size()))) {
      return absl::DataLossError(
          fmt::format("{}: the record of job {} is damaged", folder.string(),
                      it->key().ToString()));
    }
    store.Remember(job);
  }
  LARR_RETURN_IF_ERROR(FromRocks(it->status(), "reading " + folder.string()));
  return store;
}

absl::Status JobStore::Put(const RefreshJob& job) {
  LARR_RETURN_IF_ERROR(
      FromRocks(db_->Put(SyncedWrite(), job.name(), job.SerializeAsString()),
                "storing a job in " + folder_.string()));
  Remember(job);
  return absl::OkStatus();
}

JobStore::Order JobStore::OrderOf(const RefreshJob& job) {
  return {job.create_time().seconds(), job.create_time().nanos(), job.name()};
}

void JobStore::Remember(const RefreshJob& job) {
  jobs_[job.name()] = job;
  all_.insert(OrderOf(job));
  if (IsFinished(job.state())) {
    unfinished_.erase(OrderOf(job));
  } else {
    unfinished_.insert(OrderOf(job));
  }
}

const RefreshJob* JobStore::Find(std::string_view name) const {
  const auto it = jobs_.find(name);
  return it == jobs_.end() ? nullptr : &it->second;
}

std::optional<std::vector<RefreshJob>> JobStore::List(
    int limit, std::string_view after) const {
  auto it = all_.end();
  if (!after.empty()) {
    const RefreshJob* job = Find(after);
    if (job == nullptr) return std::nullopt;
    it = all_.find(OrderOf(*job));
  }
  std::vector<RefreshJob> page;
  while (it != all_.begin() && static_cast<int>(page.size()) < limit) {
    page.push_back(jobs_.at(std::get<2>(*--it)));
  }
  return page;
}

const RefreshJob* JobStore::Next() const {
  return unfinished_.empty() ? nullptr
                             : &jobs_.at(std::get<2>(*unfinished_.begin()));
}

}  // namespace larr
