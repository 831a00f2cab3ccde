// SPDX-License-Identifier: Apache-2.0
#include "common/config/text_proto.h"

#include <google/protobuf/text_format.h>

#include "common/base/files.h"
#include "common/base/invalid_argument.h"
#include "common/base/status_macros.h"
#include "common/base/text_format.h"

namespace larr {
absl::Status ParseTextProto(std::string_view text, std::string_view name,
                            google::protobuf::Message& message) {
  const std::string error = ParseTextFormat(text, name, message);
  if (error.empty()) return absl::OkStatus();
  return Invalid("{} (expected a {})", error,
                 message.GetDescriptor()->full_name());
}

absl::Status LoadTextProto(const std::filesystem::path& path,
                           google::protobuf::Message& message) {
  LARR_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  return ParseTextProto(text, path.string(), message);
}

std::string ToTextProto(const google::protobuf::Message& message) {
  std::string text;
  google::protobuf::TextFormat::PrintToString(message, &text);
  return text;
}

}  // namespace larr
