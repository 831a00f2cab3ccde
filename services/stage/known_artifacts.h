// SPDX-License-Identifier: Apache-2.0
//
// One thing is made once: the artifact of a stage is known by what it follows
// from (identity.h), and a run that would make the same takes its files, by
// hard links. The folder `known_artifacts` of a StageConfig holds
//
//   <key>       the artifacts, one a line: digest, a space, and the folder,
//               relative to `known_artifacts`
//   <key>.lock  held by the process that makes one; the system lets go of it
//               however the process ends
//
// Lines lead to equal artifacts of several runs: each stays known for as long
// as one of the runs is there. A folder that holds another artifact meanwhile
// is passed over. All of it may be removed at any time, at the cost of making
// things again.
//
// Sharing never fails a stage: what is wrong with the folder, a key or another
// run's artifact is a warning, and the stage does its own work.
//
// Threads:  one.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "common/base/file_descriptor.h"
#include "services/stage/stage.h"

namespace larr::stage {

class KnownArtifact {
 public:
  // Holds the key of the stage's artifact until the object goes; waits while
  // another process does, and says so in the log. SIGTERM ends a process that
  // waits. Null where nothing is shared: `known_artifacts` is empty, the stage
  // is PUBLISH, whose decision is of its moment, or the folder is of no use.
  //
  // REQUIRES: the process is the only one of its stage
  // Ownership: `context` must outlive it.
  static std::unique_ptr<KnownArtifact> Claim(const StageContext& context);

  // Makes the stage's artifact of a known one, and notes in the work folder
  // whose it was (kSharedFromFile). False if none is known and whole.
  bool Share();

  // Makes the stage's own artifact known; to be called once it is there. Left
  // out if what it follows from changed since `Claim`.
  void Publish() const;

 private:
  KnownArtifact(const StageContext& context, std::filesystem::path entry,
                std::string key);
  // Takes the lock; false if there can be none.
  bool Lock() const;
  // The lines that are still of use, and the stage's own behind them.
  void Write(std::vector<std::string> lines) const;

  const StageContext& context_;
  const std::filesystem::path entry_;
  const std::string key_;
  const FileDescriptor lock_;
};

}  // namespace larr::stage
