// SPDX-License-Identifier: Apache-2.0
//
// The users or POIs that training may know of: the newest partition before the
// training cut-off; without dates, those of the newest that a training row
// names.
//
// Threads: const access is safe from any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/status_macros.h"
#include "common/dataset/dataset_spec.h"
#include "common/dataset/entity_snapshots.h"

namespace larr::stage {

class KnownEntities {
 public:
  // REQUIRES: table is kUsers or kPois. Errors: those of common/dataset
  static absl::StatusOr<KnownEntities> Read(const Dataset& dataset,
                                            Table table);

  // Calls `body(id, date, row)` for each, in the partition's order, up to the
  // first that is not OK. `date` is the partition's, empty without days.
  template <typename Body>
  absl::Status ForEach(const Body& body) const {
    for (int64_t i = 0; partition_ != nullptr && i < partition_->size(); ++i) {
      const std::string& id = partition_->key(i);
      if (named_.has_value() && named_->count(id) == 0) continue;
      LARR_RETURN_IF_ERROR(body(id, partition_->date(), partition_->row(i)));
    }
    return absl::OkStatus();
  }

 private:
  // Shared with the cache of EntitySnapshots; null where there is none.
  std::shared_ptr<const EntityPartition> partition_;
  std::optional<std::set<std::string>> named_;  // Nothing: all.
};

}  // namespace larr::stage
