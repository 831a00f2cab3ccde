// SPDX-License-Identifier: Apache-2.0
//
// What a stage's artifact follows from, named once for each stage: its work
// folder belongs to it (StageContext::ClaimWork, checkpoints, finished steps),
// and under it the artifact is known to other runs (known_artifacts.h).
//
// Whoever changes what a stage writes from the same settings and inputs raises
// its revision in identity.cc: the artifacts of before are then made anew. It
// is not the version of the code, which changes with every commit.
//
// Threads:  safe.
// Errors:   kInvalidArgument  an input or the model of ALIGN is not named, a
//                             setting is wrong;  otherwise those of reading the
//                             inputs' manifests and the dataset's spec
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "services/stage/stage.h"

namespace larr::stage {

// Text, equal for equal things.
struct StageIdentity {
  // The stage's name and revision, its own settings with their defaults, the
  // seed, digests of the artifacts that it reads, the dataset's spec. Not how
  // it is computed: threads, folders, the other stages' settings.
  std::string settings;
  // Stamps of the files that it reads besides (common/base/file_stamp.h): what
  // machines that share a run's folders need not agree in.
  std::string files;

  std::string all() const { return settings + files; }
};

absl::StatusOr<StageIdentity> IdentityOf(const StageContext& context);

// What the artifact is known by: SHA-256 of identity and, where numbers are
// rounded, threads: sums in another order have other bits, and a run would not
// get what it would have made.
absl::StatusOr<std::string> ArtifactKey(const StageContext& context);

}  // namespace larr::stage
