// SPDX-License-Identifier: Apache-2.0
#include "tools/larrctl/part_progress.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <thread>

namespace larr::ctl {
namespace {

TEST_CASE("A part says how far it is, and how long it took", "[larrctl]") {
  std::FILE* file = std::tmpfile();
  PartProgress progress("requests", 4000, file);
  for (int i = 0; i < 1000; ++i) progress.Update(i);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  progress.Finish(3990);
  std::string text(static_cast<size_t>(std::ftell(file)), '\0');
  std::rewind(file);
  text.resize(std::fread(text.data(), 1, text.size(), file));
  std::fclose(file);
  CHECK(std::count(text.begin(), text.end(), '\n') == 2);
  CHECK_THAT(text, Catch::StartsWith("requests: RUNNING  0 %"));
  CHECK_THAT(text, Catch::Contains("requests: SUCCEEDED  3990/3990  ") &&
                       Catch::Contains(" requests/s  00:00:00"));
}

}  // namespace
}  // namespace larr::ctl
