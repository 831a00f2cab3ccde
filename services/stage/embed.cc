// SPDX-License-Identifier: Apache-2.0
#include "services/stage/embed.h"

#include <chrono>
#include <cmath>
#include <limits>

#include "common/base/artifact_folder.h"
#include "common/base/invalid_argument.h"
#include "common/base/seconds_since.h"
#include "common/base/status_macros.h"
#include "common/config/text_proto.h"
#include "common/store/snapshot_builder.h"
#include "services/embedding/open_encoder.h"
#include "services/embedding/random_encoder.h"
#include "services/embedding/refresh.h"
#include "services/embedding/vectors_file_encoder.h"

namespace larr::stage {
namespace {

using Clock = std::chrono::steady_clock;

// Tokens a second of this process, since it began to encode.
class Throughput {
 public:
  double Of(int64_t tokens) {
    if (first_ < 0 || tokens == first_) {
      first_ = tokens;
      start_ = Clock::now();
      return 0;
    }
    const double elapsed = SecondsSince(start_);
    return static_cast<double>(tokens - first_) / std::max(elapsed, 1e-9);
  }

 private:
  int64_t first_ = -1;
  Clock::time_point start_;
};

// A file that knows none of the texts is of another dataset.
absl::Status CheckKnown(const StageContext& context,
                        const RefreshCounts& counts) {
  if (counts.texts_unknown == 0 || counts.texts_unknown < counts.texts_total)
    return absl::OkStatus();
  const auto& spec = context.config.spec();
  return Invalid(
      "embed.vectors_file: {} has none of the {} texts of {}; make vectors of "
      "the texts that `larrctl dataset texts` writes, with its `slot` and "
      "`text` as they are",
      spec.embed().vectors_file(), counts.texts_total, spec.dataset());
}

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
  if (!checkpoint_digest.empty())
    (*options.manifest.mutable_parents())["contrast"] = checkpoint_digest;
  Throughput throughput;
  LARR_RETURN_IF_ERROR(
      Refresh(options, encoder,
              [&](const RefreshCounts& counts) -> absl::Status {
                LARR_RETURN_IF_ERROR(CheckKnown(context, counts));
                context.progress.Report(
                    counts.texts_encoded, counts.texts_to_encode,
                    std::numeric_limits<double>::quiet_NaN(),
                    throughput.Of(counts.tokens_encoded), "tokens/s");
                return absl::OkStatus();
              })
          .status());
  DropPending(config.work());
  return absl::OkStatus();
}

absl::Status RunEmbed(StageContext& context) {
  const auto& spec = context.config.spec();
  if (const std::string& file = spec.embed().vectors_file(); !file.empty()) {
    LARR_ASSIGN_OR_RETURN(const auto encoder, OpenVectorsFile(file));
    return RunEmbed(context, *encoder, "");
  }
  if (spec.encoder() == config::v1::RANDOM)
    return RunEmbed(context, *MakeRandomEncoder(), "");
  LARR_ASSIGN_OR_RETURN(const auto checkpoint, context.Input("contrast"));
  LARR_ASSIGN_OR_RETURN(const auto manifest, ReadArtifact(checkpoint));
  LARR_ASSIGN_OR_RETURN(
      const auto encoder,
      OpenTextEncoder(checkpoint, spec.embed(), context.threads()));
  return RunEmbed(context, *encoder, manifest.digest());
}

}  // namespace larr::stage
