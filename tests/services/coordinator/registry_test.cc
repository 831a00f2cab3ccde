// SPDX-License-Identifier: Apache-2.0
#include "services/coordinator/registry.h"

#include <catch2/catch.hpp>
#include <filesystem>

#include "common/base/files.h"
#include "common/config/text_proto.h"
#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

using config::v1::PublishDecision;
using config::v1::ServingBundle;
using coordinator::v1::Model;
using coordinator::v1::PromoteModelVersionRequest;
using coordinator::v1::RollbackAliasRequest;
using coordinator::v1::TrainingRun;

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);

class RegistryTest {
 public:
  RegistryTest() : registry_(*store_, dir_.path()) {}

 protected:
  // Publishes one version by a run of its own.
  TrainingRun Publish(const std::string& id, int64_t seen_token,
                      bool accepted = true) {
    PublishDecision decision;
    decision.set_accepted(accepted);
    decision.add_reasons("Refused: caf\xe9.bin");  // a file's name
    decision.set_model_path("/m/" + id);
    decision.set_snapshot_path("/s/" + id);
    decision.set_champion_fencing_token(seen_token);
    std::vector<TrainingRun> runs(2);
    runs[0].set_name("trainingRuns/next");
    runs[1].set_name("trainingRuns/" + id);
    runs[1].set_model("models/city");
    status_ =
        registry_.Publish(decision, "champion", kNow, runs[1].name(), runs);
    return runs[1];
  }

  absl::StatusOr<Model> Promote(const std::string& version,
                                const std::string& actor = "ada") {
    PromoteModelVersionRequest request;
    request.set_name(version);
    request.set_actor(actor);
    request.set_reason("it is better");
    return registry_.Promote(request, kNow);
  }

  absl::StatusOr<Model> Rollback() {
    RollbackAliasRequest request;
    request.set_model("models/city");
    request.set_actor("ada");
    return registry_.Rollback(request, kNow);
  }

  static std::string Champion(const absl::StatusOr<Model>& model) {
    REQUIRE(model.ok());
    const std::string& name = model->aliases().at("champion");
    return name.substr(name.rfind('/') + 1);
  }

  testing::TempDir dir_;
  std::unique_ptr<RunStore> store_ = *RunStore::Open(dir_.path() / "db");
  Registry registry_;
  absl::Status status_;
};

TEST_CASE_METHOD(RegistryTest, "A published run is a version with the alias",
                 "[registry]") {
  CHECK(registry_.GetModel("models/city").status().code() ==
        absl::StatusCode::kNotFound);
  const TrainingRun run = Publish("a", 0);
  REQUIRE(status_.ok());
  CHECK(run.model_version() == "models/city/versions/1");
  CHECK(run.publish_reasons_size() == 1);
  CHECK(store_->GetRun("trainingRuns/a")->model_version() ==
        run.model_version());
  CHECK(store_->GetRun("trainingRuns/next").ok());
  CHECK(Champion(registry_.GetModel("models/city")) == "1");

  const auto target = registry_.Resolve("models/city", "champion");
  CHECK(target->version.model_path() == "/m/a");
  CHECK(target->fencing_token == 1);
  CHECK(registry_.Resolve("models/city", "other")->fencing_token == 0);
}

TEST_CASE_METHOD(RegistryTest, "A refused run is stored with its reasons only",
                 "[registry]") {
  const TrainingRun run = Publish("a", 0, /*accepted=*/false);
  REQUIRE(status_.ok());
  CHECK(run.model_version().empty());
  const auto stored = store_->GetRun("trainingRuns/a");
  REQUIRE(stored.ok());
  REQUIRE(stored->publish_reasons_size() == 1);
  CHECK(stored->publish_reasons(0) == "Refused: caf\xef\xbf\xbd.bin");
  CHECK_FALSE(registry_.GetModel("models/city").ok());
}

TEST_CASE_METHOD(RegistryTest, "A decision about an older champion is aborted",
                 "[registry]") {
  Publish("a", 0);
  const TrainingRun run = Publish("b", /*seen_token=*/0);
  CHECK(status_.code() == absl::StatusCode::kAborted);
  CHECK(run.model_version().empty());
  CHECK_FALSE(store_->GetRun("trainingRuns/b").ok());
  Publish("b", /*seen_token=*/1);
  CHECK(status_.ok());
}

TEST_CASE_METHOD(RegistryTest, "Rollback goes further back each time",
                 "[registry]") {
  Publish("a", 0);
  Publish("b", 1);
  Publish("c", 2);
  CHECK(Champion(Rollback()) == "2");
  CHECK(Champion(Rollback()) == "1");
  CHECK(Rollback().status().code() == absl::StatusCode::kFailedPrecondition);
  CHECK(Champion(Promote("models/city/versions/3")) == "3");
  CHECK(Champion(Rollback()) == "1");

  const auto moves = store_->ListMoves("models/city", -1, "");
  REQUIRE(moves->items.size() == 7);
  CHECK(moves->items[0].rollback());
  CHECK(moves->items[0].from_version() == "models/city/versions/3");
  CHECK(moves->items[1].actor() == "ada");
  CHECK(moves->items[1].reason() == "it is better");
  CHECK(moves->items[6].actor() == "trainingRuns/a");
  CHECK(moves->items[0].fencing_token() == 7);
}

