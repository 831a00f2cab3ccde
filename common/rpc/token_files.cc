// SPDX-License-Identifier: Apache-2.0
#include "common/rpc/token_files.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <sstream>
#include <utility>

#include "common/base/files.h"
#include "common/base/invalid_argument.h"
#include "common/base/status_macros.h"

namespace larr {
namespace {

constexpr size_t kLeastCharacters = 16;

std::array<uint8_t, 32> HashOf(std::string_view token) {
  std::array<uint8_t, 32> hash;
  SHA256(reinterpret_cast<const uint8_t*>(token.data()), token.size(),
         hash.data());
  return hash;
}

}  // namespace

bool IsToken(std::string_view line) {
  return line.size() >= kLeastCharacters &&
         std::ranges::all_of(line, [](char c) { return c > ' ' && c < 0x7f; });
}

absl::StatusOr<std::vector<TokenFiles::Hash>> TokenFiles::Load(
    const std::string& path) {
  LARR_ASSIGN_OR_RETURN(const std::string content, ReadFile(path));
  std::vector<Hash> hashes;
  std::istringstream lines(content);
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    if (line.empty()) continue;
    if (!IsToken(line)) {  // which is not repeated: it may be nearly right
      return Invalid(
          "{}: line {} is no token; give {} or more visible characters without "
          "spaces, e.g. those of `openssl rand -hex 32`",
          path, number, kLeastCharacters);
    }
    hashes.push_back(HashOf(line));
  }
  if (hashes.empty()) {
    return Invalid(
        "{}: holds no token; write one a line, e.g. `openssl rand -hex 32`",
        path);
  }
  return hashes;
}

absl::StatusOr<std::unique_ptr<TokenFiles>> TokenFiles::Open(
    const std::vector<std::string>& paths, std::chrono::milliseconds period) {
  std::unique_ptr<TokenFiles> self(new TokenFiles);
  self->period_ = period;
  for (const std::string& path : paths) {
    Tokens tokens{FileWatch(path), {}, ""};
    LARR_RETURN_IF_ERROR(tokens.file.Changed().status());
    LARR_ASSIGN_OR_RETURN(tokens.hashes, Load(path));
    self->files_.push_back(std::move(tokens));
  }
  self->next_look_ = std::chrono::steady_clock::now() + period;
  return self;
}

void TokenFiles::Refresh() const {
  const auto now = std::chrono::steady_clock::now();
  if (now < next_look_) return;
  next_look_ = now + period_;
  for (Tokens& tokens : files_) {
    const auto changed = tokens.file.Changed();
    if (changed.ok() && !*changed && tokens.refusal.empty()) continue;
    auto hashes = changed.ok() ? Load(tokens.file.path()) : changed.status();
    const std::string refusal(hashes.status().message());
    if (hashes.ok()) {
      tokens.hashes = *std::move(hashes);
      spdlog::info("tokens_loaded path={}", tokens.file.path().string());
    } else if (refusal != tokens.refusal) {
      spdlog::error("tokens_refused reason=\"{}\"", refusal);
    }
    tokens.refusal = refusal;
  }
}

bool TokenFiles::Contains(std::string_view token) const {
  const Hash hash = HashOf(token);
  const std::lock_guard lock(mutex_);
  Refresh();
  int found = 0;
  for (const Tokens& tokens : files_) {
    for (const Hash& good : tokens.hashes) {
      found |= static_cast<int>(
          CRYPTO_memcmp(good.data(), hash.data(), hash.size()) == 0);
    }
  }
  return found != 0;
}

}  // namespace larr
