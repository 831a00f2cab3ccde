// SPDX-License-Identifier: Apache-2.0
#include "tools/larrctl/progress_view.h"

#include <algorithm>
#include <catch2/catch.hpp>

namespace larr::ctl {
namespace {

ProgressItem Pretrain(int64_t done) {
  return {.name = "pretrain",
          .state = "RUNNING",
          .done = done,
          .total = 20,
          .throughput = 812.4,
          .unit = "tokens/s",
          .loss = 2.314,
          .elapsed_seconds = 40};
}

// What a view writes for successive states.
std::string Written(bool terminal, const std::vector<Progress>& states) {
  std::FILE* file = std::tmpfile();
  ProgressView view(file, terminal);
  for (const Progress& state : states) view.Update(state);
  std::string text(static_cast<size_t>(std::ftell(file)), '\0');
  std::rewind(file);
  const size_t read = std::fread(text.data(), 1, text.size(), file);
  std::fclose(file);
  text.resize(read);
  return text;
}

TEST_CASE("A bar fills from 0 to 100 and never beyond", "[larrctl]") {
  CHECK(Bar(0, 10, 4) == "[----]   0 %");
  CHECK(Bar(5, 10, 4) == "[##--]  50 %");
  CHECK(Bar(12, 10, 4) == "[####] 100 %");
  CHECK(Bar(0, 0, 4) == "[----]   0 %");
}

TEST_CASE("The time left follows the speed so far", "[larrctl]") {
  CHECK(SecondsLeft(Pretrain(10)) == Approx(40));
  CHECK(SecondsLeft(Pretrain(5)) == Approx(120));
  CHECK(SecondsLeft(Pretrain(20)) == 0);
  CHECK(SecondsLeft(Pretrain(0)) < 0);
}

TEST_CASE("A line tells state, steps, speed, loss and times", "[larrctl]") {
  CHECK(Describe(Pretrain(10), true) ==
        "RUNNING  [########--------]  50 %  00:00:40 left  10/20  812 tokens/s"
        "  loss 2.31  00:00:40");
  CHECK(Describe(Pretrain(10), false) ==
        "RUNNING  50 %  00:00:40 left  10/20  812 tokens/s  loss 2.31  "
        "00:00:40");
  ProgressItem item = Pretrain(20);
  item.state = "SUCCEEDED";
  CHECK(Describe(item, true) ==
        "SUCCEEDED  20/20  812 tokens/s  loss 2.31  00:00:40");
  item.state = "PENDING";
  CHECK(Describe(item, true) == "PENDING");
}

TEST_CASE("Plain output adds a line for each tenth, not too often",
          "[larrctl]") {
  const ProgressItem waiting{.name = "align/ple", .state = "PENDING"};
  std::vector<Progress> states;
  const std::vector<std::pair<int, double>> steps = {
      {1, 40}, {1, 50}, {2, 60}, {4, 64}, {8, 70}, {20, 71}};
  for (const auto& [done, elapsed] : steps) {
    ProgressItem item = Pretrain(done);
    item.elapsed_seconds = elapsed;
    states.push_back({"run", {item, waiting}});
  }
  states.back().items[0].state = "SUCCEEDED";
  const std::string text = Written(false, states);
  CHECK(std::count(text.begin(), text.end(), '\n') == 4);
  CHECK_THAT(text, Catch::Contains("RUNNING  10 %"));
  CHECK_THAT(text, !Catch::Contains("RUNNING  20 %"));
  CHECK_THAT(text, Catch::Contains("RUNNING  40 %"));
  CHECK_THAT(text, Catch::Contains("pretrain: SUCCEEDED"));
  CHECK_THAT(text, Catch::StartsWith("pretrain: RUNNING  5 %"));
  CHECK_THAT(text, !Catch::Contains("align"));
  CHECK_THAT(text, !Catch::Contains("\x1b"));
}

TEST_CASE("A terminal is redrawn in place", "[larrctl]") {
  const std::string text =
      Written(true, {{"title", {Pretrain(1)}}, {"title", {Pretrain(10)}}});
  CHECK_THAT(text, Catch::Contains("\x1b[2F\x1b[0J"));  // title and one line
  CHECK_THAT(text, Catch::Contains("  pretrain  RUNNING  [########--"));
}

TEST_CASE("A title is not needed", "[larrctl]") {
  const std::string text = Written(true, {{"", {Pretrain(1)}}});
  CHECK_THAT(text, Catch::StartsWith("  pretrain  RUNNING"));
}

TEST_CASE("Runs and jobs become progress", "[larrctl]") {
  coordinator::v1::TrainingRun run;
  run.set_name("trainingRuns/demo");
  run.set_state(coordinator::v1::TrainingRun::RUNNING);
  auto* stage = run.add_stages();
  stage->set_id("corpus");
  stage->set_state(coordinator::v1::StageRun::SUCCEEDED);
  stage->mutable_start_time()->set_seconds(100);
  stage->mutable_end_time()->set_seconds(109);
  const Progress progress = ToProgress(run);
  CHECK_THAT(progress.title, Catch::StartsWith("trainingRuns/demo  RUNNING"));
  REQUIRE(progress.items.size() == 1);
  CHECK(Describe(progress.items[0], true) == "SUCCEEDED  00:00:09");
  stage->set_shared_from("trainingRuns/before");
  CHECK(Describe(ToProgress(run).items[0], true) ==
        "SUCCEEDED  shared from before");

  embedding::v1::RefreshJob job;
  job.set_name("refreshJobs/a");
  job.set_state(embedding::v1::RefreshJob::RUNNING);
  job.set_texts_total(100);
  job.set_texts_to_encode(20);
  job.set_texts_encoded(5);
  CHECK(ToProgress(job).title ==
        "refreshJobs/a  RUNNING  100 texts, 80 stored already");
  CHECK(ToProgress(job).items[0].total == 20);
}

}  // namespace
}  // namespace larr::ctl
