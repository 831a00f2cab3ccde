// SPDX-License-Identifier: Apache-2.0
#include "common/llm/frozen_cache.h"

#include <signal.h>
#include <sys/resource.h>
#include <torch/utils.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <memory>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "tests/common/llm/golden.h"
#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

using namespace larr::testing;  // NOLINT
using torch::Tensor;
using Ids = std::vector<int64_t>;

constexpr int64_t kWidth = 6;
constexpr int64_t kLarge = 1 << 20;

std::unique_ptr<FrozenCache> Open(const std::filesystem::path& path,
                                  int64_t max_bytes = kLarge,
                                  const std::string& identity = "id") {
  return Value(FrozenCache::Open(path, identity, kWidth, max_bytes));
}

std::vector<float> RowsOf(const Ids& ids) {
  std::vector<float> rows(ids.size() * kWidth);
  std::iota(rows.begin(), rows.end(), static_cast<float>(ids[0]));
  return rows;
}

void Add(FrozenCache& cache, const Ids& ids) {
  cache.Add(ids, RowsOf(ids).data());
}

bool Has(FrozenCache& cache, const Ids& ids) {
  std::vector<float> rows(ids.size() * kWidth);
  if (!cache.Find(ids, rows.data())) return false;
  CHECK(rows == RowsOf(ids));
  return true;
}

TEST_CASE("Texts are found by all of their ids, after a restart, too") {
  const TempDir dir;
  const auto path = dir.path() / "cache";
  {
    auto cache = Open(path);
    CHECK_FALSE(Has(*cache, {1, 2, 3}));
    Add(*cache, {1, 2, 3});
    Add(*cache, {4});
    CHECK(Has(*cache, {1, 2, 3}));
  }
  auto cache = Open(path);
  CHECK(cache->texts() == 2);
  CHECK(cache->bytes() ==
        static_cast<int64_t>(std::filesystem::file_size(path)));
  CHECK(Has(*cache, {1, 2, 3}));
  CHECK(Has(*cache, {4}));
  CHECK_FALSE(Has(*cache, {1, 2}));
  CHECK_FALSE(Has(*cache, {1, 3, 2}));
  // Other layers: nothing of it holds.
  CHECK(Open(path, kLarge, "other")->texts() == 0);
}

TEST_CASE("What a kill cut off is dropped, and what follows is added") {
  const TempDir dir;
  const auto path = dir.path() / "cache";
  int64_t whole = 0;
  {
    auto cache = Open(path);
    Add(*cache, {1, 2});
    whole = cache->bytes();
    Add(*cache, {3, 4, 5});
  }
  const auto size = static_cast<int64_t>(std::filesystem::file_size(path));
  for (int64_t cut = size - 1; cut >= whole; cut -= 7) {
    const auto copy = dir.path() / "copy";
    std::filesystem::copy_file(
        path, copy, std::filesystem::copy_options::overwrite_existing);
    std::filesystem::resize_file(copy, cut);
    auto cache = Open(copy);
    CHECK(cache->bytes() == whole);
    CHECK(Has(*cache, {1, 2}));
    CHECK_FALSE(Has(*cache, {3, 4, 5}));
    Add(*cache, {6});
    CHECK(Has(*Open(copy), {6}));
  }
}

TEST_CASE("Rows that a fault changed are as if they were not there") {
  const TempDir dir;
  const auto path = dir.path() / "cache";
  {
    auto cache = Open(path);
    Add(*cache, {1, 2});
    Add(*cache, {3});
  }
  {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(-2, std::ios::end);
    file.put('x');
  }
  auto cache = Open(path);
  CHECK(Has(*cache, {1, 2}));
  CHECK_FALSE(Has(*cache, {3}));
  Add(*cache, {3});
  CHECK(Has(*cache, {3}));
}

