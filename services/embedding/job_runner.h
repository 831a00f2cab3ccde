// SPDX-License-Identifier: Apache-2.0
//
// Runs refresh jobs one after the other on a thread of its own, and keeps the
// snapshot that the last one published open for reading.
//
// A job is on disk before `Create` returns, and so is every change of it that
// a caller sees. A job that a crash or `Stop` interrupted goes on when the next
// runner starts, with what it had encoded.
//
// Ownership:  borrows the encoder.
// Threads:    all methods may be called concurrently.
// Errors:     those of JobStore, and those listed by method.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "larr/config/v1/server.pb.h"
#include "larr/embedding/v1/embedding_service.pb.h"
#include "services/embedding/job_store.h"
#include "services/embedding/refresh.h"
#include "services/embedding/served_snapshot.h"
#include "services/embedding/text_encoder.h"

namespace larr {

class JobRunner {
 public:
  // Must return soon.
  struct Observer {
    // Called on the runner's thread, with what was encoded since the last
    // call.
    std::function<void(int64_t texts, int64_t tokens)> encoded;
    std::function<void(const embedding::v1::RefreshJob&)> finished;
    // By `Start`: the job of an earlier process that succeeded last.
    std::function<void(const embedding::v1::RefreshJob&)> restored;
    // On the runner's thread, once: a job's end could not be stored, and no job
    // runs any more. The program should end, and be started again.
    std::function<void()> broken;
  };

  // Opens the jobs and the newest snapshot, and goes on where an earlier
  // process stopped.
  //
  // REQUIRES: the settings are of LoadEmbeddingSettings.
  // Errors:  kFailedPrecondition  `base_snapshot` is of another embedder
  static absl::StatusOr<std::unique_ptr<JobRunner>> Start(
      const config::v1::EmbeddingConfig& config, TextEncoder& encoder,
      Observer observer);
  ~JobRunner();  // Stops, and waits for the job's thread.

  // Errors:  kInvalidArgument  the id or the date is malformed
  //          kAlreadyExists    another job has this id
  //          kUnavailable      the runner is stopped
  absl::StatusOr<embedding::v1::RefreshJob> Create(
      const std::string& id, const std::string& as_of_date);

  // Errors:  kNotFound
  absl::StatusOr<embedding::v1::RefreshJob> Get(std::string_view name) const;

  // Newest first, after job `after` (empty: from the newest).
  // Errors:  kInvalidArgument  there is no job `after`
  absl::StatusOr<std::vector<embedding::v1::RefreshJob>> List(
      int limit, std::string_view after) const;

  // The job is CANCELLED when this returns, unless it was finished. Its thread
  // stops after the chunk in work.
  // Errors:  kNotFound
  absl::StatusOr<embedding::v1::RefreshJob> Cancel(std::string_view name);

  // How often jobs changed so far. Waits until that is more than `seen`, the
  // runner is stopped or `timeout` is over.
  int64_t WaitForChange(int64_t seen, absl::Duration timeout) const;

  // No job begins any more.
  bool stopped() const;

  // Null before the first snapshot. Shared by calls in flight.
  std::shared_ptr<const ServedSnapshot> served() const;

  // Ends waits, and the job in work after its chunk or once it has published.
  void Stop();

 private:
  JobRunner(const config::v1::EmbeddingConfig& config, TextEncoder& encoder,
            Observer observer, JobStore store);
  // Now, but after the newest job's where the clock was set back: the names of
  // snapshots sort as they were asked for.
  google::protobuf::Timestamp NewCreateTime() const
      ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  bool IsServed(const std::filesystem::path& output) const
      ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  // What failed and cancelled jobs left in `snapshot_dir`.
  void RemoveLeftovers() const;
  absl::Status LoadServed();
  void TellLastSuccess() const;
  void RunJobs();
  void Run(const embedding::v1::RefreshJob& job);
  absl::Status RefreshGuarded(const embedding::v1::RefreshJob& job,
                              const std::filesystem::path& output);
  absl::Status RefreshFor(const embedding::v1::RefreshJob& job,
                          const std::filesystem::path& output);
  absl::Status OnProgress(const std::string& name, const RefreshCounts& counts);
  void Finish(const std::string& name, const absl::Status& status,
              const std::filesystem::path& output);
  // Stores a change.
  absl::Status Put(const embedding::v1::RefreshJob& job)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // Constant after construction.
  const config::v1::EmbeddingConfig config_;
  TextEncoder& encoder_;
  const Observer observer_;

  mutable absl::Mutex mutex_;
  JobStore store_ ABSL_GUARDED_BY(mutex_);
  int64_t changes_ ABSL_GUARDED_BY(mutex_) = 0;
  std::shared_ptr<const ServedSnapshot> served_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace larr
