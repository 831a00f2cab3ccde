// SPDX-License-Identifier: Apache-2.0
#include "common/llm/language_loss.h"

#include <torch/autograd.h>
#include <torch/utils.h>

#include <algorithm>
#include <vector>

#include "common/llm/layer_ops.h"

namespace larr {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

// Logits that are held at once: 128 MB of bfloat16.
constexpr int64_t kLogits = int64_t{64} << 20;

// What the rows of one part give.
struct Part {
  Tensor known, special;  // logits, [rows, V] in two parts
  Tensor norm;            // float32 [rows]: log of the sum of e^logits
  Tensor targets;         // int64 [rows]
};

// Logits of the targets, float32 [rows].
Tensor OwnLogits(const Part& part) {
  const int64_t known = part.known.size(1);
  const auto pick = [&](const Tensor& logits, int64_t first) {
    const Tensor index =
        (part.targets - first).clamp(0, logits.size(1) - 1).unsqueeze(1);
    return logits.gather(1, index).squeeze(1).to(torch::kFloat32);
  };
  if (part.special.size(1) == 0) return pick(part.known, 0);
  return torch::where(part.targets < known, pick(part.known, 0),
                      pick(part.special, known));
}

// d loss / d logits = weight * (softmax - one-hot), in place of the logits.
// `own_logits`: the targets'. Theirs is rounded once, not as the difference of
// two rounded numbers.
void ToSlopes(const Part& part, const Tensor& own_logits, double weight) {
  const int64_t known = part.known.size(1);
  const Tensor own_slopes = (own_logits - part.norm).expm1_().mul_(weight);
  const auto turn = [&](const Tensor& logits, int64_t first) {
    if (logits.size(1) == 0) return;
    ops::SoftmaxInPlace(logits, part.norm, weight);
    const Tensor own = part.targets - first;
    const Tensor rows =
        torch::nonzero((own >= 0) & (own < logits.size(1))).squeeze(1);
    logits.index_put_({rows, own.index_select(0, rows)},
                      own_slopes.index_select(0, rows).to(logits.dtype()));
  };
  turn(part.known, 0);
  turn(part.special, known);
}

// A single part's term stays as it is; more are summed in float32.
void AddTo(Tensor& sum, const Tensor& term) {
  sum = sum.defined() ? sum.to(torch::kFloat32).add_(term) : term;
}

// The loss and, where something needs them, its gradients in one pass.
struct HeadLoss : torch::autograd::Function<HeadLoss> {
  static Tensor forward(AutogradContext* context, const Tensor& hidden,
                        const Tensor& known, const Tensor& special,
                        const Tensor& targets, double weight) {
    const bool backward = hidden.requires_grad() || known.requires_grad() ||
                          special.requires_grad();
    const int64_t size = known.size(0) + special.size(0);
    const int64_t rows_of_part = std::max<int64_t>(1, kLogits / size);
    std::vector<Tensor> d_hidden;
    Tensor d_known, d_special;
    double total = 0;
    for (int64_t from = 0; from < hidden.size(0); from += rows_of_part) {
      const int64_t rows = std::min(rows_of_part, hidden.size(0) - from);
      const Tensor states = hidden.narrow(0, from, rows);
      Part part{at::linear(states, known),
                at::linear(states, special),
                {},
                targets.narrow(0, from, rows)};
      part.norm = ops::LogSumExp(part.known);
      if (special.size(0) > 0)
        part.norm = torch::logaddexp(part.norm, ops::LogSumExp(part.special));
      const Tensor own_logits = OwnLogits(part);
      total += (part.norm - own_logits).sum().item<double>();
      if (!backward) continue;
      ToSlopes(part, own_logits, weight);
      Tensor slope = part.known.mm(known);
      if (special.size(0) > 0) slope.add_(part.special.mm(special));
      d_hidden.push_back(std::move(slope));
      if (known.requires_grad())
        AddTo(d_known, ops::TransposedProduct(part.known, states));
      if (special.requires_grad())
        AddTo(d_special, ops::TransposedProduct(part.special, states));
    }
    Tensor d_states;
    if (!d_hidden.empty())
      d_states = d_hidden.size() == 1 ? d_hidden[0] : torch::cat(d_hidden);
    context->save_for_backward({d_states, d_known, d_special});
    return torch::scalar_tensor(weight * total, torch::kFloat32);
  }

  static tensor_list backward(AutogradContext* context, tensor_list upstream) {
    const bool whole = upstream[0].item<float>() == 1.0f;
    tensor_list gradients;
    for (const Tensor& gradient : context->get_saved_variables()) {
      gradients.push_back(
          gradient.defined() && !whole
              ? gradient.mul(upstream[0].to(gradient.scalar_type()))
              : gradient);
    }
    gradients.resize(5);  // targets and weight have none
    return gradients;
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
                     const Tensor& targets, double weight) {
  return HeadLoss::apply(hidden, head.known, head.special, targets, weight);
}

}  // namespace larr
