// SPDX-License-Identifier: Apache-2.0
#include "examples/city/random.h"

#include <algorithm>
#include <cmath>

#include "common/base/random_bits.h"

namespace larr::city {
namespace {

constexpr double kLn2 = 0.6931471805599453;

// What SplitMix64 adds to its state; MixBits() adds it, too.
constexpr uint64_t kStep = 0x9e3779b97f4a7c15;

}  // namespace

Random::Random(std::initializer_list<uint64_t> key) : state_(0) {
  for (const uint64_t part : key) {
    state_ = MixBits(state_ + part);
  }
}

uint64_t Random::Next() {
  const uint64_t state = state_;
  state_ += kStep;
  return MixBits(state);
}

double Random::Uniform() { return UnitFraction(Next()); }

int Random::Below(int n) {
  return static_cast<int>(((Next() >> 32) * static_cast<uint64_t>(n)) >> 32);
}

double Random::Normal() {
  double sum = -6;
  for (int i = 0; i < 12; ++i) sum += Uniform();
  return sum;
}

int Random::Weighted(std::span<const double> weights) {
  double total = 0;
  for (const double weight : weights) total += weight;
  double u = Uniform() * total;
  int last = 0;
  for (size_t i = 0; i < weights.size(); ++i) {
    if (weights[i] <= 0) continue;
    last = static_cast<int>(i);
    if (u < weights[i]) break;
    u -= weights[i];
  }
  return last;
}

WeightedTable::WeightedTable(std::span<const double> weights) {
  cumulative_.reserve(weights.size());
  double total = 0;
  for (const double weight : weights) cumulative_.push_back(total += weight);
}

int WeightedTable::Draw(Random& random) const {
  const double u = random.Uniform() * cumulative_.back();
  const auto at = std::upper_bound(cumulative_.begin(), cumulative_.end(), u);
  return static_cast<int>(std::min<ptrdiff_t>(at - cumulative_.begin(),
                                              std::ssize(cumulative_) - 1));
}

double Exp(double x) {
  if (x < -700) return 0;
  if (x > 700) x = 700;
  const double k = std::floor(x / kLn2 + 0.5);
  const double r = x - k * kLn2;  // |r| <= ln 2 / 2
  double sum = 1;
  for (int i = 14; i > 0; --i) sum = 1 + sum * r / i;
  return std::ldexp(sum, static_cast<int>(k));
}

double Log(double x) {
  int exponent = 0;
  double m = std::frexp(x, &exponent);
  if (m < 0.7071067811865476) {
    m *= 2;
    --exponent;
  }
  // log m = 2 artanh((m - 1) / (m + 1)), |z| <= 0.172
  const double z = (m - 1) / (m + 1);
  double sum = 0;
  for (int i = 21; i > 0; i -= 2) sum = sum * z * z + 1.0 / i;
  return 2 * z * sum + exponent * kLn2;
}

double Logistic(double x) { return 1 / (1 + Exp(-x)); }

}  // namespace larr::city
