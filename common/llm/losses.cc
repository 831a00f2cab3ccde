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

Tensor Similarities(const Tensor& a, const Tensor& b, const Tensor& excluded) {
  const auto unit = [](const Tensor& x) {
    return torch::nn::functional::normalize(
        x.to(torch::kFloat32),
        torch::nn::functional::NormalizeFuncOptions().dim(1).eps(1e-8));
  };
  const Tensor own = torch::eye(a.size(0), a.options().dtype(torch::kBool));
  return unit(a)
      .mm(unit(b).t())
      .masked_fill(excluded & ~own, -std::numeric_limits<float>::infinity());
}

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

Tensor SymmetricInfoNce(const Tensor& a, const Tensor& b,
                        const Tensor& excluded, double temperature) {
  const Tensor scores = Similarities(a, b, excluded) / temperature;
  const Tensor own = torch::arange(a.size(0), a.options().dtype(torch::kInt64));
  return (torch::nn::functional::cross_entropy(scores, own) +
          torch::nn::functional::cross_entropy(scores.t(), own)) /
         2;
}

double PairAccuracy(const Tensor& a, const Tensor& b, const Tensor& excluded) {
  const torch::NoGradGuard no_grad;
  const Tensor scores = Similarities(a, b, excluded);
  const Tensor own = torch::arange(a.size(0), a.options().dtype(torch::kInt64));
  const auto share = [&](const Tensor& table) {
    return table.argmax(1).eq(own).to(torch::kFloat32).mean().item<double>();
  };
  return (share(scores) + share(scores.t())) / 2;
}

}  // namespace larr
