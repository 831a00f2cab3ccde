// SPDX-License-Identifier: Apache-2.0
//
// A TextEncoder without a model: a text's vector depends on its bytes alone.
// It remembers what it was asked, so that tests can count.
#pragma once

#include <functional>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "services/embedding/text_encoder.h"

namespace larr::testing {

class FakeEncoder : public TextEncoder {
 public:
  explicit FakeEncoder(std::string fingerprint = "fake", int dim = 8)
      : fingerprint_(std::move(fingerprint)), dim_(dim) {}

  const std::string& fingerprint() const override { return fingerprint_; }
  int dim() const override { return dim_; }

  absl::StatusOr<Encoded> Encode(std::span<const std::string> texts) override {
    if (before_encode) before_encode();
    Encoded encoded;
    const absl::MutexLock lock(&mutex_);
    for (const std::string& text : texts) {
      ++times_[text];
      encoded.tokens += static_cast<int64_t>(text.size());
      for (const float value : VectorOf(text)) encoded.vectors.push_back(value);
    }
    return encoded;
  }

  // Exact in bf16.
  std::vector<float> VectorOf(const std::string& text) const {
    std::mt19937_64 random(std::hash<std::string>()(text));
    std::vector<float> vector(dim_);
    for (float& value : vector) {
      value = static_cast<float>(static_cast<int>(random() % 255) - 127) / 64;
    }
    return vector;
  }

  // How often each text was encoded.
  std::map<std::string, int> times() const {
    const absl::MutexLock lock(&mutex_);
    return times_;
  }

  // Called before each Encode; set before use.
  std::function<void()> before_encode;

 private:
  const std::string fingerprint_;
  const int dim_;
  mutable absl::Mutex mutex_;
  std::map<std::string, int> times_;
};

}  // namespace larr::testing
