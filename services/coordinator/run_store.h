// SPDX-License-Identifier: Apache-2.0
//
// The RunStore is the coordinator's memory: training runs, model versions,
// aliases and every move of an alias, in one RocksDB database. A write has
// been fsynced when it returns OK, and what one `Commit` writes is there
// wholly or not at all.
//
//   run/<id>                        TrainingRun
//   run_order/<age>/<id>            empty; the newest run comes first
//   version/<model>/<age>           ModelVersion; the newest comes first
//   alias/<model>/<alias>           AliasMove: the last one of the alias
//   move/<model>/<age>              AliasMove, never deleted
//   fencing_token                   the last one given, decimal
//
// <age> is a counter or a time subtracted from its largest value.
//
// Threads:    safe.
// Errors:     those of common/rocks; kDataLoss for a record that cannot be
// read.
#pragma once

#include <rocksdb/db.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "larr/coordinator/v1/coordinator_service.pb.h"

namespace larr {

// What is written together.
struct RunStoreBatch {
  std::vector<coordinator::v1::TrainingRun> runs;
  std::optional<coordinator::v1::ModelVersion> version;
  std::optional<coordinator::v1::AliasMove> move;
};

template <typename Message>
struct RunStorePage {
  std::vector<Message> items;
  std::string next_token;  // Empty on the last page.
};

class RunStore {
 public:
  // Opens or makes the database.
  // Errors: kUnavailable  another coordinator has it open
  static absl::StatusOr<std::unique_ptr<RunStore>> Open(
      const std::filesystem::path& folder);

  absl::Status Commit(const RunStoreBatch& batch);

  // kNotFound if there is none of this name (`trainingRuns/{training_run}`).
  absl::StatusOr<coordinator::v1::TrainingRun> GetRun(
      const std::string& name) const;
  // Newest first. Here and below a negative page size means all.
  absl::StatusOr<RunStorePage<coordinator::v1::TrainingRun>> ListRuns(
      int page_size, const std::string& page_token) const;
  // Runs that are not finished, in no order.
  absl::StatusOr<std::vector<coordinator::v1::TrainingRun>> LiveRuns() const;

  // By `models/{model}/versions/{version}`; kNotFound if there is none.
  absl::StatusOr<coordinator::v1::ModelVersion> GetVersion(
      const std::string& name) const;
  // Newest first within a model; `models/-` means all models.
  absl::StatusOr<RunStorePage<coordinator::v1::ModelVersion>> ListVersions(
      const std::string& model, int page_size,
      const std::string& page_token) const;

  // The last move of each alias of a model; `models/-` means all models.
  absl::StatusOr<std::vector<coordinator::v1::AliasMove>> ListAliases(
      const std::string& model) const;
  // Newest first.
  absl::StatusOr<RunStorePage<coordinator::v1::AliasMove>> ListMoves(
      const std::string& model, int page_size,
      const std::string& page_token) const;
  // The token of the last move of any alias; 0 before the first.
  absl::StatusOr<int64_t> LastFencingToken() const;

 private:
  explicit RunStore(std::unique_ptr<rocksdb::DB> db) : db_(std::move(db)) {}

  template <typename Message>
  absl::StatusOr<Message> Get(const std::string& key,
                              const std::string& what) const;
  // Keys and values below `prefix`, from its rest `token` on.
  absl::StatusOr<RunStorePage<std::pair<std::string, std::string>>> List(
      const std::string& prefix, int page_size,
      const std::string& page_token) const;
  template <typename Message>
  absl::StatusOr<RunStorePage<Message>> ListMessages(
      const std::string& prefix, int page_size,
      const std::string& page_token) const;

  std::unique_ptr<rocksdb::DB> db_;
};

}  // namespace larr
