// SPDX-License-Identifier: Apache-2.0
#include "services/stage/held_out_recall.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "common/base/status_macros.h"
#include "common/llm/pair_loss.h"

namespace larr::stage {
namespace {

using Json = nlohmann::ordered_json;

constexpr int64_t kAtMost[] = {1, 5, 10};

// How many texts of the other side each text is sought among, both directions.
std::vector<size_t> Candidates(const PairBatch& pairs) {
  const size_t n = pairs.a.size();
  std::vector<size_t> candidates(2 * n, n);
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j < n; ++j) {
      if (pairs.excluded[i * n + j] == 0) continue;
      --candidates[i];
      --candidates[n + j];
    }
  }
  return candidates;
}

absl::StatusOr<Json> Measure(const PairModel& model, const PairBatch& pairs) {
  LARR_ASSIGN_OR_RETURN(const PairOutcome outcome, model.Evaluate(pairs));
  const auto candidates = Candidates(pairs);
  const auto mean = [&](auto&& of) {
    double sum = 0;
    for (const size_t count : candidates) sum += of(static_cast<double>(count));
    return sum / static_cast<double>(candidates.size());
  };
  Json json = {{"pairs", pairs.a.size()},
               {"candidates", mean([](double count) { return count; })},
               {"loss", outcome.loss}};
  for (const int64_t k : kAtMost)
    json[fmt::format("recall@{}", k)] = Recall(outcome.ranks, k);
  for (const int64_t k : kAtMost) {
    json[fmt::format("chance@{}", k)] = mean([k](double count) {
      return std::min(1.0, static_cast<double>(k) / count);
    });
  }
  return json;
}

void Log(const std::string& when, const std::string& kind, const char* texts,
         const Json& row) {
  const auto at = [&](const char* name) { return row[name].get<double>(); };
  spdlog::info(
      "held-out recall when={:6} kind={:9} texts={} pairs={:4} loss={:.3f} "
      "recall@1={:.3f} recall@5={:.3f} recall@10={:.3f} chance@10={:.3f}",
      when, kind, texts, row["pairs"].get<size_t>(), at("loss"), at("recall@1"),
      at("recall@5"), at("recall@10"), at("chance@10"));
}

}  // namespace

HeldOutRecall::HeldOutRecall(const ContrastSampler& sampler,
                             const std::vector<PairKind>& kinds,
                             const PairModel& model)
    : model_(model) {
  for (const PairKind kind : kinds) {
    Held held{kind, sampler.HeldOut(kind, false), sampler.HeldOut(kind, true)};
    if (held.composed.a.size() >= 2) held_.push_back(std::move(held));
  }
}

absl::StatusOr<Json> HeldOutRecall::Report(const std::string& when) const {
  Json report = Json::object();
  for (const Held& held : held_) {
    const std::string kind = PairKindName(held.kind);
    Json& of_kind = report[kind];
    LARR_ASSIGN_OR_RETURN(of_kind["composed"], Measure(model_, held.composed));
    LARR_ASSIGN_OR_RETURN(of_kind["complete"], Measure(model_, held.complete));
    for (const char* texts : {"composed", "complete"})
      Log(when, kind, texts, of_kind[texts]);
  }
  return report;
}

absl::StatusOr<Json> HeldOutRecall::Composed() const {
  Json report = Json::object();
  for (const Held& held : held_) {
    LARR_ASSIGN_OR_RETURN(report[PairKindName(held.kind)],
                          Measure(model_, held.composed));
  }
  return report;
}

}  // namespace larr::stage
