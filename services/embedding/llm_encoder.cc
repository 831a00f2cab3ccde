// SPDX-License-Identifier: Apache-2.0
#include "services/embedding/llm_encoder.h"

#include <utility>

#include "absl/synchronization/mutex.h"
#include "common/base/status_macros.h"
#include "common/config/training_settings.h"
#include "common/llm/embedder.h"

namespace larr {
namespace {

class LlmEncoder : public TextEncoder {
 public:
  explicit LlmEncoder(Embedder embedder)
      : fingerprint_(embedder.fingerprint()),
        dim_(embedder.dim()),
        embedder_(std::move(embedder)) {}

  const std::string& fingerprint() const override { return fingerprint_; }
  int dim() const override { return dim_; }

  absl::StatusOr<Encoded> Encode(std::span<const std::string> texts) override {
    Encoded encoded;
    encoded.vectors.reserve(texts.size() * dim_);
    const absl::MutexLock lock(&mutex_);
    LARR_RETURN_IF_ERROR(
        embedder_.Embed(texts, [&](const Embedder::Result& result) {
          encoded.vectors.insert(encoded.vectors.end(), result.vectors.begin(),
                                 result.vectors.end());
          encoded.tokens += result.tokens;
          return absl::OkStatus();
        }));
    return encoded;
  }

 private:
  const std::string fingerprint_;
  const int dim_;
  absl::Mutex mutex_;
  Embedder embedder_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

absl::StatusOr<std::unique_ptr<TextEncoder>> OpenLlmEncoder(
    const std::filesystem::path& checkpoint,
    const config::v1::EmbedConfig& config, int threads) {
  LARR_ASSIGN_OR_RETURN(const auto complete, CompleteEmbedConfig(config));
  const EmbedderOptions options = {
      .precision = complete.precision(),
      .tokens_per_batch = complete.tokens_per_batch(),
      .deterministic = complete.deterministic(),
      .threads = threads};
  LARR_ASSIGN_OR_RETURN(auto embedder, Embedder::Open(checkpoint, options));
  return std::make_unique<LlmEncoder>(std::move(embedder));
}

}  // namespace larr
