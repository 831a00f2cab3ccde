// SPDX-License-Identifier: Apache-2.0
#include "services/embedding/job_runner.h"

#include <fmt/format.h>
#include <google/protobuf/util/time_util.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <exception>
#include <limits>
#include <utility>

#include "common/base/artifact_folder.h"
#include "common/base/date.h"
#include "common/base/files.h"
#include "common/base/invalid_argument.h"
#include "common/base/prefixed.h"
#include "common/base/status_macros.h"
#include "common/base/utf8.h"
#include "common/config/text_proto.h"
#include "common/rpc/resource_requests.h"
#include "common/store/snapshot_builder.h"

namespace larr {
namespace {

namespace fs = std::filesystem;
using config::v1::EmbeddingConfig;
using embedding::v1::RefreshJob;
using google::protobuf::util::TimeUtil;

constexpr char kPrefix[] = "refreshJobs/";

google::protobuf::Timestamp Now() {
  return TimeUtil::NanosecondsToTimestamp(absl::ToUnixNanos(absl::Now()));
}

// The time, so that ids made by the server sort by it.
std::string TimeId(const google::protobuf::Timestamp& time) {
  return absl::FormatTime(
      "%Y%m%d-%H%M%E6S",
      absl::FromUnixNanos(TimeUtil::TimestampToNanoseconds(time)),
      absl::UTCTimeZone());
}

absl::Status NotFound(std::string_view name) {
  return absl::NotFoundError(
      fmt::format("there is no job '{}'; names look like {}ID", name, kPrefix));
}

// Sorts by creation, whatever the id.
fs::path OutputOf(const EmbeddingConfig& config, const RefreshJob& job) {
  const std::string id = job.name().substr(sizeof(kPrefix) - 1);
  return fs::path(config.snapshot_dir()) /
         fmt::format("{}-{}", TimeId(job.create_time()), id);
}

fs::path WorkOf(const EmbeddingConfig& config) {
  return fs::path(config.state_dir()) / "work";
}

// Whether a snapshot of this embedder is there, or what cannot be read now. One
// of another, which a server with another checkpoint left, is removed, and so
// is a damaged one, or the rest of one.
bool IsPublished(const fs::path& output, const std::string& fingerprint) {
  const auto manifest = ReadArtifact(output);
  const bool useless = manifest.ok()
                           ? manifest->embedder_fingerprint() != fingerprint
                           : absl::IsDataLoss(manifest.status()) ||
                                 absl::IsNotFound(manifest.status());
  if (useless) RemoveArtifact(output);
  return !useless;
}

void SetCounts(const RefreshCounts& counts, RefreshJob& job) {
  job.set_texts_total(counts.texts_total);
  job.set_texts_to_encode(counts.texts_to_encode);
  job.set_texts_encoded(counts.texts_encoded);
  job.set_tokens_encoded(counts.tokens_encoded);
}

}  // namespace

absl::StatusOr<std::unique_ptr<JobRunner>> JobRunner::Start(
    const EmbeddingConfig& config, TextEncoder& encoder, Observer observer) {
  for (const auto& [field, folder] :
       {std::pair("state_dir", config.state_dir()),
        std::pair("snapshot_dir", config.snapshot_dir())}) {
    if (const auto made = MakeFolder(folder); !made.ok())
      return Prefixed(fmt::format("`{}`", field), made);
  }
  LARR_ASSIGN_OR_RETURN(auto store,
                        JobStore::Open(fs::path(config.state_dir()) / "jobs"));
  std::unique_ptr<JobRunner> runner(
      new JobRunner(config, encoder, std::move(observer), std::move(store)));
  runner->RemoveLeftovers();
  LARR_RETURN_IF_ERROR(runner->LoadServed());
  runner->TellLastSuccess();
  runner->thread_ = std::thread([self = runner.get()] { self->RunJobs(); });
  return runner;
}

JobRunner::JobRunner(const EmbeddingConfig& config, TextEncoder& encoder,
                     Observer observer, JobStore store)
    : config_(config),
      encoder_(encoder),
      observer_(std::move(observer)),
      store_(std::move(store)) {}

JobRunner::~JobRunner() {
  Stop();
  if (thread_.joinable()) thread_.join();
}

void JobRunner::Stop() {
  const absl::MutexLock lock(&mutex_);
  stopping_ = true;
}

void JobRunner::RemoveLeftovers() const {
  const absl::MutexLock lock(&mutex_);
  const auto jobs = store_.List(std::numeric_limits<int>::max(), "");
  for (const RefreshJob& job : *jobs) {
    if (!IsFinished(job.state())) continue;
    std::error_code ignored;
    const fs::path output = OutputOf(config_, job);
    fs::remove_all(StagingOf(output), ignored);
    if (job.state() == RefreshJob::CANCELLED) RemoveArtifact(output);
  }
}

absl::Status JobRunner::LoadServed() {
  fs::path folder = config_.base_snapshot();
  const auto newest =
      NewestSnapshot(config_.snapshot_dir(), encoder_.fingerprint());
  if (newest) folder = *newest;
  if (folder.empty()) return absl::OkStatus();
  LARR_ASSIGN_OR_RETURN(auto served, ServedSnapshot::Load(folder));
  if (served->snapshot->fingerprint() != encoder_.fingerprint()) {
    return absl::FailedPreconditionError(fmt::format(
        "`base_snapshot` {} was made by embedder {}, `checkpoint` is {}; "
        "give a snapshot of this checkpoint, or none",
        folder.string(), served->snapshot->fingerprint(),
        encoder_.fingerprint()));
  }
  spdlog::info("reading snapshot={} pois={}", folder.string(),
               served->pois.size());
  const absl::MutexLock lock(&mutex_);
  served_ = std::move(served);
  return absl::OkStatus();
}

void JobRunner::TellLastSuccess() const {
  const absl::MutexLock lock(&mutex_);
  const auto jobs = store_.List(std::numeric_limits<int>::max(), "");
  RefreshJob last;
  for (const RefreshJob& job : *jobs) {
    if (job.state() == RefreshJob::SUCCEEDED &&
        job.end_time().seconds() > last.end_time().seconds()) {
      last = job;
    }
  }
  if (last.has_end_time() && observer_.restored) observer_.restored(last);
}

google::protobuf::Timestamp JobRunner::NewCreateTime() const {
  const auto newest = store_.List(1, "");
  if (newest->empty()) return Now();
  // What names tell apart.
  constexpr int64_t kMicrosecond = 1000;
  const int64_t last =
      TimeUtil::TimestampToNanoseconds(newest->front().create_time());
  return TimeUtil::NanosecondsToTimestamp(
      std::max(absl::ToUnixNanos(absl::Now()), last + kMicrosecond));
}

absl::StatusOr<RefreshJob> JobRunner::Create(const std::string& id,
                                             const std::string& as_of_date) {
  const absl::MutexLock lock(&mutex_);
  if (stopping_) return absl::UnavailableError("the server is going down");
  RefreshJob job;
  *job.mutable_create_time() = NewCreateTime();
  std::string chosen = id;
  if (id.empty()) {
    chosen = TimeId(job.create_time());
    std::replace(chosen.begin(), chosen.end(), '.', '-');
  }
  LARR_RETURN_IF_ERROR(CheckId("refresh_job_id", chosen));
  if (!as_of_date.empty() && !IsDate(as_of_date)) {
    return Invalid("refresh_job.as_of_date is '{}'; write a day as YYYY-MM-DD",
                   as_of_date);
  }
  job.set_name(kPrefix + chosen);
  job.set_state(RefreshJob::QUEUED);
  job.set_as_of_date(as_of_date);
  if (const RefreshJob* present = store_.Find(job.name())) {
    if (present->as_of_date() == as_of_date) return *present;
    return absl::AlreadyExistsError(
        fmt::format("{} exists with as_of_date '{}'; choose another id",
                    job.name(), present->as_of_date()));
  }
  LARR_RETURN_IF_ERROR(Put(job));
  return job;
}

absl::StatusOr<RefreshJob> JobRunner::Get(std::string_view name) const {
  const absl::MutexLock lock(&mutex_);
  const RefreshJob* job = store_.Find(name);
  if (job == nullptr) return NotFound(name);
  return *job;
}

absl::StatusOr<std::vector<RefreshJob>> JobRunner::List(
    int limit, std::string_view after) const {
  const absl::MutexLock lock(&mutex_);
  auto page = store_.List(limit, after);
  if (page) return *std::move(page);
  return Invalid(
      "page_token '{}' is none of ours; pass the next_page_token "
      "of the page before",
      after);
}

absl::StatusOr<RefreshJob> JobRunner::Cancel(std::string_view name) {
  const absl::MutexLock lock(&mutex_);
  const RefreshJob* present = store_.Find(name);
  if (present == nullptr) return NotFound(name);
  if (IsFinished(present->state())) return *present;
  RefreshJob job = *present;
  job.set_state(RefreshJob::CANCELLED);
  *job.mutable_end_time() = Now();
  LARR_RETURN_IF_ERROR(Put(job));
  spdlog::info("cancelled job={}", job.name());
  if (observer_.finished) observer_.finished(job);
  return job;
}

absl::Status JobRunner::Put(const RefreshJob& job) {
  LARR_RETURN_IF_ERROR(store_.Put(job));
  ++changes_;
  return absl::OkStatus();
}

int64_t JobRunner::WaitForChange(int64_t seen, absl::Duration timeout) const {
  const auto changed = [&]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
    return stopping_ || changes_ > seen;
  };
  const absl::MutexLock lock(&mutex_);
  mutex_.AwaitWithTimeout(absl::Condition(&changed), timeout);
  return changes_;
}

