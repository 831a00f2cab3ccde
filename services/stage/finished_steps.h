// SPDX-License-Identifier: Apache-2.0
//
// The steps that a stage of few, long steps has finished. Each step writes
// files of its own into the folder, and notes what else is to be known of it;
// a stage that was killed goes on at the first step that is not finished.
//
// Threads: one at a time.
// Errors:  those of files.h
#pragma once

#include <cstddef>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace larr::stage {

class FinishedSteps {
 public:
  // Makes the folder. What steps of another identity (settings and inputs) left
  // there, or what cannot be read, is removed: the stage begins anew.
  static absl::StatusOr<FinishedSteps> Open(const std::filesystem::path& folder,
                                            const std::string& identity);

  const std::filesystem::path& folder() const { return folder_; }
  size_t count() const { return count_; }
  // What finished steps noted, an object; a step adds to it.
  nlohmann::ordered_json& notes() { return notes_; }

  // One more step is finished: its files and notes are durable.
  absl::Status Finish();

 private:
  FinishedSteps(std::filesystem::path folder, std::string identity)
      : folder_(std::move(folder)), identity_(std::move(identity)) {}
  void Load();

  std::filesystem::path folder_;
  std::string identity_;
  size_t count_ = 0;
  nlohmann::ordered_json notes_ = nlohmann::ordered_json::object();
};

}  // namespace larr::stage
