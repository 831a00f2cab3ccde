// SPDX-License-Identifier: Apache-2.0
#include "common/config/training_paths.h"

namespace larr {

std::vector<std::string*> PathsOf(config::v1::TrainingSpec& spec) {
  std::vector<std::string*> paths;
  const auto add = [&](std::string* path) {
    if (!path->empty()) paths.push_back(path);
  };
  add(spec.mutable_dataset());
  add(spec.mutable_base_model());
  add(spec.mutable_snapshot());
  // A message that is asked for is there: a spec would no longer be the same.
  if (spec.has_pretrain())
    add(spec.mutable_pretrain()->mutable_general_corpus());
  if (spec.has_embed()) add(spec.mutable_embed()->mutable_vectors_file());
  return paths;
}

void MakePathsAbsolute(const std::filesystem::path& folder,
                       config::v1::TrainingSpec& spec) {
  for (std::string* path : PathsOf(spec))
    *path = (folder / *path).lexically_normal().string();
}

}  // namespace larr
