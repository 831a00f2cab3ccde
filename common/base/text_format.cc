// SPDX-License-Identifier: Apache-2.0
#include "common/base/text_format.h"

#include <fmt/format.h>
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/text_format.h>

#include <algorithm>

#include "common/base/utf8.h"

namespace larr {
namespace {

// Keeps the first error: the others mostly follow from it.
class FirstError : public google::protobuf::io::ErrorCollector {
 public:
  explicit FirstError(std::string_view name) : name_(name) {}

  void AddError(int line, int column, const std::string& message) override {
    if (text_.empty())
      text_ = fmt::format("{}:{}:{}: {}", name_, line + 1, column + 1, message);
  }
  const std::string& text() const { return text_; }

 private:
  const std::string name_;
  std::string text_;
};

}  // namespace

std::string ParseTextFormat(std::string_view text, std::string_view name,
                            google::protobuf::Message& message) {
  // A string field that is not UTF-8 could be written and never read again.
  if (const size_t at = FindMalformedUtf8(text); at != std::string_view::npos) {
    const std::string_view before = text.substr(0, at);
    return fmt::format(
        "{}:{}:{}: this byte is not UTF-8; save the file as UTF-8", name,
        1 + std::count(before.begin(), before.end(), '\n'),
        at - (before.rfind('\n') + 1) + 1);
  }
  FirstError error(name);
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&error);
  if (parser.ParseFromString(std::string(text), &message)) return "";
  return error.text();
}

}  // namespace larr
