// SPDX-License-Identifier: Apache-2.0
//
// What larrctl prints on stdout: tables for people, JSON for scripts.
#pragma once

#include <google/protobuf/message.h>
#include <google/protobuf/timestamp.pb.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace larr::ctl {

// Columns as wide as their widest cell, two spaces apart, no trailing blanks.
// Each row has one cell for each header.
std::string Table(const std::vector<std::string>& headers,
                  const std::vector<std::vector<std::string>>& rows);

// The message in the JSON form of proto3 with the field names of the .proto
// files, one line, every plain field present.
std::string ToJson(const google::protobuf::Message& message);

// Prints ToJson(message) and a line's end, at once (not when a buffer is full).
void PrintJson(const google::protobuf::Message& message);

// Prints an answer, as JSON or by `print`; returns its status.
template <typename Message, typename Print>
absl::Status Show(bool json, const absl::StatusOr<Message>& answer,
                  const Print& print) {
  if (!answer.ok()) return answer.status();
  json ? PrintJson(*answer) : print(*answer);
  return absl::OkStatus();
}

// `2026-11-23 06:50:13` in UTC; `-` for a time that is not set.
std::string TimeText(const google::protobuf::Timestamp& time);

// `00:02:10`, or `1d 03:02:10` from a day on. Fractions are cut.
std::string DurationText(double seconds);

// Seconds from `begin` to `end`, or to now if `end` is not set; 0 if `begin`
// is not set.
double SecondsBetween(const google::protobuf::Timestamp& begin,
                      const google::protobuf::Timestamp& end);

}  // namespace larr::ctl
