// SPDX-License-Identifier: Apache-2.0
#include "tools/demo/demo.h"

#include <catch2/catch.hpp>

#include "tests/testing/temp_dir.h"

namespace larr::demo {
namespace {

TEST_CASE("A finished part is not done again, a failed one is", "[demo]") {
  const testing::TempDir dir;
  const DemoOptions options{
      .out = dir.path() / "out", .size = "tiny", .base_model = dir.path()};
  int calls = 0;
  const auto work = [&]() -> absl::StatusOr<Json> {
    if (++calls == 1) return absl::UnavailableError("not yet");
    return Json{{"x", calls}};
  };
  for (int run = 0; run < 3; ++run) {
    auto demo = Demo::Open(options);
    INFO(demo.status().ToString());
    REQUIRE(demo.ok());
    const auto part = demo->Part("p", "a part", "1 s", work);
    CHECK(part.ok() == (run > 0));
    if (part.ok()) {
      CHECK((*part)["x"] == 2);
      CHECK((*part)["seconds"].get<double>() >= 0);
    }
  }
  CHECK(calls == 2);
}

TEST_CASE("A path below this folder is short", "[demo]") {
  const auto here = std::filesystem::current_path();
  CHECK(ShortPath(here / "out/demo") == "out/demo");
  CHECK(ShortPath(here.parent_path()) == here.parent_path().string());
  CHECK(ShortPath(here.string() + "-other/x") == here.string() + "-other/x");
}

TEST_CASE("A folder of other settings is refused", "[demo]") {
  const testing::TempDir dir;
  DemoOptions options{
      .out = dir.path() / "out", .size = "tiny", .base_model = dir.path()};
  REQUIRE(Demo::Open(options).ok());
  options.size = "demo";
  const absl::Status status = Demo::Open(options).status();
  CHECK(absl::IsFailedPrecondition(status));
  CHECK_THAT(status.ToString(), Catch::Contains("--out"));
  options.base_model = dir.path() / "nothing";
  CHECK(absl::IsNotFound(Demo::Open(options).status()));
}

TEST_CASE("The training settings of both sizes are whole", "[demo]") {
  for (const char* size : {"demo", "tiny"}) {
    const testing::TempDir dir;
    const auto demo = Demo::Open(
        {.out = dir.path() / "out", .size = size, .base_model = dir.path()});
    REQUIRE(demo.ok());
    const auto& training = demo->training();
    REQUIRE(training.align_size() == 2);
    CHECK(training.align(0).name() == "ple");
    CHECK(training.align(1).name() == "larr");
    CHECK(training.pretrain().steps() > 0);
    CHECK(training.contrast().steps() > 0);
    CHECK(std::filesystem::path(training.dataset()).is_absolute());
  }
}

}  // namespace
}  // namespace larr::demo