TEST_CASE("At its limit, or on a full disk, nothing more is added") {
  const TempDir dir;
  const bool limit = GENERATE(true, false);
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
  auto cache = Open(dir.path() / "cache", limit ? 500 : kLarge);
  if (!limit) {  // every write beyond it fails, as on a full disk
    signal(SIGXFSZ, SIG_IGN);
    const rlimit small{500, before.rlim_max};
    REQUIRE(setrlimit(RLIMIT_FSIZE, &small) == 0);
  }
  Add(*cache, {1, 2});
  Add(*cache, Ids(100, 7));
  Add(*cache, {3});
  REQUIRE(setrlimit(RLIMIT_FSIZE, &before) == 0);
  CHECK(Has(*cache, {1, 2}));
  CHECK_FALSE(Has(*cache, Ids(100, 7)));
  CHECK(cache->texts() == 1);
  cache = Open(dir.path() / "cache");
  CHECK(Has(*cache, {1, 2}));
  CHECK(cache->texts() == 1);
}

TokenIds RandomText(std::mt19937& random, size_t max_length) {
  TokenIds ids(1 + random() % max_length);
  for (auto& id : ids) id = static_cast<int32_t>(random() % 260);
  return ids;
}

// States of the same texts in other batches, with and without a cache.
void CompareCached(const std::filesystem::path& folder, torch::ScalarType dtype,
                   int64_t frozen, bool without_too) {
  const torch::NoGradGuard no_grad;
  const TempDir dir;
  const Model model = ReadModel(folder, dtype);
  const int64_t vocabulary = model.config.vocab_size;
  const auto cached = [&] {
    Decoder decoder(model.config, model.weights, vocabulary, frozen);
    decoder.CacheFrozenLayers(
        Value(FrozenCache::Open(dir.path() / "cache", decoder.FrozenIdentity(),
                                model.config.hidden_size, int64_t{1} << 30)));
    return decoder;
  };
  std::mt19937 random(9);
  std::vector<TokenIds> texts;
  for (int i = 0; i < 6; ++i) texts.push_back(RandomText(random, 40));
  const PackedBatch batch = Pack(texts);
  const Tensor fresh = cached().Hidden(batch);
  const Decoder decoder = cached();
  CHECK(torch::equal(decoder.Hidden(batch), fresh));  // all are found
  // Some are found, some are not: as if none had been there.
  std::filesystem::remove(dir.path() / "cache");
  const Decoder mixed = cached();
  mixed.Hidden(Pack(std::vector<TokenIds>{texts[3], texts[0]}));
  CHECK(torch::equal(mixed.Hidden(batch), fresh));
  const Decoder plain(model.config, model.weights, vocabulary, frozen);
  const Tensor expected = plain.Hidden(batch);
  CHECK(MinCosine(fresh, expected) > 0.999);
  if (without_too) CHECK(torch::equal(fresh, expected));
}

TEST_CASE("Cached layers give the same bits, whatever was there before") {
  CompareCached(TinyFolder(), torch::kFloat32, 1, true);
  CompareCached(TinyFolder(), torch::kBFloat16, 1, true);
  CompareCached(SmolFolder(), torch::kFloat32, 24, true);
  CompareCached(SmolFolder(), torch::kBFloat16, 24, true);
}

TEST_CASE("What lies under a cache does not learn") {
  const TempDir dir;
  const Model model = ReadModel(SmolFolder(), torch::kBFloat16);
  REQUIRE(model.config.tied_head);
  Decoder decoder(model.config, model.weights, model.config.vocab_size - 4, 29);
  decoder.CacheFrozenLayers(
      Value(FrozenCache::Open(dir.path() / "cache", decoder.FrozenIdentity(),
                              model.config.hidden_size, int64_t{1} << 30)));
  for (const auto& trained : decoder.Train(true))
    CHECK_FALSE(trained.name.starts_with("embedding"));
  CHECK_FALSE(decoder.head().special.requires_grad());
}

}  // namespace
}  // namespace larr
