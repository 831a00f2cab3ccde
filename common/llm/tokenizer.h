// SPDX-License-Identifier: Apache-2.0
//
// Texts to token ids, by the tokenizer of a model folder: `tokenizer.json`
// (json_tokenizer.h) or else `tokenizer.model` (sentencepiece_tokenizer.h).
// Special tokens that stand in a text become their own id; none is added by
// itself.
//
// Ownership:  movable, not copyable.
// Threads:    const methods may be called concurrently.
// Errors:     kNotFound         the folder has neither file
//             kInvalidArgument  a file or a text (bad UTF-8) is not accepted
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace larr {

using TokenIds = std::vector<int32_t>;

// What a library that knows one format does; see `Tokenizer`.
class TokenizerLibrary {
 public:
  virtual ~TokenizerLibrary() = default;
  virtual absl::StatusOr<std::vector<TokenIds>> Encode(
      std::span<const std::string> texts) const = 0;
  virtual std::optional<int32_t> IdOf(const std::string& token) const = 0;
  virtual int64_t vocab_size() const = 0;
  virtual absl::Status AddSpecialTokens(
      std::span<const std::string> tokens) = 0;
  virtual absl::Status Save(const std::filesystem::path& folder) const = 0;
};

class Tokenizer {
 public:
  static absl::StatusOr<Tokenizer> Open(const std::filesystem::path& folder);

  // One list of ids for each text. An error names the text's position.
  absl::StatusOr<std::vector<TokenIds>> Encode(
      std::span<const std::string> texts) const {
    return library_->Encode(texts);
  }

  // Nothing if the vocabulary lacks it.
  std::optional<int32_t> IdOf(const std::string& token) const {
    return library_->IdOf(token);
  }
  // One more than the highest id: rows that the embedding must have.
  int64_t vocab_size() const { return library_->vocab_size(); }

  // Adds those that are new, after the highest id and in their order.
  absl::Status AddSpecialTokens(std::span<const std::string> tokens) {
    return library_->AddSpecialTokens(tokens);
  }
  // Writes what `Open`, and `transformers`, read of the tokenizer into an
  // existing folder that has the model's other files already.
  absl::Status Save(const std::filesystem::path& folder) const {
    return library_->Save(folder);
  }

 private:
  explicit Tokenizer(std::unique_ptr<TokenizerLibrary> library)
      : library_(std::move(library)) {}

  std::unique_ptr<TokenizerLibrary> library_;
};

// Files of a folder that decide about the tokens of a text; sorted.
std::vector<std::string> TokenizerFiles(const std::filesystem::path& folder);

}  // namespace larr
