// SPDX-License-Identifier: Apache-2.0
#include "services/scoring/request_log.h"

#include <fmt/format.h>
#include <google/protobuf/util/time_util.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "common/base/invalid_argument.h"
#include "common/base/status_macros.h"
#include "common/base/utf8.h"
#include "larr/scoring/v1/request_log.pb.h"
#include "services/scoring/arm_table.h"

namespace larr {
namespace {

using config::v1::RequestLogConfig;
using scoring::v1::LoggedCall;

constexpr char kSample[] = "request_log";
constexpr size_t kQueueBytes = 32 << 20;
constexpr int64_t kLeastFileBytes = 1 << 20;

absl::Status Check(const RequestLogConfig& config) {
  if (config.folder().empty()) {
    return Invalid("request_log.folder is empty; name a folder for the log");
  }
  if (config.sample() < 0 || config.sample() > ArmTable::kBuckets) {
    return Invalid("request_log.sample is {}; it must be in [1, {}]",
                   config.sample(), ArmTable::kBuckets);
  }
  if (config.max_file_bytes() != 0 &&
      config.max_file_bytes() < kLeastFileBytes) {
    return Invalid("request_log.max_file_bytes is {}; it must be {} or more",
                   config.max_file_bytes(), kLeastFileBytes);
  }
  if (config.max_files() < 0) {
    return Invalid("request_log.max_files is {}; it must be 1 or more",
                   config.max_files());
  }
  return absl::OkStatus();
}

int64_t Nanoseconds(std::chrono::system_clock::time_point time) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             time.time_since_epoch())
      .count();
}

}  // namespace

absl::StatusOr<std::unique_ptr<RequestLog>> RequestLog::Create(
    const RequestLogConfig& config, prometheus::Registry& registry) {
  LARR_RETURN_IF_ERROR(Check(config));
  CallFilesOptions options;
  options.folder = config.folder();
  if (config.max_file_bytes() > 0) {
    options.max_file_bytes = config.max_file_bytes();
  }
  if (config.max_files() > 0) options.max_files = config.max_files();
  LARR_ASSIGN_OR_RETURN(auto files, CallFileWriter::Create(options));
  const int sample = config.sample() > 0 ? config.sample() : ArmTable::kBuckets;
  return std::unique_ptr<RequestLog>(
      new RequestLog(sample, std::move(files), registry));
}

RequestLog::RequestLog(int sample, std::unique_ptr<CallFileWriter> files,
                       prometheus::Registry& registry)
    : sample_(sample),
      calls_(prometheus::BuildCounter()
                 .Name("larr_scoring_logged_calls_total")
                 .Help("Calls of the log's sample, by what became of them.")
                 .Register(registry)),
      written_(calls_.Add({{"result", "written"}})),
      dropped_(calls_.Add({{"result", "dropped"}})),
      failed_(calls_.Add({{"result", "failed"}})),
      queue_(kQueueBytes),
      files_(std::move(files)),
      thread_([this] { Run(); }) {}

RequestLog::~RequestLog() {
  queue_.Close();
  thread_.join();
}

void RequestLog::OnScored(const ScoredCall& call) {
  if (!IsSampled(kSample, sample_, call.request_id, call.request.user_id(),
                 call.arrival)) {
    return;
  }
  if (!queue_.HasRoom(call.request.ByteSizeLong())) {
    dropped_.Increment();
    return;
  }
  LoggedCall logged;
  *logged.mutable_time() =
      google::protobuf::util::TimeUtil::NanosecondsToTimestamp(
          Nanoseconds(call.arrival));
  // Metadata is any bytes; a record that is not UTF-8 is never read again.
  logged.set_request_id(ReplaceMalformedUtf8(call.request_id));
  *logged.mutable_request() = call.request;
  *logged.mutable_scores() = call.response.scores();
  logged.set_arm(call.response.arm());
  logged.set_model_version(call.response.model_version());
  logged.set_snapshot(call.response.snapshot());
  std::string message = logged.SerializeAsString();
  const size_t size = message.size();
  if (!queue_.Push(std::move(message), size)) dropped_.Increment();
}

void RequestLog::Run() {
  while (const auto call = queue_.Pop()) Write(*call);
}

void RequestLog::Write(const std::string& call) {
  const absl::Status status = files_->Append(call);
  (status.ok() ? written_ : failed_).Increment();
  if (status.ok() == !failing_) return;  // one line a change, not a call
  failing_ = !status.ok();
  if (failing_) {
    spdlog::error("request_log_failing reason=\"{}\"", status.ToString());
  } else {
    spdlog::info("request_log_writing_again");
  }
}

}  // namespace larr
