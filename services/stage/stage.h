// SPDX-License-Identifier: Apache-2.0
//
// What every stage gets, and how it tells of its progress. A stage is a
// process: `larr_stage --config stage.textproto`. It writes one artifact at
// `config.output()`; whatever it needs to go on after a kill is in
// `config.work()`. If the artifact is there already, main() ends at once; one
// that was made from other inputs is an error (common/config/stage_output.h).
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "larr/config/v1/training.pb.h"

namespace larr {
class ProcessGroup;
}

namespace larr::stage {

// Appends lines to `<work>/progress.jsonl`:
//   {"step":3,"total":60,"loss":1.25,"throughput":812.0,"unit":"tokens/s",
//    "elapsed":12.5}
// `elapsed` counts seconds of work over all restarts of the stage. A restart
// appends to the same file, so a step that was repeated is there twice; the
// later line counts.
//
// Threads:    one at a time.
class ProgressWriter {
 public:
  explicit ProgressWriter(const std::filesystem::path& work_folder);
  // Writes nothing: of a rank that another one reports for.
  ProgressWriter();

  // Seconds of work, over all restarts.
  double elapsed() const;

  // `loss` is NaN for stages without one, and then left out of the line.
  void Report(int64_t step, int64_t total, double loss, double throughput,
              std::string_view unit);

 private:
  std::ofstream out_;
  double elapsed_before_ = 0;  // seconds of earlier processes
  const std::chrono::steady_clock::time_point start_;
};

// Folder of the artifact in `role` (see StageConfig.inputs).
// Errors: kInvalidArgument  the config does not name it
absl::StatusOr<std::filesystem::path> InputOf(
    const config::v1::StageConfig& config, const std::string& role);

struct StageContext {
  const config::v1::StageConfig config;
  ProgressWriter progress;
  // Those that train one model together, this process among them, in the stages
  // `pretrain` and `contrast`; this process alone in the others. Null only
  // where a test of a stage that does not read it gives none.
  ProcessGroup* ranks = nullptr;

  absl::StatusOr<std::filesystem::path> Input(const std::string& role) const {
    return InputOf(config, role);
  }
  // Digests of all that the stage reads, by role: the parents of its artifact.
  // Errors: those of Input and ReadArtifact
  absl::StatusOr<std::map<std::string, std::string>> InputDigests() const;

  // Threads to compute with: the spec's, or as many as there are cores.
  int threads() const;

  // Takes the work folder for these settings and inputs, which a stage names
  // before it takes up what a process before it left there.
  // Errors: kFailedPrecondition  the folder is another's, and says so
  absl::Status ClaimWork(const std::string& identity) const;
};

}  // namespace larr::stage
