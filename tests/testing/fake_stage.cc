// SPDX-License-Identifier: Apache-2.0
//
// A stand-in for larr_stage in tests: obeys StageConfig, does no work. What it
// does is written in a file `behaviour` beside the dataset's spec, one line
// for a stage: `<stage> <word>...`, for example `align slow fail`.
//
//   slow     40 steps of 50 ms instead of none
//   held     waits until there is a file `go` beside `behaviour`
//   fail     ends with an error line
//   die      kills itself by a signal, once: its next process goes on
//   die-always
//   stubborn ignores SIGTERM
//
// Each process appends a line to `<work>/starts`, so that tests can count.
#include <signal.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <thread>
#include <utility>

#include "common/base/artifact_folder.h"
#include "common/base/files.h"
#include "common/config/stage_output.h"
#include "common/config/text_proto.h"
#include "common/store/snapshot_builder.h"
#include "larr/config/v1/training.pb.h"
#include "services/stage/publish.h"
#include "services/stage/stage.h"

namespace larr {
namespace {

using config::v1::ArtifactManifest;
using config::v1::StageConfig;

// The words for this stage; with a blank at either end.
std::string Behaviour(const StageConfig& config) {
  const std::filesystem::path spec = config.spec().dataset();
  std::ifstream in(spec.parent_path() / "behaviour");
  const std::string name =
      std::filesystem::path(config.output()).filename().string();
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    std::string stage;
    words >> stage;
    if (stage == name) return line.substr(stage.size()) + " ";
  }
  return "";
}

bool Has(const std::string& behaviour, const std::string& word) {
  return behaviour.find(" " + word + " ") != std::string::npos;
}

// An empty one, which the gate opens.
absl::Status WriteSnapshot(const StageConfig& config,
                           ArtifactManifest manifest) {
  storage::v1::SnapshotInfo info;
  info.set_embedder_fingerprint(manifest.embedder_fingerprint());
  info.set_dim(1);
  const auto builder = SnapshotBuilder::Open(config.work(), info, nullptr);
  if (!builder.ok()) return builder.status();
  return (*builder)->Publish(config.output(), std::move(manifest)).status();
}

// What the later stages and the gate read of an artifact.
absl::Status WriteArtifact(const StageConfig& config) {
  ArtifactManifest manifest;
  manifest.set_kind("fake");
  manifest.set_embedder_fingerprint("fake-fingerprint");
  for (const auto& [role, path] : config.inputs()) {
    const auto parent = ReadArtifact(path);
    if (!parent.ok()) return parent.status();
    (*manifest.mutable_parents())[role] = parent->digest();
  }
  if (config.stage() == StageConfig::EMBED)
    return WriteSnapshot(config, std::move(manifest));
  auto writer = ArtifactWriter::Create(config.output());
  if (!writer.ok()) return writer.status();
  const std::string last =
      config.spec().align(config.spec().align_size() - 1).name();
  std::ofstream(writer->path() / "stage") << config.stage();
  std::ofstream(writer->path() / "model.textproto")
      << "name: \"" << config.align_name() << "\"\n";
  std::ofstream(writer->path() / "metrics.json")
      << R"({"models": {")" << last
      << R"(": {"validation": {"ctr_auc": 0.7, "rows": 100, "clicks": 10, "calibration": 1.0}}}})";
  return writer->Finish(manifest).status();
}

absl::Status Run(const std::string& path) {
  const auto config = LoadTextProto<StageConfig>(path);
  if (!config.ok()) return config.status();
  const std::filesystem::path work = config->work();
  const std::string behaviour = Behaviour(*config);
  // Before the line in `starts`: whoever has read it may send the signal.
  if (Has(behaviour, "stubborn")) signal(SIGTERM, SIG_IGN);
  std::ofstream(work / "starts", std::ios::app)
      << getpid() << " " << getenv("CUDA_VISIBLE_DEVICES") << std::endl;
  if (std::filesystem::exists(config->output()))
    return ReadStageOutput(*config).status();
  stage::StageContext context{*config, stage::ProgressWriter(work)};
  std::cout << "working on " << config->output() << std::endl;
  const int steps = Has(behaviour, "slow") ? 40 : 1;
  for (int step = 1; step <= steps; ++step) {
    if (steps > 1) std::this_thread::sleep_for(std::chrono::milliseconds(50));
    context.progress.Report(step, steps, 1.0 / step, 20, "steps/s");
  }
  const std::filesystem::path spec = config->spec().dataset();
  while (Has(behaviour, "held") &&
         !std::filesystem::exists(spec.parent_path() / "go")) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  if (Has(behaviour, "fail")) return absl::InternalError("told to fail");
  if (Has(behaviour, "die-always")) {
    signal(SIGSEGV, SIG_DFL);  // A sanitizer would make an exit of it.
    raise(SIGSEGV);
  }
  if (Has(behaviour, "die") && !std::filesystem::exists(work / "died")) {
    std::ofstream(work / "died") << "once";
    raise(SIGKILL);
  }
  if (config->stage() == StageConfig::PUBLISH)
    return RunPublish(context, [](const auto&...) {
      return stage::ValidationAuc{0.7, 100, 10, 0};
    });
  return WriteArtifact(*config);
}

}  // namespace
}  // namespace larr

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const absl::Status status = larr::Run(argv[2]);
  if (status.ok()) return 0;
  std::cerr << "error: " << status.message() << std::endl;
  return 1;
}
