// SPDX-License-Identifier: Apache-2.0
#include "services/embedding/bag_of_words_encoder.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <string>
#include <utility>

#include "common/base/status_macros.h"
#include "common/llm/bag_of_words.h"
#include "common/tensors/torch_status.h"

namespace larr {
namespace {

class BagOfWordsEncoder : public TextEncoder {
 public:
  explicit BagOfWordsEncoder(BagOfWordsEmbedder embedder)
      : embedder_(std::move(embedder)) {}

  const std::string& fingerprint() const override {
    return embedder_.fingerprint();
  }
  int dim() const override { return embedder_.dim(); }

  absl::StatusOr<Encoded> Encode(std::span<const std::string> texts) override {
    return GuardTorch("embedding words", [&]() -> absl::StatusOr<Encoded> {
      const torch::NoGradGuard no_grad;
      const torch::Tensor vectors = embedder_.Embed(texts).contiguous();
      const float* first = vectors.const_data_ptr<float>();
      return Encoded{{first, first + vectors.numel()}, 0};
    });
  }

 private:
  const BagOfWordsEmbedder embedder_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<TextEncoder>> OpenBagOfWordsEncoder(
    const std::filesystem::path& folder) {
  LARR_ASSIGN_OR_RETURN(auto embedder, BagOfWordsEmbedder::Open(folder));
  return std::make_unique<BagOfWordsEncoder>(std::move(embedder));
}

}  // namespace larr
