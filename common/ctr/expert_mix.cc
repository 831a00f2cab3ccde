// SPDX-License-Identifier: Apache-2.0
#include "common/ctr/expert_mix.h"

#include <torch/autograd.h>

#include <numeric>
#include <utility>

#include "common/ctr/ctr_kernels.h"
#include "common/tensors/parallel_for.h"

namespace larr {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

constexpr int64_t kRowsOfTask = 64;

// The kernels' description of a level, and what it points to.
class Mix : public torch::CustomClassHolder {
 public:
  Mix(const std::vector<Tensor>& parts, std::vector<MixGate> gates,
      int64_t width)
      : mix_gates_(std::move(gates)) {
    for (const Tensor& part : parts) part_columns_.push_back(part.size(1));
    for (const MixGate& gate : mix_gates_)
      gates_.push_back({.expert_columns = gate.experts.data(),
                        .experts = static_cast<int64_t>(gate.experts.size()),
                        .first_logit = gate.first_logit});
    shape_ = {.width = width,
              .gates = gates_.data(),
              .gate_count = static_cast<int64_t>(gates_.size()),
              .part_columns = part_columns_.data(),
              .part_count = static_cast<int64_t>(part_columns_.size())};
  }
  Mix(const Mix&) = delete;
  Mix& operator=(const Mix&) = delete;

  const kernels::MixShape& shape() const { return shape_; }
  int64_t columns() const {
    return std::accumulate(part_columns_.begin(), part_columns_.end(),
                           int64_t{0});
  }

 private:
  const std::vector<MixGate> mix_gates_;
  std::vector<int64_t> part_columns_;
  std::vector<kernels::Gate> gates_;
  kernels::MixShape shape_;
};

// Where row `row` begins in each of some contiguous matrices.
template <typename Pointer>
std::vector<Pointer> RowsAt(const std::vector<Tensor>& matrices, int64_t row) {
  std::vector<Pointer> at;
  for (const Tensor& matrix : matrices)
    at.push_back(matrix.data_ptr<float>() + row * matrix.size(1));
  return at;
}

struct ExpertMix : torch::autograd::Function<ExpertMix> {
  static tensor_list forward(AutogradContext* context, at::TensorList list,
                             const c10::intrusive_ptr<Mix>& mix) {
    const tensor_list parts = list.vec();
    const int64_t rows = parts[0].size(0);
    tensor_list out;
    for (int64_t g = 0; g < mix->shape().gate_count; ++g)
      out.push_back(
          torch::empty({rows, mix->shape().width}, parts[0].options()));
    ParallelFor(rows, kRowsOfTask, [&](int64_t begin, int64_t end) {
      std::vector<float> scratch(mix->columns());
      kernels::MixExperts(mix->shape(), end - begin,
                          RowsAt<const float*>(parts, begin).data(), nullptr,
                          static_cast<const float* const*>(nullptr),
                          scratch.data(), RowsAt<float*>(out, begin).data());
    });
    context->save_for_backward(parts);
    context->saved_data["mix"] = c10::IValue::make_capsule(mix);
    return out;
  }

  static tensor_list backward(AutogradContext* context, tensor_list grads) {
    const tensor_list parts = context->get_saved_variables();
    const auto capsule = context->saved_data["mix"].toCapsule();
    const auto& mix = static_cast<const Mix&>(*capsule);
    tensor_list grad_parts;
    for (Tensor& grad : grads) grad = grad.contiguous();
    for (const Tensor& part : parts)
      grad_parts.push_back(torch::empty_like(part));
    ParallelFor(parts[0].size(0), kRowsOfTask, [&](int64_t begin, int64_t end) {
      std::vector<float> scratch(2 * mix.columns());
      kernels::MixExpertsBackward(
          mix.shape(), end - begin, RowsAt<const float*>(parts, begin).data(),
          RowsAt<const float*>(grads, begin).data(), scratch.data(),
          RowsAt<float*>(grad_parts, begin).data());
    });
    grad_parts.emplace_back();  // of `mix`
    return grad_parts;
  }
};

}  // namespace

std::vector<Tensor> MixExperts(const std::vector<Tensor>& parts,
                               const std::vector<MixGate>& gates,
                               int64_t width) {
  std::vector<Tensor> contiguous;
  for (const Tensor& part : parts) contiguous.push_back(part.contiguous());
  return ExpertMix::apply(at::TensorList(contiguous),
                          c10::make_intrusive<Mix>(contiguous, gates, width));
}

}  // namespace larr
