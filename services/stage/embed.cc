// SPDX-License-Identifier: Apache-2.0
#include "services/stage/embed.h"

#include <chrono>
#include <cmath>
#include <limits>

#include "common/base/artifact_folder.h"
#include "common/base/status_macros.h"
#include "common/config/text_proto.h"
#include "services/embedding/llm_encoder.h"
#include "services/embedding/refresh.h"

namespace larr::stage {
namespace {

using Clock = std::chrono::steady_clock;

// Tokens a second of this process.
class Throughput {
 public:
  double Of(int64_t tokens) {
    if (!started_) {
      started_ = true;
      first_ = tokens;
      start_ = Clock::now();
      return 0;
    }
    const std::chrono::duration<double> elapsed = Clock::now() - start_;
    return static_cast<double>(tokens - first_) /
           std::max(elapsed.count(), 1e-9);
  }

 private:
  bool started_ = false;
  int64_t first_ = 0;
  Clock::time_point start_;
};

}  // namespace

absl::Status RunEmbed(StageContext& context, TextEncoder& encoder,
                      const std::string& checkpoint_digest) {
  const auto& config = context.config;
  RefreshOptions options;
  options.dataset = config.spec().dataset();
  options.as_of_date = config.spec().embed().as_of_date();
  options.work = config.work();
  options.output = config.output();
  options.manifest.set_config(ToTextProto(config.spec().embed()));
  (*options.manifest.mutable_parents())["contrast"] = checkpoint_digest;
  Throughput throughput;
  return Refresh(options, encoder,
                 [&](const RefreshCounts& counts) {
                   context.progress.Report(
                       counts.texts_encoded, counts.texts_to_encode,
                       std::numeric_limits<double>::quiet_NaN(),
                       throughput.Of(counts.tokens_encoded), "tokens/s");
                   return absl::OkStatus();
                 })
      .status();
}

absl::Status RunEmbed(StageContext& context) {
  LARR_ASSIGN_OR_RETURN(const auto checkpoint, context.Input("contrast"));
  LARR_ASSIGN_OR_RETURN(const auto manifest, ReadArtifact(checkpoint));
  LARR_ASSIGN_OR_RETURN(
      const auto encoder,
      OpenLlmEncoder(checkpoint, context.config.spec().embed(),
                     context.threads()));
  return RunEmbed(context, *encoder, manifest.digest());
}

}  // namespace larr::stage
