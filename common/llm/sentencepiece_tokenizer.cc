// SPDX-License-Identifier: Apache-2.0
#include "common/llm/sentencepiece_tokenizer.h"

#include <absl/status/status.h>

#include <cstdint>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/files.h"
#include "common/base/invalid_argument.h"
#include "common/base/status_macros.h"
#include "common/base/utf8.h"
#include "common/llm/added_tokens.h"

// The library calls the standard string_view by a name that abseil's own has.
#define absl sentencepiece_absl
#include <sentencepiece_processor.h>
#undef absl

namespace larr {
namespace {

namespace fs = std::filesystem;
using Processor = sentencepiece::SentencePieceProcessor;

// The id of the piece with exactly this text.
AddedTokens::PieceId PieceIdOf(const Processor& processor) {
  return [&processor](const std::string& text) -> std::optional<int32_t> {
    const int id = processor.PieceToId(text);
    if (processor.IdToPiece(id) != text) return std::nullopt;
    return id;
  };
}

// The settings that change where a prefix space is put.
absl::Status CheckPrefix(const Processor& processor,
                         const std::string& tokenizer_config) {
  const auto pieces = processor.EncodeAsPieces("a");
  const bool prefix = !pieces.empty() && pieces[0].starts_with("\u2581");
  if (!prefix) return absl::OkStatus();
  const auto config = nlohmann::json::parse(tokenizer_config);
  for (const char* field : {"legacy", "add_prefix_space"}) {
    const auto found = config.find(field);
    if (found == config.end() || *found != false) continue;
    return Invalid(
        "{}: `{}` is false, which is not supported with {}; open the folder "
        "with transformers and save it again: that writes a tokenizer.json",
        kTokenizerConfigFile, field, kTokenizerModel);
  }
  return absl::OkStatus();
}

class SentencepieceTokenizer : public TokenizerLibrary {
 public:
  absl::Status Read(const fs::path& folder) {
    LARR_ASSIGN_OR_RETURN(model_, ReadFile(folder / kTokenizerModel));
    const auto loaded = processor_.LoadFromSerializedProto(model_);
    if (!loaded.ok() || processor_.GetPieceSize() == 0) {
      return Invalid(
          "{}: is not a sentencepiece model: {}; give the folder a "
          "tokenizer.json (Llama 3's tokenizer.model is tiktoken's, "
          "and comes with one)",
          (folder / kTokenizerModel).string(), loaded.ToString());
    }
    LARR_ASSIGN_OR_RETURN(added_,
                          AddedTokens::Read(folder, processor_.GetPieceSize(),
                                            PieceIdOf(processor_)));
    return CheckPrefix(processor_, added_.config());
  }

  absl::StatusOr<std::vector<TokenIds>> Encode(
      std::span<const std::string> texts) const override {
    std::vector<TokenIds> out(texts.size());
    std::vector<int> ids;
    for (size_t i = 0; i < texts.size(); ++i) {
      if (const size_t at = FindMalformedUtf8(texts[i]);
          at != std::string::npos) {
        return Invalid("text {} is not UTF-8: wrong byte at offset {}", i, at);
      }
      for (const AddedTokens::Part& part : added_.Split(texts[i])) {
        if (part.id) {
          out[i].push_back(*part.id);
          continue;
        }
        const auto status = processor_.Encode(part.text, &ids);
        if (!status.ok()) {
          return Invalid("text {} cannot be encoded: {}", i, status.ToString());
        }
        out[i].insert(out[i].end(), ids.begin(), ids.end());
      }
    }
    return out;
  }

  std::optional<int32_t> IdOf(const std::string& token) const override {
    if (const auto id = added_.IdOf(token)) return id;
    return PieceIdOf(processor_)(token);
  }

  int64_t vocab_size() const override { return added_.end_id(); }

  absl::Status AddSpecialTokens(std::span<const std::string> tokens) override {
    for (size_t i = 0; i < tokens.size(); ++i) {
      if (tokens[i].empty()) {
        return Invalid("special token {} is empty", i);
      }
      if (FindMalformedUtf8(tokens[i]) != std::string::npos) {
        return Invalid("special token {} is not UTF-8", i);
      }
    }
    for (const std::string& token : tokens)
      added_.Add(token, PieceIdOf(processor_));
    return absl::OkStatus();
  }

  absl::Status Save(const fs::path& folder) const override {
    LARR_RETURN_IF_ERROR(WriteFileAtomically(folder / kTokenizerModel, model_));
    return added_.Save(folder);
  }

 private:
  std::string model_;  // The file's bytes.
  Processor processor_;
  AddedTokens added_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<TokenizerLibrary>> OpenSentencepieceTokenizer(
    const fs::path& folder) {
  auto tokenizer = std::make_unique<SentencepieceTokenizer>();
  const auto status = tokenizer->Read(folder);
  if (!status.ok()) return status;
  return tokenizer;
}

}  // namespace larr
