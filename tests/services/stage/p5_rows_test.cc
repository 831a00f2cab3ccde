// SPDX-License-Identifier: Apache-2.0
#include "services/stage/p5_rows.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <memory>
#include <vector>

#include "common/config/training_settings.h"
#include "services/stage/p5_recommender.h"
#include "tests/services/stage/p5_fixture.h"

namespace larr::stage {
namespace {

using config::v1::AlignConfig;
using testing::CtrFixture;

// What steps are made of: 120 training rows.
struct World {
  CtrFixture fixture;
  AlignConfig config;
  std::unique_ptr<P5Recommender> recommender;

  World() {
    const auto stage =
        testing::P5Stage(fixture, config::v1::StageConfig::ALIGN);
    config = CompleteAlignConfig(stage.spec().align(1)).value();
    config::v1::CtrModelDescription description;
    *description.mutable_dataset() = fixture.dataset().spec;
    description.set_has_order_task(true);
    recommender = P5Recommender::Make(
                      P5Model::Start(testing::TinyLlama(), config.p5()).value(),
                      description, fixture.dataset())
                      .value();
  }
  P5Rows Rows(uint64_t seed = 7) const {
    return {fixture.dataset(), config, seed, recommender->text(),
            recommender->prompts()};
  }
};

std::vector<P5Step> All(P5Rows rows) {
  std::vector<P5Step> steps;
  while (true) {
    P5Step step = rows.Next().value();
    if (step.rows() == 0) return steps;
    steps.push_back(std::move(step));
  }
}

bool Equal(const P5Step& a, const P5Step& b) {
  return a.answers == b.answers && a.tokens == b.tokens &&
         std::equal(a.prompts.begin(), a.prompts.end(), b.prompts.begin(),
                    b.prompts.end(), [](const auto& x, const auto& y) {
                      return x.ids == y.ids && x.words == y.words;
                    });
}

TEST_CASE("Each epoch's steps hold every row once, filled by tokens") {
  const World world;
  const auto steps = All(world.Rows());
  int64_t rows = 0;
  std::vector<std::vector<TokenIds>> epochs(1);
  for (const P5Step& step : steps) {
    CHECK(step.tokens <= 1600);
    CHECK(step.answers.size() == 2 * step.prompts.size());
    int64_t tokens = 0;
    for (const P5Prompt& prompt : step.prompts) {
      tokens += static_cast<int64_t>(prompt.ids.size());
      epochs.back().push_back(prompt.ids);
    }
    CHECK(step.tokens == tokens);
    rows += step.rows();
    if (epochs.back().size() == 120) epochs.emplace_back();
  }
  CHECK(rows == 360);
  REQUIRE(epochs.size() == 4);
  epochs.pop_back();
  CHECK(epochs[0] != epochs[1]);
  for (auto& epoch : epochs) std::sort(epoch.begin(), epoch.end());
  CHECK(epochs[0] == epochs[1]);
  CHECK(epochs[0] == epochs[2]);
  // All but an epoch's last are nearly full.
  CHECK(std::count_if(steps.begin(), steps.end(), [](const P5Step& step) {
          return step.tokens < 1600 - 256;
        }) <= 3);
}

TEST_CASE("Answers are the labels, the click's first") {
  World world;
  world.config.set_epochs(1);
  const auto& prompts = world.recommender->prompts();
  int64_t clicks = 0, orders = 0;
  for (const P5Step& step : All(world.Rows())) {
    const auto middle = step.answers.begin() + step.rows();
    clicks += std::count(step.answers.begin(), middle, prompts.yes());
    orders += std::count(middle, step.answers.end(), prompts.yes());
    for (const int32_t answer : step.answers)
      CHECK((answer == prompts.yes() || answer == prompts.no()));
    for (int64_t i = 0; i < step.rows(); ++i)
      if (middle[i] == prompts.yes()) CHECK(step.answers[i] == prompts.yes());
  }
  CHECK(clicks == 60);
  CHECK(orders == 30);
}

TEST_CASE("Steps go on where they were, and follow from the seed") {
  const World world;
  const auto steps = All(world.Rows());
  REQUIRE(steps.size() > 12);
  for (const size_t until :
       {size_t{0}, size_t{3}, steps.size() / 3, steps.size() - 1}) {
    P5Rows first = world.Rows();
    for (size_t i = 0; i < until; ++i) REQUIRE(first.Next().ok());
    P5Rows second = world.Rows();
    second.Seek(first.position());
    for (size_t i = until; i < steps.size(); ++i)
      REQUIRE(Equal(second.Next().value(), steps[i]));
    CHECK(second.Next().value().rows() == 0);
  }
  CHECK_FALSE(Equal(All(world.Rows(8))[0], steps[0]));
}

TEST_CASE("max_rows are the same rows in every epoch") {
  World world;
  world.config.set_max_rows(20);
  const auto steps = All(world.Rows());
  REQUIRE(steps.size() % 3 == 0);
  int64_t rows = 0;
  for (size_t i = 0; i < steps.size(); ++i) {
    rows += steps[i].rows();
    CHECK(Equal(steps[i], steps[i % (steps.size() / 3)]));
  }
  CHECK(rows == 60);
}

}  // namespace
}  // namespace larr::stage
