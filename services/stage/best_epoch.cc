// SPDX-License-Identifier: Apache-2.0
#include "services/stage/best_epoch.h"

#include <torch/utils.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "common/ctr/model_io.h"

namespace larr::stage {

using torch::Tensor;

BestEpoch::BestEpoch(const CtrModel& model, int64_t epochs, int64_t patience)
    : patience_(patience),
      losses_(torch::full({epochs}, std::numeric_limits<double>::quiet_NaN(),
                          torch::kFloat64)),
      model_(NamedTensors(model)) {
  for (const auto& [name, tensor] : model_) best_[name] = tensor.clone();
}

void BestEpoch::Add(double loss) {
  const auto epoch = static_cast<int64_t>(losses().size());
  losses_[epoch] = loss;
  if (best() != epoch + 1) return;
  const torch::NoGradGuard no_grad;
  for (const auto& [name, tensor] : model_) best_.at(name).copy_(tensor);
}

bool BestEpoch::ended() const {
  return static_cast<int64_t>(losses().size()) - best() >= patience_;
}

void BestEpoch::Restore() {
  const torch::NoGradGuard no_grad;
  for (const auto& [name, tensor] : model_) tensor.copy_(best_.at(name));
}

std::vector<double> BestEpoch::losses() const {
  const auto* loss = losses_.const_data_ptr<double>();
  return {loss, std::find_if(loss, loss + losses_.numel(),
                             [](double x) { return std::isnan(x); })};
}

int64_t BestEpoch::best() const {
  const std::vector<double> all = losses();
  if (all.empty()) return 0;
  return std::min_element(all.begin(), all.end()) - all.begin() + 1;
}

std::map<std::string, Tensor> BestEpoch::State() const {
  // Their bits: safetensors files of ours hold no float64.
  std::map<std::string, Tensor> state = {
      {"epoch_losses", losses_.view(torch::kInt64)}};
  for (const auto& [name, tensor] : best_) state["best." + name] = tensor;
  return state;
}

}  // namespace larr::stage
