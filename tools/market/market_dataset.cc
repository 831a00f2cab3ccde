// SPDX-License-Identifier: Apache-2.0
#include "tools/market/market_dataset.h"

#include <fmt/format.h>

#include <system_error>

#include "common/base/files.h"
#include "common/base/status_macros.h"
#include "common/config/text_proto.h"

namespace larr::market {
namespace {

namespace fs = std::filesystem;

constexpr const char* kTables[] = {"users", "pois", "impressions"};

// A second name for a file, or a copy on another disk.
absl::Status Link(const fs::path& from, const fs::path& to) {
  LARR_RETURN_IF_ERROR(MakeFolder(to.parent_path()));
  std::error_code error;
  fs::remove(to, error);  // LinkFile says what is wrong.
  return LinkFile(from, to);
}

fs::path PartitionOf(const fs::path& dataset, const std::string& table,
                     const std::string& date) {
  return dataset / table / ("date=" + date) / "part-0.parquet";
}

}  // namespace

absl::Status MakeDataset(const Market& market, const fs::path& folder) {
  const fs::path path = folder / "dataset.textproto";
  if (fs::exists(path)) return absl::OkStatus();
  for (int day = 0; day < market.first_day(); ++day) {
    for (const char* table : kTables) {
      LARR_RETURN_IF_ERROR(
          Link(PartitionOf(market.options().dataset, table, market.Date(day)),
               PartitionOf(folder, table, market.Date(day))));
    }
  }
  config::v1::DatasetSpec spec = market.spec();
  spec.mutable_split()->mutable_dates()->clear_end();
  return WriteFileAtomically(path, ToTextProto(spec));
}

absl::StatusOr<fs::path> WriteMorningSpec(const Market& market,
                                          const fs::path& folder, int day) {
  config::v1::DatasetSpec spec = market.spec();
  auto& split = *spec.mutable_split()->mutable_dates();
  split.set_validation_begin(market.Date(day - 1));
  split.set_test_begin(market.Date(day));
  split.clear_end();
  fs::path path = folder / ("morning-" + market.Date(day) + ".textproto");
  LARR_RETURN_IF_ERROR(WriteFileAtomically(path, ToTextProto(spec)));
  return path;
}

absl::Status ForgetDay(const fs::path& folder, const std::string& date) {
  for (const char* table : kTables) {
    std::error_code error;
    fs::remove_all(folder / table / ("date=" + date), error);
    if (error)
      return FileStatus("cannot remove a day of", folder / table, error);
  }
  return absl::OkStatus();
}

absl::Status CheckSameCity(const Market& market, const fs::path& folder) {
  const std::string& date = market.Date(market.first_day());
  for (const char* table : {"users", "pois"}) {
    const fs::path theirs = PartitionOf(market.options().dataset, table, date);
    LARR_ASSIGN_OR_RETURN(const std::string is,
                          Sha256File(PartitionOf(folder, table, date)));
    LARR_ASSIGN_OR_RETURN(const std::string should, Sha256File(theirs));
    if (is != should) {
      return absl::FailedPreconditionError(fmt::format(
          "{} is not what this larr_city writes: write the city again, and "
          "train on it",
          theirs.string()));
    }
  }
  return absl::OkStatus();
}

}  // namespace larr::market
