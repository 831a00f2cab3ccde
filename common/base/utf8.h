// SPDX-License-Identifier: Apache-2.0
//
// Texts that are, or are not, UTF-8 (RFC 3629: no overlong forms, no
// surrogates, nothing above U+10FFFF).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace larr {

// Offset of the first byte that is not part of a character; `npos` if the
// whole text is UTF-8.
size_t FindMalformedUtf8(std::string_view text);

// The text with U+FFFD for each byte that is not part of a character.
std::string ReplaceMalformedUtf8(std::string_view text);

// The text, or as many of its whole characters as fit into `bytes` with an
// ellipsis behind them. REQUIRES: bytes >= 3
std::string CutUtf8(std::string_view text, size_t bytes);

}  // namespace larr
