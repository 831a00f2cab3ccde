// SPDX-License-Identifier: Apache-2.0
#include "services/stage/pair_model.h"

#include "common/base/status_macros.h"
#include "common/llm/checkpoint.h"
#include "common/llm/text_chunks.h"

namespace larr::stage {
namespace {

using torch::Tensor;

int64_t CountTokens(const std::vector<TokenIds>& texts) {
  int64_t tokens = 0;
  for (const TokenIds& text : texts)
    tokens += static_cast<int64_t>(text.size());
  return tokens;
}

}  // namespace

absl::StatusOr<std::vector<TokenIds>> PairModel::Read(
    const PairBatch& pairs) const {
  std::vector<std::string> texts = pairs.a;
  texts.insert(texts.end(), pairs.b.begin(), pairs.b.end());
  LARR_ASSIGN_OR_RETURN(auto ids, tokenizer_.Encode(texts));
  for (TokenIds& text : ids) CutTokens(config_.max_tokens(), text);
  return ids;
}

Tensor PairModel::Encode(std::span<const TokenIds> texts) const {
  return at::linear(at::linear(LastStates(texts, decoder_), coordinates_),
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
  PairOutcome outcome{.tokens = CountTokens(texts)};
  BackwardInChunks(
      texts, config_.tokens_per_chunk(),
      [&](std::span<const TokenIds> chunk) { return Encode(chunk); },
      [&](const Tensor& vectors) {
        const PairLoss result = Compare(vectors, pairs);
        outcome.loss = result.loss.item<double>();
        outcome.ranks = result.ranks;
        return result.loss * weight;
      },
      after_backward);
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
                     CountTokens(texts)};
}

}  // namespace larr::stage
