// SPDX-License-Identifier: Apache-2.0
#include "examples/city/city_log.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <deque>
#include <future>
#include <utility>

#include "common/base/status_macros.h"

namespace larr::city {
namespace {

constexpr int kRequestsPerRowGroup = 1000;
// Share of the impressions in each part.
constexpr std::array<double, kPartCount> kPartShares = {0.20, 0.10, 0.55, 0.05,
                                                        0.10};

}  // namespace

int64_t RequestsOfDay(const CityOptions& options, const Calendar& calendar,
                      Part part) {
  return std::max<int64_t>(
      1, std::llround(static_cast<double>(options.impressions) *
                      kPartShares[part] / calendar.length[part] /
                      kImpressionsPerRequest));
}

// Chunks are made ahead on threads and taken in their order.
absl::Status CityLog::NextDay(const std::function<absl::Status(Chunk)>& take) {
  maker_.StartDay(day_);
  const int64_t count = RequestsOfDay(options_, platform_.calendar,
                                      platform_.calendar.days[day_].part);
  std::deque<std::future<absl::StatusOr<Chunk>>> ahead;
  int64_t next = 0;
  while (next < count || !ahead.empty()) {
    while (next < count && std::ssize(ahead) < options_.threads) {
      const int64_t end = std::min(count, next + kRequestsPerRowGroup);
      const RequestRange range{.first_id = requests_ + next,
                               .begin = next,
                               .end = end,
                               .of_day = count};
      ahead.push_back(std::async(std::launch::async,
                                 [this, range] { return maker_.Make(range); }));
      next = end;
    }
    auto chunk = ahead.front().get();
    ahead.pop_front();
    if (!chunk.ok()) return chunk.status();
    LARR_RETURN_IF_ERROR(take(*std::move(chunk)));
  }
  requests_ += count;
  ++day_;
  return absl::OkStatus();
}

}  // namespace larr::city
