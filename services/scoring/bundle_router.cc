// SPDX-License-Identifier: Apache-2.0
#include "services/scoring/bundle_router.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <map>
#include <utility>

#include "common/base/prefixed.h"
#include "common/base/status_macros.h"
#include "common/base/utf8.h"
#include "common/config/text_proto.h"
#include "common/rpc/grpc_status.h"

namespace larr {
namespace {

using scoring::v1::Arm;
using scoring::v1::Arms;
using scoring::v1::ArmState;
using scoring::v1::ServingState;

constexpr std::chrono::milliseconds kPollTime(200);
constexpr std::chrono::milliseconds kWaitTime(20);  // for an alias to load

std::string Names(const Arms& arms) {
  std::string names;
  for (const auto* list : {&arms.arms(), &arms.shadows()}) {
    for (const Arm& arm : *list) {
      names += (names.empty() ? "" : ", ") + arm.name();
    }
  }
  return names;
}

}  // namespace

BundleRouter::BundleRouter(Options options, BundleManager& main,
                           prometheus::Registry& registry)
    : options_(std::move(options)), main_(main), metrics_(registry) {
  const std::lock_guard change(change_mutex_);
  // Never fails: it loads nothing.
  Change({}, FirstFailure::kTold).IgnoreError();
  if (!options_.arms_file.empty()) {
    file_.emplace(options_.arms_file);
    PollFile();
    TryPending();
  }
  Look();
  thread_ = std::thread([this] { Run(); });
}

BundleRouter::~BundleRouter() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  stopped_.notify_all();
  thread_.join();
}

const BundleManager& BundleRouter::ManagerOf(const Member& member) const {
  return member.own == nullptr ? main_ : *member.own;
}

absl::StatusOr<RoutedBundle> BundleRouter::Pick(
    std::string_view user_id, std::string_view request_id,
    std::string_view tester_arm) const {
  const std::shared_ptr<const Table> table = table_.load();
  if (!tester_arm.empty()) return PickByName(*table, tester_arm);
  const int arm = table->arms.ArmOf(user_id, request_id);
  return Route(table->members[arm], table->arms.arms().arms(arm).name());
}

absl::StatusOr<RoutedBundle> BundleRouter::Route(const Member& member,
                                                 std::string arm) const {
  std::shared_ptr<const Bundle> bundle = ManagerOf(member).current();
  if (bundle == nullptr) {
    return absl::UnavailableError(ManagerOf(member).WhyNothingIsServed());
  }
  member.calls->Increment();
  return RoutedBundle{std::move(bundle), std::move(arm)};
}

absl::StatusOr<RoutedBundle> BundleRouter::PickByName(
    const Table& table, std::string_view name) const {
  const Arms& arms = table.arms.arms();
  const auto find = [&](const auto& list, const std::vector<Member>& members) {
    const auto it = std::find_if(list.begin(), list.end(), [&](const Arm& arm) {
      return arm.name() == name;
    });
    return it == list.end() ? nullptr : &members[it - list.begin()];
  };
  const Member* member = find(arms.arms(), table.members);
  if (member == nullptr) member = find(arms.shadows(), table.shadows);
  if (member == nullptr) {
    return InvalidField(
        "metadata larr-arm",
        fmt::format("there is no arm `{}`; name one of {}", name, Names(arms)));
  }
  return Route(*member, std::string(name));
}

std::vector<RoutedBundle> BundleRouter::SampledShadows(
    std::string_view request_id, std::string_view user_id,
    std::chrono::system_clock::time_point arrival) const {
  std::vector<RoutedBundle> sampled;
  const std::shared_ptr<const Table> table = table_.load();
  const auto& shadows = table->arms.arms().shadows();
  for (int i = 0; i < shadows.size(); ++i) {
    if (!IsSampled(shadows[i].name(), shadows[i].weight(), request_id, user_id,
                   arrival)) {
      continue;
    }
    auto bundle = ManagerOf(table->shadows[i]).current();
    if (bundle != nullptr) {
      sampled.push_back({std::move(bundle), shadows[i].name()});
    }
  }
  return sampled;
}

absl::StatusOr<Arms> BundleRouter::SetArms(const Arms& arms) {
  const std::lock_guard change(change_mutex_);
  PollFile();  // What it says before the call is older than the call.
  const absl::Status status = Change(arms, FirstFailure::kTold);
  if (!status.ok()) {
    if (!pending_.has_value()) spare_.clear();
    if (!Stops()) SetRefusal(status);
    return status;
  }
  if (pending_.has_value()) {
    spdlog::warn("arms_file_superseded path={}", options_.arms_file);
    pending_.reset();
  }
  spare_.clear();
  Look();
  return this->arms();
}

