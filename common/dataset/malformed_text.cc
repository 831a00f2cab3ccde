// SPDX-License-Identifier: Apache-2.0
#include "common/dataset/malformed_text.h"

#include <fmt/format.h>

#include <variant>

#include "common/base/utf8.h"

namespace larr {

using config::v1::DatasetSpec;

absl::Status MakeUtf8(const DatasetSpec& spec, const CellPlace& place,
                      std::string& text) {
  const size_t at = FindMalformedUtf8(text);
  if (at == std::string::npos) return absl::OkStatus();
  if (spec.malformed_text() == DatasetSpec::REPLACE) {
    text = ReplaceMalformedUtf8(text);
    return absl::OkStatus();
  }
  return WrongCell(
      place, fmt::format("the text is not UTF-8 from its byte {} on; write it "
                         "as UTF-8, or set `malformed_text: REPLACE` in the "
                         "dataset's spec",
                         at));
}

absl::Status MakeUtf8(const DatasetSpec& spec, const CellPlace& place,
                      Value& value) {
  auto* text = std::get_if<std::string>(&value);
  return text == nullptr ? absl::OkStatus() : MakeUtf8(spec, place, *text);
}

}  // namespace larr
