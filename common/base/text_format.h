// SPDX-License-Identifier: Apache-2.0
//
// Protobuf's text format, with errors that people can use.
//
// Threads: pure functions.
#pragma once

#include <google/protobuf/message.h>

#include <string>
#include <string_view>

namespace larr {

// Reads `text` into `message`. Returns what is wrong with it as `name`, line,
// column and reason, e.g. `x.textproto:3:7: Expected ...`; empty if nothing is.
// `name` stands for the text.
std::string ParseTextFormat(std::string_view text, std::string_view name,
                            google::protobuf::Message& message);

}  // namespace larr
