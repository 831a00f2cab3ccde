// SPDX-License-Identifier: Apache-2.0
//
// Which artifacts each stage reads, and so which stages a run has. Said here
// alone: the plan of a run, and what a stage's artifact follows from, both ask.
//
// An artifact is named by its role, the id of the stage that makes it:
// `corpus`, `align/ple`. A spec's `snapshot` has the role `embed`.
//
// Threads:  safe.
// Errors:   none
#pragma once

#include <string>
#include <vector>

#include "larr/config/v1/training.pb.h"

namespace larr {

// The role of a model that a run trains.
std::string AlignRole(const std::string& name);

// What the gate compares a model with, if the alias names a version: that one's
// model and snapshot.
inline constexpr char kChampionModelRole[] = "champion_model";
inline constexpr char kChampionSnapshotRole[] = "champion_snapshot";
inline bool IsOfChampion(const std::string& role) {
  return role == kChampionModelRole || role == kChampionSnapshotRole;
}

// The settings of a model by its name; null if the spec has none.
const config::v1::AlignConfig* FindAlign(const config::v1::TrainingSpec& spec,
                                         const std::string& name);

// The roles of what a stage reads, but for a champion. `align_name` says which
// `ALIGN`.
std::vector<std::string> StageInputs(const config::v1::TrainingSpec& spec,
                                     config::v1::StageConfig::Stage stage,
                                     const std::string& align_name = "");

struct NeededStage {
  std::string id;
  config::v1::StageConfig::Stage stage;
  bool operator==(const NeededStage&) const = default;
};

// The stages of a run in their order: the last one, which is `PUBLISH`, or with
// `evaluate_only` `EVALUATE`, and all whose artifacts it reads, or they read.
// With a `snapshot` none before `ALIGN`.
std::vector<NeededStage> NeededStages(const config::v1::TrainingSpec& spec);

// Whether one of them is of this kind.
bool NeedsStage(const config::v1::TrainingSpec& spec,
                config::v1::StageConfig::Stage stage);

// Whether one of them reads `base_model`: `PRETRAIN`, or `ALIGN` of a P5.
bool NeedsBaseModel(const config::v1::TrainingSpec& spec);

}  // namespace larr
