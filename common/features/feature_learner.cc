// SPDX-License-Identifier: Apache-2.0
#include "common/features/feature_learner.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "common/base/status_macros.h"

namespace larr {
namespace {

using config::v1::LearnedFeature;
using config::v1::TabularFeature;

constexpr int64_t kDefaultVocabulary = 1'000'000;
constexpr size_t kReservoir = 100'000;

std::vector<double> QuantileEdges(std::vector<double> sample, int quantiles) {
  std::sort(sample.begin(), sample.end());
  std::vector<double> edges;
  for (int i = 1; i < quantiles && !sample.empty(); ++i) {
    const double edge = sample[sample.size() * i / quantiles];
    // An edge at the smallest value would leave the first bucket empty.
    if (edge > sample.front() && (edges.empty() || edge > edges.back())) {
      edges.push_back(edge);
    }
  }
  return edges;
}

void FillVocabulary(const std::unordered_map<std::string, int64_t>& counts,
                    const TabularFeature::Vocabulary& options,
                    LearnedFeature& learned) {
  const int64_t min_count = std::max<int64_t>(options.min_count(), 1);
  const auto max_size = static_cast<size_t>(
      options.max_size() > 0 ? options.max_size() : kDefaultVocabulary);
  std::vector<std::pair<int64_t, std::string>> values;
  for (const auto& [value, count] : counts) {
    if (count >= min_count) values.emplace_back(-count, value);
  }
  std::sort(values.begin(), values.end());
  if (values.size() > max_size) values.resize(max_size);
  for (auto& [count, value] : values) {
    learned.add_vocabulary(std::move(value));
  }
}

}  // namespace

absl::StatusOr<FeatureLearner> FeatureLearner::Create(
    const config::v1::DatasetSpec& spec) {
  LARR_ASSIGN_OR_RETURN(std::vector<ResolvedFeature> resolved,
                        ResolveFeatures(spec));
  FeatureLearner learner;
  for (ResolvedFeature& feature : resolved) {
    learner.states_.push_back({.resolved = std::move(feature)});
  }
  return learner;
}

void FeatureLearner::Add(const FeatureRows& rows) {
  std::string text;
  for (State& state : states_) {
    const TabularFeature& proto = state.resolved.proto;
    if (proto.has_hash() ||
        (proto.has_buckets() && !proto.buckets().edges().empty())) {
      continue;
    }
    const auto& column = state.resolved.columns[0];
    const Row* row = rows.of(column.table);
    if (row == nullptr || IsNull((*row)[column.index])) continue;
    const Value& value = (*row)[column.index];
    if (proto.has_vocabulary()) {
      text.clear();
      AppendText(value, text);
      ++state.counts[text];
      continue;
    }
    const auto number = ToNumber(value);
    if (!number || (proto.has_dense() && !IsKnownNumber(*number))) continue;
    ++state.seen;
    if (proto.has_dense()) {
      const double x = TransformDense(proto.dense().transform(), *number);
      const double step = x - state.mean;
      state.mean += step / static_cast<double>(state.seen);
      state.squares += step * (x - state.mean);
    } else if (state.sample.size() < kReservoir) {
      state.sample.push_back(*number);
    } else if (const uint64_t slot = state.random() % state.seen;
               slot < kReservoir) {
      state.sample[slot] = *number;
    }
  }
}

google::protobuf::RepeatedPtrField<LearnedFeature> FeatureLearner::Finish()
    const {
  google::protobuf::RepeatedPtrField<LearnedFeature> all;
  for (const State& state : states_) {
    const TabularFeature& proto = state.resolved.proto;
    LearnedFeature& learned = *all.Add();
    learned.set_name(proto.name());
    if (proto.has_vocabulary()) {
      FillVocabulary(state.counts, proto.vocabulary(), learned);
    } else if (proto.has_buckets() && !proto.buckets().edges().empty()) {
      *learned.mutable_edges() = proto.buckets().edges();
    } else if (proto.has_buckets()) {
      for (const double edge :
           QuantileEdges(state.sample, proto.buckets().quantiles())) {
        learned.add_edges(edge);
      }
    } else if (proto.has_dense()) {
      const double variance =
          state.seen > 1 ? state.squares / static_cast<double>(state.seen) : 0;
      learned.set_mean(state.mean);
      learned.set_deviation(variance > 1e-24 ? std::sqrt(variance) : 1.0);
    }
  }
  return all;
}

}  // namespace larr
