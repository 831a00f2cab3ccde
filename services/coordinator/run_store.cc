// SPDX-License-Identifier: Apache-2.0
#include "services/coordinator/run_store.h"

#include <fmt/format.h>
#include <google/protobuf/util/time_util.h>
#include <rocksdb/write_batch.h>

#include <charconv>
#include <limits>

#include "common/base/files.h"
#include "common/base/invalid_argument.h"
#include "common/base/status_macros.h"
#include "common/rocks/rocks_status.h"
#include "services/coordinator/scheduler.h"

namespace larr {
namespace {

using coordinator::v1::AliasMove;
using coordinator::v1::ModelVersion;
using coordinator::v1::TrainingRun;

constexpr char kTokenKey[] = "fencing_token";

// Larger numbers sort first.
std::string Age(int64_t number) {
  return fmt::format("{:019d}", std::numeric_limits<int64_t>::max() - number);
}

// `prefix` (`models/`) taken off a resource name.
std::string Id(const std::string& name, std::string_view prefix) {
  return name.starts_with(prefix) ? name.substr(prefix.size()) : name;
}

std::string RunKey(const std::string& name) {
  return "run/" + Id(name, "trainingRuns/");
}

std::string RunOrderKey(const TrainingRun& run) {
  const int64_t micros =
      google::protobuf::util::TimeUtil::TimestampToMicroseconds(
          run.create_time());
  return fmt::format("run_order/{}/{}", Age(micros),
                     Id(run.name(), "trainingRuns/"));
}

// `models/{model}/versions/{version}`; empty if it is not of that form.
std::string VersionKey(const std::string& name) {
  const std::string rest = Id(name, "models/");
  const size_t slash = rest.find("/versions/");
  if (slash == std::string::npos) return "";
  const std::string digits = rest.substr(slash + 10);
  int64_t number = 0;
  const std::errc error =
      std::from_chars(digits.data(), digits.data() + digits.size(), number).ec;
  // As they are written: from 1, no sign, no zeros before.
  if (error != std::errc() || number < 1 || digits != std::to_string(number))
    return "";
  return fmt::format("version/{}/{}", rest.substr(0, slash), Age(number));
}

std::string ModelPrefix(const char* kind, const std::string& model) {
  if (model == "models/-") return fmt::format("{}/", kind);
  return fmt::format("{}/{}/", kind, Id(model, "models/"));
}

template <typename Message>
absl::StatusOr<Message> Parse(const std::string& key,
                              const std::string& value) {
  Message message;
  if (!message.ParseFromString(value)) {
    return absl::DataLossError(
        fmt::format("the run database's record {} is not a {}", key,
                    message.GetDescriptor()->full_name()));
  }
  return message;
}

}  // namespace

absl::StatusOr<std::unique_ptr<RunStore>> RunStore::Open(
    const std::filesystem::path& folder) {
  rocksdb::Options options;
  options.create_if_missing = true;
  options.max_background_jobs = 2;
  options.info_log = NoInfoLog();
  options.write_buffer_size = 8 << 20;
  rocksdb::DB* db = nullptr;
  LARR_RETURN_IF_ERROR(MakeFolder(folder));
  LARR_RETURN_IF_ERROR(
      FromRocks(rocksdb::DB::Open(options, folder.string(), &db),
                fmt::format("opening the run database {}", folder.string())));
  return std::unique_ptr<RunStore>(
      new RunStore(std::unique_ptr<rocksdb::DB>(db)));
}

absl::Status RunStore::Commit(const RunStoreBatch& batch) {
  rocksdb::WriteBatch writes;
  for (const TrainingRun& run : batch.runs) {
    writes.Put(RunKey(run.name()), run.SerializeAsString());
    writes.Put(RunOrderKey(run), "");
  }
  if (batch.version) {
    writes.Put(VersionKey(batch.version->name()),
               batch.version->SerializeAsString());
  }
  if (batch.move) {
    const std::string value = batch.move->SerializeAsString();
    const std::string& model = batch.move->model();
    writes.Put(ModelPrefix("alias", model) + batch.move->alias(), value);
    writes.Put(ModelPrefix("move", model) + Age(batch.move->fencing_token()),
               value);
    writes.Put(kTokenKey, std::to_string(batch.move->fencing_token()));
  }
  return FromRocks(db_->Write(SyncedWrite(), &writes),
                   "writing to the run database");
}

template <typename Message>
absl::StatusOr<Message> RunStore::Get(const std::string& key,
                                      const std::string& what) const {
  std::string value;
  const rocksdb::Status status = db_->Get({}, key, &value);
  if (status.IsNotFound()) {
    return absl::NotFoundError(fmt::format("{} does not exist", what));
  }
  LARR_RETURN_IF_ERROR(FromRocks(status, fmt::format("reading {}", what)));
  return Parse<Message>(key, value);
}

absl::StatusOr<RunStorePage<std::pair<std::string, std::string>>>
RunStore::List(const std::string& prefix, int page_size,
               const std::string& page_token) const {
  RunStorePage<std::pair<std::string, std::string>> page;
  const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator({}));
  for (it->Seek(prefix + page_token); it->Valid(); it->Next()) {
    const std::string key = it->key().ToString();
    if (!key.starts_with(prefix)) break;
    if (static_cast<int>(page.items.size()) == page_size) {
      page.next_token = key.substr(prefix.size());
      break;
    }
    page.items.emplace_back(key, it->value().ToString());
  }
  LARR_RETURN_IF_ERROR(FromRocks(it->status(), "reading the run database"));
  return page;
}

