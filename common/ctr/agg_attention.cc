// SPDX-License-Identifier: Apache-2.0
#include "common/ctr/agg_attention.h"

#include <torch/autograd.h>

#include <cmath>
#include <vector>

#include "common/ctr/ctr_kernels.h"
#include "common/tensors/parallel_for.h"

namespace larr {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

constexpr int64_t kRowsOfTask = 64;

kernels::PoolShape ShapeOf(const Tensor& table, int64_t heads) {
  return {.heads = heads, .width = table.size(1) / heads - 1};
}

struct Attention : torch::autograd::Function<Attention> {
  static Tensor forward(AutogradContext* context, const Tensor& table,
                        const Tensor& index, int64_t heads) {
    const kernels::PoolShape shape = ShapeOf(table, heads);
    const int64_t rows = index.size(0), tokens = index.size(1);
    const int64_t columns = heads * shape.width;
    Tensor out = torch::empty({rows, columns}, table.options());
    const auto* from = index.const_data_ptr<int64_t>();
    auto* to = out.data_ptr<float>();
    ParallelFor(rows, kRowsOfTask, [&](int64_t begin, int64_t end) {
      std::vector<float> scratch(tokens);
      kernels::AttendTokens(shape, end - begin, tokens, from + begin * tokens,
                            table.const_data_ptr<float>(), scratch.data(),
                            to + begin * columns);
    });
    context->save_for_backward({table, index});
    context->saved_data["heads"] = heads;
    return out;
  }

  // Rows share tokens; heads have columns of their own.
  static tensor_list backward(AutogradContext* context, tensor_list grads) {
    const auto saved = context->get_saved_variables();
    const Tensor &table = saved[0], &index = saved[1];
    const int64_t heads = context->saved_data["heads"].toInt();
    const kernels::PoolShape shape = ShapeOf(table, heads);
    const Tensor grad = grads[0].contiguous();
    Tensor grad_table = torch::zeros_like(table);
    auto* to = grad_table.data_ptr<float>();
    const int64_t tokens = index.size(1);
    ParallelFor(heads, 1, [&](int64_t begin, int64_t end) {
      std::vector<float> scratch(2 * tokens);
      for (int64_t head = begin; head < end; ++head)
        kernels::AttendTokensBackward(
            shape, head, index.size(0), tokens, index.const_data_ptr<int64_t>(),
            table.const_data_ptr<float>(), grad.const_data_ptr<float>(),
            scratch.data(), to);
    });
    return {grad_table, Tensor(), Tensor()};
  }
};

}  // namespace

Tensor AttendFromAgg(const Tensor& table, const Tensor& index, int64_t heads) {
  return Attention::apply(table.contiguous(), index.contiguous(), heads);
}

LinearParameters ScoresAndValues(const Tensor& in_weight, const Tensor& in_bias,
                                 const Tensor& agg, int64_t heads) {
  const int64_t c = agg.size(0), width = c / heads;
  const auto weights = in_weight.chunk(3), biases = in_bias.chunk(3);
  const Tensor query =
      (at::mv(weights[0], agg) + biases[0]).view({heads, 1, width}) /
      std::sqrt(static_cast<double>(width));
  const Tensor score_weight =
      at::bmm(query, weights[1].view({heads, width, c})).squeeze(1);
  const Tensor score_bias =
      (query.squeeze(1) * biases[1].view({heads, width})).sum(1);
  return {torch::cat({score_weight, weights[2]}),
          torch::cat({score_bias, biases[2]})};
}

}  // namespace larr
