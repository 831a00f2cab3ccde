// SPDX-License-Identifier: Apache-2.0
#include "tools/larrctl/serving_status.h"

#include <fmt/format.h>

#include <vector>

#include "tools/larrctl/output.h"

namespace larr::ctl {
namespace {

using google::protobuf::Timestamp;
using scoring::v1::ArmState;
using scoring::v1::ServingState;
using ArmStates = google::protobuf::RepeatedPtrField<ArmState>;

constexpr double kMebibyte = 1 << 20;

std::string AgeText(const Timestamp& time, const Timestamp& now) {
  if (time.seconds() == 0) return "-";
  return DurationText(SecondsBetween(time, now));
}

double Percent(double part, double all) {
  return all > 0 ? 100 * part / all : 0;
}

std::string CacheText(const scoring::v1::PoiCacheState& cache) {
  return fmt::format("{:.1f} of {:.0f} MiB, {} POIs",
                     static_cast<double>(cache.bytes()) / kMebibyte,
                     static_cast<double>(cache.budget_bytes()) / kMebibyte,
                     cache.pois());
}

std::string DriftText(const ArmState& arm) {
  if (!arm.has_score_distribution()) return "not known to its model";
  std::string text;
  for (const auto& drift : arm.drift()) {
    text += fmt::format("{}{} {:.3f}", text.empty() ? "" : ", ",
                        drift.output() == scoring::v1::CTR ? "ctr" : "ctcvr",
                        drift.psi());
  }
  return text.empty() ? "too few scores" : text;
}

std::string OrDash(const std::string& text) {
  return text.empty() ? "-" : text;
}

std::string ArmsText(const ArmStates& arms, const Timestamp& now) {
  if (arms.empty()) return "";
  std::vector<std::vector<std::string>> rows;
  for (const ArmState& arm : arms) {
    rows.push_back({arm.name(), fmt::format("{:.2f} %", arm.weight() / 100.0),
                    fmt::format("{}", arm.calls()), OrDash(arm.model_version()),
                    AgeText(arm.model_create_time(), now),
                    OrDash(arm.snapshot()),
                    AgeText(arm.snapshot_create_time(), now),
                    CacheText(arm.poi_cache()), DriftText(arm), arm.refusal()});
  }
  return "\n" + Table({"ARM", "SHARE", "CALLS", "MODEL", "AGE", "SNAPSHOT",
                       "AGE", "POI CACHE", "DRIFT (PSI)", "REFUSED"},
                      rows);
}

std::string ShadowsText(const ArmStates& shadows, const Timestamp& now) {
  if (shadows.empty()) return "";
  std::vector<std::vector<std::string>> rows;
  for (const ArmState& shadow : shadows) {
    rows.push_back(
        {shadow.name(), fmt::format("{:.2f} %", shadow.weight() / 100.0),
         OrDash(shadow.model_version()),
         AgeText(shadow.model_create_time(), now), OrDash(shadow.snapshot()),
         AgeText(shadow.snapshot_create_time(), now),
         CacheText(shadow.poi_cache()), shadow.refusal()});
  }
  return "\n" + Table({"SHADOW", "SHARE", "MODEL", "AGE", "SNAPSHOT", "AGE",
                       "POI CACHE", "REFUSED"},
                      rows);
}

}  // namespace

std::string ServingStatusText(const ServingState& state, const Timestamp& now) {
  std::string text = fmt::format(
      "model        {}\nmodel path   {}\nmodel age    {}\n"
      "snapshot     {}\nsnapshot at  {}\nsnapshot age {}\n"
      "embedder     {}\nlive since   {} UTC ({} ago)\nfencing      {}\n",
      state.model_version(), state.model_path(),
      AgeText(state.model_create_time(), now), state.snapshot(),
      state.snapshot_path(), AgeText(state.snapshot_create_time(), now),
      state.embedder_fingerprint(), TimeText(state.switch_time()),
      AgeText(state.switch_time(), now), state.fencing_token());
  if (!state.refusal().empty()) {
    text += fmt::format("refused      {}\n", state.refusal());
  }
  // An answer to a switch is without what follows.
  if (state.has_queue()) {
    const auto& queue = state.queue();
    const auto taken = static_cast<double>(queue.admitted());
    const auto rejected = static_cast<double>(queue.rejected());
    text += fmt::format(
        "server       up since {} UTC\n"
        "queue        {} waiting, {:.1f} ms at most\n"
        "calls        {} taken, {} turned away ({:.2f} %)\n",
        TimeText(state.start_time()), queue.waiting(), queue.limit_ms(),
        queue.admitted(), queue.rejected(),
        Percent(rejected, taken + rejected));
    const auto pois =
        static_cast<double>(state.ready_pois() + state.prepared_pois());
    text += fmt::format("POIs         {:.0f} asked for, {:.1f} % ready\n", pois,
                        Percent(static_cast<double>(state.ready_pois()), pois));
  }
  return text + ArmsText(state.arms(), now) + ShadowsText(state.shadows(), now);
}

}  // namespace larr::ctl
