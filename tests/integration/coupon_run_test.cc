// SPDX-License-Identifier: Apache-2.0
//
// The second dataset through the whole line, by the real programs: the coupon
// survey has no dates, no orders, no tables of users and items, and is split by
// person. A tiny Llama is trained on its texts, a recommender on its rows; what
// is published is served, and scores as the evaluation did.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "common/dataset/impression_stream.h"
#include "common/dataset/parquet_reader.h"
#include "larr/scoring/v1/scoring_service.grpc.pb.h"
#include "tests/integration/coordinator_fixture.h"
#include "tests/testing/survey.h"
#include "tools/demo/logged_request.h"

namespace larr {
namespace {

using coordinator::v1::TrainingRun;
using scoring::v1::ScoreRequest;
using scoring::v1::ScoreResponse;
using scoring::v1::ScoringService;

constexpr char kSpec[] = R"(
  pretrain {
    steps: 4 descriptions_per_step: 4 max_tokens: 96 precision: FP32
    optimizer { learning_rate: 1e-3 new_parameter_learning_rate: 1e-3 }
  }
  contrast {
    steps: 4 pairs_per_step: 4 max_tokens: 96 precision: FP32
    temperature: 0.05
    user_user_weight: 1 poi_poi_weight: 1 user_poi_weight: 1
    optimizer { learning_rate: 1e-3 new_parameter_learning_rate: 1e-3 }
  }
  embed { precision: FP32 }
  align {
    name: "larr" batch_size: 50 epochs: 4 learning_rate: 0.01
    alignment_weight: 0.05
    architecture { kind: LARR embedding_width: 4 expert_widths: [ 16, 8 ]
                   tower_width: 8 encoder_ffn_width: 32 }
  }
  evaluate { bootstrap_samples: 5 }
  publish { max_calibration_error: 1 }
  seed: 7
)";

config::v1::CoordinatorConfig Config() {
  config::v1::CoordinatorConfig config;
  config.set_stage_program(STAGE);
  return config;
}

class CouponRunTest : public testing::CoordinatorFixture {
 public:
  CouponRunTest() : CoordinatorFixture(COORDINATOR, Config()) {}

 protected:
  TrainingRun Train() {
    auto spec = *ParseTextProto<config::v1::TrainingSpec>(kSpec);
    spec.set_dataset(path("data/dataset.textproto"));
    spec.set_base_model(testing::Env("LARR_SOURCE_DIR") +
                        "/tests/golden/tiny_llama");
    StartRun("coupon", spec);
    return FinishRun("coupon");
  }

  // Starts larr_scoring on what was published.
  void Serve() {
    config::v1::ScoringConfig config;
    config.set_alias_file(path("artifacts/aliases/coupon/champion.textproto"));
    scoring_ = std::make_unique<testing::ServerProgram>(SCORING, config,
                                                        path("scoring"));
    stub_ = ScoringService::NewStub(grpc::CreateChannel(
        scoring_->address(), grpc::InsecureChannelCredentials()));
    INFO(scoring_->log());
    REQUIRE(testing::Eventually([&] {
      grpc::ClientContext context;
      scoring::v1::ServingState state;
      return stub_->GetServingState(&context, {}, &state).ok();
    }));
  }

  ScoreResponse Score(const ScoreRequest& request) {
    ScoreResponse response;
    grpc::ClientContext context;
    const auto status = stub_->Score(&context, request, &response);
    INFO(status.error_message());
    REQUIRE(status.ok());
    return response;
  }

  std::string Artifact(const std::string& stage, const std::string& file) {
    return path("artifacts/runs/coupon/" + stage + "/" + file);
  }

  std::unique_ptr<testing::ServerProgram> scoring_;
  std::unique_ptr<ScoringService::Stub> stub_;
};

// The offline scores of the test rows, in their order.
std::vector<double> OfflineScores(const std::string& file) {
  const auto scores = ParquetFile::Open(file);
  INFO(scores.status().ToString());
  REQUIRE(scores.ok());
  CHECK(scores->Find("larr_ctcvr") == nullptr);  // Nobody orders a coupon.
  std::vector<double> ctr;
  for (int g = 0; g < scores->row_groups(); ++g) {
    const auto group = scores->Read(g, {"larr_ctr"});
    REQUIRE(group.ok());
    for (int64_t i = 0; i < group->rows(); ++i)
      ctr.push_back(group->column(0).Number(i));
  }
  return ctr;
}

TEST_CASE_METHOD(CouponRunTest,
                 "A dataset of another shape is trained, published and served",
                 "[integration]") {
  testing::WriteSurvey(path("survey.csv"));
  const auto [code, printed] =
      testing::ImportSurvey(path("survey.csv"), path("data"));
  INFO(printed);
  REQUIRE(code == 0);
  const TrainingRun run = Train();
  INFO(run.ShortDebugString());
  REQUIRE(run.state() == TrainingRun::SUCCEEDED);
  CHECK(run.model_version() == "models/coupon/versions/1");
  std::ifstream in(Artifact("evaluate", "metrics.json"));
  const auto metrics = nlohmann::json::parse(in)["models"]["larr"];
  for (const char* part : {"validation", "test"}) {
    INFO(metrics[part].dump());
    CHECK(metrics[part]["ctr_auc"].is_number());
    CHECK_FALSE(metrics[part].contains("ctcvr_auc"));
  }

  Serve();
  const auto offline = OfflineScores(Artifact("evaluate", "scores.parquet"));
  const auto dataset = OpenDataset(path("data/dataset.textproto"));
  REQUIRE(dataset.ok());
  auto stream = ImpressionStream::Open(*dataset, {.part = Part::kTest});
  REQUIRE(stream.ok());
  ScoreRequest request;
  std::set<float> different;
  size_t rows = 0;
  double largest = 0;
  for (Impression row; *stream->Next(row); ++rows) {
    REQUIRE(rows < offline.size());
    REQUIRE(std::isfinite(offline[rows]));
    request.Clear();
    demo::AddImpression(dataset->schemas(), row, request);
    const ScoreResponse response = Score(request);
    const auto& missing = response.missing();
    CHECK(missing.users() + missing.pois() + missing.texts() == 0);
    CHECK(response.scores(0).ctcvr() == 0);
    different.insert(response.scores(0).ctr());
    largest =
        std::max(largest, std::abs(response.scores(0).ctr() - offline[rows]));
  }
  CHECK(rows == offline.size());
  CHECK(largest < 1e-5);
  CHECK(different.size() > 10);

  request.set_user_id("nobody");
  request.mutable_candidates(0)->set_poi_id("nothing");
  const ScoreResponse response = Score(request);
  CHECK(response.missing().users() == 1);
  CHECK(response.missing().pois() == 1);
  CHECK(std::isfinite(response.scores(0).ctr()));
}

}  // namespace
}  // namespace larr