absl::StatusOr<ServingState> BundleRouter::State() const {
  const std::shared_ptr<const Table> table = table_.load();
  const std::shared_ptr<const Bundle> bundle = main_.current();
  ServingState state;
  FillArms(*table, state);
  const bool any = std::any_of(
      state.arms().begin(), state.arms().end(),
      [](const ArmState& arm) { return !arm.model_version().empty(); });
  if (bundle == nullptr && !any) {
    return absl::UnavailableError(main_.WhyNothingIsServed());
  }
  if (bundle != nullptr) {
    state.MergeFrom(bundle->state());
    state.set_refusal(main_.refusal());
  }
  const std::lock_guard lock(mutex_);
  if (!refusal_.empty()) {
    state.set_refusal(state.refusal() + (state.refusal().empty() ? "" : "; ") +
                      "arms: " + refusal_);
  }
  return state;
}

void BundleRouter::FillArms(const Table& table, ServingState& state) const {
  const auto fill = [&](const auto& list, const std::vector<Member>& members,
                        auto& states) {
    for (int i = 0; i < list.size(); ++i) {
      ArmState& arm = *states.Add();
      arm.set_name(list[i].name());
      arm.set_weight(list[i].weight());
      const BundleManager& manager = ManagerOf(members[i]);
      arm.set_refusal(manager.refusal());
      arm.set_calls(static_cast<int64_t>(members[i].calls->Value()));
      const std::shared_ptr<const Bundle> bundle = manager.current();
      if (bundle == nullptr) continue;
      arm.set_model_version(bundle->state().model_version());
      arm.set_snapshot(bundle->state().snapshot());
      *arm.mutable_switch_time() = bundle->state().switch_time();
      *arm.mutable_model_create_time() = bundle->state().model_create_time();
      *arm.mutable_snapshot_create_time() =
          bundle->state().snapshot_create_time();
      arm.set_has_score_distribution(bundle->reference() != nullptr);
      const PoiCache& cache = bundle->pois().cache();
      arm.mutable_poi_cache()->set_pois(static_cast<int64_t>(cache.size()));
      arm.mutable_poi_cache()->set_bytes(static_cast<int64_t>(cache.bytes()));
      arm.mutable_poi_cache()->set_budget_bytes(
          static_cast<int64_t>(options_.bundle.poi_cache_bytes));
    }
  };
  const Arms& arms = table.arms.arms();
  fill(arms.arms(), table.members, *state.mutable_arms());
  fill(arms.shadows(), table.shadows, *state.mutable_shadows());
}

bool BundleRouter::IsReady() const {
  const std::shared_ptr<const Table> table = table_.load();
  for (size_t i = 0; i < table->members.size(); ++i) {
    if (table->arms.arms().arms(static_cast<int>(i)).weight() == 0) continue;
    if (ManagerOf(table->members[i]).current() == nullptr) return false;
  }
  return true;
}

void BundleRouter::Run() {
  std::unique_lock lock(mutex_);
  while (!stopped_.wait_for(lock, kPollTime,
                            [this] { return stopping_.load(); })) {
    lock.unlock();
    {
      const std::lock_guard change(change_mutex_);
      PollFile();
      TryPending();
      FreeRetired();
      Look();
    }
    lock.lock();
  }
}

bool BundleRouter::Stops() const {
  return stopping_ || (options_.bundle.stop && options_.bundle.stop());
}

void BundleRouter::PollFile() {
  if (!file_.has_value()) return;
  auto changed = file_->Changed();
  const std::string unseen = std::exchange(
      unseen_, changed.ok() ? "" : std::string(changed.status().message()));
  if (changed.ok() && !*changed) {
    const std::lock_guard lock(mutex_);
    if (!unseen.empty() && refusal_ == unseen) refusal_.clear();
    return;
  }
  auto arms = changed.ok() ? LoadTextProto<Arms>(file_->path())
                           : absl::StatusOr<Arms>(changed.status());
  if (arms.ok()) {
    pending_ = Pending{.arms = *std::move(arms)};
    spare_.clear();
    return;
  }
  // What is wrong stays so until it changes; what could not be read may not. A
  // look that failed has seen nothing new.
  if (changed.ok() && !absl::IsInvalidArgument(arms.status())) file_->Forget();
  {
    const std::lock_guard lock(mutex_);
    if (refusal_ == ReplaceMalformedUtf8(std::string(arms.status().message())))
      return;
  }
  SetRefusal(arms.status());
}

void BundleRouter::TryPending() {
  if (!pending_.has_value() || !pending_->wait.IsOver()) return;
  const absl::Status status =
      Change(pending_->arms, pending_->refusal.ok() ? FirstFailure::kTold
                                                    : FirstFailure::kSilent);
  if (!status.ok() && Stops()) {
    pending_.reset();
    return;
  }
  if (status.ok()) {
    pending_.reset();
    spare_.clear();
    return;
  }
  if (status != pending_->refusal) SetRefusal(status);
  pending_->refusal = status;
  pending_->wait.Failed();
}

