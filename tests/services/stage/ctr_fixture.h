// SPDX-License-Identifier: Apache-2.0
//
// A tiny dataset on disk, a snapshot with a vector for each of its scene
// texts, and the settings of ALIGN and EVALUATE stages over them.
#pragma once

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/files.h"
#include "common/config/text_proto.h"
#include "common/dataset/dataset_spec.h"
#include "common/dataset/entity_snapshots.h"
#include "common/store/snapshot_builder.h"
#include "services/stage/stage.h"
#include "tests/testing/temp_dir.h"
#include "tests/testing/tiny_dataset.h"

namespace larr::testing {

inline constexpr int kTinyDim = 8;

// Small integers that follow from the text alone: exact in bf16.
inline std::vector<float> VectorOfText(std::string_view text) {
  std::seed_seq seed(text.begin(), text.end());
  std::mt19937 random(seed);
  std::vector<float> vector(kTinyDim);
  for (float& value : vector) value = static_cast<float>(random() % 7) - 3;
  return vector;
}

class CtrFixture {
 public:
  explicit CtrFixture(int rows_per_day = 60) {
    WriteTinyTables(path(), rows_per_day);
    REQUIRE(WriteFileAtomically(path() / "dataset.textproto",
                                ToTextProto(TinySpec()))
                .ok());
    dataset_ = OpenDataset(path() / "dataset.textproto").value();
    WriteSnapshot("snapshot", "print");
  }

  std::filesystem::path path() const { return folder_.path(); }
  const Dataset& dataset() const { return *dataset_; }

  // Every scene text of every day, but for those that contain `without`.
  void WriteSnapshot(const std::string& name, const std::string& fingerprint,
                     const std::string& without = "\n") {
    storage::v1::SnapshotInfo info;
    info.set_embedder_fingerprint(fingerprint);
    info.set_dim(kTinyDim);
    auto builder =
        SnapshotBuilder::Open(path() / (name + ".work"), info, nullptr).value();
    for (const std::string& text : SceneTextsOfAllDays()) {
      if (text.find(without) != std::string::npos) continue;
      const std::string id = TextId(text);
      const std::vector<std::string_view> ids = {id};
      REQUIRE(builder->AddVectors(ids, VectorOfText(text), 1).ok());
    }
    REQUIRE(builder->Publish(path() / name, {}).ok());
  }

  config::v1::StageConfig Config(config::v1::StageConfig::Stage stage) const {
    auto config = ParseTextProto<config::v1::StageConfig>(R"pb(
                    spec {
                      contrast { max_tokens: 64 }
                      align {
                        name: "ple"
                        architecture {
                          kind: PLE
                          embedding_width: 4
                          expert_widths: [ 16, 8 ]
                        }
                        batch_size: 16
                        epochs: 3
                        shuffle_rows: 40
                        learning_rate: 0.01
                      }
                      align {
                        name: "larr"
                        architecture {
                          kind: LARR
                          embedding_width: 4
                          expert_widths: [ 16, 8 ]
                          encoder_heads: 2
                          encoder_ffn_width: 16
                        }
                        batch_size: 16
                        epochs: 3
                        shuffle_rows: 40
                        learning_rate: 0.01
                        alignment_weight: 0.05
                        checkpoint_steps: 10
                      }
                      evaluate { bootstrap_samples: 20 }
                      threads: 1
                      seed: 7
                    })pb")
                      .value();
    config.set_stage(stage);
    config.mutable_spec()->set_dataset(path() / "dataset.textproto");
    (*config.mutable_inputs())["embed"] = path() / "snapshot";
    return config;
  }

  stage::StageContext Context(config::v1::StageConfig config,
                              const std::string& output) const {
    config.set_output(path() / output);
    config.set_work(path() / (output + ".work"));
    std::filesystem::create_directories(config.work());
    const std::filesystem::path work = config.work();
    return {std::move(config), stage::ProgressWriter(work)};
  }

  nlohmann::json Json(const std::string& file) const {
    return nlohmann::json::parse(ReadFile(path() / file).value());
  }

 private:
  std::set<std::string> SceneTextsOfAllDays() const {
    const TextRenderer& texts = dataset_->texts;
    std::set<std::string> found;
    for (const auto& [side, table] :
         {std::pair{config::v1::USER, Table::kUsers},
          {config::v1::POI, Table::kPois}}) {
      EntitySnapshots snapshots(*dataset_, table);
      for (const std::string& day : snapshots.dates()) {
        const auto partition = snapshots.At(day).value();
        for (int64_t i = 0; i < partition->size(); ++i)
          for (const int keyword : texts.SceneFeaturesOf(side))
            found.insert(texts.Render(keyword, partition->row(i)));
      }
    }
    for (const int keyword : texts.SceneFeaturesOf(config::v1::CONTEXT))
      for (const std::string& text : texts.ContextTexts(keyword))
        found.insert(text);
    found.erase("");
    return found;
  }

  TempDir folder_;
  std::optional<Dataset> dataset_;
};

}  // namespace larr::testing
