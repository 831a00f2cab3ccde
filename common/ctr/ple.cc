// SPDX-License-Identifier: Apache-2.0
#include "common/ctr/ple.h"

#include <limits>
#include <numeric>
#include <string>

#include "common/ctr/linear.h"

namespace larr {

using config::v1::CtrArchitecture;
using torch::Tensor;

PleLevel::PleLevel(const CtrArchitecture& architecture, int level,
                   int64_t tasks, int64_t input_width)
    : tasks_(tasks),
      task_experts_(architecture.task_experts()),
      shared_experts_(architecture.shared_experts()),
      width_(architecture.expert_widths(level)) {
  const int64_t experts = tasks_ * task_experts_ + shared_experts_;
  std::vector<int64_t> places;
  for (int64_t task = 0; task < tasks_; ++task) {
    auto& own = gate_experts_.emplace_back();
    for (int64_t i = 0; i < task_experts_; ++i)
      own.push_back(task * task_experts_ + i);
    for (int64_t i = tasks_ * task_experts_; i < experts; ++i) own.push_back(i);
  }
  if (level + 1 < architecture.ple_levels()) {
    auto& all = gate_experts_.emplace_back(experts);
    std::iota(all.begin(), all.end(), 0);
  }
  for (size_t gate = 0; gate < gate_experts_.size(); ++gate)
    for (const int64_t expert : gate_experts_[gate])
      places.push_back(static_cast<int64_t>(gate) * experts + expert);
  gate_places_ = torch::tensor(places, torch::kInt64);

  const auto expert = MakeLinear(input_width, experts * width_);
  expert_weight_ = register_parameter("expert_weight", expert.weight);
  expert_bias_ = register_parameter("expert_bias", expert.bias);
  const auto gate =
      MakeLinear(input_width, static_cast<int64_t>(places.size()));
  gate_weight_ = register_parameter("gate_weight", gate.weight);
  gate_bias_ = register_parameter("gate_bias", gate.bias);
}

std::vector<Tensor> PleLevel::Forward(const std::vector<Tensor>& x) {
  const Tensor mixed =
      at::bmm(GateLogits(x).softmax(2), Experts(x));  // [B, G, W]
  std::vector<Tensor> out;
  for (int64_t gate = 0; gate < mixed.size(1); ++gate)
    out.push_back(mixed.select(1, gate));
  return out;
}

Tensor PleLevel::Experts(const std::vector<Tensor>& x) {
  const int64_t b = x[0].size(0);
  if (x.size() == 1)
    return LinearRelu(x[0], expert_weight_, expert_bias_).view({b, -1, width_});
  std::vector<Tensor> parts;
  int64_t first = 0;
  for (size_t path = 0; path < x.size(); ++path) {
    const int64_t rows =
        width_ *
        (static_cast<int64_t>(path) < tasks_ ? task_experts_ : shared_experts_);
    parts.push_back(LinearRelu(x[path], expert_weight_.narrow(0, first, rows),
                               expert_bias_.narrow(0, first, rows))
                        .view({b, -1, width_}));
    first += rows;
  }
  return torch::cat(parts, 1);
}

Tensor PleLevel::GateLogits(const std::vector<Tensor>& x) {
  const int64_t b = x[0].size(0);
  const int64_t gates = static_cast<int64_t>(gate_experts_.size());
  const int64_t experts = tasks_ * task_experts_ + shared_experts_;
  Tensor logits;
  if (x.size() == 1) {
    logits = Linear(x[0], gate_weight_, gate_bias_);
  } else {
    std::vector<Tensor> parts;
    int64_t first = 0;
    for (int64_t gate = 0; gate < gates; ++gate) {
      const int64_t rows = static_cast<int64_t>(gate_experts_[gate].size());
      parts.push_back(Linear(x[gate], gate_weight_.narrow(0, first, rows),
                             gate_bias_.narrow(0, first, rows)));
      first += rows;
    }
    logits = torch::cat(parts, 1);
  }
  return torch::full({b, gates * experts},
                     -std::numeric_limits<float>::infinity(), logits.options())
      .index_copy(1, gate_places_, logits)
      .view({b, gates, experts});
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
