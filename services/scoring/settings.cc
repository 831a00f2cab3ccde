// SPDX-License-Identifier: Apache-2.0
#include "services/scoring/settings.h"

#include <algorithm>
#include <chrono>

#include "common/base/invalid_argument.h"
#include "common/base/status_macros.h"
#include "common/config/text_proto.h"
#include "common/rpc/server_limits.h"

namespace larr {
namespace {

using config::v1::ScoringConfig;

constexpr int kLongestWaitMs = 10'000;
constexpr int kLongestDeadlineMs = 600'000;

absl::Status CheckConfig(const ScoringConfig& config) {
  const bool by_path =
      !config.model_path().empty() || !config.snapshot_path().empty();
  if (by_path && !config.alias_file().empty()) {
    return Invalid("set either alias_file, or model_path and snapshot_path");
  }
  if (!by_path && config.alias_file().empty() &&
      config.admin_listen().empty() && config.arms_file().empty()) {
    return Invalid(
        "nothing to serve: set alias_file, or model_path and snapshot_path, or "
        "arms_file, or admin_listen to switch to a bundle later");
  }
  if (config.max_candidates() < 0 || config.threads() < 0 ||
      config.poi_cache_bytes() < 0) {
    return Invalid(
        "max_candidates, threads and poi_cache_bytes must not be negative");
  }
  const int wait = config.admission().target_wait_ms();
  if (wait < 0 || wait > kLongestWaitMs) {
    return Invalid("admission.target_wait_ms is {}; set 0 to {}", wait,
                   kLongestWaitMs);
  }
  const int deadline = config.admission().default_deadline_ms();
  if (deadline < 0 || deadline > kLongestDeadlineMs) {
    return Invalid("admission.default_deadline_ms is {}; set 0 to {}", deadline,
                   kLongestDeadlineMs);
  }
  const int most = MaxMessageBytes(config.server());
  if (config.max_request_bytes() < 0 || config.max_request_bytes() >= most) {
    return Invalid(
        "max_request_bytes is {}; set it to less than the {} bytes of "
        "server.max_message_bytes, or raise those",
        config.max_request_bytes(), most);
  }
  return absl::OkStatus();
}

ScoringOptions ServiceOptions(const ScoringConfig& config) {
  ScoringOptions options;
  if (config.max_candidates() > 0) {
    options.max_candidates = config.max_candidates();
  }
  // Less than what gRPC reads, so that what is refused is told why.
  options.max_request_bytes = std::min<size_t>(
      options.max_request_bytes,
      static_cast<size_t>(MaxMessageBytes(config.server())) / 2);
  if (config.max_request_bytes() > 0) {
    options.max_request_bytes = static_cast<size_t>(config.max_request_bytes());
  }
  if (config.threads() > 0) options.admission.threads = config.threads();
  const config::v1::AdmissionConfig& admission = config.admission();
  if (admission.target_wait_ms() > 0) {
    options.admission.target_wait =
        std::chrono::milliseconds(admission.target_wait_ms());
  }
  if (admission.default_deadline_ms() > 0) {
    options.default_deadline =
        std::chrono::milliseconds(admission.default_deadline_ms());
  }
  return options;
}

}  // namespace

absl::StatusOr<ScoringSettings> LoadScoringSettings(
    const std::filesystem::path& path) {
  ScoringSettings settings;
  LARR_ASSIGN_OR_RETURN(settings.config, LoadTextProto<ScoringConfig>(path));
  LARR_RETURN_IF_ERROR(CheckConfig(settings.config));
  settings.service = ServiceOptions(settings.config);
  if (settings.config.poi_cache_bytes() > 0) {
    // One bundle's: during a switch there are two.
    settings.bundle.poi_cache_bytes = settings.config.poi_cache_bytes() / 2;
  }
  return settings;
}

}  // namespace larr
