// SPDX-License-Identifier: Apache-2.0
#include "common/ctr/ple_split.h"

#include <fmt/format.h>
#include <torch/utils.h>

#include <algorithm>
#include <numeric>
#include <type_traits>

namespace larr {
namespace {

using config::v1::CtrArchitecture;
using torch::Tensor;
using Tensors = std::map<std::string, Tensor>;

constexpr int64_t kUsualRows = 128;

const Tensor& Find(const Tensors& tensors, int level, const char* name) {
  return tensors.at(fmt::format("ple.level{}.{}", level, name));
}

// Where the experts of a task, or of the shared path behind the last task, are
// among all of a level.
struct ExpertRange {
  int64_t first, count;
};
ExpertRange ExpertsOf(const CtrArchitecture& architecture, int64_t tasks,
                      int64_t path) {
  const int64_t own = architecture.task_experts();
  return {path * own, path < tasks ? own : architecture.shared_experts()};
}

// The experts that each gate of a level mixes (ple.h).
std::vector<std::vector<int64_t>> GateExperts(
    const CtrArchitecture& architecture, int64_t tasks, int level) {
  std::vector<std::vector<int64_t>> gates;
  const auto append = [&](const ExpertRange& range) {
    for (int64_t i = 0; i < range.count; ++i)
      gates.back().push_back(range.first + i);
  };
  for (int64_t task = 0; task < tasks; ++task) {
    gates.emplace_back();
    append(ExpertsOf(architecture, tasks, task));
    append(ExpertsOf(architecture, tasks, tasks));
  }
  if (level + 1 < architecture.ple_levels()) {
    gates.emplace_back();
    for (int64_t path = 0; path <= tasks; ++path)
      append(ExpertsOf(architecture, tasks, path));
  }
  return gates;
}

}  // namespace

PleSplit::PleSplit(const Tensors& tensors, const CtrArchitecture& architecture,
                   const CtrLayout& layout, torch::ScalarType dtype)
    : tasks_(layout.tasks) {
  levels_.push_back(MakeFirstLevel(architecture));
  const Tensor weight = torch::cat(
      {Find(tensors, 0, "expert_weight"), Find(tensors, 0, "gate_weight")});
  bias_ = torch::cat(
      {Find(tensors, 0, "expert_bias"), Find(tensors, 0, "gate_bias")});
  columns_ = bias_.size(0);
  const int64_t poi = layout.blocks[2].first_column;
  const int64_t cross = layout.blocks[3].first_column;
  const auto pack = [&](int64_t first, int64_t end, torch::ScalarType type,
                        const Tensor& bias, int64_t rows) {
    std::optional<PackedLinear> packed;
    if (end > first)
      packed.emplace(weight.slice(1, first, end).to(type), bias, rows);
    return packed;
  };
  request_ = pack(0, poi, torch::kFloat32, bias_, 1);
  poi_ = pack(poi, cross, torch::kFloat32, {}, kUsualRows);
  candidate_ = pack(cross, weight.size(1), dtype, {}, kUsualRows);
  for (int level = 1; level < architecture.ple_levels(); ++level)
    levels_.push_back(MakeLevel(tensors, architecture, level, dtype));
  for (int64_t task = 0; task < tasks_; ++task) {
    const auto find = [&](const char* name) {
      return tensors.at(fmt::format("ple.tower{}_{}", task, name));
    };
    towers_.push_back({PackedLinear(find("hidden_weight").to(dtype),
                                    find("hidden_bias").to(dtype), kUsualRows),
                       find("logit_weight").flatten().contiguous(),
                       find("logit_bias").item<float>()});
  }
}

PleSplit::Level PleSplit::MakeFirstLevel(
    const CtrArchitecture& architecture) const {
  Level level;
  level.width = architecture.expert_widths(0);
  int64_t logit =
      (tasks_ * architecture.task_experts() + architecture.shared_experts()) *
      level.width;
  for (const auto& experts : GateExperts(architecture, tasks_, 0)) {
    auto& columns = level.expert_columns.emplace_back();
    for (const int64_t expert : experts)
      columns.push_back(expert * level.width);
    level.first_logits.push_back(logit);
    logit += static_cast<int64_t>(experts.size());
  }
  level.part_columns = {logit};
  return level;
}

PleSplit::Level PleSplit::MakeLevel(const Tensors& tensors,
                                    const CtrArchitecture& architecture,
                                    int number, torch::ScalarType dtype) const {
  Level level;
  level.width = architecture.expert_widths(number);
  const auto gates = GateExperts(architecture, tasks_, number);
  std::vector<int64_t> columns_of_experts;
  int64_t column = 0, gate_row = 0;
  for (int64_t path = 0; path <= tasks_; ++path) {
    const ExpertRange own = ExpertsOf(architecture, tasks_, path);
    const int64_t logits = path < static_cast<int64_t>(gates.size())
                               ? static_cast<int64_t>(gates[path].size())
                               : 0;
    for (int64_t i = 0; i < own.count; ++i)
      columns_of_experts.push_back(column + i * level.width);
    const int64_t rows = own.count * level.width;
    if (logits > 0) level.first_logits.push_back(column + rows);
    if (rows + logits == 0) continue;
    const auto stack = [&](const char* experts, const char* gate) {
      return torch::cat(
                 {Find(tensors, number, experts)
                      .narrow(0, own.first * level.width, rows),
                  Find(tensors, number, gate).narrow(0, gate_row, logits)})
          .to(dtype);
    };
    level.inputs.emplace_back(stack("expert_weight", "gate_weight"),
                              stack("expert_bias", "gate_bias"), kUsualRows);
    level.paths.push_back(path);
    level.part_columns.push_back(rows + logits);
    column += rows + logits;
    gate_row += logits;
  }
  for (const auto& experts : gates) {
    auto& columns = level.expert_columns.emplace_back();
    for (const int64_t expert : experts)
      columns.push_back(columns_of_experts[expert]);
  }
  return level;
}

Tensor PleSplit::RequestColumns(const Tensor& x) const {
  return request_ ? (*request_)(x) : bias_.expand({x.size(0), columns_});
}

Tensor PleSplit::PoiColumns(const Tensor& x) const {
  return poi_ ? (*poi_)(x) : torch::zeros({x.size(0), columns_});
}

template <typename T>
std::vector<Tensor> PleSplit::Mix(const Level& level,
                                  std::span<const Tensor> parts, int64_t rows,
                                  const float* shared,
                                  const T* const* own) const {
  std::vector<kernels::Gate> gates;
  std::vector<Tensor> mixtures;
  std::vector<T*> out;
  constexpr auto kType =
      std::is_same_v<T, float> ? torch::kFloat32 : torch::kBFloat16;
  for (size_t g = 0; g < level.expert_columns.size(); ++g) {
    gates.push_back({level.expert_columns[g].data(),
                     static_cast<int64_t>(level.expert_columns[g].size()),
                     level.first_logits[g]});
    mixtures.push_back(torch::empty({rows, level.width}, kType));
    out.push_back(static_cast<T*>(mixtures.back().data_ptr()));
  }
  std::vector<const T*> in;
  for (const Tensor& part : parts)
    in.push_back(part.defined() ? static_cast<const T*>(part.const_data_ptr())
                                : nullptr);
  const kernels::MixShape shape = {
      level.width, gates.data(), static_cast<int64_t>(gates.size()),
      level.part_columns.data(),
      static_cast<int64_t>(level.part_columns.size())};
  std::vector<float> scratch(std::accumulate(
      level.part_columns.begin(), level.part_columns.end(), int64_t{0}));
  kernels::MixExperts(shape, rows, in.data(), shared, own, scratch.data(),
                      out.data());
  return mixtures;
}

template <typename T>
std::vector<Tensor> PleSplit::Predict(const Tensor& x, const float* shared,
                                      const T* const* own) const {
  const int64_t rows = x.size(0);
  const Tensor first = candidate_ ? (*candidate_)(x) : Tensor();
  std::vector<Tensor> mixtures =
      Mix(levels_[0], std::span(&first, 1), rows, shared, own);
  for (size_t l = 1; l < levels_.size(); ++l) {
    std::vector<Tensor> parts;
    for (size_t i = 0; i < levels_[l].inputs.size(); ++i)
      parts.push_back(levels_[l].inputs[i](mixtures[levels_[l].paths[i]]));
    mixtures = Mix<T>(levels_[l], parts, rows, nullptr, nullptr);
  }
  std::vector<Tensor> scores;
  for (int64_t task = 0; task < tasks_; ++task) {
    const Tower& tower = towers_[task];
    const Tensor hidden = tower.hidden.Relu(mixtures[task]);
    scores.push_back(torch::empty({rows}));
    kernels::DotSigmoid(rows, hidden.size(1),
                        static_cast<const T*>(hidden.const_data_ptr()),
                        tower.weight.const_data_ptr<float>(), tower.bias,
                        scores.back().data_ptr<float>());
  }
  return scores;
}

template std::vector<Tensor> PleSplit::Predict(const Tensor&, const float*,
                                               const float* const*) const;
template std::vector<Tensor> PleSplit::Predict(
    const Tensor&, const float*, const kernels::Bf16* const*) const;

}  // namespace larr
