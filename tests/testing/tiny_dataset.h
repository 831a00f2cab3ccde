// SPDX-License-Identifier: Apache-2.0
//
// A dataset of a few Parquet files, for tests: dated users and items, six days
// of impressions, one day for each part.
#pragma once

#include <catch2/catch.hpp>
#include <filesystem>
#include <string>
#include <vector>

#include "common/config/text_proto.h"
#include "common/dataset/parquet_writer.h"
#include "larr/config/v1/dataset.pb.h"

namespace larr::testing {

using Cells = std::vector<std::vector<ParquetWriter::Cell>>;

inline void WriteParquet(const std::filesystem::path& path,
                         const std::vector<ParquetWriter::Column>& columns,
                         const Cells& rows) {
  std::filesystem::create_directories(path.parent_path());
  auto writer = ParquetWriter::Create(path, columns);
  REQUIRE(writer.ok());
  for (const auto& row : rows) REQUIRE(writer->Append(row).ok());
  REQUIRE(writer->Finish().ok());
}

inline const std::vector<std::string>& TinyDays() {
  static const std::vector<std::string> days = {"2024-01-01", "2024-01-02",
                                                "2024-01-03", "2024-01-04",
                                                "2024-01-05", "2024-01-06"};
  return days;
}

inline std::filesystem::path TinyFile(const std::filesystem::path& folder,
                                      const std::string& table,
                                      const std::string& day) {
  return folder / table / ("date=" + day) / "part-0.parquet";
}

inline const std::vector<ParquetWriter::Column>& TinyImpressionColumns() {
  static const std::vector<ParquetWriter::Column> columns = {
      {"request", ColumnType::kString}, {"user", ColumnType::kInteger},
      {"poi", ColumnType::kString},     {"hour", ColumnType::kInteger},
      {"sky", ColumnType::kString},     {"distance", ColumnType::kNumber},
      {"click", ColumnType::kInteger},  {"order", ColumnType::kInteger}};
  return columns;
}

// Row i of a day: request i/3, user i%4+1, poi p<i%5>; every second one is
// clicked, every fourth ordered. User 4 and poi p4 are in no table.
inline Cells TinyImpressions(int day, int rows) {
  Cells cells;
  for (int i = 0; i < rows; ++i) {
    cells.push_back({"r" + std::to_string(day) + "-" + std::to_string(i / 3),
                     int64_t{i % 4 + 1}, "p" + std::to_string(i % 5),
                     int64_t{8 + i % 3}, std::string(i % 2 ? "rain" : "dry"),
                     0.5 * i, int64_t{i % 2}, int64_t{i % 4 == 1}});
  }
  return cells;
}

// Writes the tables below `folder`. What users and items say changes daily:
// `orders` of a user and `sold` of an item are the day's number.
inline void WriteTinyTables(const std::filesystem::path& folder,
                            int rows_per_day = 12) {
  for (size_t d = 0; d < TinyDays().size(); ++d) {
    const std::string& day = TinyDays()[d];
    const auto n = static_cast<int64_t>(d) + 1;
    Cells users;
    for (int64_t u = 1; u <= 3; ++u) {
      users.push_back({u, "city" + std::to_string(u % 2), int64_t{20 + u}, n,
                       "ordered " + std::to_string(n) + " times"});
    }
    WriteParquet(TinyFile(folder, "users", day),
                 {{"id", ColumnType::kInteger},
                  {"city", ColumnType::kString},
                  {"age", ColumnType::kInteger},
                  {"orders", ColumnType::kInteger},
                  {"history", ColumnType::kString}},
                 users);
    Cells pois;
    for (int64_t p = 0; p < 4; ++p) {
      const std::string id = "p" + std::to_string(p);
      pois.push_back({id, "Shop " + id, "city" + std::to_string(p % 2),
                      p == 3 ? ParquetWriter::Cell()
                             : ParquetWriter::Cell("We cook " + id + "."),
                      n});
    }
    WriteParquet(TinyFile(folder, "pois", day),
                 {{"id", ColumnType::kString},
                  {"name", ColumnType::kString},
                  {"city", ColumnType::kString},
                  {"intro", ColumnType::kString},
                  {"sold", ColumnType::kInteger}},
                 pois);
    WriteParquet(TinyFile(folder, "impressions", day), TinyImpressionColumns(),
                 TinyImpressions(static_cast<int>(d), rows_per_day));
  }
}

inline config::v1::DatasetSpec TinySpec() {
  auto spec = ParseTextProto<config::v1::DatasetSpec>(R"pb(
    name: "tiny"
    impressions {
      path: "impressions"
      user_key: "user"
      poi_key: "poi"
      request_key: "request"
      click_column: "click"
      order_column: "order"
    }
    users { path: "users" key: "id" }
    pois { path: "pois" key: "id" }
    split {
      dates {
        pairs_begin: "2024-01-02"
        train_begin: "2024-01-03"
        validation_begin: "2024-01-05"
        test_begin: "2024-01-06"
      }
    }
    gauc_group_column: "user"
    keywords { name: "name" side: POI group: POI_BUSINESS template: "{name}" }
    keywords { name: "place" side: POI group: POI_BUSINESS template: "{city}" }
    keywords { name: "intro" side: POI group: POI_BASIC template: "{intro}" }
    keywords { name: "sold" side: POI group: POI_BASIC template: "{sold} sold" }
    keywords {
      name: "profile"
      side: USER
      group: USER_PROFILE
      template: "{age}, {city}"
    }
    keywords {
      name: "history"
      side: USER
      group: USER_ACTION
      template: "{history}"
    }
    keywords {
      name: "sky"
      side: CONTEXT
      group: USER_ACTION
      template: "{sky}"
      domains { column: "sky" values: "dry" values: "rain" }
    }
    scene_features: "history"
    scene_features: "sky"
    scene_features: "intro"
    tabular_features {
      name: "user_id"
      side: USER
      vocabulary { column: "id" }
    }
    tabular_features {
      name: "orders"
      side: USER
      dense { column: "orders" }
    }
    tabular_features {
      name: "poi_id"
      side: POI
      vocabulary { column: "id" }
    }
    tabular_features {
      name: "hour"
      side: CONTEXT
      vocabulary { column: "hour" }
    }
    tabular_features {
      name: "distance"
      side: CROSS
      buckets { column: "impressions.distance" quantiles: 3 }
    }
    tabular_features {
      name: "cities"
      side: CROSS
      hash { columns: "users.city" columns: "pois.city" buckets: 100 }
    }
    user_embedding_features: "user_id"
    poi_embedding_features: "poi_id")pb");
  REQUIRE(spec.ok());
  return *spec;
}

// The same without texts, and with items that impressions bring: of the column
// `sky`.
inline config::v1::DatasetSpec TinySpecOfImpressions() {
  auto spec = TinySpec();
  spec.clear_keywords();
  spec.clear_scene_features();
  spec.clear_poi_embedding_features();
  spec.mutable_pois()->set_from_impressions(true);
  spec.mutable_pois()->clear_path();
  spec.mutable_pois()->set_key("poi");
  spec.mutable_tabular_features(2)->mutable_vocabulary()->set_column("sky");
  spec.mutable_tabular_features(5)->mutable_hash()->set_columns(1, "pois.sky");
  return spec;
}

}  // namespace larr::testing
