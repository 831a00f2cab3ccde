// SPDX-License-Identifier: Apache-2.0
//
// Text protos: the one format of settings (docs: protos/larr/config/v1).
//
// Threads:    safe.
// Errors:     kInvalidArgument  names the file, line, column and what is wrong;
//             otherwise those of common/base/files.h.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "google/protobuf/message.h"

namespace larr {

// Parses `text` into `message`; `name` stands for it in errors.
absl::Status ParseTextProto(std::string_view text, std::string_view name,
                            google::protobuf::Message& message);

template <typename T>
absl::StatusOr<T> ParseTextProto(std::string_view text,
                                 std::string_view name = "text") {
  T message;
  if (auto status = ParseTextProto(text, name, message); !status.ok())
    return status;
  return message;
}

// Reads the file at `path` into `message`.
absl::Status LoadTextProto(const std::filesystem::path& path,
                           google::protobuf::Message& message);

template <typename T>
absl::StatusOr<T> LoadTextProto(const std::filesystem::path& path) {
  T message;
  if (auto status = LoadTextProto(path, message); !status.ok()) return status;
  return message;
}

// The message as text, one field a line; equal messages give equal text.
std::string ToTextProto(const google::protobuf::Message& message);

}  // namespace larr
