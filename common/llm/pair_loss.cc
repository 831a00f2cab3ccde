// SPDX-License-Identifier: Apache-2.0
#include "common/llm/pair_loss.h"

#include <torch/autograd.h>
#include <torch/nn/functional.h>
#include <torch/utils.h>

#include <algorithm>
#include <limits>
#include <vector>

namespace larr {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

// Rows of the pairs' similarities that are held at once.
constexpr int64_t kPairRows = 512;

// Rows [from, from + rows) of a b^T / temperature, -inf where excluded.
Tensor ScoreRows(const Tensor& a, const Tensor& b, const Tensor& excluded,
                 double temperature, int64_t from, int64_t rows) {
  Tensor scores = a.narrow(0, from, rows).mm(b.t()).div_(temperature);
  const Tensor own = scores.diagonal(from).clone();
  scores.masked_fill_(excluded.narrow(0, from, rows),
                      -std::numeric_limits<float>::infinity());
  scores.diagonal(from).copy_(own);
  return scores;
}

// Of rows of length 1: the loss, the ranks and, when something needs them, the
// loss's gradients. All pairs meet here, a few rows at a time, twice: once for
// the denominators of both directions, once for what follows from them.
struct PairsLoss : torch::autograd::Function<PairsLoss> {
  static tensor_list forward(AutogradContext* context, const Tensor& a,
                             const Tensor& b, const Tensor& excluded,
                             double temperature) {
    const int64_t n = a.size(0);
    const auto each = [&](auto&& body) {
      for (int64_t from = 0; from < n; from += kPairRows) {
        const int64_t rows = std::min(kPairRows, n - from);
        body(from, rows, ScoreRows(a, b, excluded, temperature, from, rows));
      }
    };
    const Tensor own = torch::empty({n}, a.options());
    const Tensor by_row = torch::empty({n}, a.options());
    Tensor by_column =
        torch::full({n}, -std::numeric_limits<float>::infinity(), a.options());
    each([&](int64_t from, int64_t rows, const Tensor& scores) {
      own.narrow(0, from, rows).copy_(scores.diagonal(from));
      by_row.narrow(0, from, rows).copy_(scores.logsumexp(1));
      by_column = torch::logaddexp(by_column, scores.logsumexp(0));
    });
    const bool backward = a.requires_grad() || b.requires_grad();
    Tensor d_a = backward ? torch::empty_like(a) : Tensor();
    Tensor d_b = backward ? torch::zeros_like(b) : Tensor();
    Tensor ranks = torch::zeros({2, n}, a.options().dtype(torch::kInt64));
    each([&](int64_t from, int64_t rows, Tensor scores) {
      ranks[0]
          .narrow(0, from, rows)
          .copy_(scores.ge(own.narrow(0, from, rows).unsqueeze(1)).sum(1));
      ranks[1].add_(scores.ge(own).sum(0));
      if (!backward) return;
      // d loss / d scores = (softmax of rows + of columns) / 2 - one-hot
      const Tensor norm = by_row.narrow(0, from, rows).unsqueeze(1);
      Tensor slope = (scores - norm).exp_();
      slope.add_(scores.sub_(by_column).exp_());
      slope.diagonal(from).sub_(2);
      slope.div_(2 * temperature * static_cast<double>(n));
      d_a.narrow(0, from, rows).copy_(slope.mm(b));
      d_b.addmm_(slope.t(), a.narrow(0, from, rows));
    });
    ranks.sub_(1);  // the partner itself
    context->save_for_backward({d_a, d_b});
    context->mark_non_differentiable({ranks});
    const Tensor loss = (by_row + by_column).div(2).sub(own);
    return {loss.to(torch::kFloat64).mean().to(torch::kFloat32), ranks};
  }

  static tensor_list backward(AutogradContext* context, tensor_list upstream) {
    const auto saved = context->get_saved_variables();
    return {saved[0] * upstream[0], saved[1] * upstream[0], Tensor(), Tensor()};
  }
};

}  // namespace

PairLoss SymmetricInfoNce(const Tensor& a, const Tensor& b,
                          const Tensor& excluded, double temperature) {
  const auto unit = [](const Tensor& x) {
    return torch::nn::functional::normalize(
        x.to(torch::kFloat32),
        torch::nn::functional::NormalizeFuncOptions().dim(1).eps(1e-8));
  };
  const tensor_list out =
      PairsLoss::apply(unit(a), unit(b), excluded, temperature);
  return {out[0], out[1]};
}

double Recall(const Tensor& ranks, int64_t k) {
  return ranks.lt(k).to(torch::kFloat64).mean().item<double>();
}

}  // namespace larr
