// SPDX-License-Identifier: Apache-2.0
#include "services/embedding/random_encoder.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <string>

#include "common/config/training_settings.h"
#include "common/features/text_renderer.h"

namespace larr {
namespace {

class RandomEncoder : public TextEncoder {
 public:
  const std::string& fingerprint() const override { return fingerprint_; }
  int dim() const override { return kEmbeddingDim; }

  absl::StatusOr<Encoded> Encode(std::span<const std::string> texts) override {
    Encoded encoded;
    encoded.vectors.resize(texts.size() * kEmbeddingDim);
    float* vector = encoded.vectors.data();
    for (const std::string& text : texts) {
      Draw(text, {vector, static_cast<size_t>(kEmbeddingDim)});
      vector += kEmbeddingDim;
    }
    return encoded;
  }

 private:
  static void Draw(const std::string& text, std::span<float> vector) {
    const std::string id = TextId(text);
    uint64_t seed = 0;
    std::memcpy(&seed, id.data(), sizeof(seed));
    std::mt19937_64 random(seed);
    std::normal_distribution<float> normal;
    double square = 0;
    for (float& value : vector) {
      value = normal(random);
      square += double{value} * value;
    }
    for (float& value : vector) value /= static_cast<float>(std::sqrt(square));
  }

  const std::string fingerprint_ = "random-of-the-text-hash-128";
};

}  // namespace

std::unique_ptr<TextEncoder> MakeRandomEncoder() {
  return std::make_unique<RandomEncoder>();
}

}  // namespace larr
