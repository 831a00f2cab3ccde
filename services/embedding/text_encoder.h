// SPDX-License-Identifier: Apache-2.0
//
// The port to the language model: texts in, vectors out. Programs open
// one by OpenTextEncoder; tests use a fake, and need no LibTorch.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace larr {

class TextEncoder {
 public:
  struct Encoded {
    std::vector<float> vectors;  // [texts, dim]
    int64_t tokens = 0;          // that the model read
  };

  virtual ~TextEncoder() = default;

  // Hash of all that a vector depends on besides the text.
  virtual const std::string& fingerprint() const = 0;
  // Elements of a vector.
  virtual int dim() const = 0;

  // Whether it can make a vector of the text. A snapshot has none of others.
  virtual bool Knows(const std::string& /*text*/) const { return true; }

  // One vector for each text, in order.
  // REQUIRES: it knows the texts
  // Threads:  may be called concurrently
  virtual absl::StatusOr<Encoded> Encode(
      std::span<const std::string> texts) = 0;
};

}  // namespace larr
