// SPDX-License-Identifier: Apache-2.0
//
// Rows to the recommender's ids and numbers: one definition for training and
// for serving. Sides are encoded apart, so that serving encodes a user and a
// context once per request, a POI once per model, and only crosses per
// candidate.
//
// Layout: the columns of a model's input stand in blocks USER, CONTEXT, POI,
//         CROSS, within a block in the order of `spec.tabular_features`.
//         Categorical features fill `ids`, dense ones `dense`.
// Ids:    0 is the trained default: null, unknown, or the entity is missing.
//         An id is a row of that feature's own table.
// Dense:  standardised; a missing value is 0, the training mean, and so is one
//         that is more than a million deviations from it.
// Threads: const methods may be called from any thread.
#pragma once

#include <absl/status/statusor.h>

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/features/row.h"
#include "larr/config/v1/model.pb.h"

namespace larr {

// The order of blocks in a model's input.
inline constexpr std::array<config::v1::Side, 4> kBlockOrder = {
    config::v1::USER, config::v1::CONTEXT, config::v1::POI, config::v1::CROSS};

// Where a block's columns stand in `ids` [F] and `dense` [D].
struct FeatureBlock {
  int first_id = 0;
  int id_count = 0;
  int first_dense = 0;
  int dense_count = 0;
};

// A column of `ids`: its feature and the rows of its table, the default's
// included.
struct CategoricalColumn {
  std::string name;
  int64_t table_size = 0;
};

// The raw rows of one candidate. A null pointer is an unknown entity.
struct FeatureRows {
  const Row* user = nullptr;
  const Row* poi = nullptr;
  const Row* impression = nullptr;

  const Row* of(Table table) const;
};

// The largest table of a feature.
inline constexpr int64_t kMaxTableSize = int64_t{1} << 31;

// The features' columns, resolved; what the encoder and the learner share.
struct ResolvedFeature {
  struct Column {
    Table table;
    int index;  // In the table's schema.
  };
  config::v1::TabularFeature proto;
  std::vector<Column> columns;
};
// False for what is written where a number is not known: the largest float, and
// what is larger.
bool IsKnownNumber(double value);

// A dense value after its transform, before standardisation.
double TransformDense(config::v1::TabularFeature::Dense::Transform transform,
                      double value);

// In block order, for rows of the spec's own layout or of another.
// Errors: kInvalidArgument, naming the feature and the fix.
absl::StatusOr<std::vector<ResolvedFeature>> ResolveFeatures(
    const config::v1::DatasetSpec& spec);
absl::StatusOr<std::vector<ResolvedFeature>> ResolveFeatures(
    const config::v1::DatasetSpec& spec, const SpecSchemas& layout);

class TabularEncoder {
 public:
  // `learned` has an entry for each tabular feature, as `FeatureLearner` made
  // and `CtrModelDescription` keeps them.
  // Errors: kInvalidArgument  a feature is wrong or was not learned.
  static absl::StatusOr<TabularEncoder> Create(
      const config::v1::DatasetSpec& spec,
      const google::protobuf::RepeatedPtrField<config::v1::LearnedFeature>&
          learned);
  // For rows of another layout, which has every column that a feature reads.
  static absl::StatusOr<TabularEncoder> Create(
      const config::v1::DatasetSpec& spec,
      const google::protobuf::RepeatedPtrField<config::v1::LearnedFeature>&
          learned,
      const SpecSchemas& layout);

  const SpecSchemas& schemas() const { return schemas_; }
  const std::vector<CategoricalColumn>& categorical() const {
    return categorical_;
  }
  const std::vector<std::string>& dense() const { return dense_; }
  const FeatureBlock& block(config::v1::Side side) const;
  // The column in `ids` of a categorical feature; -1 if there is none.
  int FindCategorical(std::string_view name) const;

  // Encodes the features of one side into its block.
  // REQUIRES: ids.size() == block(side).id_count and dense likewise; rows have
  // their schema's size. `rows` needs only the side's own row; all for CROSS.
  void EncodeSide(config::v1::Side side, const FeatureRows& rows,
                  std::span<int64_t> ids, std::span<float> dense) const;
  // All four blocks. REQUIRES: ids [F], dense [D].
  void Encode(const FeatureRows& rows, std::span<int64_t> ids,
              std::span<float> dense) const;

  // Refuses a string where a feature needs a number.
  // Errors: kInvalidArgument  names the column, the value and the feature.
  absl::Status CheckTypes(Table table, const Row& row) const;

  // The largest magnitude of a column's numbers that every dense feature of
  // the column still makes a finite float of.
  double LargestNumber(Table table, int column) const;

 private:
  struct TextHash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>()(text);
    }
  };
  using Vocabulary =
      std::unordered_map<std::string, int64_t, TextHash, std::equal_to<>>;
  struct Feature {
    ResolvedFeature resolved;
    Vocabulary vocabulary;
    std::vector<double> edges;
    double mean = 0;
    double deviation = 1;
  };

  explicit TabularEncoder(const SpecSchemas& schemas) : schemas_(schemas) {}
  absl::Status Add(ResolvedFeature resolved,
                   const config::v1::LearnedFeature& learned);
  int64_t EncodeId(const Feature& feature, const FeatureRows& rows,
                   std::string& scratch) const;

  SpecSchemas schemas_;
  std::vector<Feature> features_;  // In block order.
  std::array<int, 5> feature_begin_ =
      {};  // Of each block; the last is the end.
  std::array<FeatureBlock, 4> blocks_ = {};
  std::vector<CategoricalColumn> categorical_;
  std::vector<std::string> dense_;
};

}  // namespace larr
