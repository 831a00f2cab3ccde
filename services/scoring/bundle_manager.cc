// SPDX-License-Identifier: Apache-2.0
#include "services/scoring/bundle_manager.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "common/base/status_macros.h"
#include "common/base/utf8.h"
#include "services/scoring/thread_priority.h"

namespace larr {
namespace {

constexpr std::chrono::milliseconds kPollTime(200);

absl::Status GoingDown() {
  return absl::UnavailableError("the server is going down");
}

}  // namespace

BundleManager::BundleManager(const std::string& alias_file,
                             BundleMetrics& metrics,
                             const BundleOptions& options,
                             FirstFailure first_failure)
    : metrics_(metrics),
      alias_path_(alias_file),
      options_(WithStop(options)),
      first_failure_(first_failure) {
  if (!alias_file.empty()) alias_.emplace(alias_file);
  thread_ = std::thread([this] { Run(); });
}

BundleManager::~BundleManager() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

BundleOptions BundleManager::WithStop(const BundleOptions& options) const {
  BundleOptions with_stop = options;
  with_stop.stop = [this, stop = options.stop] {
    return stopping_ || (stop && stop());
  };
  return with_stop;
}

std::string BundleManager::WhyNothingIsServed() const {
  const std::lock_guard lock(mutex_);
  if (!failure_.empty()) return "no model is loaded: " + failure_;
  if (alias_path_.empty()) {
    return "no model is loaded: switch to one with `larrctl serving switch`";
  }
  return fmt::format("no model is loaded yet: {} is being read", alias_path_);
}

std::string BundleManager::refusal() const {
  const std::lock_guard lock(mutex_);
  return failure_;
}

void BundleManager::SetFailure(const absl::Status& status) {
  const std::lock_guard lock(mutex_);
  failure_ = ReplaceMalformedUtf8(std::string(status.message()));
}

void BundleManager::ForgetFailure(const absl::Status& status) {
  const std::lock_guard lock(mutex_);
  if (failure_ == ReplaceMalformedUtf8(std::string(status.message())))
    failure_.clear();
}

absl::StatusOr<scoring::v1::ServingState> BundleManager::Switch(
    const std::string& model_path, const std::string& snapshot_path) {
  std::future<absl::StatusOr<scoring::v1::ServingState>> done;
  {
    const std::lock_guard lock(mutex_);
    Job job{model_path, snapshot_path, {}};
    done = job.done.get_future();
    jobs_.push_back(std::move(job));
  }
  changed_.notify_all();
  return done.get();
}

void BundleManager::Run() {
  RunInBackground();
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    lock.unlock();
    FreeRetired();  // also between calls that wait: each retires one more
    lock.lock();
    if (jobs_.empty()) {
      lock.unlock();
      PollAlias();
      TryPending();
      lock.lock();
      changed_.wait_for(lock, kPollTime,
                        [this] { return stopping_ || !jobs_.empty(); });
      continue;
    }
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    PollAlias();  // What it named before the call is older than the call.
    job.done.set_value(SwitchNow(job));
    lock.lock();
  }
  for (Job& job : jobs_) {
    job.done.set_value(GoingDown());
  }
}

absl::StatusOr<scoring::v1::ServingState> BundleManager::SwitchNow(
    const Job& job) {
  const std::shared_ptr<const Bundle> present = current();
  if (present == nullptr &&
      (job.model_path.empty() || job.snapshot_path.empty())) {
    return absl::InvalidArgumentError(
        "nothing is served yet: give both model_path and snapshot_path");
  }
  BundleSource source{job.model_path, job.snapshot_path, "", 0};
  if (source.model_path.empty()) {
    source.model_path = present->state().model_path();
    source.model_version = present->state().model_version();
  }
  if (source.snapshot_path.empty()) {
    source.snapshot_path = present->state().snapshot_path();
  }
  auto loaded = Load(source);
  if (!loaded.ok()) {
    if (!absl::IsCancelled(loaded.status())) Refuse(source, loaded.status());
    return absl::IsCancelled(loaded.status()) ? GoingDown() : loaded.status();
  }
  const scoring::v1::ServingState state = Swap(*std::move(loaded));
  if (pending_.has_value() && !job.model_path.empty()) {
    spdlog::warn("alias_superseded model={} by={}", pending_->source.model_path,
                 job.model_path);
    pending_.reset();
  }
  return state;
}