absl::Status BundleRouter::Change(const Arms& arms,
                                  FirstFailure first_failure) {
  auto table = std::make_shared<Table>();
  LARR_ASSIGN_OR_RETURN(table->arms, ArmTable::Create(arms));
  const Arms& checked = table->arms.arms();
  for (const Arm& arm : checked.arms()) {
    LARR_ASSIGN_OR_RETURN(table->members.emplace_back(),
                          Load(arm, Role::kArm, first_failure));
  }
  for (const Arm& shadow : checked.shadows()) {
    LARR_ASSIGN_OR_RETURN(table->shadows.emplace_back(),
                          Load(shadow, Role::kShadow, first_failure));
  }
  const std::string names = Names(checked);
  auto old = table_.exchange(std::move(table));
  if (old == nullptr) return absl::OkStatus();  // the first, of no event
  retired_.push_back(std::move(old));
  {
    const std::lock_guard lock(mutex_);
    refusal_.clear();
  }
  metrics_.CountChange(true);
  spdlog::info("arms_live arms=\"{}\"", names);
  return absl::OkStatus();
}

std::shared_ptr<BundleManager> BundleRouter::FindLoaded(const Arm& arm,
                                                        Role role) const {
  for (const Loaded& spare : spare_) {
    if (spare.role == role && SameBundle(spare.arm, arm)) return spare.manager;
  }
  const std::shared_ptr<const Table> table = table_.load();
  if (table == nullptr) return nullptr;
  const Arms& present = table->arms.arms();
  const bool is_arm = role == Role::kArm;
  const auto& list = is_arm ? present.arms() : present.shadows();
  const auto& members = is_arm ? table->members : table->shadows;
  for (int i = 0; i < list.size(); ++i) {
    if (SameBundle(list[i], arm)) return members[i].own;
  }
  return nullptr;
}

absl::StatusOr<BundleRouter::Member> BundleRouter::Load(
    const Arm& arm, Role role, FirstFailure first_failure) {
  Member member{nullptr, &metrics_.calls(arm.name())};
  if (!HasBundle(arm)) return member;
  member.own = FindLoaded(arm, role);
  if (member.own != nullptr) return member;
  BundleOptions bundle = options_.bundle;
  bundle.stop = [this] { return Stops(); };
  if (role == Role::kShadow) bundle.cache = BlockCache::kAside;
  const auto manager = std::make_shared<BundleManager>(
      arm.alias_file(), metrics_, bundle, first_failure);
  const absl::Status status =
      arm.alias_file().empty()
          ? manager->Switch(arm.model_path(), arm.snapshot_path()).status()
          : WaitForAlias(*manager);
  if (!status.ok()) return Prefixed(fmt::format("`{}`", arm.name()), status);
  spare_.push_back({arm, role, manager});
  member.own = manager;
  return member;
}

absl::Status BundleRouter::WaitForAlias(const BundleManager& manager) const {
  std::unique_lock lock(mutex_);
  while (manager.current() == nullptr) {
    const std::string refusal = manager.refusal();
    if (!refusal.empty()) return absl::FailedPreconditionError(refusal);
    if (stopped_.wait_for(lock, kWaitTime,
                          [this] { return stopping_.load(); })) {
      return absl::UnavailableError("the server is going down");
    }
  }
  return absl::OkStatus();
}

void BundleRouter::FreeRetired() {
  // Nobody can take new shares of a retired table, so a count of one is final.
  std::erase_if(retired_, [this](const auto& table) {
    if (table.use_count() > 1) return false;
    std::map<BundleManager*, long> shares;  // Arms of one source share one.
    for (const auto* members : {&table->members, &table->shadows}) {
      for (const Member& member : *members) {
        if (member.own == nullptr) continue;
        // Its bundle may outlive the manager in a request.
        if (++shares[member.own.get()] == member.own.use_count()) {
          retired_bundles_.push_back(member.own->current());
        }
      }
    }
    return true;
  });
  std::erase_if(retired_bundles_, [](const auto& bundle) {
    return bundle == nullptr || bundle.use_count() == 1;
  });
}

void BundleRouter::Look() {
  ServingState state;
  FillArms(*table_.load(), state);
  metrics_.Show(state);
  if (ready_ || !IsReady()) return;
  ready_ = true;
  if (options_.on_ready) options_.on_ready();
}

void BundleRouter::SetRefusal(const absl::Status& status) {
  metrics_.CountChange(false);
  spdlog::error("arms_refused reason=\"{}\"", status.ToString());
  const std::lock_guard lock(mutex_);
  refusal_ = ReplaceMalformedUtf8(std::string(status.message()));
}

}  // namespace larr
