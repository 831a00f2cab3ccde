// SPDX-License-Identifier: Apache-2.0
#include "bench/score_model.h"

#include <fmt/format.h>

#include <numeric>
#include <string>
#include <vector>

namespace larr::bench {
namespace {

using config::v1::CtrModelDescription;

void AddBlock(const Block& block, CtrModelDescription& description) {
  auto& spec = *description.mutable_dataset();
  const auto column = [&](const std::string& name) {
    return (block.side == config::v1::CROSS ? "impressions." : "") + name;
  };
  const auto add_feature = [&](const std::string& name) {
    auto& feature = *spec.add_tabular_features();
    feature.set_name(name);
    feature.set_side(block.side);
    auto& learned = *description.add_features();
    learned.set_name(name);
    learned.set_deviation(1);
    return &feature;
  };
  for (int i = 0; i < block.ids; ++i) {
    const std::string name = fmt::format("{}_id_{}", block.name, i);
    auto& hash = *add_feature(name)->mutable_hash();
    hash.add_columns(column(name));
    hash.set_buckets(kTableRows);
    if (i < block.targets)
      (block.side == config::v1::USER ? spec.add_user_embedding_features()
                                      : spec.add_poi_embedding_features())
          ->assign(name);
  }
  for (int i = 0; i < block.dense; ++i) {
    const std::string name = fmt::format("{}_number_{}", block.name, i);
    add_feature(name)->mutable_dense()->set_column(column(name));
  }
  for (int i = 0; i < block.texts; ++i) {
    const std::string name = fmt::format("{}_text_{}", block.name, i);
    auto& keyword = *spec.add_keywords();
    keyword.set_name(name);
    keyword.set_side(block.side);
    keyword.set_group(block.side == config::v1::POI
                          ? config::v1::Keyword::POI_BASIC
                          : config::v1::Keyword::USER_ACTION);
    keyword.set_template_("{" + name + "}");
    if (block.side == config::v1::CONTEXT) {
      auto& domain = *keyword.add_domains();
      domain.set_column(name);
      for (int value = 0; value < kDomain; ++value)
        domain.add_values(fmt::format("value {}", value));
    }
    spec.add_scene_features(name);
  }
}

}  // namespace

CtrModelDescription DescribeScoreModel() {
  CtrModelDescription description;
  description.set_name("larr");
  description.set_has_order_task(true);
  description.set_text_dim(kTextDim);
  description.set_embedder_fingerprint("bench");
  description.mutable_architecture()->set_kind(
      config::v1::CtrArchitecture::LARR);
  auto& spec = *description.mutable_dataset();
  spec.set_name("bench");
  spec.mutable_impressions()->set_path("impressions");
  spec.mutable_impressions()->set_user_key("user");
  spec.mutable_impressions()->set_poi_key("poi");
  spec.mutable_impressions()->set_click_column("click");
  spec.mutable_users()->set_path("users");
  spec.mutable_users()->set_key("user");
  spec.mutable_pois()->set_path("pois");
  spec.mutable_pois()->set_key("poi");
  for (const Block& block : kBlocks) AddBlock(block, description);
  return description;
}

torch::Tensor PeerColumns(const CtrLayout& layout) {
  std::vector<int64_t> ids, dense;
  const auto append = [](std::vector<int64_t>& to, int64_t first,
                         int64_t count) {
    to.resize(to.size() + count);
    std::iota(to.end() - count, to.end(), first);
  };
  for (const CtrBlock& block : layout.blocks) {
    const int64_t width = block.id_count * layout.embedding_width;
    append(ids, block.first_column, width);
    append(dense, block.first_column + width, block.dense_count);
  }
  ids.insert(ids.end(), dense.begin(), dense.end());
  append(ids, layout.tabular_columns, layout.target_width());
  return torch::tensor(ids, torch::kInt64);
}

}  // namespace larr::bench
