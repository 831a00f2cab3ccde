// SPDX-License-Identifier: Apache-2.0
//
// Decides which bundle is live. A new one is loaded, verified and warmed aside
// on one thread in the background: the POIs that requests used last are prepared
// for it, too. It then goes live by the swap of one pointer;
// the old one is freed by the same thread once its last request is done. A
// bundle that fails any check leaves the old one live.
//
// Sources: the file of an alias, looked at 5 times a second, and calls of
// Switch. A bundle of the alias that fails is tried again for as long as the
// alias names it, less and less often, down to once a minute: its files may
// yet appear or be put right. It counts as refused once, and again only for
// another kind of error. A switch by hand to a model ends these tries: it stays
// until the file of the alias next changes. One of the snapshot alone does not.
//
// What is being loaded when the manager goes, or when `BundleOptions::stop`
// says so, is given up within moments, and does not count as refused.
//
// Ownership:  owns the live bundle, shared with the requests on it.
// Threads:    safe.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/scoring/alias_file.h"
#include "services/scoring/bundle.h"
#include "services/scoring/bundle_metrics.h"
#include "services/scoring/retry_wait.h"

namespace larr {

class BundleManager {
 public:
  // Whether a bundle that fails before the first is live counts as refused, and
  // is logged: not where its user tries again and has told of it.
  enum class FirstFailure { kTold, kSilent };

  // Follows `alias_file` from now on, if it is not empty. `metrics` outlives
  // the manager.
  BundleManager(const std::string& alias_file, BundleMetrics& metrics,
                const BundleOptions& options = {},
                FirstFailure first_failure = FirstFailure::kTold);
  ~BundleManager();

  // The live bundle; null before the first. One atomic read.
  std::shared_ptr<const Bundle> current() const { return current_.load(); }

  // For callers of a server that has nothing to serve: the reason and the fix.
  std::string WhyNothingIsServed() const;

  // Why the newest bundle was refused; empty if it is live.
  std::string refusal() const;

  // Loads a bundle and makes it live; an empty path keeps the live one's.
  // Errors: kInvalidArgument  a path is empty and nothing is live
  //         kUnavailable      the server is going down
  //         otherwise those of Bundle::Load
  absl::StatusOr<scoring::v1::ServingState> Switch(
      const std::string& model_path, const std::string& snapshot_path);

 private:
  struct Job {
    std::string model_path, snapshot_path;
    std::promise<absl::StatusOr<scoring::v1::ServingState>> done;
  };

  // A bundle of the alias that is not live.
  struct Pending {
    BundleSource source;
    absl::Status refusal;  // of the last try; OK before the first
    RetryWait wait;
  };

  BundleOptions WithStop(const BundleOptions& options) const;
  void Run();
  void PollAlias();
  void TryPending();
  absl::StatusOr<scoring::v1::ServingState> SwitchNow(const Job& job);
  absl::StatusOr<std::unique_ptr<Bundle>> Load(const BundleSource& source);
  scoring::v1::ServingState Swap(std::unique_ptr<Bundle> bundle);
  // Whether a call waits that switches to another model.
  bool HasModelToSwitch() const;
  void Refuse(const BundleSource& source, const absl::Status& status);
  void FreeRetired();
  void SetFailure(const absl::Status& status);
  void ForgetFailure(const absl::Status& status);  // If it is the newest.

  // Constant after construction.
  BundleMetrics& metrics_;
  const std::string alias_path_;
  const BundleOptions options_;  // Its `stop` also asks stopping_.
  const FirstFailure first_failure_;

  std::atomic<std::shared_ptr<const Bundle>> current_;
  std::atomic<bool> stopping_ = false;  // Set with mutex_ held.

  // Of the thread alone.
  std::optional<AliasFile> alias_;
  std::optional<Pending> pending_;
  std::vector<std::shared_ptr<const Bundle>> retired_;
  absl::Status alias_error_;  // The last one that was told.

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::deque<Job> jobs_;
  std::string failure_;  // of the newest load, empty if it went well

  std::thread thread_;  // last: uses the rest
};

}  // namespace larr
