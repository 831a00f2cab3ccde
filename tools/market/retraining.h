// SPDX-License-Identifier: Apache-2.0
//
// The nightly training: recommenders are trained anew on all that was logged,
// through a coordinator and its gate, on the snapshot of the new day. The
// language model stays.
//
// Of day D a model learns from the rows up to D-2 and is checked on those of
// D-1. It has the settings and the seed of the model whose place it takes, but
// leaves out the lifetime rates and counts of users and POIs, which would make
// it predict too many clicks: docs/decisions/nightly-features.md.
//
// Threads:    one.
// Errors:     those of the coordinator; kAborted if a run failed
#pragma once

#include <filesystem>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "larr/config/v1/training.pb.h"
#include "tools/market/market.h"
#include "tools/programs/server.h"

namespace larr::market {

// A recommender that is trained again and again.
struct Recommender {
  config::v1::AlignConfig config;

  // `given`: a model, an ALIGN artifact.
  static absl::StatusOr<Recommender> Of(const std::filesystem::path& given);

  // Of the training of the morning of `date`; `folder`: that of the test.
  std::string RunId(const std::string& date) const;
  std::filesystem::path ModelFolder(const std::filesystem::path& folder,
                                    const std::string& date) const;
};

class Retraining {
 public:
  // Starts the coordinator in `folder`, that of the test, over its dataset.
  // Borrows `market`.
  static absl::StatusOr<Retraining> Start(const Market& market,
                                          const std::filesystem::path& folder);

  // Trains for the morning of `day`, which is not the first one. True if the
  // gate let the model through. What an earlier call did is not done again.
  absl::StatusOr<bool> Train(int day, const std::string& snapshot,
                             const Recommender& recommender);

 private:
  Retraining(const Market& market, std::filesystem::path folder,
             programs::Server coordinator)
      : market_(market),
        folder_(std::move(folder)),
        coordinator_(std::move(coordinator)) {}

  const Market& market_;
  std::filesystem::path folder_;
  programs::Server coordinator_;
};

}  // namespace larr::market
