// SPDX-License-Identifier: Apache-2.0
#include "services/stage/pair_model.h"

#include <torch/utils.h>

#include <numeric>

#include "common/base/status_macros.h"
#include "common/llm/text_chunks.h"
#include "services/stage/stage_ranks.h"

namespace larr::stage {
namespace {

using torch::Tensor;

std::vector<int64_t> TokensOf(const std::vector<TokenIds>& texts) {
  std::vector<int64_t> tokens;
  for (const TokenIds& text : texts) tokens.push_back(std::ssize(text));
  return tokens;
}

int64_t Sum(const std::vector<int64_t>& numbers) {
  return std::accumulate(numbers.begin(), numbers.end(), int64_t{0});
}

}  // namespace

absl::StatusOr<std::vector<TokenIds>> PairModel::Read(
    const PairBatch& pairs) const {
  std::vector<std::string> texts = pairs.a;
  texts.insert(texts.end(), pairs.b.begin(), pairs.b.end());
  return text_model_.read(texts);
}

Tensor PairModel::Encode(std::span<const TokenIds> texts) const {
  return at::linear(at::linear(text_model_.states(texts), coordinates_),
                    projection_);
}

PairLoss PairModel::Compare(const Tensor& vectors,
                            const PairBatch& pairs) const {
  const auto n = static_cast<int64_t>(pairs.a.size());
  const Tensor excluded =
      torch::from_blob(const_cast<uint8_t*>(pairs.excluded.data()), {n, n},
                       torch::kUInt8)
          .to(torch::kBool);
  return SymmetricInfoNce(vectors.narrow(0, 0, n), vectors.narrow(0, n, n),
                          excluded, config_.temperature());
}

absl::StatusOr<PairOutcome> PairModel::Backward(
    const PairBatch& pairs, double weight,
    const std::function<void()>& after_backward) const {
  LARR_ASSIGN_OR_RETURN(const auto texts, Read(pairs));
  const auto tokens = TokensOf(texts);
  const auto share = ShareOf(tokens, group_.rank(), group_.size());
  std::vector<TokenIds> own;
  const Tensor rows = torch::empty({std::ssize(share)}, torch::kInt64);
  for (const size_t text : share) {
    rows[std::ssize(own)] = static_cast<int64_t>(text);
    own.push_back(texts[text]);
  }
  PairOutcome outcome{.tokens = Sum(tokens)};
  absl::Status met;
  // Vectors of this rank's texts to a scalar of the whole loss's gradient.
  const auto meet = [&](const Tensor& vectors) {
    Tensor all = torch::zeros({std::ssize(texts), vectors.size(1)});
    all.index_copy_(0, rows, vectors.detach());
    met = group_.AllReduce(all);
    const PairLoss result = Compare(all.requires_grad_(true), pairs);
    outcome.loss = result.loss.item<double>();
    outcome.ranks = result.ranks;
    (result.loss * weight).backward();
    return (vectors * all.grad().index_select(0, rows)).sum();
  };
  if (own.empty()) {
    meet(torch::zeros({0, projection_.size(0)}));
  } else {
    BackwardInChunks(
        own, config_.tokens_per_chunk(),
        [&](std::span<const TokenIds> chunk) { return Encode(chunk); }, meet,
        after_backward);
  }
  LARR_RETURN_IF_ERROR(met);
  return outcome;
}

absl::StatusOr<PairOutcome> PairModel::Evaluate(const PairBatch& pairs) const {
  const torch::NoGradGuard no_grad;
  LARR_ASSIGN_OR_RETURN(const auto texts, Read(pairs));
  const PairLoss result = Compare(
      EncodeInChunks(
          texts, config_.tokens_per_chunk(),
          [&](std::span<const TokenIds> chunk) { return Encode(chunk); }),
      pairs);
  return PairOutcome{result.loss.item<double>(), result.ranks,
                     Sum(TokensOf(texts))};
}

}  // namespace larr::stage