bool JobRunner::stopped() const {
  const absl::MutexLock lock(&mutex_);
  return stopping_;
}

std::shared_ptr<const ServedSnapshot> JobRunner::served() const {
  const absl::MutexLock lock(&mutex_);
  return served_;
}

void JobRunner::RunJobs() {
  while (true) {
    RefreshJob job;
    {
      const absl::MutexLock lock(&mutex_);
      const auto ready = [this]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
        return stopping_ || store_.Next() != nullptr;
      };
      mutex_.Await(absl::Condition(&ready));
      if (stopping_) return;
      job = *store_.Next();
    }
    Run(job);
  }
}

void JobRunner::Run(const RefreshJob& job) {
  const fs::path output = OutputOf(config_, job);
  spdlog::info("refreshing job={} as_of_date={} output={}", job.name(),
               job.as_of_date(), output.string());
  // A crash may have come between publishing and noting it.
  const absl::Status status = IsPublished(output, encoder_.fingerprint())
                                  ? absl::OkStatus()
                                  : RefreshGuarded(job, output);
  {
    const absl::MutexLock lock(&mutex_);
    if (stopping_ && !status.ok()) return;
  }
  Finish(job.name(), status, output);
}

// What a library throws ends the job, and not the server with it.
absl::Status JobRunner::RefreshGuarded(const RefreshJob& job,
                                       const fs::path& output) {
  try {
    return RefreshFor(job, output);
  } catch (const std::exception& error) {
    return absl::InternalError(error.what());
  }
}

