// SPDX-License-Identifier: Apache-2.0
//
// A Bundle is what a request is scored with: a CTR model and a snapshot that
// fit each other, verified, loaded and warmed.
//
// Ownership:  owns the model; shares the open snapshot with other bundles.
// Threads:    const methods may be called concurrently without locking.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/stop_check.h"
#include "common/ctr/score_distribution.h"
#include "common/ctr/scorer.h"
#include "common/store/snapshot.h"
#include "larr/scoring/v1/scoring_service.pb.h"
#include "services/scoring/poi_states.h"
#include "services/scoring/request_checker.h"
#include "services/scoring/request_encoder.h"

namespace larr {

// Where a bundle comes from.
struct BundleSource {
  std::string model_path;
  std::string snapshot_path;
  std::string model_version;  // Empty: the digest of the model's folder.
  int64_t fencing_token = 0;  // Of the alias; 0 when switched by hand.
};

struct BundleOptions {
  size_t poi_cache_bytes = size_t{1} << 30;  // See PoiCache.
  StopCheck stop = {};                       // Gives up what is being loaded.
  BlockCache cache = BlockCache::kMain;      // Of a snapshot that it opens.
};

class Bundle {
 public:
  // Reads both folders, checks every file's hash, that model and snapshot have
  // the same embedder fingerprint, width and scene features, and scores stored
  // POIs for a stored user.
  //
  // Errors:  kNotFound            a folder or file is not there
  //          kDataLoss            a hash is wrong
  //          kFailedPrecondition  the two do not fit each other
  //          kInternal            the model's scores are not finite
  //          kInvalidArgument     a folder is not what it should be
  //          kCancelled           `options.stop` said so
  // What `live`, which may be null, serves already is not read again: a
  // snapshot of the same folder and digest is shared with it.
  static absl::StatusOr<std::unique_ptr<Bundle>> Load(
      const BundleSource& source, const BundleOptions& options = {},
      const Bundle* live = nullptr);

  const Snapshot& snapshot() const { return *snapshot_; }
  const Scorer& scorer() const { return scorer_; }
  const RequestChecker& checker() const { return checker_; }
  const RequestEncoder& encoder() const { return encoder_; }
  PoiStates& pois() const { return *pois_; }  // Thread-safe.
  const scoring::v1::ServingState& state() const { return state_; }
  // How the model's scores were distributed; null if it does not say.
  const std::shared_ptr<const ScoreReference>& reference() const {
    return reference_;
  }

  // Prepares the POIs that requests of `other` used last, so that the first
  // ones of this bundle do not wait for them.
  // Errors: kCancelled  `stop` said so
  absl::Status WarmLike(const Bundle& other, const StopCheck& stop = {}) const;

  // Notes that the bundle goes live now.
  void SetSwitchTime();

 private:
  Bundle(Scorer scorer, std::shared_ptr<const Snapshot> snapshot,
         RequestChecker checker, RequestEncoder encoder,
         scoring::v1::ServingState state);
  absl::Status Try(const StopCheck& stop) const;

  const std::shared_ptr<const Snapshot> snapshot_;
  const Scorer scorer_;
  const RequestChecker checker_;
  const RequestEncoder encoder_;     // reads snapshot_
  std::unique_ptr<PoiStates> pois_;  // reads scorer_ and encoder_
  scoring::v1::ServingState state_;
  std::shared_ptr<const ScoreReference> reference_;
};

}  // namespace larr
