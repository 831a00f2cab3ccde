// SPDX-License-Identifier: Apache-2.0
#include "services/stage/part_metrics.h"

#include "services/stage/metric_slices.h"

namespace larr::stage {

PartMetrics ComputePartMetrics(const PartRows& rows, const ModelScores& scores,
                               const GroupDraws& draws) {
  const TaskMetrics all = ComputeTaskMetrics(rows.labels, scores, draws);
  PartMetrics out;
  out.metrics = MetricsJson(all);
  out.replicates["all"] = ReplicatesJson(all);
  for (const PartSlice& slice : rows.slices) {
    const JudgedRows part = ChooseRows(rows.labels, scores, slice.chosen);
    auto& metrics = out.metrics["slices"][slice.name];
    auto& replicates = out.replicates["slices"][slice.name];
    if (slice.name == kSampleSlice) {
      const TaskMetrics sample =
          ComputeTaskMetrics(part.labels, part.scores, draws);
      metrics = MetricsJson(sample);
      replicates = ReplicatesJson(sample);
    } else {
      metrics = SliceJson(part.labels, part.scores, !scores.ctcvr.empty());
      replicates = SliceReplicatesJson(part.labels, part.scores, draws);
    }
  }
  return out;
}

}  // namespace larr::stage
