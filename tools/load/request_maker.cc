// SPDX-License-Identifier: Apache-2.0
#include "tools/load/request_maker.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <unordered_set>

#include "common/base/files.h"
#include "common/base/invalid_argument.h"
#include "common/base/status_macros.h"
#include "larr/config/v1/dataset.pb.h"
#include "tools/larrctl/score_request.h"

namespace larr::load {
namespace {

using scoring::v1::ScoreRequest;

// The ids of a side, the most popular first.
absl::StatusOr<std::vector<std::string>> Ranking(const Snapshot& snapshot,
                                                 config::v1::Side side,
                                                 std::mt19937_64& random) {
  std::vector<std::string> ids;
  LARR_RETURN_IF_ERROR(snapshot.ForEachEntity(
      side, [&ids](std::string_view id, const storage::v1::EntityRow&) {
        ids.emplace_back(id);
        return absl::OkStatus();
      }));
  std::shuffle(ids.begin(), ids.end(), random);
  return ids;
}

}  // namespace

ZipfDraw::ZipfDraw(size_t size) : cumulative_(size) {
  double sum = 0;
  for (size_t k = 0; k < size; ++k) {
    sum += 1 / static_cast<double>(k + 1);
    cumulative_[k] = sum;
  }
}

size_t ZipfDraw::Draw(std::mt19937_64& random) const {
  const double at =
      std::generate_canonical<double, 53>(random) * cumulative_.back();
  const auto found = std::ranges::upper_bound(cumulative_, at);
  return std::min<size_t>(found - cumulative_.begin(), cumulative_.size() - 1);
}

absl::StatusOr<std::vector<ScoreRequest>> MakeRequests(
    const Snapshot& snapshot, const ScoreRequest& context,
    const MadeRequests& options) {
  std::mt19937_64 random(options.seed);
  LARR_ASSIGN_OR_RETURN(const auto users,
                        Ranking(snapshot, config::v1::USER, random));
  LARR_ASSIGN_OR_RETURN(const auto pois,
                        Ranking(snapshot, config::v1::POI, random));
  if (std::ssize(pois) < options.candidates) {
    return Invalid(
        "--candidates {}: the snapshot {} has {} POIs, and those of a request "
        "are all different; ask for at most as many",
        options.candidates, snapshot.folder().string(), pois.size());
  }
  const ZipfDraw user_draw(std::max<size_t>(1, users.size()));
  const ZipfDraw poi_draw(pois.size());
  std::vector<ScoreRequest> requests(options.count);
  for (ScoreRequest& request : requests) {
    *request.mutable_context() = context.context();
    if (!users.empty()) request.set_user_id(users[user_draw.Draw(random)]);
    std::unordered_set<size_t> drawn;
    while (std::ssize(drawn) < options.candidates) {
      size_t poi = poi_draw.Draw(random);
      // One that was drawn before gives way to the next in popularity.
      while (!drawn.insert(poi).second) poi = (poi + 1) % pois.size();
      request.add_candidates()->set_poi_id(pois[poi]);
    }
  }
  return requests;
}

absl::StatusOr<ScoreRequest> ReadContext(const std::filesystem::path& path) {
  LARR_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  auto request =
      ctl::ParseScoreRequest(fmt::format(R"({{"context": {}}})", text));
  if (!request.ok()) {
    return Invalid(
        "--context {}: no JSON object of values by impression column, e.g. "
        "{{\"hour\": 12, \"weather\": \"rain\"}} ({})",
        path.string(), std::string(request.status().message()));
  }
  return request;
}

}  // namespace larr::load
