// SPDX-License-Identifier: Apache-2.0
#include "common/llm/linear_start.h"

#include <torch/utils.h>

#include <catch2/catch.hpp>

#include "common/llm/pair_loss.h"

namespace larr {
namespace {

using torch::Tensor;

constexpr int64_t kWidth = 24;
constexpr int kPairs = 400;

// Pairs of texts of two slots that lie far apart. What the two share is small
// (4 directions), beside noise that is ten times as large and theirs alone.
struct World {
  Tensor states = torch::empty({2 * kPairs, kWidth});
  std::vector<int32_t> slot;
  SlotPairs kind;

  explicit World(double shared = 0.3) {
    torch::manual_seed(1);
    const Tensor means = torch::randn({2, kWidth}) * 20;
    const Tensor mix = torch::randn({4, kWidth}) * shared;
    for (int64_t i = 0; i < kPairs; ++i) {
      const Tensor common = torch::randn({1, 4}).mm(mix).squeeze(0);
      for (int64_t side = 0; side < 2; ++side) {
        Tensor noise = torch::randn({kWidth}) * 0.1;
        noise.narrow(0, 0, 3) *= 30;
        states[2 * i + side] = means[side] + common + noise;
        slot.push_back(static_cast<int32_t>(side));
      }
      kind.pairs.push_back({{2 * i}, {2 * i + 1}});
    }
  }
  Tensor Fit() const { return FitLinearStart(states, slot, {kind}); }
  // The first `dim` coordinates of all states.
  Tensor Vectors(int64_t dim) const {
    return states.mm(Fit().t()).narrow(1, 0, dim);
  }
};

// Of 50 pairs in a batch, as stage 2 sees them.
double Accuracy(const Tensor& vectors) {
  const Tensor batch = vectors.narrow(0, 0, 100).view({50, 2, -1});
  const Tensor none = torch::zeros({50, 50}, torch::kBool);
  return Recall(
      SymmetricInfoNce(batch.select(1, 0), batch.select(1, 1), none, 1).ranks,
      1);
}

TEST_CASE("The start finds what the sides of a pair share") {
  const World world;
  const Tensor raw = world.states - world.states.mean(0);
  const Tensor start = world.Vectors(6);
  CHECK(Accuracy(raw) < 0.3);
  CHECK(Accuracy(start) > 0.8);
}

TEST_CASE("Nothing of a slot's mean is left but the common coordinate") {
  const World world;
  REQUIRE(world.Fit().sizes() == torch::IntArrayRef({kWidth, kWidth}));
  const Tensor all = world.Vectors(kWidth);
  const Tensor means = all.view({kPairs, 2, kWidth}).mean(0);
  CHECK(means.select(1, 0).sub(2).abs().max().item<double>() < 0.02);
  const Tensor rest = means.narrow(1, 1, kWidth - 1);
  CHECK(rest.abs().max().item<double>() < 0.02);
  // The common coordinate is twice as long as all others together.
  const Tensor size = all.narrow(1, 1, kWidth - 1).square().sum(1).mean();
  CHECK(size.item<double>() == Approx(1).epsilon(0.01));
}

TEST_CASE("Coordinates come in the order of what pairs share in them") {
  const Tensor size = World().Vectors(kWidth).narrow(1, 1, kWidth - 1).std(0);
  // Four directions were shared.
  CHECK(size.narrow(0, 0, 4).min().item<double>() >
        2 * size.narrow(0, 5, 10).max().item<double>());
}

TEST_CASE("A kind of pair without weight has no say") {
  const World world;
  SlotPairs wrong;
  for (int64_t i = 0; i < kPairs; ++i)
    wrong.pairs.push_back({{2 * i}, {2 * ((i + 1) % kPairs) + 1}});
  wrong.weight = 0;
  CHECK(torch::equal(world.Fit(), FitLinearStart(world.states, world.slot,
                                                 {world.kind, wrong})));
}

TEST_CASE("Within groups, what a group has in common does not count") {
  // Each pair is of one of two groups that lie far apart in direction 5.
  World world;
  for (int64_t i = 0; i < kPairs; ++i) {
    world.kind.pairs[i].group = i % 2 ? "odd" : "even";
    for (const int64_t row : {2 * i, 2 * i + 1})
      world.states[row][5] += i % 2 ? 3 : -3;
  }
  // The distance of the groups, of a vector's length.
  const auto distance = [&] {
    const Tensor rest = world.Vectors(kWidth).narrow(1, 1, kWidth - 1);
    const Tensor means = rest.view({kPairs / 2, 2, 2, -1}).mean(2).mean(0);
    return (means[0] - means[1]).norm().item<double>() / 2;
  };
  world.kind.within_groups = 0;
  CHECK(distance() > 0.4);
  world.kind.within_groups = 1;
  CHECK(distance() < 0.1);
  // And what the sides of a pair share is still found.
  CHECK(Accuracy(world.Vectors(6)) > 0.8);
}

TEST_CASE("Principal components are those of a plain SVD, slot by slot") {
  const World world;
  const Tensor coordinates = FitPrincipalComponents(world.states, world.slot);
  const Tensor sides = world.states.view({kPairs, 2, kWidth});
  const Tensor means = sides.mean(0).to(torch::kFloat64);
  const Tensor outside =
      torch::eye(kWidth, torch::kFloat64) - torch::linalg_pinv(means).mm(means);
  const Tensor content =
      (sides - sides.mean(0)).view({-1, kWidth}).to(torch::kFloat64);
  const auto [u, size, directions] =
      torch::linalg_svd(content.mm(outside), false);
  // The same up to their signs and one length; two slots take two directions.
  const Tensor found = coordinates.narrow(0, 1, kWidth - 2).to(torch::kFloat64);
  const Tensor length = found.norm(2, {1}, true);
  CHECK((length / length[0]).sub(1).abs().max().item<double>() < 1e-4);
  const Tensor overlap =
      (found / length * directions.narrow(0, 0, kWidth - 2)).sum(1).abs();
  CHECK(overlap.sub(1).abs().max().item<double>() < 1e-4);
  // Noise is all that is large here: pairs have no say.
  const Tensor variance = content.mm((found / length).t()).var(0);
  CHECK(variance[0].item<double>() == Approx(9).epsilon(0.2));
  // The common coordinate is twice as long as all others together.
  const Tensor all = world.states.mm(coordinates.t());
  CHECK(all.select(1, 0).mean().item<double>() == Approx(2).epsilon(1e-3));
  const Tensor rest = all.narrow(1, 1, kWidth - 1).square().sum(1).mean();
  CHECK(rest.item<double>() == Approx(1).epsilon(0.01));
}

TEST_CASE("Principal axes are orthonormal, that of most variance first") {
  const World world;
  const Tensor axes = PrincipalAxes(world.states, world.slot);
  const Tensor identity = axes.mm(axes.t()) - torch::eye(kWidth);
  CHECK(identity.abs().max().item<double>() < 1e-5);
  const Tensor sides = world.states.view({kPairs, 2, kWidth});
  const Tensor centred = (sides - sides.mean(0)).view({-1, kWidth});
  const Tensor variance = centred.mm(axes.t()).var(0);
  CHECK(variance.narrow(0, 1, kWidth - 1)
            .le(variance.narrow(0, 0, kWidth - 1) + 1e-6)
            .all()
            .item<bool>());
  CHECK(variance[0].item<double>() == Approx(9).epsilon(0.2));
}

TEST_CASE("Fewer texts than directions are enough") {
  const Tensor states = torch::randn({5, kWidth});
  const Tensor coordinates =
      FitLinearStart(states, {0, 0, 1, 1, 2}, {{{{{0}, {2}}, {{1}, {3, 4}}}}});
  CHECK(torch::isfinite(coordinates).all().item<bool>());
  const Tensor components = FitPrincipalComponents(states, {0, 0, 1, 1, 2});
  CHECK(torch::isfinite(components).all().item<bool>());
  const Tensor common = states.mm(components.t())[4][0];
  CHECK(common.item<double>() == Approx(2).epsilon(1e-3));
}

}  // namespace
}  // namespace larr
