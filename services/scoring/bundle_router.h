// SPDX-License-Identifier: Apache-2.0
//
// Decides which bundle a request is scored with: the user's arm has one, its
// own or the server's. Arms change while requests run, from a file that is
// looked at 5 times a second, and by calls of SetArms: the bundles that new
// arms need are loaded aside, then all arms change by the swap of one pointer.
// If one of them cannot be loaded, the present arms stay.
//
// Arms of the file that fail are tried again for as long as the file stays as
// it is, less and less often, down to once a minute. Arms that were set by hand
// stay until the file next changes.
//
// Each bundle of an arm's own is one more in memory, with a POI cache of its
// own. Arms of one source share one. Bundles of shadows read their snapshots
// through a block cache aside (common/store/block_cache.h): the idle thread
// that scores with them takes none of its locks from requests. So a shadow that
// becomes an arm is loaded anew, and an arm that becomes a shadow, too.
//
// Ownership:  borrows the manager of the server's own bundle; owns the others.
// Threads:    safe.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/registry.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/file_watch.h"
#include "larr/scoring/v1/scoring_service.pb.h"
#include "services/scoring/arm_metrics.h"
#include "services/scoring/arm_table.h"
#include "services/scoring/bundle.h"
#include "services/scoring/bundle_manager.h"
#include "services/scoring/retry_wait.h"

namespace larr {

// A bundle, and the arm or shadow that it serves. Never null.
struct RoutedBundle {
  std::shared_ptr<const Bundle> bundle;
  std::string arm;
};

class BundleRouter {
 public:
  struct Options {
    std::string arms_file;      // Empty: no file.
    BundleOptions bundle = {};  // Of each bundle of an arm's own.
    // Called once, as soon as every arm that has users has a bundle.
    std::function<void()> on_ready = {};
  };

  // Tries the arms of the file before it returns: users are not in other arms
  // for the first moments. `main` and `registry` outlive the router.
  BundleRouter(Options options, BundleManager& main,
               prometheus::Registry& registry);
  ~BundleRouter();

  // The bundle of a user's arm. See ArmTable::ArmOf for an empty `user_id`.
  // `tester_arm` names another arm or a shadow to be used in its place; empty:
  // none.
  // Errors: kUnavailable      the arm has no bundle yet; the message says why
  //         kInvalidArgument  there is no such arm
  absl::StatusOr<RoutedBundle> Pick(std::string_view user_id,
                                    std::string_view request_id,
                                    std::string_view tester_arm) const;

  // The shadows that a request is to be scored with aside.
  std::vector<RoutedBundle> SampledShadows(
      std::string_view request_id, std::string_view user_id,
      std::chrono::system_clock::time_point arrival) const;

  // Divides users anew. Returns once the arms are live.
  // Errors: kInvalidArgument  they are wrong; the message says how
  //         kUnavailable      the server is going down
  //         those of Bundle::Load if a bundle is refused
  absl::StatusOr<scoring::v1::Arms> SetArms(const scoring::v1::Arms& arms);

  // The present arms.
  scoring::v1::Arms arms() const { return table_.load()->arms.arms(); }

  // The server's own bundle, the arms and the shadows.
  // Errors: kUnavailable  nothing is served; the message says why
  absl::StatusOr<scoring::v1::ServingState> State() const;

 private:
  struct Member {
    std::shared_ptr<BundleManager> own;  // Null: the server's.
    prometheus::Counter* calls;
  };
  struct Table {
    ArmTable arms;
    std::vector<Member> members, shadows;  // In the order of arms.
  };
  enum class Role { kArm, kShadow };
  using FirstFailure = BundleManager::FirstFailure;
  // A bundle that a change loaded.
  struct Loaded {
    scoring::v1::Arm arm;
    Role role;
    std::shared_ptr<BundleManager> manager;
  };
  // Arms of the file that are not live.
  struct Pending {
    scoring::v1::Arms arms;
    absl::Status refusal;  // of the last try; OK before the first
    RetryWait wait;
  };

  const BundleManager& ManagerOf(const Member& member) const;
  // The bundle of one that was picked.
  absl::StatusOr<RoutedBundle> Route(const Member& member,
                                     std::string arm) const;
  absl::StatusOr<RoutedBundle> PickByName(const Table& table,
                                          std::string_view name) const;
  void FillArms(const Table& table, scoring::v1::ServingState& state) const;
  bool IsReady() const;
  void Run();
  // True once the router or the server goes: nothing is loaded any more, and
  // what was not is no refusal.
  bool Stops() const;

  // REQUIRES: change_mutex_ is held.
  void PollFile();
  void TryPending();
  absl::Status Change(const scoring::v1::Arms& arms,
                      FirstFailure first_failure);
  absl::StatusOr<Member> Load(const scoring::v1::Arm& arm, Role role,
                              FirstFailure first_failure);
  std::shared_ptr<BundleManager> FindLoaded(const scoring::v1::Arm& arm,
                                            Role role) const;
  absl::Status WaitForAlias(const BundleManager& manager) const;
  void FreeRetired();
  void Look();

  void SetRefusal(const absl::Status& status);

  // Constant after construction.
  const Options options_;
  BundleManager& main_;
  ArmMetrics metrics_;

  std::atomic<bool> stopping_ = false;  // Set with mutex_ held.
  std::atomic<std::shared_ptr<const Table>> table_;

  std::mutex change_mutex_;  // guards what follows
  std::optional<FileWatch> file_;
  std::string unseen_;  // why the last look at it failed; empty if it did not
  std::optional<Pending> pending_;
  // What a change loaded before it failed, for the next try.
  std::vector<Loaded> spare_;
  std::vector<std::shared_ptr<const Table>> retired_;
  std::vector<std::shared_ptr<const Bundle>> retired_bundles_;
  bool ready_ = false;

  mutable std::mutex mutex_;  // guards what follows
  mutable std::condition_variable stopped_;
  std::string refusal_;  // of the newest arms, empty if they are live

  std::thread thread_;  // last: uses the rest
};

}  // namespace larr
