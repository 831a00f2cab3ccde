// SPDX-License-Identifier: Apache-2.0
#include "common/telemetry/logging.h"

#include <spdlog/cfg/env.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <string>

namespace larr {

void InitLogging(std::string_view program) {
  const std::string name(program);
  auto logger = spdlog::get(name);
  if (!logger) logger = spdlog::stderr_color_mt(name);
  spdlog::set_default_logger(logger);
  spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %L %n %v");
  spdlog::flush_on(spdlog::level::warn);
  spdlog::cfg::load_env_levels();
}

}  // namespace larr
