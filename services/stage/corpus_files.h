// SPDX-License-Identifier: Apache-2.0
//
// The files of a corpus artifact: their names, and what stages 1 and 2 read of
// them. What they mean is written in corpus.h.
//
// Errors: kNotFound  a file is missing;  kInvalidArgument  a column is missing
//         or has another type;  kDataLoss  a file is damaged
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "common/features/row.h"
#include "larr/config/v1/dataset.pb.h"

namespace larr::stage {

inline constexpr char kDescriptionsFile[] = "descriptions.parquet";
inline constexpr char kPairsFile[] = "pairs.parquet";
inline constexpr char kKnownOrdersFile[] = "known_orders.parquet";
inline constexpr char kDatasetSpecFile[] = "dataset.textproto";
// `users.parquet` or `pois.parquet`.
std::string EntitiesFile(Table table);

struct CorpusDescription {
  std::string x;
  std::string y;
  bool held_out = false;
  std::string y_kinds;  // Empty unless held out.
};

// A user or a POI as of a day.
struct CorpusEntity {
  std::string id;
  std::string date;
  std::vector<std::string> texts;  // One for each keyword of the side, or "".
  std::string same_value;          // POIs only.
};

struct CorpusPair {
  std::string user_id;
  std::string poi_id;
  std::string date;
  std::vector<std::string> context;
};

absl::StatusOr<std::vector<CorpusDescription>> ReadDescriptions(
    const std::filesystem::path& corpus);
// REQUIRES: table is kUsers or kPois
absl::StatusOr<std::vector<CorpusEntity>> ReadEntities(
    const std::filesystem::path& corpus, Table table);
absl::StatusOr<std::vector<CorpusPair>> ReadPairs(
    const std::filesystem::path& corpus);
// (user, POI) of every order that training may know.
absl::StatusOr<std::vector<std::pair<std::string, std::string>>>
ReadKnownOrders(const std::filesystem::path& corpus);
absl::StatusOr<config::v1::DatasetSpec> ReadDatasetSpec(
    const std::filesystem::path& corpus);

}  // namespace larr::stage
