// SPDX-License-Identifier: Apache-2.0
#include "common/llm/json_tokenizer.h"

#include <absl/status/status.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/base/status_macros.h"
#include "third_party/tokenizers/larr_tokenizers.h"

namespace larr {
namespace {

larr_text Text(const std::string& text) { return {text.data(), text.size()}; }

std::vector<larr_text> Texts(std::span<const std::string> texts) {
  std::vector<larr_text> out;
  out.reserve(texts.size());
  for (const auto& text : texts) out.push_back(Text(text));
  return out;
}

// The library's message, which is then freed, as a status.
absl::Status ToStatus(char* error) {
  if (error == nullptr) return absl::OkStatus();
  auto status = absl::InvalidArgumentError(error);
  larr_tokenizers_free_string(error);
  return status;
}

class JsonTokenizer : public TokenizerLibrary {
 public:
  explicit JsonTokenizer(larr_tokenizer* handle) : handle_(handle) {}

  absl::StatusOr<std::vector<TokenIds>> Encode(
      std::span<const std::string> texts) const override {
    const auto views = Texts(texts);
    larr_encodings encodings;
    LARR_RETURN_IF_ERROR(ToStatus(larr_tokenizer_encode(
        handle_.get(), views.data(), views.size(), &encodings)));
    std::vector<TokenIds> out(encodings.text_count);
    size_t begin = 0;
    for (size_t i = 0; i < encodings.text_count; ++i) {
      out[i].assign(encodings.ids + begin, encodings.ids + encodings.ends[i]);
      begin = encodings.ends[i];
    }
    larr_encodings_free(&encodings);
    return out;
  }

  std::optional<int32_t> IdOf(const std::string& token) const override {
    int64_t id = -1;
    const auto status =
        ToStatus(larr_tokenizer_token_to_id(handle_.get(), Text(token), &id));
    if (!status.ok() || id < 0) return std::nullopt;
    return static_cast<int32_t>(id);
  }

  int64_t vocab_size() const override {
    size_t size = 0;
    // Cannot fail with a handle that was opened.
    (void)ToStatus(larr_tokenizer_vocab_size(handle_.get(), &size));
    return static_cast<int64_t>(size);
  }

  absl::Status AddSpecialTokens(std::span<const std::string> tokens) override {
    const auto views = Texts(tokens);
    size_t added = 0;
    return ToStatus(larr_tokenizer_add_special_tokens(
        handle_.get(), views.data(), views.size(), &added));
  }

  absl::Status Save(const std::filesystem::path& folder) const override {
    const std::string path = (folder / kTokenizerJson).string();
    return ToStatus(larr_tokenizer_save(handle_.get(), Text(path)));
  }

 private:
  struct Closer {
    void operator()(larr_tokenizer* tokenizer) const {
      larr_tokenizer_close(tokenizer);
    }
  };

  std::unique_ptr<larr_tokenizer, Closer> handle_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<TokenizerLibrary>> OpenJsonTokenizer(
    const std::filesystem::path& folder) {
  const std::string path = (folder / kTokenizerJson).string();
  larr_tokenizer* handle = nullptr;
  LARR_RETURN_IF_ERROR(ToStatus(larr_tokenizer_open(Text(path), &handle)));
  return std::make_unique<JsonTokenizer>(handle);
}

}  // namespace larr
