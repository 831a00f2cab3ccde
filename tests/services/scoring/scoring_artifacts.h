// SPDX-License-Identifier: Apache-2.0
//
// Real artifacts of a ScoringWorld: models of random weights beside its
// snapshots.
#pragma once

#include <filesystem>
#include <string>

#include "larr/config/v1/score_distribution.pb.h"
#include "tests/services/scoring/scoring_world.h"
#include "tests/testing/temp_dir.h"

namespace larr::testing {

// Writes a CTR model and returns its folder, `dir / name`.
std::filesystem::path MakeModel(const ScoringWorld& world,
                                const std::filesystem::path& dir,
                                const std::string& name,
                                const ModelOptions& options = {});

// Writes a model that is `model`, and says how its scores are distributed.
std::filesystem::path WithScores(const std::filesystem::path& model,
                                 const std::filesystem::path& dir,
                                 const std::string& name,
                                 const config::v1::ScoreDistribution& scores);

// Artifacts that tests only read, made once a process: two LARR models, two
// snapshots of the same texts with other vectors, and one of another embedder.
struct Artifacts {
  TempDir dir;
  ScoringWorld world;
  std::string model = MakeModel(world, dir.path(), "model");
  std::string other = MakeModel(world, dir.path(), "other", {.seed = 2});
  std::string snapshot = world.MakeSnapshot(dir.path(), "snapshot");
  std::string fresh =
      world.MakeSnapshot(dir.path(), "fresh", {.shift_vectors = true});
  std::string foreign =
      world.MakeSnapshot(dir.path(), "foreign", {.fingerprint = "embedder-2"});
};
const Artifacts& SharedArtifacts();

}  // namespace larr::testing
