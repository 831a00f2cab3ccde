// SPDX-License-Identifier: Apache-2.0
#include "common/config/left_out_features.h"

#include <algorithm>
#include <string>

#include "absl/status/status.h"
#include "common/base/invalid_argument.h"

namespace larr {
namespace {

using Names = google::protobuf::RepeatedPtrField<std::string>;

// Removes what `wanted` asks for, and returns how many there were.
template <typename List, typename Wanted>
int Remove(List& list, const Wanted& wanted) {
  const int before = list.size();
  list.erase(std::remove_if(list.begin(), list.end(), wanted), list.end());
  return before - list.size();
}

}  // namespace

absl::StatusOr<config::v1::DatasetSpec> WithoutLeftOutFeatures(
    config::v1::DatasetSpec dataset, const config::v1::AlignConfig& align) {
  for (const std::string& name : align.left_out_features()) {
    const auto is = [&name](const std::string& one) { return one == name; };
    const int tabular =
        Remove(*dataset.mutable_tabular_features(),
               [&](const auto& feature) { return is(feature.name()); });
    const int scene = Remove(*dataset.mutable_scene_features(), is);
    if (tabular + scene == 0)
      return Invalid(
          "`left_out_features` names \"{}\", which is none of the dataset's "
          "`tabular_features` and `scene_features`; name one of them, once",
          name);
    if (tabular == 0) continue;
    for (Names* names : {dataset.mutable_user_embedding_features(),
                         dataset.mutable_poi_embedding_features()})
      Remove(*names, is);
  }
  return dataset;
}

}  // namespace larr
