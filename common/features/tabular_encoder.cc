// SPDX-License-Identifier: Apache-2.0
#include "common/features/tabular_encoder.h"

#include <absl/status/status.h>
#include <xxhash.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <utility>

#include "common/base/invalid_argument.h"
#include "common/base/status_macros.h"

namespace larr {
namespace {

using config::v1::DatasetSpec;
using config::v1::LearnedFeature;
using config::v1::Side;
using config::v1::TabularFeature;

// A number further from the mean is not known.
constexpr float kMostDeviations = 1e6F;

int BlockIndex(Side side) {
  return static_cast<int>(
      std::find(kBlockOrder.begin(), kBlockOrder.end(), side) -
      kBlockOrder.begin());
}

template <typename Edges>
bool Ascending(const Edges& edges) {
  return std::is_sorted(edges.begin(), edges.end(), std::less_equal<>()) &&
         std::all_of(edges.begin(), edges.end(),
                     [](double edge) { return std::isfinite(edge); });
}

absl::Status CheckEncoding(const TabularFeature& feature) {
  const std::string& name = feature.name();
  switch (feature.encoding_case()) {
    case TabularFeature::kVocabulary:
      if (feature.vocabulary().max_size() < 0 ||
          feature.vocabulary().max_size() >= kMaxTableSize ||
          feature.vocabulary().min_count() < 0) {
        return Invalid(
            "feature {}: max_size and min_count must be in [0, 2^31)", name);
      }
      break;
    case TabularFeature::kHash:
      if (feature.hash().columns().empty()) {
        return Invalid("feature {}: hash.columns is empty; name a column",
                       name);
      }
      if (feature.hash().buckets() < 2 ||
          feature.hash().buckets() > kMaxTableSize) {
        return Invalid(
            "feature {}: hash.buckets is {}; use 2 to 2^31 (row 0 is the "
            "default)",
            name, feature.hash().buckets());
      }
      break;
    case TabularFeature::kBuckets:
      if (!Ascending(feature.buckets().edges())) {
        return Invalid("feature {}: buckets.edges are not ascending", name);
      }
      if (feature.buckets().edges().empty() ==
          (feature.buckets().quantiles() == 0)) {
        return Invalid("feature {}: set either buckets.edges or quantiles",
                       name);
      }
      if (feature.buckets().quantiles() < 0 ||
          feature.buckets().quantiles() == 1 ||
          feature.buckets().quantiles() > 10'000) {
        return Invalid("feature {}: buckets.quantiles is {}; use 2 to 10000",
                       name, feature.buckets().quantiles());
      }
      break;
    case TabularFeature::kDense:
      break;
    case TabularFeature::ENCODING_NOT_SET:
      return Invalid(
          "feature {}: set one of vocabulary, hash, buckets or dense", name);
  }
  return absl::OkStatus();
}

absl::StatusOr<ResolvedFeature> Resolve(const TabularFeature& feature,
                                        const SpecSchemas& schemas) {
  if (feature.name().empty()) {
    return Invalid("tabular_features: a feature has no name");
  }
  LARR_RETURN_IF_ERROR(CheckEncoding(feature));
  ResolvedFeature resolved{feature, {}};
  for (const ColumnRef& ref : FeatureColumns(feature)) {
    if (ref.column.empty()) {
      return Invalid("feature {}: the column is missing", feature.name());
    }
    const int column = schemas.of(ref.table).Find(ref.column);
    if (column < 0) {
      return Invalid("feature {}: the rows of {} have no column `{}`",
                     feature.name(), TableName(ref.table), ref.column);
    }
    resolved.columns.push_back({ref.table, column});
  }
  const size_t named = feature.has_hash() ? feature.hash().columns_size() : 1;
  if (resolved.columns.size() != named) {
    return Invalid(
        "feature {}: columns of side CROSS are written users.x, pois.x or "
        "impressions.x",
        feature.name());
  }
  return resolved;
}

const Value* ColumnValue(const ResolvedFeature::Column& column,
                         const FeatureRows& rows) {
  const Row* row = rows.of(column.table);
  if (row == nullptr || IsNull((*row)[column.index])) return nullptr;
  return &(*row)[column.index];
}

// Bytes that do not depend on the platform: length (little-endian) and text of
// each column.
bool HashInput(const ResolvedFeature& feature, const FeatureRows& rows,
               std::string& out) {
  out.clear();
  for (const auto& column : feature.columns) {
    const Value* value = ColumnValue(column, rows);
    if (value == nullptr) return false;
    const size_t begin = out.size();
    out.append(4, '\0');
    AppendText(*value, out);
    const auto length = static_cast<uint32_t>(out.size() - begin - 4);
    for (int i = 0; i < 4; ++i) {
      out[begin + i] = static_cast<char>(length >> (8 * i));
    }
  }
  return true;
}

}  // namespace

const Row* FeatureRows::of(Table table) const {
  if (table == Table::kUsers) return user;
  if (table == Table::kPois) return poi;
  return impression;
}

bool IsKnownNumber(double value) {
  return std::abs(value) < std::numeric_limits<float>::max();
}

double TransformDense(TabularFeature::Dense::Transform transform,
                      double value) {
  if (transform == TabularFeature::Dense::LOG1P) {
    return std::log1p(std::max(value, 0.0));
  }
  return value;
}

absl::StatusOr<std::vector<ResolvedFeature>> ResolveFeatures(
    const DatasetSpec& spec) {
  return ResolveFeatures(spec, SpecSchemas(spec));
}

absl::StatusOr<std::vector<ResolvedFeature>> ResolveFeatures(
    const DatasetSpec& spec, const SpecSchemas& layout) {
  std::vector<ResolvedFeature> resolved;
  std::set<std::string> names;
  for (const Side side : kBlockOrder) {
    for (const TabularFeature& feature : spec.tabular_features()) {
      if (feature.side() != side) continue;
      if (!names.insert(feature.name()).second) {
        return Invalid("feature {}: the name appears twice; names are unique",
                       feature.name());
      }
      LARR_ASSIGN_OR_RETURN(ResolvedFeature one, Resolve(feature, layout));
      resolved.push_back(std::move(one));
    }
  }
  for (const TabularFeature& feature : spec.tabular_features()) {
    if (names.count(feature.name()) == 0) {
      return Invalid("feature {}: side must be USER, POI, CONTEXT or CROSS",
                     feature.name());
    }
  }
  return resolved;
}

absl::StatusOr<TabularEncoder> TabularEncoder::Create(
    const DatasetSpec& spec,
    const google::protobuf::RepeatedPtrField<LearnedFeature>& learned) {
  return Create(spec, learned, SpecSchemas(spec));
}

absl::StatusOr<TabularEncoder> TabularEncoder::Create(
    const DatasetSpec& spec,
    const google::protobuf::RepeatedPtrField<LearnedFeature>& learned,
    const SpecSchemas& layout) {
  TabularEncoder encoder(layout);
  LARR_ASSIGN_OR_RETURN(std::vector<ResolvedFeature> resolved,
                        ResolveFeatures(spec, layout));
  std::unordered_map<std::string, const LearnedFeature*> by_name;
  for (const LearnedFeature& one : learned) by_name[one.name()] = &one;
  size_t next = 0;
  for (size_t b = 0; b < kBlockOrder.size(); ++b) {
    FeatureBlock& block = encoder.blocks_[b];
    block.first_id = static_cast<int>(encoder.categorical_.size());
    block.first_dense = static_cast<int>(encoder.dense_.size());
    encoder.feature_begin_[b] = static_cast<int>(next);
    for (; next < resolved.size() &&
           resolved[next].proto.side() == kBlockOrder[b];
         ++next) {
      const std::string& name = resolved[next].proto.name();
      const auto found = by_name.find(name);
      if (found == by_name.end()) {
        return Invalid(
            "feature {}: the model's description has nothing learned for it",
            name);
      }
      LARR_RETURN_IF_ERROR(
          encoder.Add(std::move(resolved[next]), *found->second));
    }
    block.id_count =
        static_cast<int>(encoder.categorical_.size()) - block.first_id;
    block.dense_count =
        static_cast<int>(encoder.dense_.size()) - block.first_dense;
  }
  encoder.feature_begin_[kBlockOrder.size()] = static_cast<int>(next);
  return encoder;
}

absl::Status TabularEncoder::Add(ResolvedFeature resolved,
                                 const LearnedFeature& learned) {
  Feature feature;
  const TabularFeature& proto = resolved.proto;
  int64_t table_size = 0;
  if (proto.has_vocabulary()) {
    for (const std::string& value : learned.vocabulary()) {
      const int64_t id = static_cast<int64_t>(feature.vocabulary.size()) + 1;
      if (!feature.vocabulary.emplace(value, id).second) {
        return Invalid("feature {}: `{}` is twice in the learned vocabulary",
                       proto.name(), value);
      }
    }
    table_size = static_cast<int64_t>(feature.vocabulary.size()) + 1;
  } else if (proto.has_hash()) {
    table_size = proto.hash().buckets();
  } else if (proto.has_buckets()) {
    feature.edges.assign(learned.edges().begin(), learned.edges().end());
    if (!Ascending(feature.edges)) {
      return Invalid("feature {}: the learned edges are not ascending",
                     proto.name());
    }
    table_size = static_cast<int64_t>(feature.edges.size()) + 2;
  } else {
    feature.mean = learned.mean();
    feature.deviation = learned.deviation();
    if (!std::isfinite(feature.mean) || !std::isfinite(feature.deviation) ||
        !(feature.deviation > 0)) {
      return Invalid(
          "feature {}: the learned mean {} and deviation {} are not a number "
          "and a positive one",
          proto.name(), feature.mean, feature.deviation);
    }
  }
  if (proto.has_dense()) {
    dense_.push_back(proto.name());
  } else {
    categorical_.push_back({proto.name(), table_size});
  }
  feature.resolved = std::move(resolved);
  features_.push_back(std::move(feature));
  return absl::OkStatus();
}

const FeatureBlock& TabularEncoder::block(Side side) const {
  return blocks_[BlockIndex(side)];
}

int TabularEncoder::FindCategorical(std::string_view name) const {
  for (size_t i = 0; i < categorical_.size(); ++i) {
    if (categorical_[i].name == name) return static_cast<int>(i);
  }
  return -1;
}

int64_t TabularEncoder::EncodeId(const Feature& feature,
                                 const FeatureRows& rows,
                                 std::string& scratch) const {
  const TabularFeature& proto = feature.resolved.proto;
  if (proto.has_hash()) {
    if (!HashInput(feature.resolved, rows, scratch)) return 0;
    const uint64_t hash = XXH3_64bits(scratch.data(), scratch.size());
    return 1 + static_cast<int64_t>(
                   hash % static_cast<uint64_t>(proto.hash().buckets() - 1));
  }
  const Value* value = ColumnValue(feature.resolved.columns[0], rows);
  if (value == nullptr) return 0;
  if (proto.has_buckets()) {
    const auto number = ToNumber(*value);
    if (!number) return 0;
    return 1 + (std::upper_bound(feature.edges.begin(), feature.edges.end(),
                                 *number) -
                feature.edges.begin());
  }
  std::string_view text;
  if (const auto* string = std::get_if<std::string>(value)) {
    text = *string;
  } else {
    scratch.clear();
    AppendText(*value, scratch);
    text = scratch;
  }
  const auto found = feature.vocabulary.find(text);
  return found == feature.vocabulary.end() ? 0 : found->second;
}

void TabularEncoder::EncodeSide(Side side, const FeatureRows& rows,
                                std::span<int64_t> ids,
                                std::span<float> dense) const {
  const int b = BlockIndex(side);
  std::string scratch;
  size_t next_id = 0;
  size_t next_dense = 0;
  for (int i = feature_begin_[b]; i < feature_begin_[b + 1]; ++i) {
    const Feature& feature = features_[i];
    const TabularFeature& proto = feature.resolved.proto;
    if (!proto.has_dense()) {
      ids[next_id++] = EncodeId(feature, rows, scratch);
      continue;
    }
    const Value* value = ColumnValue(feature.resolved.columns[0], rows);
    const auto number = value ? ToNumber(*value) : std::nullopt;
    const auto standard =
        number && IsKnownNumber(*number)
            ? static_cast<float>(
                  (TransformDense(proto.dense().transform(), *number) -
                   feature.mean) /
                  feature.deviation)
            : 0.0f;
    // Layers behind a number that is far from all others would overflow.
    dense[next_dense++] =
        std::abs(standard) <= kMostDeviations ? standard : 0.0f;
  }
}

void TabularEncoder::Encode(const FeatureRows& rows, std::span<int64_t> ids,
                            std::span<float> dense) const {
  for (size_t b = 0; b < kBlockOrder.size(); ++b) {
    const FeatureBlock& block = blocks_[b];
    EncodeSide(kBlockOrder[b], rows,
               ids.subspan(block.first_id, block.id_count),
               dense.subspan(block.first_dense, block.dense_count));
  }
}

absl::Status TabularEncoder::CheckTypes(Table table, const Row& row) const {
  for (const Feature& feature : features_) {
    const TabularFeature& proto = feature.resolved.proto;
    if (!proto.has_dense() && !proto.has_buckets()) continue;
    const auto& column = feature.resolved.columns[0];
    if (column.table != table) continue;
    if (const auto* text = std::get_if<std::string>(&row[column.index])) {
      return Invalid(
          "column {}.{}: `{}` is a string, but feature {} needs a number",
          TableName(table), schemas_.of(table).name(column.index), *text,
          proto.name());
    }
  }
  return absl::OkStatus();
}

double TabularEncoder::LargestNumber(Table table, int column) const {
  double largest = std::numeric_limits<double>::max();
  for (const Feature& feature : features_) {
    const auto& read = feature.resolved.columns[0];
    if (!feature.resolved.proto.has_dense() || read.table != table ||
        read.index != column ||
        feature.resolved.proto.dense().transform() ==
            TabularFeature::Dense::LOG1P) {
      continue;
    }
    largest = std::min(largest,
                       std::numeric_limits<float>::max() * feature.deviation -
                           std::abs(feature.mean));
  }
  return largest;
}

}  // namespace larr
