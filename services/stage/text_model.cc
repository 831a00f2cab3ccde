// SPDX-License-Identifier: Apache-2.0
#include "services/stage/text_model.h"

#include "common/base/status_macros.h"
#include "common/llm/checkpoint.h"
#include "common/llm/pooling.h"

namespace larr::stage {

TextModel LanguageModel(const Tokenizer& tokenizer, const Decoder& decoder,
                        const config::v1::ContrastConfig& config) {
  const auto read = [&](std::span<const std::string> texts)
      -> absl::StatusOr<std::vector<TokenIds>> {
    LARR_ASSIGN_OR_RETURN(auto ids, tokenizer.Encode(texts));
    for (TokenIds& text : ids) CutTokens(config.max_tokens(), text);
    return ids;
  };
  const auto states = [&](std::span<const TokenIds> texts) {
    return LastStates(texts, decoder, PoolingOf(config));
  };
  return {decoder.config().hidden_size, read, states};
}

}  // namespace larr::stage
