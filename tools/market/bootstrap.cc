// SPDX-License-Identifier: Apache-2.0
#include "tools/market/bootstrap.h"

#include <cmath>
#include <limits>

#include "common/ctr/bootstrap.h"
#include "examples/city/random.h"

namespace larr::market {
namespace {

// The sums of two groups of users.
struct Totals {
  Sums control = {};
  Sums treatment = {};
};

Sums Total(std::span<const Sums> users) {
  Sums total = {};
  for (const Sums& user : users) AddTo(user, total);
  return total;
}

Sums Resampled(std::span<const Sums> users, city::Random& random) {
  Sums total = {};
  for (size_t i = 0; i < users.size(); ++i) {
    AddTo(users[random.Below(static_cast<int>(users.size()))], total);
  }
  return total;
}

double Effect(const Metric& metric, const Totals& totals) {
  const double control = metric.of(totals.control);
  const double treatment = metric.of(totals.treatment);
  return metric.relative ? treatment / control - 1 : treatment - control;
}

std::vector<Estimate> Estimates(std::span<const Metric> metrics,
                                const Totals& observed,
                                const std::vector<Totals>& replicates) {
  std::vector<Estimate> estimates;
  for (const Metric& metric : metrics) {
    Estimate estimate{.control = metric.of(observed.control),
                      .treatment = metric.of(observed.treatment),
                      .effect = Effect(metric, observed),
                      .low = std::numeric_limits<double>::quiet_NaN(),
                      .high = std::numeric_limits<double>::quiet_NaN()};
    std::vector<double> effects;
    for (const Totals& totals : replicates)
      effects.push_back(Effect(metric, totals));
    const Interval interval = IntervalOf(effects);
    if (std::isfinite(estimate.effect) && std::isfinite(interval.low) &&
        std::isfinite(interval.high)) {
      estimate.low = interval.low;
      estimate.high = interval.high;
    }
    estimates.push_back(estimate);
  }
  return estimates;
}

}  // namespace

std::vector<Estimate> Compare(std::span<const Metric> metrics,
                              std::span<const Sums> control,
                              std::span<const Sums> treatment, uint64_t seed,
                              int replicates) {
  city::Random random({seed, city::Random::kBootstrap});
  std::vector<Totals> totals(replicates);
  for (Totals& t : totals) {
    t.control = Resampled(control, random);
    t.treatment = Resampled(treatment, random);
  }
  return Estimates(metrics, {Total(control), Total(treatment)}, totals);
}

std::vector<Estimate> ComparePaired(std::span<const Metric> metrics,
                                    std::span<const Sums> control,
                                    std::span<const Sums> treatment,
                                    uint64_t seed) {
  city::Random random({seed, city::Random::kBootstrap});
  const int users = static_cast<int>(control.size());
  std::vector<Totals> totals(kReplicates);
  for (Totals& t : totals) {
    for (int i = 0; i < users; ++i) {
      const int user = random.Below(users);
      AddTo(control[user], t.control);
      AddTo(treatment[user], t.treatment);
    }
  }
  return Estimates(metrics, {Total(control), Total(treatment)}, totals);
}

}  // namespace larr::market