absl::Status JobRunner::RefreshFor(const RefreshJob& job,
                                   const fs::path& output) {
  const auto base = served();
  RefreshOptions options;
  options.dataset = config_.dataset();
  options.as_of_date = job.as_of_date();
  options.base = base == nullptr ? nullptr : base->snapshot.get();
  options.work = WorkOf(config_);
  options.output = output;
  options.manifest.set_config(ToTextProto(config_.embed()));
  RefreshCounts told;
  return Refresh(options, encoder_,
                 [&](const RefreshCounts& counts) {
                   if (observer_.encoded && counts.texts_now > told.texts_now)
                     observer_.encoded(counts.texts_now - told.texts_now,
                                       counts.tokens_now - told.tokens_now);
                   told = counts;
                   return OnProgress(job.name(), counts);
                 })
      .status();
}

absl::Status JobRunner::OnProgress(const std::string& name,
                                   const RefreshCounts& counts) {
  const absl::MutexLock lock(&mutex_);
  RefreshJob job = *store_.Find(name);
  if (stopping_ || job.state() == RefreshJob::CANCELLED) {
    return absl::CancelledError("the refresh was stopped");
  }
  job.set_state(RefreshJob::RUNNING);
  SetCounts(counts, job);
  return Put(job);
}

void JobRunner::Finish(const std::string& name, const absl::Status& status,
                       const fs::path& output) {
  using Served = absl::StatusOr<std::shared_ptr<const ServedSnapshot>>;
  Served served = status.ok() ? ServedSnapshot::Load(output) : Served(status);
  const absl::MutexLock lock(&mutex_);
  RefreshJob job = *store_.Find(name);
  const bool cancelled = job.state() == RefreshJob::CANCELLED;
  // Nobody is told of a snapshot that came too late or cannot be read; what it
  // took to encode is pending still. One that is read already is the base of
  // others.
  if (status.ok() && (cancelled || !served.ok()) && !IsServed(output))
    RemoveArtifact(output);
  if (cancelled) return;
  *job.mutable_end_time() = Now();
  if (served.ok()) {
    served_ = *std::move(served);
    job.set_state(RefreshJob::SUCCEEDED);
    job.set_snapshot_path(fs::absolute(output).string());
    spdlog::info("refreshed job={} texts_total={} texts_encoded={} snapshot={}",
                 name, job.texts_total(), job.texts_encoded(),
                 job.snapshot_path());
  } else {
    job.set_state(RefreshJob::FAILED);
    // A record that is not UTF-8 could be stored and never read again.
    job.set_error_message(
        ReplaceMalformedUtf8(std::string(served.status().message())));
    spdlog::error("refresh failed job={} error={}", name,
                  served.status().ToString());
  }
  if (const absl::Status stored = Put(job); !stored.ok()) {
    // Without a job store nothing can be promised.
    spdlog::critical("jobs stop until a restart error={}", stored.ToString());
    stopping_ = true;
    if (observer_.broken) observer_.broken();
    return;
  }
  if (job.state() == RefreshJob::SUCCEEDED) DropPending(WorkOf(config_));
  if (observer_.finished) observer_.finished(job);
}

bool JobRunner::IsServed(const fs::path& output) const {
  return served_ != nullptr &&
         fs::absolute(served_->snapshot->folder()) == fs::absolute(output);
}

}  // namespace larr
