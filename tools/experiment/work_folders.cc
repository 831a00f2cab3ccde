// SPDX-License-Identifier: Apache-2.0
#include "tools/experiment/work_folders.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <string>
#include <vector>

#include "common/config/stage_files.h"

namespace larr::experiment {
namespace {

namespace fs = std::filesystem;

constexpr std::array kKept = {kProgressFile, kLogFile, kSettingsFile};

}  // namespace

void EmptyWorkFolders(const coordinator::v1::TrainingRun& run) {
  for (const auto& stage : run.stages()) {
    if (stage.artifact_path().empty() || !stage.shared_from().empty()) continue;
    std::error_code ignored;
    std::vector<fs::path> useless;
    for (const auto& entry :
         fs::directory_iterator(stage.artifact_path() + ".work", ignored)) {
      const std::string name = entry.path().filename();
      if (std::find(kKept.begin(), kKept.end(), name) == kKept.end())
        useless.push_back(entry.path());
    }
    for (const fs::path& path : useless) fs::remove_all(path, ignored);
  }
}

}  // namespace larr::experiment
