// SPDX-License-Identifier: Apache-2.0
#include "common/ctr/ple_split.h"

#include <torch/utils.h>

#include <catch2/catch.hpp>
#include <vector>

#include "tests/common/ctr/random_model.h"

namespace larr {
namespace {

using torch::Tensor;

TEST_CASE("columns added apart give PLE's own scores") {
  const torch::NoGradGuard no_grad;
  for (unsigned seed = 0; seed < 30; ++seed) {
    CAPTURE(seed);
    testing::RandomModel model(seed);
    const CtrLayout& layout = model.layout();
    const auto tensors = NamedTensors(*model.loaded()->model);
    const auto& architecture = model.loaded()->description.architecture();
    Ple ple(architecture, layout.tasks, layout.input_width());
    for (auto& item : ple.named_parameters())
      item.value().copy_(tensors.at("ple." + item.key()));
    const PleSplit split(tensors, architecture, layout, torch::kFloat32);

    const Tensor x = torch::randn({17, layout.input_width()});
    // The request's columns are the first row's.
    const int64_t poi = layout.blocks[2].first_column;
    const int64_t cross = layout.blocks[3].first_column;
    x.narrow(1, 0, poi).copy_(x.narrow(0, 0, 1).narrow(1, 0, poi).clone());
    const Tensor expected = ple.Forward(x).sigmoid();

    const Tensor shared =
        split.RequestColumns(x.narrow(0, 0, 1).narrow(1, 0, poi).contiguous())
            .contiguous();
    const Tensor own =
        split.PoiColumns(x.slice(1, poi, cross).contiguous()).contiguous();
    std::vector<const float*> rows;
    for (int64_t i = 0; i < 17; ++i)
      rows.push_back(own.const_data_ptr<float>() + i * split.columns());
    const auto scores =
        split.Predict<float>(x.slice(1, cross).contiguous(),
                             shared.const_data_ptr<float>(), rows.data());
    REQUIRE(static_cast<int64_t>(scores.size()) == layout.tasks);
    for (int64_t task = 0; task < layout.tasks; ++task)
      REQUIRE(
          (scores[task] - expected.select(1, task)).abs().max().item<float>() <
          1e-5);
  }
}

}  // namespace
}  // namespace larr
