// SPDX-License-Identifier: Apache-2.0
#include "common/config/training_paths.h"

#include <catch2/catch.hpp>

namespace larr {
namespace {

TEST_CASE("The paths of a spec are those that are set", "[config]") {
  config::v1::TrainingSpec spec;
  CHECK(PathsOf(spec).empty());
  CHECK_FALSE(spec.has_pretrain());  // Looking adds nothing.
  CHECK_FALSE(spec.has_embed());
  spec.set_dataset("d");
  spec.set_base_model("b");
  spec.set_snapshot("s");
  spec.mutable_pretrain()->set_general_corpus("g");
  spec.mutable_embed()->set_vectors_file("v");
  std::string all;
  for (std::string* path : PathsOf(spec)) {
    all += *path;
    *path = "/" + *path;
  }
  CHECK(all == "dbsgv");
  CHECK(spec.dataset() == "/d");
  CHECK(spec.embed().vectors_file() == "/v");
}

TEST_CASE("Paths that are not absolute are of the given folder", "[config]") {
  config::v1::TrainingSpec spec;
  spec.set_dataset("../city/dataset.textproto");
  spec.set_base_model("/models/smollm2");
  MakePathsAbsolute("/runs/specs", spec);
  CHECK(spec.dataset() == "/runs/city/dataset.textproto");
  CHECK(spec.base_model() == "/models/smollm2");
  CHECK(spec.snapshot().empty());
}

}  // namespace
}  // namespace larr
