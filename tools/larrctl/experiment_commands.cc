// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "common/base/files.h"
#include "common/base/prefixed.h"
#include "common/base/status_macros.h"
#include "tools/experiment/experiment.h"
#include "tools/experiment/findings.h"
#include "tools/experiment/online_test_report.h"
#include "tools/experiment/overview.h"
#include "tools/experiment/results.h"
#include "tools/larrctl/command_group.h"
#include "tools/larrctl/experiment_run.h"
#include "tools/larrctl/output.h"
#include "tools/report/numbers.h"

namespace larr::ctl {
namespace {

namespace fs = std::filesystem;
using experiment::Experiment;
using experiment::Results;
using experiment::Shard;

struct ExperimentArguments {
  std::vector<std::string> names;
  std::string size = "experiment";
  std::string folder = "experiments";
  std::string out;
  std::string markdown;
  int seeds = 0;

  fs::path results() const { return fs::path(folder) / "results" / size; }
};

// Those that are named, in that order; all of them without a name or with
// `all`, in the order of their positions.
absl::StatusOr<std::vector<Experiment>> Load(
    const ExperimentArguments& arguments) {
  std::vector<std::string> names = arguments.names;
  const bool all =
      names.empty() || std::count(names.begin(), names.end(), "all") > 0;
  if (all) {
    LARR_ASSIGN_OR_RETURN(names, experiment::ExperimentNames(arguments.folder));
  }
  std::vector<Experiment> experiments;
  for (const std::string& name : names) {
    LARR_ASSIGN_OR_RETURN(
        Experiment one,
        experiment::LoadExperiment(arguments.folder, name, arguments.size));
    experiments.push_back(std::move(one));
  }
  if (all)
    std::stable_sort(experiments.begin(), experiments.end(),
                     [](const Experiment& a, const Experiment& b) {
                       return a.spec.position() < b.spec.position();
                     });
  return experiments;
}

// Of recommenders: how long a language model takes is not known from here.
std::string LeftText(const std::vector<Shard>& left, const Results& results) {
  if (left.empty()) return "-";
  const double seconds =
      results.EstimateSeconds(left, std::vector<std::string>(left.size()));
  return seconds < 0 ? "not known yet" : report::TimeText(seconds);
}

absl::Status List(const Session& session,
                  const ExperimentArguments& arguments) {
  LARR_ASSIGN_OR_RETURN(const auto experiments, Load(arguments));
  LARR_ASSIGN_OR_RETURN(const Results results,
                        Results::Read(arguments.results()));
  std::vector<std::vector<std::string>> rows;
  experiment::Json json = experiment::Json::array();
  for (const Experiment& one : experiments) {
    const auto shards = experiment::MakeShards(one, arguments.seeds);
    std::vector<Shard> left;
    std::copy_if(shards.begin(), shards.end(), std::back_inserter(left),
                 [&](const Shard& s) { return results.Find(s) == nullptr; });
    rows.push_back(
        {one.spec.name(), one.spec.reproduces(),
         std::to_string(one.spec.arms_size()),
         fmt::format("{}/{}", shards.size() - left.size(), shards.size()),
         LeftText(left, results), one.spec.title()});
    json.push_back({{"name", one.spec.name()},
                    {"shards", shards.size()},
                    {"done", shards.size() - left.size()}});
  }
  fmt::print("{}", session.json ? json.dump() + "\n"
                                : Table({"EXPERIMENT", "PAPER", "ARMS", "DONE",
                                         "RECOMMENDERS LEFT", "TITLE"},
                                        rows));
  return absl::OkStatus();
}

absl::Status Run(const Session& session, const ExperimentArguments& arguments) {
  LARR_ASSIGN_OR_RETURN(const auto experiments, Load(arguments));
  std::vector<Shard> shards;
  for (const Experiment& one : experiments) {
    auto more = experiment::MakeShards(one, arguments.seeds);
    std::move(more.begin(), more.end(), std::back_inserter(shards));
  }
  const absl::Status status = RunShards(
      session, {arguments.folder, arguments.results(), arguments.size}, shards);
  if (absl::IsCancelled(status))
    return absl::CancelledError(
        "interrupted; what is finished is kept: the same command goes on");
  return status;
}

// What a reader must know of all results; empty where nobody wrote it.
std::string Limits(const ExperimentArguments& arguments) {
  auto text = ReadFile(fs::path(arguments.folder) / "limits.md");
  if (!text.ok()) return "";
  while (text->ends_with('\n')) text->pop_back();
  return *std::move(text);
}

// Those that were run: with the models as given, and trained anew every night.
absl::StatusOr<std::map<std::string, report::Document>> OnlineTests(
    const ExperimentArguments& arguments) {
  std::map<std::string, report::Document> tests;
  for (const char* kind : {"", "-retrained"}) {
    const fs::path path = fs::path(arguments.folder) / "online-test" /
                          (arguments.size + kind + ".json");
    const auto text = ReadFile(path);
    if (absl::IsNotFound(text.status())) continue;
    LARR_RETURN_IF_ERROR(text.status());
    auto report = experiment::MakeOnlineTestReport(
        experiment::Json::parse(*text, nullptr, /*allow_exceptions=*/false));
    if (!report.ok()) return Prefixed(path.string(), report.status());
    tests.emplace(std::string("online-test") + kind, *std::move(report));
  }
  return tests;
}

absl::Status Report(const Session&, const ExperimentArguments& arguments) {
  LARR_ASSIGN_OR_RETURN(const auto experiments, Load(arguments));
  LARR_ASSIGN_OR_RETURN(const Results results,
                        Results::Read(arguments.results()));
  experiment::Evidence evidence{.size = arguments.size,
                                .limits = Limits(arguments)};
  for (const Experiment& one : experiments)
    evidence.experiments.push_back(experiment::Collect(one, results));
  LARR_ASSIGN_OR_RETURN(evidence.online_tests, OnlineTests(arguments));
  if (!arguments.out.empty()) {
    LARR_RETURN_IF_ERROR(experiment::WritePages(evidence, arguments.out));
    fmt::print("{}\n", (fs::path(arguments.out) / "index.html").string());
  }
  if (!arguments.markdown.empty()) {
    const fs::path picture =
        fs::path(arguments.markdown).replace_extension("svg");
    LARR_RETURN_IF_ERROR(WriteFileAtomically(
        picture, experiment::HeadlineFigure(evidence.experiments)));
    LARR_RETURN_IF_ERROR(WriteFileAtomically(
        arguments.markdown,
        experiment::OverviewMarkdown(evidence, picture.filename())));
    fmt::print("{}\n{}\n", arguments.markdown, picture.string());
  }
  fmt::print("{}\n", experiment::Headline(evidence.experiments));
  return absl::OkStatus();
}

}  // namespace

void AddExperimentCommands(CLI::App& app, Session& session) {
  CommandGroup<ExperimentArguments> group(app, session, "experiment",
                                          "Tables and figures of the paper");
  ExperimentArguments& args = group.arguments();
  const auto add = [&](const char* name, const char* help, auto work) {
    CLI::App* command = group.Add(name, help, work);
    command->add_option("names", args.names, "Experiments, or `all`");
    command->add_option("--size", args.size, "Which base they are laid over")
        ->capture_default_str();
    command
        ->add_option("--experiments", args.folder,
                     "Folder of their files and results")
        ->capture_default_str();
    return command;
  };
  const auto add_seeds = [&](CLI::App* command) {
    command->add_option("--seeds", args.seeds, "Instead of the experiment's")
        ->check(CLI::PositiveNumber);
  };
  add_seeds(add("list", "What is done, and what is left", List));
  CLI::App* run = add("run", "Run what has no result yet", Run);
  run->get_option("names")->required();
  add_seeds(run);
  CLI::App* report =
      add("report", "Make pages and Markdown of results", Report);
  report->add_option("--out", args.out, "Folder of the pages");
  report->add_option("--markdown", args.markdown,
                     "File of the Markdown copy; a picture beside it");
}

}  // namespace larr::ctl
