// SPDX-License-Identifier: Apache-2.0
//
// Requests about the users and POIs of a snapshot, where no recorded ones are
// at hand.
//
// Users, and the POIs of a request, are drawn by Zipf's law: the k-th most
// popular of them with a probability proportional to 1 / k. Who is popular is
// the seed's choice.
#pragma once

#include <cstdint>
#include <filesystem>
#include <random>
#include <vector>

#include "absl/status/statusor.h"
#include "common/store/snapshot.h"
#include "larr/scoring/v1/scoring_service.pb.h"

namespace larr::load {

// Draws from 0 .. size-1, k with a probability proportional to 1 / (k + 1).
class ZipfDraw {
 public:
  // REQUIRES: size > 0
  explicit ZipfDraw(size_t size);
  size_t Draw(std::mt19937_64& random) const;

 private:
  std::vector<double> cumulative_;
};

struct MadeRequests {
  int count = 2000;
  int candidates = 200;  // Of each request, all different.
  uint64_t seed = 1;
};

// Each request has the context of `context` and nothing else of it. Without
// users in the snapshot the user ids are empty.
// Errors: kInvalidArgument  the snapshot has fewer POIs than `candidates`
//         those of Snapshot
absl::StatusOr<std::vector<scoring::v1::ScoreRequest>> MakeRequests(
    const Snapshot& snapshot, const scoring::v1::ScoreRequest& context,
    const MadeRequests& options);

// Reads the context values of a request: a JSON object of impression columns
// by name, e.g. {"hour": 12, "weather": "rain"}.
// Errors: those of ReadFile; kInvalidArgument  it is none
absl::StatusOr<scoring::v1::ScoreRequest> ReadContext(
    const std::filesystem::path& path);

}  // namespace larr::load
