// SPDX-License-Identifier: Apache-2.0
//
// What a server's /metrics would answer now.
#pragma once

#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <string>

namespace larr::testing {

inline std::string MetricsText(const prometheus::Registry& registry) {
  return prometheus::TextSerializer().Serialize(registry.Collect());
}

// The value of one line, say `larr_calls_total{code="OK"}`; 0 before it is
// there.
inline double MetricValue(const prometheus::Registry& registry,
                          const std::string& line) {
  const std::string text = "\n" + MetricsText(registry);
  const std::string start = "\n" + line + " ";
  const size_t at = text.find(start);
  return at == std::string::npos ? 0
                                 : std::stod(text.substr(at + start.size()));
}

}  // namespace larr::testing
