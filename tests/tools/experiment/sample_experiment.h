// SPDX-License-Identifier: Apache-2.0
//
// A small experiment, and results as shards leave them, for tests that need no
// training.
#pragma once

#include <catch2/catch.hpp>
#include <filesystem>
#include <string>

#include "common/base/files.h"
#include "tools/experiment/experiment.h"
#include "tools/experiment/results.h"
#include "tools/experiment/shard_result.h"

namespace larr::experiment::testing {

inline constexpr char kBaseText[] = R"pb(
  dataset: "data/dataset.textproto"
  base_model: "model"
  pretrain {
    steps: 4
    descriptions_per_step: 8
    max_tokens: 16
    optimizer { learning_rate: 1e-3 new_parameter_learning_rate: 1e-3 }
  }
  contrast { max_tokens: 16 }
  align { batch_size: 100 alignment_weight: 0.05 }
  evaluate { sample_fraction: 0.5 }
  seed: 7
)pb";

inline constexpr char kSpecText[] = R"pb(
  name: "pair"
  title: "Two arms"
  question: "Is b above a?"
  reproduces: "Table 9"
  seeds: 3
  arms {
    name: "a"
    title: "Arm A"
    training { align { architecture { kind: PLE } } }
    paper { ctr_auc: 0.61 }
  }
  arms {
    name: "b"
    training {
      align {
        architecture { kind: LARR }
        batch_size: 50
      }
    }
    cleared: "pretrain.steps"
    cleared: "align.alignment_weight"
    x: 2
  }
  arms {
    name: "slow"
    training {
      align { architecture { kind: DEEP_FM } }
      evaluate { sample_only: true }
    }
    seeds: 2
  }
  claims { first: "b" second: "a" }
  claims { first: "a" second: "b" equal: true slice: "cold" }
  claims { first: "a" second: "slow" }
)pb";

inline void Write(const std::filesystem::path& path, const std::string& text) {
  REQUIRE(MakeFolder(path.parent_path()).ok());
  REQUIRE(WriteFileAtomically(path, text).ok());
}

inline Experiment LoadSample(const std::filesystem::path& folder,
                             const std::string& spec = kSpecText) {
  Write(folder / "base_tiny.textproto", kBaseText);
  Write(folder / "pair.textproto", spec);
  auto experiment = LoadExperiment(folder, "pair", "tiny");
  INFO(experiment.status().ToString());
  REQUIRE(experiment.ok());
  return *std::move(experiment);
}

// What a shard leaves behind whose test CTR AUC is `auc`, on slices a bit less.
inline Json FakeResult(const Shard& shard, double auc) {
  const auto metrics = [](double value) {
    return Json{{"rows", 100},
                {"ctr_auc", value},
                {"ctcvr_auc", value + 0.05},
                {"ctr_gauc", value - 0.01},
                {"ctcvr_gauc", value - 0.02},
                {"logloss", 0.4},
                {"calibration", 1.02},
                {"calibration_bins",
                 {{{"mean_score", 0.1}, {"mean_label", 0.12}, {"rows", 50}},
                  {{"mean_score", 0.3}, {"mean_label", 0.28}, {"rows", 50}}}}};
  };
  const auto test = [&](double value) {
    Json all = metrics(value);
    all["slices"] = {{"cold", metrics(value - 0.05)},
                     {"frequent", metrics(value + 0.01)},
                     {"sample", metrics(value - 0.001)}};
    return all;
  };
  const auto draws = [](double value) {
    Json list = Json::array();
    for (int i = 0; i < 20; ++i) list.push_back(value + 0.001 * (i - 9.5));
    return list;
  };
  return {{"format", 1},
          {"arm", shard.arm},
          {"seed", shard.seed},
          {"size", "tiny"},
          {"digest", Sha256(shard.text).substr(0, 12)},
          {"texts", "t0"},
          {"dataset", "d0"},
          {"base_model", "m@0"},
          {"spec", shard.text},
          {"code_version", "v1"},
          {"machine", {{"cpu", "some cpu"}, {"cores", 2}}},
          {"date", "2026-01-02T03:04:05Z"},
          {"seconds", 12.0},
          {"stages",
           {{{"id", "embed"}, {"seconds", 30.0}, {"shared_from", "x"}},
            {{"id", "align/x"},
             {"seconds", 12.0},
             {"throughput", 1000.0},
             {"unit", "samples/s"}}}},
          {"metrics", {{"test", test(auc)}}},
          {"bayes", {{"test", test(0.8)}}},
          {"replicates",
           {{"draws", 20},
            {"all", {{"ctr_auc", draws(auc)}}},
            {"slices",
             {{"cold", {{"ctr_auc", draws(auc - 0.05)}}},
              {"sample", {{"ctr_auc", draws(auc - 0.001)}}}}}}},
          {"curves", {{"align", {{10, 0.7}, {20, 0.5}}}}}};
}

}  // namespace larr::experiment::testing
