// SPDX-License-Identifier: Apache-2.0
//
// The files of a stage that others read than the stage itself: the gate, the
// coordinator, reports. What is in them, the stage's own header says.
#pragma once

namespace larr {

// In artifacts.
inline constexpr char kTrainingFile[] = "training.json";  // of who trains
inline constexpr char kMetricsFile[] = "metrics.json";    // of EVALUATE
inline constexpr char kReplicatesFile[] = "replicates.json";
inline constexpr char kTestScoresFile[] = "scores.parquet";
inline constexpr char kDecisionFile[] = "publish.textproto";  // of PUBLISH

// In work folders. A stage is started with its settings, a StageConfig, and
// stdout and stderr go to its log.
inline constexpr char kSettingsFile[] = "stage.textproto";
inline constexpr char kLogFile[] = "stage.log";
inline constexpr char kProgressFile[] = "progress.jsonl";
// Names the folder of the artifact whose files the stage took. Not there if it
// made its own.
inline constexpr char kSharedFromFile[] = "shared_from";

}  // namespace larr
