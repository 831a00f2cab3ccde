// SPDX-License-Identifier: Apache-2.0
//
// A corpus artifact of a few users and POIs, as the corpus stage writes it,
// and settings that train the tiny model of tests/golden on it.
#pragma once

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "common/base/artifact_folder.h"
#include "common/base/files.h"
#include "common/config/text_proto.h"
#include "common/dataset/parquet_writer.h"
#include "larr/config/v1/dataset.pb.h"
#include "larr/config/v1/training.pb.h"

namespace larr::testing {

inline constexpr char kTinyDataset[] = R"pb(
  name: "tiny"
  keywords { name: "POI_name" side: POI group: POI_BUSINESS }
  keywords { name: "POI_place" side: POI group: POI_BUSINESS }
  keywords { name: "POI_menu" side: POI group: POI_BUSINESS }
  keywords { name: "POI_tags" side: POI group: POI_BASIC }
  keywords { name: "profile" side: USER group: USER_PROFILE }
  keywords { name: "history" side: USER group: USER_ACTION }
  keywords { name: "weather" side: CONTEXT group: USER_ACTION }
)pb";

inline std::string Slot(const std::string& name, const std::string& text) {
  return "<" + name + ">" + text + "</" + name + ">";
}
// What the bytes of a slot are, given those of its text.
inline std::string SlotKinds(const std::string& name,
                             const std::string& kinds) {
  return std::string(name.size() + 2, 's') + kinds +
         std::string(name.size() + 3, 's');
}

class TinyCorpusFile {
 public:
  TinyCorpusFile(const std::filesystem::path& path,
                 const std::vector<ParquetWriter::Column>& columns)
      : writer_(ParquetWriter::Create(path, columns)) {
    REQUIRE(writer_.ok());
  }
  void Add(const std::vector<ParquetWriter::Cell>& row) {
    REQUIRE(writer_->Append(row).ok());
  }
  ~TinyCorpusFile() { CHECK(writer_->Finish().ok()); }

 private:
  absl::StatusOr<ParquetWriter> writer_;
};

inline void WriteTinyTables(const std::filesystem::path& folder) {
  using Texts = std::vector<std::string>;
  const char* cities[] = {"Rome", "Oslo"};
  const char* dishes[] = {"noodles", "pizza", "salad", "soup", "curry"};
  TinyCorpusFile descriptions(folder / "descriptions.parquet",
                              {{"poi_id", ColumnType::kString},
                               {"date", ColumnType::kString},
                               {"x", ColumnType::kString},
                               {"y", ColumnType::kString},
                               {"held_out", ColumnType::kInteger},
                               {"y_kinds", ColumnType::kString}});
  TinyCorpusFile users(folder / "users.parquet",
                       {{"id", ColumnType::kString},
                        {"date", ColumnType::kString},
                        {"texts", ColumnType::kStringList}});
  TinyCorpusFile pois(folder / "pois.parquet",
                      {{"id", ColumnType::kString},
                       {"date", ColumnType::kString},
                       {"texts", ColumnType::kStringList},
                       {"same_value", ColumnType::kString}});
  TinyCorpusFile pairs(folder / "pairs.parquet",
                       {{"user_id", ColumnType::kString},
                        {"poi_id", ColumnType::kString},
                        {"date", ColumnType::kString},
                        {"context", ColumnType::kStringList}});
  TinyCorpusFile known(
      folder / "known_orders.parquet",
      {{"user_id", ColumnType::kString}, {"poi_id", ColumnType::kString}});
  const std::string day = "2024-01-03";
  for (int i = 0; i < 20; ++i) {
    const std::string city = cities[i % 2], dish = dishes[i % 5];
    const std::string name = Slot("POI_name", dish + " " + std::to_string(i));
    const std::string place = Slot("POI_place", city);
    const std::string menu = Slot("POI_menu", dish + ", tea");
    const std::string tags = Slot("POI_tags", "local " + dish);
    const std::string poi = "p" + std::to_string(i);
    const std::string user = "u" + std::to_string(i % 7);
    const std::string dish_kinds(dish.size(), 'v');
    const std::string kinds = SlotKinds("POI_menu", dish_kinds + "ttttt") +
                              SlotKinds("POI_tags", "tttttt" + dish_kinds);
    const bool held_out = i % 5 == 4;
    descriptions.Add({poi, day, name + place, menu + tags, int64_t{held_out},
                      held_out ? kinds : std::string()});
    pois.Add({poi, day, Texts{name, place, menu, tags}, city});
    if (i < 7) {
      users.Add({user, day,
                 Texts{Slot("profile", "likes " + dish),
                       Slot("history", city + " " + std::to_string(i))}});
    }
    pairs.Add({user, poi, day, Texts{Slot("weather", i % 3 ? "hot" : "cold")}});
    known.Add({user, poi});
  }
}

// Makes the artifact `<root>/corpus`.
inline void WriteTinyCorpus(const std::filesystem::path& root) {
  auto writer = ArtifactWriter::Create(root / "corpus");
  REQUIRE(writer.ok());
  WriteTinyTables(writer->path());
  REQUIRE(
      WriteFileAtomically(writer->path() / "dataset.textproto", kTinyDataset)
          .ok());
  config::v1::ArtifactManifest manifest;
  manifest.set_kind("corpus");
  REQUIRE(writer->Finish(manifest).ok());
}

// A stage that writes `<root>/<name>` and works in `<root>/<name>.work`.
inline config::v1::StageConfig TinyStage(const std::filesystem::path& root,
                                         const std::string& name) {
  auto config = ParseTextProto<config::v1::StageConfig>(R"pb(
    spec {
      pretrain {
        steps: 16
        descriptions_per_step: 4
        max_tokens: 64
        checkpoint_steps: 4
        precision: BF16
        optimizer {
          learning_rate: 0.001
          new_parameter_learning_rate: 0.01
          warmup_steps: 3
          weight_decay: 0.01
          clip_norm: 1
        }
      }
      contrast {
        steps: 16
        pairs_per_step: 6
        max_tokens: 96
        checkpoint_steps: 4
        frozen_layers: 1
        precision: BF16
        temperature: 0.05
        user_user_weight: 1
        poi_poi_weight: 1
        user_poi_weight: 1
        keyword_dropout: 0.2
        same_value_fraction: 0.5
        same_value_column: "city"
        optimizer {
          learning_rate: 0.001
          new_parameter_learning_rate: 0.01
          warmup_steps: 3
          clip_norm: 1
        }
      }
      embed { precision: BF16 }
      threads: 2
      seed: 7
    }
  )pb");
  REQUIRE(config.ok());
  const char* source = std::getenv("LARR_SOURCE_DIR");
  const std::filesystem::path here = source != nullptr ? source : ".";
  config->mutable_spec()->set_base_model(
      (here / "tests/golden/tiny_llama").string());
  (*config->mutable_inputs())["corpus"] = (root / "corpus").string();
  config->set_output((root / name).string());
  config->set_work((root / (name + ".work")).string());
  std::filesystem::create_directories(config->work());
  return *config;
}

}  // namespace larr::testing