void BundleManager::PollAlias() {
  if (!alias_.has_value()) return;
  auto alias = alias_->Poll();
  if (!alias.ok()) {
    SetFailure(alias.status());
    if (alias.status() != alias_error_ && current() != nullptr) {
      metrics_.CountRefusedBundle();
      spdlog::warn("alias_not_read error={}", alias.status().ToString());
    }
    alias_error_ = alias.status();
    return;
  }
  // What is wrong with it stays so until there is another.
  if (alias->has_value() || !absl::IsInvalidArgument(alias_error_)) {
    ForgetFailure(alias_error_);
    alias_error_ = absl::OkStatus();
  }
  if (alias->has_value()) {
    pending_ = Pending{
        .source = {(*alias)->model_path(), (*alias)->snapshot_path(),
                   (*alias)->model_version(), (*alias)->fencing_token()}};
  }
}

void BundleManager::TryPending() {
  if (!pending_.has_value() || !pending_->wait.IsOver()) return;
  auto loaded = Load(pending_->source);
  const absl::Status& status = loaded.status();
  if (status.ok()) {
    // Loading takes its time: a rollback meanwhile, or a switch by hand, wins.
    const int64_t token = pending_->source.fencing_token;
    PollAlias();
    if (pending_->source.fencing_token != token || HasModelToSwitch()) {
      spdlog::info("alias_superseded fencing_token={}", token);
      return;
    }
    Swap(*std::move(loaded));
    pending_.reset();
    return;
  }
  if (absl::IsCancelled(status)) {
    pending_.reset();
    return;
  }
  if (status.code() != pending_->refusal.code())
    Refuse(pending_->source, status);
  pending_->refusal = status;
  pending_->wait.Failed();
}

bool BundleManager::HasModelToSwitch() const {
  const std::lock_guard lock(mutex_);
  return std::any_of(jobs_.begin(), jobs_.end(),
                     [](const Job& job) { return !job.model_path.empty(); });
}

absl::StatusOr<std::unique_ptr<Bundle>> BundleManager::Load(
    const BundleSource& source) {
  const std::shared_ptr<const Bundle> present = current();
  auto loaded = Bundle::Load(source, options_, present.get());
  if (loaded.ok() && present != nullptr) {
    const absl::Status warmed = (*loaded)->WarmLike(*present, options_.stop);
    if (!warmed.ok()) loaded = warmed;
  }
  if (!loaded.ok()) {
    SetFailure(absl::IsCancelled(loaded.status()) ? GoingDown()
                                                  : loaded.status());
  }
  return loaded;
}

scoring::v1::ServingState BundleManager::Swap(std::unique_ptr<Bundle> bundle) {
  bundle->SetSwitchTime();
  const scoring::v1::ServingState state = bundle->state();
  auto old = current_.exchange(std::move(bundle));
  if (old != nullptr) retired_.push_back(std::move(old));
  SetFailure(absl::OkStatus());
  metrics_.CountSwitch(state);
  spdlog::info("bundle_live model={} snapshot={} fencing_token={}",
               state.model_version(), state.snapshot(), state.fencing_token());
  return state;
}

void BundleManager::Refuse(const BundleSource& source,
                           const absl::Status& status) {
  if (first_failure_ == FirstFailure::kSilent && current() == nullptr) return;
  metrics_.CountRefusedBundle();
  spdlog::error("bundle_refused model={} snapshot={} reason=\"{}\"",
                source.model_path, source.snapshot_path, status.ToString());
}

void BundleManager::FreeRetired() {
  // Nobody can take new shares of a retired bundle, so a count of one is final.
  std::erase_if(retired_,
                [](const auto& bundle) { return bundle.use_count() == 1; });
}

}  // namespace larr
