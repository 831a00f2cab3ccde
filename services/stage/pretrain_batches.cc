// SPDX-License-Identifier: Apache-2.0
#include "services/stage/pretrain_batches.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>

#include "common/base/invalid_argument.h"
#include "common/base/prefixed.h"
#include "common/base/status_macros.h"

namespace larr::stage {

absl::StatusOr<Description> TokenizeDescription(const Tokenizer& tokenizer,
                                                const CorpusDescription& text,
                                                int32_t max_tokens) {
  const std::string parts[] = {text.x, text.y};
  LARR_ASSIGN_OR_RETURN(auto ids, tokenizer.Encode(parts));
  Description out{std::move(ids[0]), 0};
  out.given = static_cast<int64_t>(out.ids.size());
  out.ids.insert(out.ids.end(), ids[1].begin(), ids[1].end());
  if (static_cast<int64_t>(out.ids.size()) > max_tokens)
    out.ids.resize(max_tokens);
  return out;
}

absl::StatusOr<TokenIds> TokenizeDocument(const Tokenizer& tokenizer,
                                          const GeneralDocument& document) {
  auto ids = tokenizer.Encode({&document.text, 1});
  if (!ids.ok())
    return Prefixed(fmt::format("pretrain.general_corpus: {}", document.where),
                    ids.status());
  return std::move(ids->front());
}

int64_t Targets(const Description& description) {
  // The first token has nothing before it.
  return std::max<int64_t>(0, static_cast<int64_t>(description.ids.size()) -
                                  std::max<int64_t>(1, description.given));
}

std::vector<std::span<const Description>> SplitPasses(
    std::span<const Description> step, int64_t tokens) {
  std::vector<std::span<const Description>> passes;
  size_t from = 0;
  int64_t sum = 0;
  for (size_t i = 0; i < step.size(); ++i) {
    const auto size = static_cast<int64_t>(step[i].ids.size());
    if (tokens > 0 && i > from && sum + size > tokens) {
      passes.push_back(step.subspan(from, i - from));
      from = i;
      sum = 0;
    }
    sum += size;
  }
  if (from < step.size()) passes.push_back(step.subspan(from));
  return passes;
}

PretrainBatches::PretrainBatches(const config::v1::PretrainConfig& config,
                                 const Tokenizer& tokenizer,
                                 const std::vector<CorpusDescription>& training,
                                 GeneralCorpus* general, uint64_t seed)
    : config_(config),
      tokenizer_(tokenizer),
      training_(training),
      general_(general),
      order_(seed, "descriptions", training.size()) {}

absl::StatusOr<Description> PretrainBatches::NextDescription(Position& at) {
  return TokenizeDescription(tokenizer_,
                             training_[order_.Item(at.descriptions++)],
                             config_.max_tokens());
}

absl::StatusOr<Description> PretrainBatches::NextGeneral(Position& at) {
  for (int64_t skipped = 0; skipped <= general_->size(); ++skipped) {
    if (tokenized_ != at.document) {
      LARR_ASSIGN_OR_RETURN(const auto document, general_->At(at.document));
      LARR_ASSIGN_OR_RETURN(document_, TokenizeDocument(tokenizer_, document));
      tokenized_ = at.document;
    }
    const auto size = static_cast<int64_t>(document_.size());
    const int64_t from = at.document_tokens;
    // One token alone has nothing before it, and would predict nothing.
    if (size - from >= 2) {
      const int64_t to = std::min<int64_t>(from + config_.max_tokens(), size);
      at.document_tokens = to;
      return Description{{document_.begin() + from, document_.begin() + to}, 0};
    }
    ++at.document;
    at.document_tokens = 0;
  }
  return Invalid("pretrain.general_corpus: {} has no document of two tokens",
                 config_.general_corpus());
}

absl::StatusOr<std::vector<Description>> PretrainBatches::Next() {
  const bool by_tokens = config_.tokens_per_step() > 0;
  const int64_t full =
      by_tokens ? config_.tokens_per_step() : config_.descriptions_per_step();
  const int64_t begin = position_.amount;
  std::vector<Description> step;
  while (position_.amount - begin < full) {
    Position at = position_;
    // Whichever keeps the share that was taken so far nearest to the set one.
    const bool is_general =
        general_ != nullptr &&
        static_cast<double>(at.general_amount) <
            config_.general_fraction() * static_cast<double>(at.amount);
    LARR_ASSIGN_OR_RETURN(auto text,
                          is_general ? NextGeneral(at) : NextDescription(at));
    const int64_t cost =
        by_tokens ? static_cast<int64_t>(text.ids.size()) : int64_t{1};
    at.amount += cost;
    if (is_general) at.general_amount += cost;
    if (at.amount - begin > full) break;  // The next step's first.
    step.push_back(std::move(text));
    position_ = at;
  }
  return step;
}

nlohmann::json PretrainBatches::position() const {
  return {{"descriptions", position_.descriptions},
          {"document", position_.document},
          {"document_tokens", position_.document_tokens},
          {"amount", position_.amount},
          {"general_amount", position_.general_amount}};
}

void PretrainBatches::Seek(const nlohmann::json& position) {
  const auto number = [&](const char* key) {
    return position.at(key).get<int64_t>();
  };
  position_ = Position{number("descriptions"), number("document"),
                       number("document_tokens"), number("amount"),
                       number("general_amount")};
}

}  // namespace larr::stage
