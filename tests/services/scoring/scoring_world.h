// SPDX-License-Identifier: Apache-2.0
//
// A small dataset with real artifacts: LARR and PLE models of random weights,
// and snapshots of its users, POIs and texts. Free of gRPC, whose compiler
// flags do not go with the precompiled header.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "common/features/row.h"
#include "larr/config/v1/model.pb.h"

namespace larr::testing {

using Columns = std::map<std::string, Value>;

// The columns that a schema knows, in its layout.
Row RowOf(const Schema& schema, const Columns& columns);

struct ModelOptions {
  uint64_t seed = 1;  // of the weights
  std::string fingerprint = "embedder-1";
  bool texts = true;  // false: PLE
  std::string kind = "ctr_model";
  bool no_numbers = false;  // the last layer's biases are NaN
};

struct SnapshotOptions {
  std::string fingerprint = "embedder-1";
  int dim = 8;
  bool shift_vectors = false;               // other vectors for the same texts
  std::vector<std::string> scene_features;  // default: the spec's
};

class ScoringWorld {
 public:
  ScoringWorld();

  const config::v1::DatasetSpec& spec() const { return spec_; }
  config::v1::CtrModelDescription Description(const ModelOptions&) const;

  // Writes a snapshot and returns its folder, `dir / name`.
  std::filesystem::path MakeSnapshot(const std::filesystem::path& dir,
                                     const std::string& name,
                                     const SnapshotOptions& options = {}) const;

  // Whether snapshots have a vector of the text: false if it is empty, or the
  // name of POI p7.
  static bool IsStored(const std::string& text);

  // The stored vector of a text.
  static std::vector<float> VectorOfText(const std::string& text, int dim,
                                         bool shifted = false);

  // Raw columns, by key.
  std::map<std::string, Columns> users, pois;

 private:
  config::v1::DatasetSpec spec_;
};

}  // namespace larr::testing
