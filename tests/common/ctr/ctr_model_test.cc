// SPDX-License-Identifier: Apache-2.0
#include "common/ctr/ctr_model.h"

#include <torch/utils.h>

#include <catch2/catch.hpp>

#include "tests/common/ctr/golden.h"

namespace larr {
namespace {

using testing::Golden;
using testing::GoldenBatch;
using testing::GoldenFolder;
using testing::MaxDifference;
using torch::Tensor;

TEST_CASE("a whole LARR agrees with the PyTorch reference") {
  const Golden golden("larr_steps.safetensors");
  const auto loaded = LoadCtrModel(GoldenFolder() / "larr").value();
  const CtrBatch batch = GoldenBatch(golden, 0);
  REQUIRE(MaxDifference(loaded.model->Predict(batch), golden["probabilities"]) <
          1e-6);
  const auto out =
      loaded.model->Forward(batch, loaded.model->tables().Lookup(batch.ids));
  REQUIRE(MaxDifference(out.e_s.detach(), golden["e_s"]) < 1e-5);
  REQUIRE(torch::equal(out.e_t, golden["e_t"]));
}

TEST_CASE("a row's score does not depend on the rest of the batch") {
  const Golden golden("larr_steps.safetensors");
  const auto loaded = LoadCtrModel(GoldenFolder() / "larr").value();
  CtrBatch batch = GoldenBatch(golden, 0);
  const Tensor together = loaded.model->Predict(batch);
  for (int64_t row = 0; row < batch.rows(); ++row) {
    CtrBatch one = batch;
    one.ids = batch.ids.slice(0, row, row + 1);
    one.dense = batch.dense.slice(0, row, row + 1);
    one.scene.index_Br = batch.scene.index_Br.slice(0, row, row + 1);
    REQUIRE(MaxDifference(loaded.model->Predict(one)[0], together[row]) < 1e-6);
  }
}

TEST_CASE("a missing text is scored by its slot's default alone") {
  const Golden golden("larr_steps.safetensors");
  const auto loaded = LoadCtrModel(GoldenFolder() / "larr").value();
  CtrBatch batch = GoldenBatch(golden, 0);
  batch.scene.index_Br = torch::full_like(batch.scene.index_Br, -1);
  const Tensor missing = loaded.model->Predict(batch);
  batch.scene.texts_TC = batch.scene.texts_TC + 100;
  REQUIRE(torch::equal(loaded.model->Predict(batch), missing));
  const torch::NoGradGuard no_grad;
  loaded.model->named_parameters()["scene.default"].add_(1);
  REQUIRE_FALSE(torch::equal(loaded.model->Predict(batch), missing));
}

TEST_CASE("a model without texts has neither e_s nor e_t") {
  const Golden golden("larr_steps.safetensors");
  const auto model = NewCtrModel(testing::TinyPleDescription(), 1).value();
  CtrBatch batch = GoldenBatch(golden, 0);
  batch.scene = {};
  const auto out = model->Forward(batch, model->tables().Lookup(batch.ids));
  REQUIRE_FALSE(out.e_s.defined());
  REQUIRE(out.logits.sizes() == torch::IntArrayRef({9, 2}));
}

}  // namespace
}  // namespace larr
