// SPDX-License-Identifier: Apache-2.0
//
// Random numbers and the few functions of real numbers that the city needs,
// made of IEEE additions, multiplications, divisions and square roots alone:
// the same bits on every machine, which std:: distributions and libm are not.
//
// Threads:    one Random belongs to one thread; the functions are safe.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <vector>

namespace larr::city {

// A stream of random numbers that is a function of its key alone, so that any
// piece of the city can be made without the pieces before it (splitmix64).
class Random {
 public:
  // The purposes of streams; the first element of each key after the seed.
  enum Purpose : uint64_t {
    kPoi = 1,
    kUser,
    kRanking,
    kWeather,
    kTrip,
    kRequest,
    kMarketVisit,
    kMarketEvent,
    kBootstrap,
  };

  explicit Random(std::initializer_list<uint64_t> key);

  uint64_t Next();
  // In [0, 1).
  double Uniform();
  // In [0, n). REQUIRES: 0 < n < 2^31
  int Below(int n);
  // Mean 0, deviation 1: the sum of twelve uniform numbers less six.
  double Normal();
  bool Chance(double probability) { return Uniform() < probability; }
  // An index with probability proportional to its weight. REQUIRES: some
  // weight is positive, none negative.
  int Weighted(std::span<const double> weights);

 private:
  uint64_t state_;
};

// Draws indices with probability proportional to fixed weights.
class WeightedTable {
 public:
  WeightedTable() = default;
  explicit WeightedTable(std::span<const double> weights);

  // REQUIRES: not empty.
  int Draw(Random& random) const;
  bool empty() const { return cumulative_.empty(); }

 private:
  std::vector<double> cumulative_;
};

// e^x, to about 1e-15 relative. Underflows to 0 below -700.
double Exp(double x);
// Natural logarithm. REQUIRES: x > 0
double Log(double x);
// 1 / (1 + e^-x).
double Logistic(double x);

}  // namespace larr::city
