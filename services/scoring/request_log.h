// SPDX-License-Identifier: Apache-2.0
//
// Writes a sample of the scored calls to files (call_files.h). A call is
// serialized on the thread that scored it and written by a thread of the log's
// own; while that one cannot follow, or the disk refuses, calls are dropped and
// counted. A process that is killed loses what waited: 32 MiB at most.
//
// Threads:    safe.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/registry.h>

#include <memory>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "larr/config/v1/server.pb.h"
#include "services/scoring/call_files.h"
#include "services/scoring/drop_queue.h"
#include "services/scoring/score_observer.h"

namespace larr {

class RequestLog final : public ScoreObserver {
 public:
  // `registry` outlives the log.
  // Errors: kInvalidArgument  a setting is out of range
  //         those of common/base/files.h if the folder cannot be written to
  static absl::StatusOr<std::unique_ptr<RequestLog>> Create(
      const config::v1::RequestLogConfig& config,
      prometheus::Registry& registry);
  // Writes what waits.
  ~RequestLog() override;

  void OnScored(const ScoredCall& call) override;

 private:
  RequestLog(int sample, std::unique_ptr<CallFileWriter> files,
             prometheus::Registry& registry);
  void Run();
  void Write(const std::string& call);

  const int sample_;
  prometheus::Family<prometheus::Counter>& calls_;
  prometheus::Counter &written_, &dropped_, &failed_;
  DropQueue<std::string> queue_;  // Serialized LoggedCalls.

  // Of the thread alone.
  const std::unique_ptr<CallFileWriter> files_;
  bool failing_ = false;

  std::thread thread_;  // last: uses the rest
};

}  // namespace larr
