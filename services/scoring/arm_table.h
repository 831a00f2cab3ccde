// SPDX-License-Identifier: Apache-2.0
//
// Which arm of an experiment a user is in: a pure function of salt, names,
// weights and the user's key, the same on every server and in every language.
//
//   bucket = XXH3_64(key, seed = XXH3_64(salt)) mod 10,000
//
// Each arm but the first, in the order of the list, takes as many buckets as
// its weight says: those that are free and come first when all buckets are
// sorted by XXH3_64(bucket as 4 bytes, little-endian; seed = XXH3_64(name)).
// The first arm has the rest.
//
// Who moves when weights change: put the control group first, since other arms
// grow at its cost. An arm that grows keeps its users; one that shrinks takes
// none. Arms before a changed one in the list keep theirs exactly. Of the arms
// after it, those buckets move that both would take, a share of the change no
// larger than these arms' own share: none if the changed arm is the last.
// (No rule without memory does it for any change of three arms or more with
// none.) A new salt or a new name draws anew.
//
// Threads:    const access is safe from any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "larr/scoring/v1/scoring_service.pb.h"

namespace larr {

// Whether an arm has a bundle of its own, and whether two have the same.
bool HasBundle(const scoring::v1::Arm& arm);
bool SameBundle(const scoring::v1::Arm& a, const scoring::v1::Arm& b);

class ArmTable {
 public:
  static constexpr int kBuckets = 10'000;

  // Errors: kInvalidArgument  names, weights, sum or bundles are wrong; the
  //         message names the arm, the value and the fix
  static absl::StatusOr<ArmTable> Create(const scoring::v1::Arms& arms);

  // The table without arms: one named `default`, the server's own bundle.
  ArmTable();

  // With at least one arm.
  const scoring::v1::Arms& arms() const { return arms_; }

  // The position in `arms()` of a user's arm. An empty user id is divided by
  // the request's id, so that such requests have their shares, too; with
  // neither, it is the first arm.
  int ArmOf(std::string_view user_id, std::string_view request_id) const;

 private:
  scoring::v1::Arms arms_;
  uint64_t seed_ = 0;
  std::vector<uint16_t> arm_of_;  // by bucket
};

// Whether a request is part of a sample of `weight` ten-thousandths, of the
// name `sample`. Samples of different names are independent. A request without
// an id of its own is told from others by user and time.
bool IsSampled(std::string_view sample, int weight, std::string_view request_id,
               std::string_view user_id,
               std::chrono::system_clock::time_point time);

}  // namespace larr
