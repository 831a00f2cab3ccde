// SPDX-License-Identifier: Apache-2.0
#include "common/ctr/ple.h"

#include <numeric>
#include <string>

#include "common/ctr/linear.h"

namespace larr {

using config::v1::CtrArchitecture;
using torch::Tensor;

PleLevel::PleLevel(const CtrArchitecture& architecture, int level,
                   int64_t tasks, int64_t input_width)
    : width_(architecture.expert_widths(level)) {
  const bool last = level + 1 == architecture.ple_levels();
  const int64_t own = architecture.task_experts();
  const int64_t shared = architecture.shared_experts();
  std::vector<std::vector<int64_t>> columns;  // By path, of its experts.
  int64_t column = 0;
  for (int64_t path = 0; path <= tasks; ++path) {
    const int64_t experts = path < tasks ? own : shared;
    auto& of_path = columns.emplace_back();
    for (int64_t e = 0; e < experts; ++e, column += width_)
      of_path.push_back(column);
    const int64_t mixed = path < tasks ? own + shared
                          : last       ? 0
                                       : tasks * own + shared;
    expert_rows_.push_back(experts * width_);
    gate_rows_.push_back(mixed);
    if (mixed > 0) gates_.push_back({.experts = {}, .first_logit = column});
    column += mixed;
  }
  for (int64_t gate = 0; gate < static_cast<int64_t>(gates_.size()); ++gate)
    for (int64_t path = 0; path <= tasks; ++path)
      if (gate == tasks || path == gate || path == tasks)
        gates_[gate].experts.insert(gates_[gate].experts.end(),
                                    columns[path].begin(), columns[path].end());

  const int64_t experts = tasks * own + shared;
  const auto of_experts = MakeLinear(input_width, experts * width_);
  expert_weight_ = register_parameter("expert_weight", of_experts.weight);
  expert_bias_ = register_parameter("expert_bias", of_experts.bias);
  const auto of_gates = MakeLinear(
      input_width,
      std::accumulate(gate_rows_.begin(), gate_rows_.end(), int64_t{0}));
  gate_weight_ = register_parameter("gate_weight", of_gates.weight);
  gate_bias_ = register_parameter("gate_bias", of_gates.bias);
}

std::vector<Tensor> PleLevel::Forward(const std::vector<Tensor>& x) {
  // What reads the same input is one multiplication.
  const auto merge = [&](const Tensor& of_experts, const Tensor& of_gates) {
    const auto experts = of_experts.split_with_sizes(expert_rows_);
    const auto gates = of_gates.split_with_sizes(gate_rows_);
    std::vector<std::vector<Tensor>> by_input(x.size());
    for (size_t path = 0; path < experts.size(); ++path) {
      auto& rows = by_input[x.size() == 1 ? 0 : path];
      rows.insert(rows.end(), {experts[path], gates[path]});
    }
    std::vector<Tensor> merged;
    for (const auto& rows : by_input) merged.push_back(torch::cat(rows));
    return merged;
  };
  const auto weights = merge(expert_weight_, gate_weight_);
  const auto biases = merge(expert_bias_, gate_bias_);
  std::vector<Tensor> parts;
  for (size_t i = 0; i < x.size(); ++i)
    parts.push_back(Linear(x[i], weights[i], biases[i]));
  return MixExperts(parts, gates_, width_);
}

Ple::Ple(const CtrArchitecture& architecture, int64_t tasks,
         int64_t input_width) {
  int64_t width = input_width;
  for (int level = 0; level < architecture.ple_levels(); ++level) {
    levels_.push_back(register_module(
        "level" + std::to_string(level),
        std::make_shared<PleLevel>(architecture, level, tasks, width)));
    width = architecture.expert_widths(level);
  }
  for (int64_t task = 0; task < tasks; ++task) {
    const std::string name = "tower" + std::to_string(task);
    const auto hidden = MakeLinear(width, architecture.tower_width());
    const auto logit = MakeLinear(architecture.tower_width(), 1);
    const auto add = [&](const char* suffix, const Tensor& tensor) {
      return register_parameter(name + suffix, tensor);
    };
    hidden_weight_.push_back(add("_hidden_weight", hidden.weight));
    hidden_bias_.push_back(add("_hidden_bias", hidden.bias));
    logit_weight_.push_back(add("_logit_weight", logit.weight));
    logit_bias_.push_back(add("_logit_bias", logit.bias));
  }
}

Tensor Ple::Forward(const Tensor& x_BK) {
  std::vector<Tensor> x = {x_BK};
  for (const auto& level : levels_) x = level->Forward(x);
  std::vector<Tensor> logits;
  for (size_t task = 0; task < hidden_weight_.size(); ++task)
    logits.push_back(
        Linear(LinearRelu(x[task], hidden_weight_[task], hidden_bias_[task]),
               logit_weight_[task], logit_bias_[task]));
  return torch::cat(logits, 1);
}

}  // namespace larr
