// SPDX-License-Identifier: Apache-2.0
#include "tools/market/day_log.h"

#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "common/base/files.h"
#include "common/base/status_macros.h"
#include "common/dataset/parquet_reader.h"
#include "examples/city/hidden_model.h"
#include "examples/city/random.h"

namespace larr::market {
namespace {

namespace fs = std::filesystem;

constexpr size_t kRequestsPerRowGroup = 1000;
constexpr char kAside[] = "day.partial";

fs::path Impressions(const fs::path& folder) {
  return folder / "dataset" / "impressions";
}

fs::path Requests(const fs::path& folder) { return folder / "requests"; }

absl::Status Damaged(const fs::path& path, const std::string& what) {
  return absl::DataLossError(
      fmt::format("{}: {}; remove the market's folder and run it again",
                  path.string(), what));
}

// Moves the partition of a table to its place; one of a day that was ended
// before its end is replaced.
absl::Status Move(const fs::path& from, const fs::path& table,
                  const std::string& partition) {
  LARR_RETURN_IF_ERROR(MakeFolder(table));
  std::error_code error;
  fs::remove_all(table / partition, error);
  fs::rename(from / partition, table / partition, error);
  if (error) return FileStatus("cannot rename to", table / partition, error);
  return SyncFolder(table);
}

int Probability(const RowGroup& group, int column, int64_t row) {
  return static_cast<int>(
      std::lround(group.column(column).Number(row) * city::kProbabilityScale));
}

absl::StatusOr<std::vector<ServedRequest>> ReadRequests(const Market& market,
                                                        const fs::path& path) {
  std::vector<ServedRequest> requests;
  LARR_ASSIGN_OR_RETURN(const auto file, ParquetFile::Open(path));
  LARR_RETURN_IF_ERROR(file.ForEachRow(
      {"request_id", "user_id", "arm", "best_clicks", "random_clicks"},
      [&](const RowGroup& group, int64_t i, int64_t /*number*/) {
        ServedRequest request{
            .id = group.column(0).Integer(i),
            .user = market.FindUser(group.column(1).String(i)),
            .arm = std::string(group.column(2).String(i)),
            .bounds = {.best = group.column(3).Number(i),
                       .random = group.column(4).Number(i)}};
        if (request.user < 0) return Damaged(path, "an unknown user");
        requests.push_back(std::move(request));
        return absl::OkStatus();
      }));
  return requests;
}

}  // namespace

city::Event EventOf(const Market& market, int64_t request, int user, int poi,
                    const city::TrueProbabilities& truth) {
  city::Random random({market.options().seed, city::Random::kMarketEvent,
                       static_cast<uint64_t>(request),
                       static_cast<uint64_t>(poi)});
  return city::DrawEvent(user, poi, market.platform().pois[poi], truth, random);
}

DayWriter::DayWriter(const Market& market, const fs::path& folder,
                     const std::string& date, city::TableWriter impressions,
                     city::TableWriter requests)
    : market_(market),
      folder_(folder),
      partition_("date=" + date),
      impressions_(std::move(impressions)),
      requests_(std::move(requests)),
      rows_(market.platform()) {}

absl::StatusOr<DayWriter> DayWriter::Create(const Market& market,
                                            const fs::path& folder, int day) {
  const std::string& date = market.Date(day);
  std::error_code ignored;
  fs::remove_all(folder / kAside, ignored);
  LARR_ASSIGN_OR_RETURN(
      const fs::path impressions_path,
      city::PartitionFile(folder / kAside / "impressions", date));
  LARR_ASSIGN_OR_RETURN(
      const fs::path requests_path,
      city::PartitionFile(folder / kAside / "requests", date));
  LARR_ASSIGN_OR_RETURN(auto impressions,
                        city::TableWriter::Create(impressions_path));
  LARR_ASSIGN_OR_RETURN(auto requests,
                        city::TableWriter::Create(requests_path));
  return DayWriter(market, folder, date, std::move(impressions),
                   std::move(requests));
}

absl::Status DayWriter::Add(const city::Columns& moment,
                            const ServedRequest& request) {
  for (const city::Shown& shown : request.shown) rows_.Add(moment, shown);
  request_id_.push_back(request.id);
  user_id_.push_back(market_.platform().users[request.user].id);
  arm_.push_back(request.arm);
  best_.push_back(request.bounds.best);
  random_.push_back(request.bounds.random);
  return request_id_.size() < kRequestsPerRowGroup ? absl::OkStatus() : Flush();
}

absl::Status DayWriter::Flush() {
  if (request_id_.empty()) return absl::OkStatus();
  LARR_ASSIGN_OR_RETURN(const auto impressions, rows_.Take());
  LARR_RETURN_IF_ERROR(impressions_.Write(impressions));
  LARR_ASSIGN_OR_RETURN(
      const auto requests,
      city::Encode({{"request_id", std::exchange(request_id_, {})},
                    {"user_id", std::exchange(user_id_, {})},
                    {"arm", std::exchange(arm_, {})},
                    {"best_clicks", std::exchange(best_, {})},
                    {"random_clicks", std::exchange(random_, {})}}));
  return requests_.Write(requests);
}

absl::Status DayWriter::Finish() {
  LARR_RETURN_IF_ERROR(Flush());
  LARR_RETURN_IF_ERROR(impressions_.Close());
  LARR_RETURN_IF_ERROR(requests_.Close());
  LARR_RETURN_IF_ERROR(
      Move(folder_ / kAside / "impressions", Impressions(folder_), partition_));
  return Move(folder_ / kAside / "requests", Requests(folder_), partition_);
}

absl::StatusOr<std::vector<ServedRequest>> ReadDay(const Market& market,
                                                   const fs::path& folder,
                                                   int day) {
  const std::string partition = "date=" + market.Date(day);
  LARR_ASSIGN_OR_RETURN(
      std::vector<ServedRequest> requests,
      ReadRequests(market, Requests(folder) / partition / "part-0.parquet"));
  const fs::path path = Impressions(folder) / partition / "part-0.parquet";
  size_t at = 0;
  LARR_ASSIGN_OR_RETURN(const auto file, ParquetFile::Open(path));
  LARR_RETURN_IF_ERROR(file.ForEachRow(
      {"request_id", "poi_id", "position", "distance_km", "click", "order",
       "true_ctr", "true_ctcvr"},
      [&](const RowGroup& group, int64_t i, int64_t /*number*/) {
        const int64_t id = group.column(0).Integer(i);
        while (at < requests.size() && requests[at].id != id) ++at;
        const int poi = market.FindPoi(group.column(1).String(i));
        if (at == requests.size() || poi < 0) {
          return Damaged(path, "an impression of no request or POI");
        }
        ServedRequest& request = requests[at];
        city::Shown shown{
            .request_id = id,
            .position = static_cast<int>(group.column(2).Integer(i)),
            .distance = group.column(3).Number(i),
            .truth = {.click = Probability(group, 6, i),
                      .order = Probability(group, 7, i)}};
        shown.event = EventOf(market, id, request.user, poi, shown.truth);
        if (group.column(4).Integer(i) != shown.event.click ||
            group.column(5).Integer(i) != shown.event.order) {
          return Damaged(path, "a click that the hidden model did not draw");
        }
        request.shown.push_back(shown);
        return absl::OkStatus();
      }));
  return requests;
}

}  // namespace larr::market
