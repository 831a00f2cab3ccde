// SPDX-License-Identifier: Apache-2.0
//
// Texts to token ids, by Hugging Face's `tokenizers` library and the model's
// own `tokenizer.json`. Special tokens that stand in a text become their own
// id; none is added by itself.
//
// Ownership:  the object owns the library's handle; movable.
// Threads:    const methods may be called concurrently.
// Errors:     kNotFound         no such file
//             kInvalidArgument  the file or a text (bad UTF-8) is not accepted
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

struct larr_tokenizer;

namespace larr {

using TokenIds = std::vector<int32_t>;

class Tokenizer {
 public:
  static absl::StatusOr<Tokenizer> Open(const std::filesystem::path& file);

  // One list of ids for each text. An error names the text's position.
  absl::StatusOr<std::vector<TokenIds>> Encode(
      std::span<const std::string> texts) const;

  // Nothing if the vocabulary lacks it.
  std::optional<int32_t> IdOf(const std::string& token) const;
  // One more than the highest id: rows that the embedding must have.
  int64_t vocab_size() const;

  // Adds those that are new, after the highest id and in their order.
  absl::Status AddSpecialTokens(std::span<const std::string> tokens);
  absl::Status Save(const std::filesystem::path& file) const;

 private:
  struct Closer {
    void operator()(larr_tokenizer* tokenizer) const;
  };
  explicit Tokenizer(larr_tokenizer* tokenizer) : handle_(tokenizer) {}

  std::unique_ptr<larr_tokenizer, Closer> handle_;
};

}  // namespace larr
