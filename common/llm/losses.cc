// SPDX-License-Identifier: Apache-2.0
#include "common/llm/losses.h"

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

// Rows whose logits are held at once.
constexpr int64_t kHeadRows = 256;

// The loss and, when something needs them, its gradients in one pass.
struct HeadLoss : torch::autograd::Function<HeadLoss> {
  static Tensor forward(AutogradContext* context, const Tensor& hidden,
                        const Tensor& known, const Tensor& special,
                        const Tensor& targets) {
    const bool backward = hidden.requires_grad() || known.requires_grad() ||
                          special.requires_grad();
    const auto zeros = [&](const Tensor& of) {
      return of.requires_grad() ? torch::zeros_like(of, torch::kFloat32)
                                : Tensor();
    };
    Tensor d_hidden = backward ? torch::empty_like(hidden) : Tensor();
    Tensor d_known = zeros(known), d_special = zeros(special);
    double total = 0;
    for (int64_t from = 0; from < hidden.size(0); from += kHeadRows) {
      const int64_t rows = std::min(kHeadRows, hidden.size(0) - from);
      const Tensor part = hidden.narrow(0, from, rows);
      const Tensor index = targets.narrow(0, from, rows).unsqueeze(1);
      Tensor logits =
          torch::cat({at::linear(part, known), at::linear(part, special)}, 1)
              .to(torch::kFloat32);
      const Tensor norm = logits.logsumexp(1, true);
      total += (norm - logits.gather(1, index)).sum().item<double>();
      if (!backward) continue;
      // d loss / d logits = softmax - one-hot
      Tensor slope = logits.sub_(norm).exp_();
      slope.scatter_add_(1, index, torch::full_like(norm, -1.0f));
      slope = slope.to(hidden.scalar_type());
      const Tensor to_known = slope.narrow(1, 0, known.size(0));
      const Tensor to_special = slope.narrow(1, known.size(0), special.size(0));
      d_hidden.narrow(0, from, rows)
          .copy_(to_known.mm(known) + to_special.mm(special));
      if (d_known.defined()) d_known.add_(to_known.t().mm(part));
      if (d_special.defined()) d_special.add_(to_special.t().mm(part));
    }
    context->save_for_backward({d_hidden, d_known, d_special});
    context->saved_data["dtype"] = static_cast<int64_t>(hidden.scalar_type());
    return torch::scalar_tensor(total, torch::kFloat32);
  }

  static tensor_list backward(AutogradContext* context, tensor_list upstream) {
    const auto saved = context->get_saved_variables();
    const auto dtype =
        static_cast<torch::ScalarType>(context->saved_data["dtype"].toInt());
    tensor_list gradients;
    for (const Tensor& gradient : saved) {
      gradients.push_back(
          gradient.defined() ? (gradient * upstream[0]).to(dtype) : Tensor());
    }
    gradients.emplace_back();  // targets
    return gradients;
  }
};

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

LanguageBatch MakeLanguageBatch(std::span<const Description> descriptions) {
  std::vector<TokenIds> texts;
  for (const auto& description : descriptions) texts.push_back(description.ids);
  LanguageBatch out;
  out.batch = Pack(texts);
  std::vector<int64_t> rows, targets;
  for (size_t i = 0; i < texts.size(); ++i) {
    for (int64_t t = std::max<int64_t>(1, descriptions[i].given);
         t < out.batch.length[i]; ++t) {
      rows.push_back(out.batch.begin[i] + t - 1);
      targets.push_back(texts[i][t]);
    }
  }
  out.rows = torch::tensor(rows, torch::kInt64);
  out.targets = torch::tensor(targets, torch::kInt64);
  return out;
}

Tensor NextTokenLoss(const Tensor& hidden, const VocabularyTable& head,
                     const Tensor& targets) {
  return HeadLoss::apply(hidden, head.known, head.special, targets);
}

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
