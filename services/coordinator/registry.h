// SPDX-License-Identifier: Apache-2.0
//
// The Registry numbers model versions, moves aliases and keeps the history of
// who moved what. Each alias has a file, `aliases/<model>/<alias>.textproto`
// below the artifact root, that scoring servers follow.
//
// The database is the truth: a move is acknowledged once it is there, and the
// file is brought in line after it, and again at start. Every move takes the
// next fencing token, so that a reader never goes back to an older file, and
// a decision that was taken before a move cannot overwrite it. A file's token
// only grows: where the one that is there has a higher token than the database,
// which then was restored from a backup, the file gets one above it. So a file
// that cannot be read is not replaced.
//
// Ownership:  the store must outlive the registry.
// Threads:    safe.
// Errors:     those of the store, and
//             kInvalidArgument     a malformed name
//             kNotFound            no such version, model or alias
//             kFailedPrecondition  nothing is left to roll back to
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "larr/config/v1/training.pb.h"
#include "larr/coordinator/v1/coordinator_service.pb.h"
#include "services/coordinator/run_store.h"

namespace larr {

class Registry {
 public:
  Registry(RunStore& store, std::filesystem::path artifact_root);

  // What an alias names now, with the token of the move that made it so. An
  // empty version and token 0 if it never moved.
  struct AliasTarget {
    coordinator::v1::ModelVersion version;
    int64_t fencing_token = 0;
  };
  absl::StatusOr<AliasTarget> Resolve(const std::string& model,
                                      const std::string& alias) const;

  // Stores `runs`, of which `published` finished, together with what its gate
  // decided: if it accepted, a new version, to which `alias` moves. Fills in
  // the finished run's version and reasons. All in one write.
  // Errors: kAborted  the alias moved since the decision was taken: decide
  // again
  absl::Status Publish(const config::v1::PublishDecision& decision,
                       const std::string& alias, absl::Time now,
                       const std::string& published,
                       std::vector<coordinator::v1::TrainingRun>& runs);

  absl::StatusOr<coordinator::v1::Model> GetModel(
      const std::string& model) const;

  // Moving an alias to where it is changes nothing.
  absl::StatusOr<coordinator::v1::Model> Promote(
      const coordinator::v1::PromoteModelVersionRequest& request,
      absl::Time now);

  absl::StatusOr<coordinator::v1::Model> Rollback(
      const coordinator::v1::RollbackAliasRequest& request, absl::Time now);

  // Writes the files of aliases that differ from the database. Cheap if none
  // does; a failure is retried by the next call, and holds up no other file.
  absl::Status SyncAliasFiles();

  std::filesystem::path AliasFile(const std::string& model,
                                  const std::string& alias) const;

 private:
  absl::StatusOr<coordinator::v1::ModelVersion> NextVersion(
      const std::string& model) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<coordinator::v1::AliasMove> NextMove(const std::string& model,
                                                      const std::string& alias,
                                                      absl::Time now) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Unless it says so already.
  absl::Status WriteAliasFile(const coordinator::v1::AliasMove& move) const;
  absl::Status Commit(const RunStoreBatch& batch)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  RunStore& store_;
  const std::filesystem::path artifact_root_;

  mutable absl::Mutex mutex_;  // One move at a time.
  bool files_differ_ ABSL_GUARDED_BY(mutex_) = true;
};

// The alias that a request or a run means which names none.
inline constexpr char kDefaultAlias[] = "champion";

// Whether it is of the form `models/{model}`.
bool IsModelName(std::string_view name);

}  // namespace larr
