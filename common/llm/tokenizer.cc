// SPDX-License-Identifier: Apache-2.0
#include "common/llm/tokenizer.h"

#include <fmt/format.h>

#include <utility>

#include "common/base/status_macros.h"
#include "common/llm/added_tokens.h"
#include "common/llm/json_tokenizer.h"
#include "common/llm/sentencepiece_tokenizer.h"

namespace larr {

absl::StatusOr<Tokenizer> Tokenizer::Open(const std::filesystem::path& folder) {
  std::unique_ptr<TokenizerLibrary> library;
  if (std::filesystem::exists(folder / kTokenizerJson)) {
    LARR_ASSIGN_OR_RETURN(library, OpenJsonTokenizer(folder));
  } else if (std::filesystem::exists(folder / kTokenizerModel)) {
    LARR_ASSIGN_OR_RETURN(library, OpenSentencepieceTokenizer(folder));
  } else {
    return absl::NotFoundError(fmt::format(
        "{}: has neither {} nor {}; a model folder needs one of the two",
        folder.string(), kTokenizerJson, kTokenizerModel));
  }
  return Tokenizer(std::move(library));
}

std::vector<std::string> TokenizerFiles(const std::filesystem::path& folder) {
  if (std::filesystem::exists(folder / kTokenizerJson)) return {kTokenizerJson};
  std::vector<std::string> files;
  for (const char* name : {kAddedTokensFile, kSpecialTokensFile,
                           kTokenizerConfigFile, kTokenizerModel}) {
    if (std::filesystem::exists(folder / name)) files.emplace_back(name);
  }
  return files;
}

}  // namespace larr
