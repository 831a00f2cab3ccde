// SPDX-License-Identifier: Apache-2.0
#include "bench/profile.h"

#include <ATen/record_function.h>
#include <torch/autograd.h>
#include <torch/types.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <map>
#include <thread>

namespace larr::bench {
namespace {

using torch::Tensor;

void Sleep(int milliseconds) {
  std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
}

std::map<std::string, double> SecondsByGroup(const Profile& profile) {
  std::map<std::string, double> seconds;
  for (const OperatorTime& time : profile.operators)
    seconds[time.group] += time.seconds;
  return seconds;
}

// A node of ours, as those of layer_ops.cc.
struct Gate : torch::autograd::Function<Gate> {
  static Tensor forward(torch::autograd::AutogradContext*, const Tensor& x) {
    return x.clone();
  }
  static torch::autograd::tensor_list backward(
      torch::autograd::AutogradContext*,
      torch::autograd::tensor_list upstream) {
    Sleep(20);
    return upstream;
  }
};

TEST_CASE("every second belongs to one group") {
  const Tensor x = torch::ones({300, 300});
  const Profile profile = ProfileOf([&] {
    at::mm(x, x);
    Sleep(20);
    RECORD_USER_SCOPE("norm");
    Sleep(30);
    at::mm(x, x);
  });
  const auto seconds = SecondsByGroup(profile);
  CHECK(seconds.at("other") >= 0.02);
  CHECK(seconds.at("norm") >= 0.03);
  CHECK(seconds.at("gemm") > 0);
  double sum = 0;
  int64_t multiplied = 0;
  for (const OperatorTime& time : profile.operators) {
    sum += time.seconds;
    if (time.name == "aten::mm") multiplied += time.calls;
  }
  CHECK(sum == Approx(profile.seconds).margin(1e-6));
  CHECK(multiplied == 2);  // One as `gemm`, one as part of `norm`.
  CHECK(ToTable(profile).find("norm        norm") != std::string::npos);
}

TEST_CASE("backward passes of our nodes have their group") {
  const Tensor x = torch::ones({2, 2}).requires_grad_(true);
  const auto seconds =
      SecondsByGroup(ProfileOf([&] { Gate::apply(x).sum().backward(); }));
  CHECK(seconds.at("silu") >= 0.02);
}

TEST_CASE("other threads, and what comes after, are not counted") {
  const Tensor x = torch::ones({2, 2});
  const Profile profile = ProfileOf([&] {
    std::thread other([&] { at::mm(x, x); });
    other.join();
  });
  CHECK(SecondsByGroup(profile).count("gemm") == 0);
  at::mm(x, x);
  CHECK(profile.operators.size() == 1);
}

}  // namespace
}  // namespace larr::bench