TEST_CASE_METHOD(RegistryTest, "Moves that make no sense are refused",
                 "[registry]") {
  Publish("a", 0);
  CHECK(Champion(Promote("models/city/versions/1")) == "1");
  CHECK(store_->ListMoves("models/city", -1, "")->items.size() == 1);
  CHECK(Promote("models/city/versions/2").status().code() ==
        absl::StatusCode::kNotFound);
  CHECK(Promote("models/city/versions/1", "").status().code() ==
        absl::StatusCode::kInvalidArgument);
  PromoteModelVersionRequest request;
  request.set_name("models/city/versions/1");
  request.set_actor("ada");
  request.set_alias("../escape");
  CHECK(registry_.Promote(request, kNow).status().code() ==
        absl::StatusCode::kInvalidArgument);
  CHECK(registry_.GetModel("city").status().code() ==
        absl::StatusCode::kInvalidArgument);
}

TEST_CASE_METHOD(RegistryTest, "Alias files follow the database",
                 "[registry]") {
  Publish("a", 0);
  Publish("b", 1);
  REQUIRE(registry_.SyncAliasFiles().ok());
  const auto file = registry_.AliasFile("models/city", "champion");
  CHECK(file == dir_.path() / "aliases" / "city" / "champion.textproto");
  auto bundle = LoadTextProto<ServingBundle>(file);
  REQUIRE(bundle.ok());
  CHECK(bundle->model_version() == "models/city/versions/2");
  CHECK(bundle->snapshot_path() == "/s/b");
  CHECK(bundle->fencing_token() == 2);

  // A new process repairs a file that someone changed or removed.
  REQUIRE(WriteFileAtomically(file, "model_version: \"else\"").ok());
  Registry restarted(*store_, dir_.path());
  REQUIRE(restarted.SyncAliasFiles().ok());
  bundle = LoadTextProto<ServingBundle>(file);
  CHECK(bundle->model_version() == "models/city/versions/2");
}

TEST_CASE_METHOD(RegistryTest,
                 "Scoring follows a database that was restored from a backup",
                 "[registry]") {
  Publish("a", 0);
  const auto file = registry_.AliasFile("models/city", "champion");
  const auto write = [&](const std::string& version, int64_t token) {
    ServingBundle bundle;
    bundle.set_model_version("models/city/versions/" + version);
    bundle.set_model_path("/m/" + version);
    bundle.set_fencing_token(token);
    std::filesystem::create_directories(file.parent_path());
    REQUIRE(WriteFileAtomically(file, ToTextProto(bundle)).ok());
  };
  // A file that cannot be read for a while is not taken for one of token 0.
  std::filesystem::create_directories(file.parent_path());
  std::filesystem::create_symlink(file, file);
  CHECK_FALSE(registry_.SyncAliasFiles().ok());
  CHECK(std::filesystem::is_symlink(file));
  std::filesystem::remove(file);
  write("9", 57);  // Moves that the backup does not have.
  REQUIRE(registry_.SyncAliasFiles().ok());
  auto bundle = LoadTextProto<ServingBundle>(file);
  CHECK(bundle->model_version() == "models/city/versions/1");
  CHECK(bundle->fencing_token() == 58);
  // A new process has nothing to add.
  Registry restarted(*store_, dir_.path());
  REQUIRE(restarted.SyncAliasFiles().ok());
  CHECK(LoadTextProto<ServingBundle>(file)->fencing_token() == 58);
  Publish("b", 1);
  REQUIRE(registry_.SyncAliasFiles().ok());
  bundle = LoadTextProto<ServingBundle>(file);
  CHECK(bundle->model_version() == "models/city/versions/2");
  CHECK(bundle->fencing_token() == 59);
}

TEST_CASE_METHOD(RegistryTest, "An alias file that fails holds up no other",
                 "[registry]") {
  Publish("a", 0);
  REQUIRE(Promote("models/city/versions/1").ok());
  PromoteModelVersionRequest request;
  request.set_name("models/city/versions/1");
  request.set_alias("canary");
  request.set_actor("ada");
  REQUIRE(registry_.Promote(request, kNow).ok());
  // Nothing can be written where a folder is.
  const auto canary = registry_.AliasFile("models/city", "canary");
  std::filesystem::create_directories(canary / "in the way");
  CHECK_FALSE(registry_.SyncAliasFiles().ok());
  CHECK(LoadTextProto<ServingBundle>(
            registry_.AliasFile("models/city", "champion"))
            .ok());
  std::filesystem::remove_all(canary);
  CHECK(registry_.SyncAliasFiles().ok());
  CHECK(LoadTextProto<ServingBundle>(canary).ok());
}

TEST_CASE_METHOD(RegistryTest, "A refusal is of its moment, too",
                 "[registry]") {
  Publish("a", 0);
  Publish("b", /*seen_token=*/0, /*accepted=*/false);
  CHECK(absl::IsAborted(status_));
}

}  // namespace
}  // namespace larr
