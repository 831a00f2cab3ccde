// SPDX-License-Identifier: Apache-2.0
#include "common/ctr/ple.h"

#include <torch/utils.h>

#include <catch2/catch.hpp>

#include "common/config/training_settings.h"
#include "tests/common/ctr/golden.h"

namespace larr {
namespace {

using torch::Tensor;

// The golden of ctr_model_test compares the numbers; here: structure.
config::v1::CtrArchitecture Architecture(int levels) {
  config::v1::CtrArchitecture architecture;
  architecture.set_kind(config::v1::CtrArchitecture::PLE);
  architecture.set_ple_levels(levels);
  for (int i = 0; i < levels; ++i) architecture.add_expert_widths(6);
  architecture.set_tower_width(4);
  return CompleteArchitecture(architecture).value();
}

TEST_CASE("one task and one to three levels give one logit a task") {
  const int levels = GENERATE(1, 2, 3);
  const int64_t tasks = GENERATE(1, 2);
  Ple ple(Architecture(levels), tasks, 7);
  const Tensor logits = ple.Forward(torch::randn({5, 7}));
  REQUIRE(logits.sizes() == torch::IntArrayRef({5, tasks}));
  logits.sum().backward();
  for (const auto& item : ple.named_parameters()) {
    INFO(item.key());
    REQUIRE(item.value().grad().defined());
  }
}

TEST_CASE("on the last level a task never reads the other task's experts") {
  torch::manual_seed(2);
  Ple ple(Architecture(1), 2, 7);
  const Tensor x = torch::randn({5, 7});
  const Tensor before = ple.Forward(x).detach();
  const torch::NoGradGuard no_grad;
  // Experts 2 and 3 of six belong to task 1.
  ple.named_parameters()["level0.expert_bias"].slice(0, 12, 24).add_(1);
  const Tensor after = ple.Forward(x);
  REQUIRE(torch::equal(after.select(1, 0), before.select(1, 0)));
  REQUIRE_FALSE(torch::equal(after.select(1, 1), before.select(1, 1)));
}

}  // namespace
}  // namespace larr
