// SPDX-License-Identifier: Apache-2.0
#include "common/features/stored_columns.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "common/base/status_macros.h"

namespace larr {
namespace {

using Names = google::protobuf::RepeatedPtrField<std::string>;

absl::Status CheckSide(const char* side, const Names& read,
                       const Names& stored) {
  for (const std::string& name : read) {
    if (std::find(stored.begin(), stored.end(), name) != stored.end()) continue;
    return absl::FailedPreconditionError(fmt::format(
        "the model reads the column `{}` of {}, which the snapshot does not "
        "store; refresh it with the dataset that the model was trained on",
        name, side));
  }
  return absl::OkStatus();
}

}  // namespace

storage::v1::EntityColumns EntityColumnsOf(const SpecSchemas& schemas) {
  storage::v1::EntityColumns columns;
  const auto add = [](const Schema& schema, const std::vector<bool>& kept,
                      Names& names) {
    for (int c = 0; c < schema.size(); ++c)
      if (kept[c]) *names.Add() = schema.name(c);
  };
  add(schemas.users, schemas.users_tabular, *columns.mutable_users());
  add(schemas.pois, schemas.pois_tabular, *columns.mutable_pois());
  return columns;
}

absl::Status CheckStoredColumns(const config::v1::DatasetSpec& model,
                                const storage::v1::SnapshotInfo& snapshot) {
  if (!snapshot.has_entity_columns()) return absl::OkStatus();
  const auto read = EntityColumnsOf(SpecSchemas(model));
  const auto& stored = snapshot.entity_columns();
  LARR_RETURN_IF_ERROR(CheckSide("users", read.users(), stored.users()));
  return CheckSide("pois", read.pois(), stored.pois());
}

}  // namespace larr
