// SPDX-License-Identifier: Apache-2.0
#include "tools/market/online_test.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <map>
#include <optional>
#include <utility>

#include "common/base/files.h"
#include "common/base/status_macros.h"
#include "examples/city/impression_rows.h"
#include "examples/city/random.h"
#include "examples/city/visits.h"
#include "larr/config/v1/server.pb.h"
#include "services/scoring/arm_table.h"
#include "tools/larrctl/part_progress.h"
#include "tools/load/latency_histogram.h"
#include "tools/market/backend.h"
#include "tools/market/day_log.h"
#include "tools/market/embeddings.h"
#include "tools/market/market_dataset.h"
#include "tools/market/oracle.h"
#include "tools/market/retraining.h"
#include "tools/programs/interrupts.h"
#include "tools/programs/server.h"

namespace larr::market {
namespace {

namespace fs = std::filesystem;

// An arm and the model that it is served with.
struct ArmModel {
  const char* arm;
  fs::path given;       // That the market began with.
  std::string trained;  // Date of the present one's training; empty: given.
};

// What is known of the requests of one arm on one day, but not logged.
struct ArmFacts {
  load::LatencyHistogram latencies;
  scoring::v1::MissingCounts missing;
};

Json ToJson(const std::map<std::string, ArmFacts>& arms) {
  Json json = Json::object();
  for (const auto& [name, facts] : arms) {
    json[name] = {
        {"missing",
         {{"users", facts.missing.users()},
          {"pois", facts.missing.pois()},
          {"texts", facts.missing.texts()}}},
        {"latency_ms",
         {{"p50", load::Milliseconds(facts.latencies.Quantile(0.5))},
          {"p99", load::Milliseconds(facts.latencies.Quantile(0.99))}}}};
  }
  return json;
}

class OnlineTest {
 public:
  OnlineTest(const Market& market, const TestPlan& plan)
      : market_(market),
        plan_(plan),
        folder_(market.options().out / plan.name),
        statistics_(market.statistics()),
        entities_(market.entities()),
        models_{{{kControl, plan.control_model, ""},
                 {kTreatment, plan.treatment_model, ""}}},
        result_{.sums = TestSums(market.platform().users.size())} {}

  absl::StatusOr<TestResult> Run() {
    LARR_RETURN_IF_ERROR(MakeFolder(folder_ / "days"));
    LARR_RETURN_IF_ERROR(MakeDataset(market_, folder_ / "dataset"));
    for (int i = 0; i < market_.options().days; ++i) {
      const int day = market_.first_day() + i;
      entities_.StartDay(day, statistics_);
      LARR_ASSIGN_OR_RETURN(Json facts, FinishedDay(day));
      RememberModels(facts);
      LARR_ASSIGN_OR_RETURN(const auto requests,
                            ReadDay(market_, folder_, day));
      for (const ServedRequest& request : requests) {
        for (const city::Shown& shown : request.shown) {
          statistics_.Add(shown.event);
        }
      }
      LARR_RETURN_IF_ERROR(result_.sums.AddDay(market_, requests));
      result_.days.push_back(std::move(facts));
    }
    return std::move(result_);
  }

 private:
  // The facts of a day: from an earlier run, or lived now.
  absl::StatusOr<Json> FinishedDay(int day);
  absl::StatusOr<Json> LiveDay(int day);
  absl::Status StartServers();
  absl::Status Retrain(int day, const std::string& snapshot);
  void RememberModels(const Json& facts);
  absl::StatusOr<fs::path> PathOf(const ArmModel& model) const;
  absl::Status SwitchTo(const std::string& snapshot);
  absl::StatusOr<Json> ServeRequests(int day);

