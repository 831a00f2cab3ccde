// SPDX-License-Identifier: Apache-2.0
#include "common/dataset/dataset_texts.h"

#include <optional>
#include <set>
#include <unordered_set>
#include <utility>

#include "common/base/invalid_argument.h"
#include "common/base/status_macros.h"
#include "common/dataset/entity_snapshots.h"

namespace larr {
namespace {

using config::v1::Side;
using OnText = std::function<absl::Status(std::string id, std::string text)>;
using OnEntity = std::function<absl::Status(const EntityTexts&)>;

// The partition that entities are stored as of; nothing without such a table.
absl::StatusOr<std::optional<std::string>> AsOf(const Dataset& dataset,
                                                Side side,
                                                const std::string& as_of_date) {
  const EntitySnapshots days(dataset, TableOf(side));
  if (!days.present()) return std::nullopt;
  if (as_of_date.empty()) return days.dates().back();
  if (const std::string* date = days.DateAt(as_of_date)) return *date;
  return Invalid(
      "as_of_date is {}, but the first partition of `{}` is {}; choose a later "
      "day",
      as_of_date, TableName(TableOf(side)), days.dates().front());
}

// The partitions whose texts are read by training or the test, ascending.
std::set<std::string> DatesToRead(const Dataset& dataset,
                                  const EntitySnapshots& days) {
  std::set<std::string> dates;
  if (!dataset.split.by_date()) {
    dates.insert(days.dates().begin(), days.dates().end());
    return dates;
  }
  for (const std::string& day : dataset.days()) {
    const Part part = dataset.split.OfDate(day);
    if (part != Part::kTrain && part != Part::kValidation &&
        part != Part::kTest) {
      continue;
    }
    const std::string* date = days.DateAt(day);
    if (date != nullptr) dates.insert(*date);
  }
  return dates;
}

// Reads one side.
class SideReader {
 public:
  SideReader(const Dataset& dataset, Side side, const OnText& on_text,
             const OnEntity& on_entity)
      : dataset_(dataset),
        side_(side),
        scene_(dataset.texts.SceneFeaturesOf(side)),
        all_(dataset.texts.KeywordsOf(side)),
        on_text_(on_text),
        on_entity_(on_entity) {}

  // Entities are those of partition `as_of`.
  absl::Status Read(const std::string& as_of) {
    EntitySnapshots days(dataset_, TableOf(side_));
    std::set<std::string> dates = DatesToRead(dataset_, days);
    dates.insert(as_of);
    for (const std::string& date : dates) {
      LARR_ASSIGN_OR_RETURN(const auto partition, days.At(date));
      for (int64_t i = 0; i < partition->size(); ++i) {
        LARR_RETURN_IF_ERROR(ReadRow(*partition, i, date == as_of));
      }
    }
    return dataset_.entity_table(TableOf(side_))->from_impressions()
               ? ReadAbsent(days, as_of)
               : absl::OkStatus();
  }

 private:
  // A day of impressions has those who came on it. The others are as of the
  // last day that they came on.
  absl::Status ReadAbsent(EntitySnapshots& days, const std::string& as_of) {
    std::unordered_set<std::string> seen;
    for (auto date = days.dates().rbegin(); date != days.dates().rend();
         ++date) {
      if (*date > as_of) continue;
      LARR_ASSIGN_OR_RETURN(const auto partition, days.At(*date));
      for (int64_t i = 0; i < partition->size(); ++i) {
        if (!seen.insert(partition->key(i)).second || *date == as_of) continue;
        LARR_RETURN_IF_ERROR(ReadRow(*partition, i, /*is_as_of=*/true));
      }
    }
    return absl::OkStatus();
  }

  absl::Status ReadRow(const EntityPartition& partition, int64_t i,
                       bool is_as_of) {
    const Row& row = partition.row(i);
    std::vector<std::string> ids;
    for (std::string& text : dataset_.texts.Render(scene_, row)) {
      ids.push_back(text.empty() ? "" : TextId(text));
      if (text.empty()) continue;
      LARR_RETURN_IF_ERROR(on_text_(ids.back(), std::move(text)));
    }
    if (!is_as_of) return absl::OkStatus();
    std::string description;
    if (side_ == Side::POI) description = dataset_.texts.Describe(all_, row);
    if (!description.empty())
      LARR_RETURN_IF_ERROR(on_text_(TextId(description), description));
    return on_entity_(
        {side_, partition.key(i), row, partition.date(), ids, description});
  }

  const Dataset& dataset_;
  const Side side_;
  const std::vector<int> scene_;
  const std::vector<int> all_;  // Keywords of the side.
  const OnText& on_text_;
  const OnEntity& on_entity_;
};

}  // namespace

absl::StatusOr<std::map<Side, std::string>> EntityDays(
    const Dataset& dataset, const std::string& as_of_date) {
  std::map<Side, std::string> days;
  for (const Side side : {Side::USER, Side::POI}) {
    LARR_ASSIGN_OR_RETURN(const auto date, AsOf(dataset, side, as_of_date));
    if (date) days[side] = *date;
  }
  return days;
}

absl::Status ReadDatasetTexts(const Dataset& dataset,
                              const std::map<Side, std::string>& days,
                              const OnText& on_text,
                              const OnEntity& on_entity) {
  for (const int keyword : dataset.texts.SceneFeaturesOf(Side::CONTEXT)) {
    for (std::string& text : dataset.texts.ContextTexts(keyword)) {
      if (text.empty()) continue;
      std::string id = TextId(text);
      LARR_RETURN_IF_ERROR(on_text(std::move(id), std::move(text)));
    }
  }
  for (const auto& [side, date] : days) {
    SideReader reader(dataset, side, on_text, on_entity);
    LARR_RETURN_IF_ERROR(reader.Read(date));
  }
  return absl::OkStatus();
}

SlotText SplitSlot(const std::string& text) {
  const size_t begin = text.find('>');
  if (text.empty() || text[0] != '<' || begin == std::string::npos)
    return {"", text};
  const std::string slot = text.substr(1, begin - 1);
  const std::string end = EndToken(slot);
  // No value holds a slot's token: what ends in the same slot is of one alone.
  if (!text.ends_with(end) || text.find(end) + end.size() != text.size())
    return {"", text};
  return {slot, text.substr(begin + 1, text.size() - begin - 1 - end.size())};
}

}  // namespace larr
