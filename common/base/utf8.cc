// SPDX-License-Identifier: Apache-2.0
#include "common/base/utf8.h"

#include <cstdint>
#include <cstring>

namespace larr {
namespace {

// Bytes of the character that `text` begins with; 0 if it begins with none.
size_t CharacterSize(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return 1;
  const size_t size = lead < 0xC2   ? 0
                      : lead < 0xE0 ? 2
                      : lead < 0xF0 ? 3
                      : lead < 0xF5 ? 4
                                    : 0;
  if (size == 0 || text.size() < size) return 0;
  // What the second byte may be, by the first: no overlong form, surrogate or
  // number that is too high.
  const uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  if (byte(1) < low || byte(1) > high) return 0;
  for (size_t i = 2; i < size; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  return size;
}

}  // namespace

size_t FindMalformedUtf8(std::string_view text) {
  constexpr uint64_t kHighBits = 0x8080808080808080;
  size_t at = 0;
  while (at < text.size()) {
    // Eight ASCII characters at once.
    if (uint64_t eight = kHighBits; text.size() - at >= sizeof(eight)) {
      std::memcpy(&eight, text.data() + at, sizeof(eight));
      if ((eight & kHighBits) == 0) {
        at += sizeof(eight);
        continue;
      }
    }
    const size_t size = CharacterSize(text.substr(at));
    if (size == 0) return at;
    at += size;
  }
  return std::string_view::npos;
}

std::string ReplaceMalformedUtf8(std::string_view text) {
  std::string out;
  while (true) {
    const size_t at = FindMalformedUtf8(text);
    out += text.substr(0, at);
    if (at == std::string_view::npos) return out;
    out += "\xEF\xBF\xBD";
    text.remove_prefix(at + 1);
  }
}

std::string CutUtf8(std::string_view text, size_t bytes) {
  if (text.size() <= bytes) return std::string(text);
  constexpr std::string_view kEllipsis = "...";
  size_t end = bytes - kEllipsis.size();
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80)
    --end;
  return std::string(text.substr(0, end)).append(kEllipsis);
}

}  // namespace larr
