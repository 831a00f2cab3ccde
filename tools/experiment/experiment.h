// SPDX-License-Identifier: Apache-2.0
//
// Experiments as files (protos/larr/config/v1/experiment.proto), and the shards
// that they are made of: one arm with one seed, a training run of one
// recommender. Shards of several experiments that have the same settings are
// the same shard.
//
// Threads:  pure functions.
// Errors:   kInvalidArgument  names the file, the arm or field, and what to do;
//           kNotFound         no such experiment or size;
//           otherwise those of common/config/text_proto.h
#pragma once

#include <google/protobuf/message.h>

#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "larr/config/v1/experiment.pb.h"
#include "larr/config/v1/training.pb.h"

namespace larr::experiment {

struct Shard {
  std::string arm;
  int seed = 0;
  // The run's settings, whose paths are still those of the files.
  config::v1::TrainingSpec settings;
  // `settings` as text: equal for equal settings, on any machine.
  std::string text;
};

// An experiment at one size.
struct Experiment {
  config::v1::ExperimentSpec spec;
  config::v1::TrainingSpec base;
  std::string size;
};

// Reads `<folder>/<name>.textproto` and `<folder>/base_<size>.textproto`, and
// checks them.
absl::StatusOr<Experiment> LoadExperiment(const std::filesystem::path& folder,
                                          const std::string& name,
                                          const std::string& size);

// The names of all experiments in the folder, sorted.
absl::StatusOr<std::vector<std::string>> ExperimentNames(
    const std::filesystem::path& folder);

// How many seeds an arm has: its own number, or the experiment's. `most` > 0
// replaces the experiment's, and bounds the arm's own.
int SeedsOf(const config::v1::ExperimentSpec& spec,
            const config::v1::ExperimentArm& arm, int most = 0);

// One shard: the base, the arm laid over it, and the seed, which is the
// recommender's alone: language model and bootstrap have the base's. Settings
// that no stage of it reads are left out.
// REQUIRES: the arm is one of a loaded experiment.
Shard MakeShard(const Experiment& experiment,
                const config::v1::ExperimentArm& arm, int seed);

// All shards, seed by seed, so that every arm soon has its first figures.
std::vector<Shard> MakeShards(const Experiment& experiment, int most_seeds = 0);

// What tables call an arm.
std::string TitleOf(const config::v1::ExperimentArm& arm);

// The settings with absolute paths, as a coordinator takes them.
config::v1::TrainingSpec Resolve(const config::v1::TrainingSpec& settings,
                                 const std::filesystem::path& folder);

// Lays `over` over `base` field by field: a message over the base's, a list
// instead of the base's.
void Overlay(const google::protobuf::Message& over,
             google::protobuf::Message& base);

// Sets the field at `path` back to its default, e.g. `pretrain.steps`. `align`
// stands for the first recommender.
absl::Status ClearField(const std::string& path,
                        google::protobuf::Message& message);

}  // namespace larr::experiment
