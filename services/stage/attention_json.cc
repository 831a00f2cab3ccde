// SPDX-License-Identifier: Apache-2.0
#include "services/stage/attention_json.h"

#include <utility>

namespace larr::stage {
namespace {

std::vector<double> Doubles(const torch::Tensor& row) {
  const torch::Tensor values = row.to(torch::kFloat64).contiguous();
  const auto* first = values.const_data_ptr<double>();
  return {first, first + values.numel()};
}

}  // namespace

nlohmann::ordered_json AttentionJson(std::vector<std::string> features,
                                     const torch::Tensor& weights_NR,
                                     const std::vector<PartSlice>& slices) {
  features.emplace_back("agg");
  nlohmann::ordered_json json = {
      {"features", std::move(features)},
      {"all", Doubles(weights_NR.mean(0, false, torch::kFloat64))}};
  for (const PartSlice& slice : slices) {
    std::vector<int64_t> rows;
    for (size_t i = 0; i < slice.chosen.size(); ++i)
      if (slice.chosen[i]) rows.push_back(static_cast<int64_t>(i));
    if (rows.empty()) continue;
    json["slices"][slice.name] =
        Doubles(weights_NR.index_select(0, torch::tensor(rows, torch::kInt64))
                    .mean(0, false, torch::kFloat64));
  }
  return json;
}

}  // namespace larr::stage
