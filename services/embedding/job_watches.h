// SPDX-License-Identifier: Apache-2.0
//
// Streams refresh jobs to those who watch them, over gRPC's callback API. One
// thread looks for changes, for all streams; a stream holds none. It has one
// state on its way at most: a client that does not keep up skips states, and
// gets the last one.
//
// Memory:     of a stream, two jobs, and what gRPC buffers: some 128 KiB of
//             states for a client that never reads.
// Ownership:  borrows the runner.
// Threads:    safe.
#pragma once

#include <grpcpp/support/server_callback.h>

#include <atomic>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "larr/embedding/v1/embedding_service.pb.h"
#include "services/embedding/job_runner.h"

namespace larr {

class JobWatches {
 public:
  // Called once for each stream, when it has ended: how, and after which time.
  using OnEnd = std::function<void(const absl::Status&, double seconds)>;

  JobWatches(const JobRunner& runner, OnEnd on_end);
  // REQUIRES: there are no streams any more: the server that had them is gone.
  ~JobWatches();

  // A stream of the job `name`, for the call that asked. Ends with OK after the
  // job's last state.
  // Errors, of the call: kNotFound     there is no such job
  //                      kCancelled    the client went away
  //                      kUnavailable  the runner was stopped
  grpc::ServerWriteReactor<embedding::v1::RefreshJob>* Watch(
      const std::string& name);

 private:
  class Stream;

  void Run();
  void UpdateAll();
  void Remove(const std::shared_ptr<Stream>& stream);

  const JobRunner& runner_;
  const OnEnd on_end_;

  absl::Mutex mutex_;
  std::set<std::shared_ptr<Stream>> streams_ ABSL_GUARDED_BY(mutex_);
  std::atomic<bool> ending_ = false;
  std::thread thread_;  // last: uses the rest
};

}  // namespace larr
