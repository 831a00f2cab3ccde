// SPDX-License-Identifier: Apache-2.0
#include "common/ctr/info_nce.h"

#include <ATen/Parallel.h>
#include <torch/autograd.h>
#include <torch/utils.h>

#include <cstdint>
#include <functional>
#include <limits>
#include <utility>

#include "common/ctr/info_nce_kernels.h"
#include "common/ctr/linear.h"
#include "common/tensors/parallel_for.h"

namespace larr {
namespace {

using kernels::SimilarityRows;
using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

// Not at::normalize: the gradient at a zero vector stays finite.
Tensor Unit(const Tensor& x) {
  return x * (x.square().sum(1, true) + 1e-12).rsqrt();
}

// Each thread takes a share of the rows; its number goes with it.
void ForShares(int64_t n, int64_t shares,
               const std::function<void(int64_t, const SimilarityRows&)>& use) {
  ParallelFor(shares, 1, [&](int64_t begin, int64_t end) {
    for (int64_t share = begin; share < end; ++share)
      use(share, {.n = n,
                  .begin = share * n / shares,
                  .end = (share + 1) * n / shares});
  });
}

// The loss of source and target, whose products are similarities.
struct Loss : torch::autograd::Function<Loss> {
  static Tensor forward(AutogradContext* context, const Tensor& source,
                        const Tensor& target, const Tensor& pairs,
                        const uint8_t* kept) {
    const int64_t n = source.size(0), shares = at::get_num_threads();
    Tensor similarity = Linear(source, target, torch::zeros({n}));
    auto* s = similarity.data_ptr<float>();
    const auto* pair = pairs.const_data_ptr<int64_t>();
    const Tensor row_max = torch::empty({n}), row_sum = torch::empty({n});
    Tensor columns =
        torch::full({shares, n}, -std::numeric_limits<float>::infinity());
    auto* column = columns.data_ptr<float>();
    ForShares(n, shares, [&](int64_t share, const SimilarityRows& rows) {
      kernels::MaskAndMax(rows, pair, kept, s, row_max.data_ptr<float>(),
                          column + share * n);
    });
    const Tensor column_max = columns.amax(0);
    columns.zero_();
    ForShares(n, shares, [&](int64_t share, const SimilarityRows& rows) {
      kernels::SumExponentials(rows, s, row_max.const_data_ptr<float>(),
                               column_max.const_data_ptr<float>(),
                               row_sum.data_ptr<float>(), column + share * n);
    });
    const Tensor row_log = row_max + row_sum.log();
    const Tensor column_log = column_max + columns.sum(0).log();
    context->save_for_backward(
        {source, target, similarity, row_log, column_log});
    return (row_log + column_log - 2 * similarity.diagonal()).mean() / 2;
  }

  static tensor_list backward(AutogradContext* context, tensor_list grads) {
    const auto saved = context->get_saved_variables();
    const Tensor &source = saved[0], &target = saved[1], &similarity = saved[2];
    const int64_t n = source.size(0);
    const float factor = grads[0].item<float>() / (2 * static_cast<float>(n));
    Tensor gradient = torch::empty_like(similarity);
    ForShares(
        n, at::get_num_threads(), [&](int64_t, const SimilarityRows& rows) {
          kernels::InfoNceGradient(rows, similarity.const_data_ptr<float>(),
                                   saved[3].const_data_ptr<float>(),
                                   saved[4].const_data_ptr<float>(), factor,
                                   gradient.data_ptr<float>());
        });
    return {at::mm(gradient, target), at::mm(gradient.t(), source), Tensor(),
            Tensor()};
  }
};

}  // namespace

Tensor InfoNce(const Tensor& e_s, const Tensor& e_t, const Tensor& pairs_B,
               double temperature, std::span<const uint8_t> kept) {
  const uint8_t* flags = kept.empty() ? nullptr : kept.data();
  return Loss::apply(Unit(e_s) / temperature, Unit(e_t), pairs_B.contiguous(),
                     flags);
}

std::vector<uint8_t> DrawNegatives(int64_t rows, int64_t negatives,
                                   at::Generator generator) {
  if (negatives == 0 || negatives >= rows - 1) return {};
  std::vector<uint8_t> kept(rows);
  const Tensor order =
      torch::randperm(rows - 1, std::move(generator), torch::kInt64);
  for (int64_t i = 0; i < negatives; ++i)
    kept[order.const_data_ptr<int64_t>()[i] + 1] = 1;
  return kept;
}

}  // namespace larr
