// SPDX-License-Identifier: Apache-2.0
#include "services/stage/loss_curve.h"

#include "common/base/files.h"
#include "common/base/status_macros.h"

namespace larr::stage {

using nlohmann::ordered_json;

bool LossCurve::Add(int64_t step, const StepLoss& loss, int64_t total_steps) {
  ++count_;
  sum_.total += loss.total;
  sum_.ctr += loss.ctr;
  sum_.ctcvr += loss.ctcvr;
  sum_.alignment += loss.alignment;
  if (step % kEvery != 0 && step != total_steps) return false;
  MakePoint(step);
  return true;
}

void LossCurve::Finish(int64_t step) {
  if (count_ > 0) MakePoint(step);
}

void LossCurve::MakePoint(int64_t step) {
  const auto n = static_cast<double>(count_);
  points_.push_back({{"step", step},
                     {"loss", sum_.total / n},
                     {"ctr", sum_.ctr / n},
                     {"ctcvr", sum_.ctcvr / n},
                     {"alignment", sum_.alignment / n}});
  sum_ = {};
  count_ = 0;
}

absl::Status LossCurve::Save(const std::filesystem::path& path) const {
  return WriteFileAtomically(path, points_.dump());
}

absl::Status LossCurve::Load(const std::filesystem::path& path, int64_t step) {
  LARR_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  const auto json = ordered_json::parse(text, nullptr, false);
  if (!json.is_array())
    return absl::DataLossError(path.string() +
                               " is damaged; remove it and the checkpoint");
  points_ = ordered_json::array();
  for (const auto& point : json)
    if (point.value("step", int64_t{0}) <= step) points_.push_back(point);
  return absl::OkStatus();
}

}  // namespace larr::stage
