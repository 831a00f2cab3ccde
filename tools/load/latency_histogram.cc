// SPDX-License-Identifier: Apache-2.0
#include "tools/load/latency_histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace larr::load {
namespace {

// Buckets of one octave; those below two octaves' worth are one value wide.
constexpr int kOctaveBits = 10;
constexpr uint64_t kOctave = uint64_t{1} << kOctaveBits;

size_t BucketOf(uint64_t value) {
  if (value < 2 * kOctave) return value;
  const int shift = std::bit_width(value) - kOctaveBits - 1;
  return shift * kOctave + (value >> shift);
}

// The largest value of a bucket.
uint64_t EndOf(size_t bucket) {
  if (bucket < 2 * kOctave) return bucket;
  const uint64_t shift = bucket / kOctave - 1;
  return ((bucket - shift * kOctave + 1) << shift) - 1;
}

}  // namespace

void LatencyHistogram::Record(Duration latency) {
  latency = std::max(latency, Duration(0));
  const size_t bucket = BucketOf(latency.count());
  if (bucket >= counts_.size()) counts_.resize(bucket + 1);
  ++counts_[bucket];
  ++count_;
  max_ = std::max(max_, latency);
}

LatencyHistogram::Duration LatencyHistogram::Quantile(double q) const {
  const auto rank = std::max<int64_t>(
      1, std::llround(std::ceil(q * static_cast<double>(count_))));
  int64_t seen = 0;
  for (size_t bucket = 0; bucket < counts_.size(); ++bucket) {
    seen += counts_[bucket];
    if (seen >= rank) {
      return std::min(Duration(static_cast<int64_t>(EndOf(bucket))), max_);
    }
  }
  return max_;
}

}  // namespace larr::load
