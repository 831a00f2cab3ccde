// SPDX-License-Identifier: Apache-2.0
#include "common/telemetry/logging.h"

#include <spdlog/spdlog.h>

#include <catch2/catch.hpp>

namespace larr {

TEST_CASE("The default logger has the program's name, also when set up twice",
          "[telemetry]") {
  InitLogging("first");
  InitLogging("second");
  InitLogging("second");
  CHECK(spdlog::default_logger()->name() == "second");
  CHECK(spdlog::should_log(spdlog::level::info));
}

}  // namespace larr
