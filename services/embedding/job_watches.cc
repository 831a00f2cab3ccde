// SPDX-License-Identifier: Apache-2.0
#include "services/embedding/job_watches.h"

#include <chrono>
#include <utility>
#include <vector>

#include "common/base/seconds_since.h"
#include "common/rpc/grpc_status.h"

namespace larr {
namespace {

using embedding::v1::RefreshJob;
using Clock = std::chrono::steady_clock;

// How soon the thread notices that this object goes.
constexpr absl::Duration kLookInterval = absl::Seconds(1);

absl::Status ClientLeft() {
  return absl::CancelledError("the client went away");
}

}  // namespace

// One call. gRPC calls back on its threads; StartWrite and Finish do not.
class JobWatches::Stream final : public grpc::ServerWriteReactor<RefreshJob>,
                                 public std::enable_shared_from_this<Stream> {
 public:
  Stream(JobWatches& watches, std::string name)
      : watches_(watches), name_(std::move(name)) {}

  // Sends the job as it is now, if that is news and nothing is on its way.
  void Update() {
    const absl::MutexLock lock(&mutex_);
    if (!writing_ && !ended_) SendNews();
  }

  void OnWriteDone(bool ok) override {
    const absl::MutexLock lock(&mutex_);
    writing_ = false;
    if (!ok || cancelled_) return End(ClientLeft());
    SendNews();
  }

  void OnCancel() override {
    const absl::MutexLock lock(&mutex_);
    cancelled_ = true;  // What is on its way comes back first.
    if (!writing_ && !ended_) End(ClientLeft());
  }

  void OnDone() override {
    const double seconds = SecondsSince(start_);
    {
      const absl::MutexLock lock(&mutex_);
      watches_.on_end_(status_, seconds);
    }
    watches_.Remove(shared_from_this());
  }

 private:
  void SendNews() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    // Asked first: what a stop leaves is not news to wait for.
    const bool stopped = watches_.runner_.stopped();
    auto job = watches_.runner_.Get(name_);
    if (!job.ok()) return End(job.status());
    std::string bytes = job->SerializeAsString();
    if (bytes != sent_) {
      sent_ = std::move(bytes);
      message_ = *std::move(job);
      if (IsFinished(message_.state())) {
        ended_ = true;
        return StartWriteAndFinish(&message_, {}, grpc::Status::OK);
      }
      writing_ = true;
      return StartWrite(&message_);
    }
    if (stopped) {
      End(absl::UnavailableError(
          "the server is stopping; the job goes on when it is started again"));
    }
  }

  void End(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    ended_ = true;
    status_ = status;
    Finish(ToGrpc(status));
  }

  JobWatches& watches_;
  const std::string name_;
  const Clock::time_point start_ = Clock::now();

  absl::Mutex mutex_;
  std::string sent_ ABSL_GUARDED_BY(mutex_);    // Of the newest, serialized.
  RefreshJob message_ ABSL_GUARDED_BY(mutex_);  // gRPC reads it meanwhile.
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;  // Nothing may be started.
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
};

JobWatches::JobWatches(const JobRunner& runner, OnEnd on_end)
    : runner_(runner), on_end_(std::move(on_end)), thread_([this] { Run(); }) {}

JobWatches::~JobWatches() {
  ending_ = true;
  thread_.join();
}

grpc::ServerWriteReactor<RefreshJob>* JobWatches::Watch(
    const std::string& name) {
  const auto stream = std::make_shared<Stream>(*this, name);
  {
    const absl::MutexLock lock(&mutex_);
    streams_.insert(stream);
  }
  stream->Update();
  return stream.get();
}

void JobWatches::Run() {
  int64_t seen = 0;
  while (!ending_ && !runner_.stopped()) {
    seen = runner_.WaitForChange(seen, kLookInterval);
    UpdateAll();
  }
  // Streams that begin after a stop end by themselves.
  UpdateAll();
}

void JobWatches::UpdateAll() {
  std::vector<std::shared_ptr<Stream>> streams;
  {
    const absl::MutexLock lock(&mutex_);
    streams.assign(streams_.begin(), streams_.end());
  }
  for (const auto& stream : streams) stream->Update();
}

void JobWatches::Remove(const std::shared_ptr<Stream>& stream) {
  const absl::MutexLock lock(&mutex_);
  streams_.erase(stream);
}

}  // namespace larr