template <typename Message>
absl::StatusOr<RunStorePage<Message>> RunStore::ListMessages(
    const std::string& prefix, int page_size,
    const std::string& page_token) const {
  LARR_ASSIGN_OR_RETURN(auto rows, List(prefix, page_size, page_token));
  RunStorePage<Message> page;
  page.next_token = std::move(rows.next_token);
  for (const auto& [key, value] : rows.items) {
    LARR_ASSIGN_OR_RETURN(Message message, Parse<Message>(key, value));
    page.items.push_back(std::move(message));
  }
  return page;
}

absl::StatusOr<TrainingRun> RunStore::GetRun(const std::string& name) const {
  return Get<TrainingRun>(RunKey(name), name);
}

absl::StatusOr<RunStorePage<TrainingRun>> RunStore::ListRuns(
    int page_size, const std::string& page_token) const {
  LARR_ASSIGN_OR_RETURN(auto order, List("run_order/", page_size, page_token));
  RunStorePage<TrainingRun> page;
  page.next_token = std::move(order.next_token);
  for (const auto& [key, empty] : order.items) {
    LARR_ASSIGN_OR_RETURN(TrainingRun run,
                          GetRun(key.substr(key.rfind('/') + 1)));
    page.items.push_back(std::move(run));
  }
  return page;
}

absl::StatusOr<std::vector<TrainingRun>> RunStore::LiveRuns() const {
  LARR_ASSIGN_OR_RETURN(
      auto all, ListMessages<TrainingRun>("run/", /*page_size=*/-1, ""));
  std::erase_if(all.items, IsFinished);
  return std::move(all.items);
}

absl::StatusOr<ModelVersion> RunStore::GetVersion(
    const std::string& name) const {
  const std::string key = VersionKey(name);
  if (key.empty()) {
    return Invalid(
        "`{}` is not of the form models/{{model}}/versions/{{version}}", name);
  }
  return Get<ModelVersion>(key, name);
}

absl::StatusOr<RunStorePage<ModelVersion>> RunStore::ListVersions(
    const std::string& model, int page_size,
    const std::string& page_token) const {
  return ListMessages<ModelVersion>(ModelPrefix("version", model), page_size,
                                    page_token);
}

absl::StatusOr<std::vector<AliasMove>> RunStore::ListAliases(
    const std::string& model) const {
  LARR_ASSIGN_OR_RETURN(auto all,
                        ListMessages<AliasMove>(ModelPrefix("alias", model),
                                                /*page_size=*/-1, ""));
  return std::move(all.items);
}

absl::StatusOr<RunStorePage<AliasMove>> RunStore::ListMoves(
    const std::string& model, int page_size,
    const std::string& page_token) const {
  return ListMessages<AliasMove>(ModelPrefix("move", model), page_size,
                                 page_token);
}

absl::StatusOr<int64_t> RunStore::LastFencingToken() const {
  std::string value;
  const rocksdb::Status status = db_->Get({}, kTokenKey, &value);
  if (status.IsNotFound()) return 0;
  LARR_RETURN_IF_ERROR(FromRocks(status, "reading the last fencing token"));
  int64_t token = 0;
  std::from_chars(value.data(), value.data() + value.size(), token);
  return token;
}

}  // namespace larr