  const Market& market_;
  const TestPlan& plan_;
  const fs::path folder_;
  city::Statistics statistics_;
  city::EntityPartitions entities_;
  std::array<ArmModel, 2> models_;
  std::optional<Embeddings> embeddings_;
  std::optional<Retraining> retraining_;
  std::optional<programs::Server> scoring_;
  std::optional<Backend> backend_;
  TestResult result_;
};

absl::StatusOr<Json> OnlineTest::FinishedDay(int day) {
  const std::string& date = market_.Date(day);
  const fs::path path = folder_ / "days" / (date + ".json");
  const auto text = ReadFile(path);
  if (text.ok()) {
    Json facts = Json::parse(*text, nullptr, /*allow_exceptions=*/false);
    if (facts.is_object()) {
      fmt::print("{} {}: done already\n", plan_.name, date);
      return facts;
    }
  }
  LARR_ASSIGN_OR_RETURN(Json facts, LiveDay(day));
  LARR_RETURN_IF_ERROR(WriteFileAtomically(path, facts.dump(2) + "\n"));
  return facts;
}

absl::StatusOr<Json> OnlineTest::LiveDay(int day) {
  const std::string& date = market_.Date(day);
  // First of all, for they refuse a second market in this folder.
  LARR_RETURN_IF_ERROR(StartServers());
  LARR_RETURN_IF_ERROR(ForgetDay(folder_ / "dataset", date));
  LARR_RETURN_IF_ERROR(entities_.Write(folder_ / "dataset", statistics_));
  if (day == market_.first_day()) {
    LARR_RETURN_IF_ERROR(CheckSameCity(market_, folder_ / "dataset"));
  }
  LARR_ASSIGN_OR_RETURN(const auto job, embeddings_->Refresh(date));
  fmt::print("{} {}: {} of {} texts encoded\n", plan_.name, date,
             job.texts_encoded(), job.texts_total());
  if (market_.options().retrain && day > market_.first_day())
    LARR_RETURN_IF_ERROR(Retrain(day, job.snapshot_path()));
  LARR_RETURN_IF_ERROR(SwitchTo(job.snapshot_path()));
  LARR_ASSIGN_OR_RETURN(Json arms, ServeRequests(day));
  if (market_.options().retrain) {
    for (const ArmModel& model : models_) {
      arms[model.arm]["trained"] =
          model.trained.empty() ? Json() : Json(model.trained);
    }
  }
  return Json{{"date", date},
              {"texts_total", job.texts_total()},
              {"texts_encoded", job.texts_encoded()},
              {"arms", std::move(arms)}};
}

absl::Status OnlineTest::StartServers() {
  if (backend_) return absl::OkStatus();
  LARR_ASSIGN_OR_RETURN(Embeddings embeddings,
                        Embeddings::Start(market_, folder_));
  embeddings_.emplace(std::move(embeddings));
  config::v1::ScoringConfig config;
  config.set_admin_listen("127.0.0.1:0");
  LARR_ASSIGN_OR_RETURN(programs::Server scoring,
                        programs::Server::Start("larr_scoring", config,
                                                folder_ / "scoring.textproto",
                                                folder_ / "scoring.log"));
  scoring_.emplace(std::move(scoring));
  backend_.emplace(*scoring_);
  return absl::OkStatus();
}

// A model that the gate refuses leaves the one before it in its place.
absl::Status OnlineTest::Retrain(int day, const std::string& snapshot) {
  if (!retraining_) {
    LARR_ASSIGN_OR_RETURN(Retraining retraining,
                          Retraining::Start(market_, folder_));
    retraining_.emplace(std::move(retraining));
  }
  std::map<fs::path, bool> passed;  // Both arms may have one model.
  for (ArmModel& model : models_) {
    if (!passed.contains(model.given)) {
      LARR_ASSIGN_OR_RETURN(const auto recommender,
                            Recommender::Of(model.given));
      fmt::print("{} {}: training {}\n", plan_.name, market_.Date(day),
                 recommender.config.name());
      LARR_ASSIGN_OR_RETURN(passed[model.given],
                            retraining_->Train(day, snapshot, recommender));
    }
    if (passed[model.given]) model.trained = market_.Date(day);
  }
  return absl::OkStatus();
}

void OnlineTest::RememberModels(const Json& facts) {
  for (ArmModel& model : models_) {
    const auto arm = facts["arms"].find(model.arm);
    if (arm == facts["arms"].end()) continue;  // Nobody came to it.
    if (arm->contains("trained") && (*arm)["trained"].is_string())
      model.trained = (*arm)["trained"];
  }
}

absl::StatusOr<fs::path> OnlineTest::PathOf(const ArmModel& model) const {
  if (model.trained.empty()) return model.given;
  LARR_ASSIGN_OR_RETURN(const auto recommender, Recommender::Of(model.given));
  return recommender.ModelFolder(folder_, model.trained);
}

absl::Status OnlineTest::SwitchTo(const std::string& snapshot) {
  scoring::v1::Arms arms;
  arms.set_salt(TestPlan::Salt(market_));
  for (const ArmModel& model : models_) {
    LARR_ASSIGN_OR_RETURN(const fs::path path, PathOf(model));
    scoring::v1::Arm& arm = *arms.add_arms();
    arm.set_name(model.arm);
    arm.set_weight(ArmTable::kBuckets / 2);
    arm.set_model_path(path.string());
    arm.set_snapshot_path(snapshot);
  }
  return backend_->SetArms(arms);
}

absl::StatusOr<Json> OnlineTest::ServeRequests(int day) {
  const city::Platform& platform = market_.platform();
  LARR_ASSIGN_OR_RETURN(DayWriter log,
                        DayWriter::Create(market_, folder_, day));
  city::Visits visits(market_.city_seed(), platform);
  visits.StartDay(day);
  std::map<std::string, ArmFacts> arms;
  ctl::PartProgress progress("requests", market_.requests());
  for (int64_t i = 0; i < market_.requests(); ++i) {
    LARR_RETURN_IF_ERROR(programs::CheckInterrupt());
    progress.Update(i);
    ServedRequest request{.id = market_.FirstRequest(day) + i};
    city::Random random({market_.options().seed, city::Random::kMarketVisit,
                         static_cast<uint64_t>(request.id)});
    const city::Visit visit = visits.Draw(i, market_.requests(),
                                          market_.options().candidates, random);
    const auto candidates = CandidatesOf(platform, visit);
    const city::Columns moment = city::MomentColumns(
        platform.world, platform.calendar.days[day], visit.moment);
    LARR_ASSIGN_OR_RETURN(const Answer answer,
                          backend_->Ask(MakeScoreRequest(market_, visit.user,
                                                         moment, candidates)));
    request.user = visit.user;
    request.arm = answer.arm;
    request.bounds = ClickBounds(platform, candidates);
    for (const int index : answer.best) {
      const Candidate& best = candidates[index];
      city::Shown shown{.request_id = request.id,
                        .position = static_cast<int>(request.shown.size()),
                        .distance = best.distance};
      shown.truth = TruthAt(platform, best, shown.position);
      shown.event =
          EventOf(market_, request.id, visit.user, best.poi, shown.truth);
      request.shown.push_back(shown);
    }
    LARR_RETURN_IF_ERROR(log.Add(moment, request));
    ArmFacts& facts = arms[answer.arm];
    facts.latencies.Record(answer.latency);
    facts.missing.set_users(facts.missing.users() + answer.missing.users());
    facts.missing.set_pois(facts.missing.pois() + answer.missing.pois());
    facts.missing.set_texts(facts.missing.texts() + answer.missing.texts());
  }
  progress.Finish(market_.requests());
  LARR_RETURN_IF_ERROR(log.Finish());
  return ToJson(arms);
}

}  // namespace

std::string TestPlan::Salt(const Market& market) {
  return fmt::format("market-{}", market.options().seed);
}

absl::StatusOr<TestResult> RunOnlineTest(const Market& market,
                                         const TestPlan& plan) {
  return OnlineTest(market, plan).Run();
}

}  // namespace larr::market
