// SPDX-License-Identifier: Apache-2.0
#include "common/ctr/tensor_shapes.h"

#include <catch2/catch.hpp>

#include "common/config/training_settings.h"
#include "tests/common/ctr/random_model.h"

namespace larr {
namespace {

// A header of the shapes, its offsets left out.
SafetensorsHeader HeaderOf(const std::vector<TensorShape>& shapes) {
  SafetensorsHeader header;
  for (const TensorShape& shape : shapes)
    header.tensors[shape.name].shape = shape.sizes;
  return header;
}

TEST_CASE("the shapes are those of the model that is made") {
  for (unsigned seed = 0; seed < 100; ++seed) {
    CAPTURE(seed);
    const testing::RandomModel random(seed);
    const LoadedCtrModel& loaded = *random.loaded();
    const auto complete =
        CompleteArchitecture(loaded.description.architecture()).value();
    const auto shapes = CtrTensorShapes(complete, random.layout());
    const auto tensors = NamedTensors(*loaded.model);
    REQUIRE(shapes.size() == tensors.size());
    for (const TensorShape& shape : shapes) {
      CAPTURE(shape.name);
      REQUIRE(tensors.contains(shape.name));
      REQUIRE(tensors.at(shape.name).sizes().vec() == shape.sizes);
    }
    REQUIRE(
        CheckCtrTensors(HeaderOf(shapes), "x", complete, random.layout()).ok());
  }
}

TEST_CASE("a file of another model is refused by tensor and field") {
  const testing::RandomModel random(1);
  const auto architecture =
      CompleteArchitecture(random.loaded()->description.architecture()).value();
  SafetensorsHeader header =
      HeaderOf(CtrTensorShapes(architecture, random.layout()));
  const auto message = [&] {
    const auto status =
        CheckCtrTensors(header, "file", architecture, random.layout());
    REQUIRE(status.code() == absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  };
  SECTION("unknown") {
    header.tensors["more"];
    REQUIRE_THAT(message(),
                 Catch::StartsWith("file: tensor \"more\" is unknown"));
  }
  SECTION("missing") {
    header.tensors.erase("ple.tower0_hidden_bias");
    REQUIRE_THAT(message(), Catch::StartsWith("file: tensor \"ple.tower0_hidde"
                                              "n_bias\" is missing; `archi"));
  }
  SECTION("shape") {
    header.tensors["tables.weight"].shape[0] = 7;
    REQUIRE_THAT(message(), Catch::Contains("has shape [7, ") &&
                                Catch::Contains("of which `"));
  }
  SECTION("dtype") {
    header.tensors["tables.weight"].type = TensorType::kBF16;
    REQUIRE_THAT(message(), Catch::Contains("has dtype BF16, not F32"));
  }
}

}  // namespace
}  // namespace larr
