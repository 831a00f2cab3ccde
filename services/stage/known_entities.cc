// SPDX-License-Identifier: Apache-2.0
#include "services/stage/known_entities.h"

#include "common/dataset/impression_stream.h"

namespace larr::stage {
namespace {

absl::StatusOr<std::shared_ptr<const EntityPartition>> Newest(
    const Dataset& dataset, Table table) {
  EntitySnapshots snapshots(dataset, table);
  if (!dataset.split.by_date()) return snapshots.Newest();
  const std::string* date = snapshots.DateBefore(dataset.split.cutoff());
  if (date == nullptr) return std::shared_ptr<const EntityPartition>();
  return snapshots.At(*date);
}

}  // namespace

absl::StatusOr<KnownEntities> KnownEntities::Read(const Dataset& dataset,
                                                  Table table) {
  KnownEntities known;
  LARR_ASSIGN_OR_RETURN(known.partition_, Newest(dataset, table));
  if (dataset.split.by_date()) return known;
  known.named_.emplace();
  LARR_ASSIGN_OR_RETURN(
      auto stream, ImpressionStream::Open(dataset, {.part = Part::kTrain}));
  Impression row;
  while (true) {
    LARR_ASSIGN_OR_RETURN(const bool more, stream.Next(row));
    if (!more) return known;
    known.named_->insert(table == Table::kUsers ? row.user_id : row.poi_id);
  }
}

}  // namespace larr::stage
