// SPDX-License-Identifier: Apache-2.0
#include "services/scoring/shadow_runner.h"

#include <spdlog/spdlog.h>

#include <cmath>
#include <limits>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "common/base/status_macros.h"
#include "services/scoring/arm_table.h"
#include "services/scoring/bundle.h"
#include "services/scoring/outputs.h"
#include "services/scoring/request_scorer.h"
#include "services/scoring/thread_priority.h"

namespace larr {
namespace {

constexpr size_t kQueueBytes = 4 << 20;  // of serialized requests

const prometheus::Histogram::BucketBoundaries& DifferenceBuckets() {
  static const prometheus::Histogram::BucketBoundaries bounds = {
      1e-6, 1e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1};
  return bounds;
}

}  // namespace

ShadowRunner::ShadowRunner(const BundleRouter& router,
                           prometheus::Registry& registry)
    : router_(router),
      calls_(prometheus::BuildCounter()
                 .Name("larr_scoring_shadow_calls_total")
                 .Help("Calls of a shadow's sample, by what became of them.")
                 .Register(registry)),
      differences_(prometheus::BuildHistogram()
                       .Name("larr_scoring_shadow_ctr_difference")
                       .Help("|shadow's P(click) - answered|, by candidate.")
                       .Register(registry)),
      sums_(prometheus::BuildGauge()
                .Name("larr_scoring_shadow_ctr_signed_difference")
                .Help("Sum of shadow's P(click) - answered, by candidate.")
                .Register(registry)),
      dropped_(prometheus::BuildCounter()
                   .Name("larr_scoring_shadow_dropped_total")
                   .Help("Calls of shadows' samples without time to score.")
                   .Register(registry)
                   .Add({})),
      queue_(kQueueBytes),
      thread_([this] { Run(); }) {}

ShadowRunner::~ShadowRunner() {
  queue_.Discard();
  thread_.join();
}

void ShadowRunner::OnScored(const ScoredCall& call) {
  // Else there is nothing to compare with.
  if (!Wants(call.request, scoring::v1::CTR)) return;
  for (RoutedBundle& shadow : router_.SampledShadows(
           call.request_id, call.request.user_id(), call.arrival)) {
    const size_t size = call.request.ByteSizeLong();
    if (!queue_.HasRoom(size)) {
      dropped_.Increment();
      continue;
    }
    auto work = std::make_unique<Work>();
    work->shadow = shadow.arm;
    work->bundle = std::move(shadow.bundle);
    work->request = call.request.SerializeAsString();
    for (const auto& score : call.response.scores()) {
      work->ctr.emplace_back(score.candidate(), score.ctr());
    }
    if (!queue_.Push(std::move(work), size)) dropped_.Increment();
  }
}

void ShadowRunner::Run() {
  RunWhenIdle();
  while (const auto work = queue_.Pop()) {
    const std::string& shadow = (*work)->shadow;
    const absl::Status status = Compare(**work);
    const char* const result = status.ok() ? "scored" : "failed";
    calls_.Add({{"shadow", shadow}, {"result", result}}).Increment();
    if (!status.ok()) {
      spdlog::debug("shadow_failed shadow={} reason=\"{}\"", shadow,
                    status.ToString());
    }
  }
}

absl::Status ShadowRunner::Compare(const Work& work) {
  scoring::v1::ScoreRequest request;
  if (!request.ParseFromString(work.request)) {
    return absl::InternalError("a request cannot be read back");
  }
  // All scores are compared, and an explanation would be for nobody.
  request.clear_top_k();
  request.clear_outputs();
  request.clear_order_by();
  request.clear_explain_candidate();
  // The shadow's model may read other columns than the live one's.
  LARR_RETURN_IF_ERROR(
      work.bundle->checker().Check(request, std::numeric_limits<int>::max()));
  scoring::v1::ScoreResponse response;
  LARR_RETURN_IF_ERROR(ScoreRequest(*work.bundle, request, response).status());
  auto& magnitudes =
      differences_.Add({{"shadow", work.shadow}}, DifferenceBuckets());
  auto& sum = sums_.Add({{"shadow", work.shadow}});
  for (const auto& [candidate, ctr] : work.ctr) {
    const double difference =
        double{response.scores(candidate).ctr()} - double{ctr};
    magnitudes.Observe(std::abs(difference));
    sum.Increment(difference);
  }
  return absl::OkStatus();
}

}  // namespace larr
