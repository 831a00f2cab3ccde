// SPDX-License-Identifier: Apache-2.0
#include "services/stage/corpus.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <xxhash.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "common/base/artifact_folder.h"
#include "common/base/files.h"
#include "common/base/status_macros.h"
#include "common/config/text_proto.h"
#include "common/dataset/dataset_spec.h"
#include "common/dataset/entity_snapshots.h"
#include "common/dataset/impression_stream.h"
#include "common/dataset/parquet_writer.h"
#include "common/dataset/row_check.h"

namespace larr::stage {
namespace {

using config::v1::Side;
using Texts = std::vector<std::string>;

constexpr double kDefaultHeldOut = 0.05;
constexpr int kPhases = 5;

struct Pair {
  std::string user_id;
  std::string poi_id;
  std::string date;
  Texts context;
  int64_t row = 0;  // Where it was read: the order of pairs.parquet.
};

// Pairs, and what is masked from their negatives.
struct Orders {
  std::vector<Pair> pairs;
  std::set<std::pair<std::string, std::string>> known;
  int64_t eligible = 0;  // Pairs before `max_pairs` cut them.
  int64_t unknown = 0;   // Orders whose user or POI is in no table.
};

// What all phases share.
struct Corpus {
  const Dataset& dataset;
  const config::v1::TrainingSpec& spec;
  const std::filesystem::path folder;
  nlohmann::ordered_json stats;
};

absl::Status ReadOrders(Corpus& corpus, Part part, Orders& orders) {
  const Dataset& dataset = corpus.dataset;
  const bool has_orders = !dataset.spec.impressions().order_column().empty();
  const auto context = dataset.texts.KeywordsOf(Side::CONTEXT);
  const auto max_pairs =
      corpus.spec.corpus().max_pairs() > 0
          ? static_cast<size_t>(corpus.spec.corpus().max_pairs())
          : std::numeric_limits<size_t>::max();
  std::mt19937_64 random(corpus.spec.seed());
  LARR_ASSIGN_OR_RETURN(auto stream,
                        ImpressionStream::Open(dataset, {.part = part}));
  Impression row;
  while (true) {
    LARR_ASSIGN_OR_RETURN(const bool more, stream.Next(row));
    if (!more) return absl::OkStatus();
    if ((has_orders ? row.order : row.click) == 0) continue;
    orders.known.emplace(row.user_id, row.poi_id);
    if (part != Part::kPairs) continue;
    if (row.user_index < 0 || row.poi_index < 0) {
      ++orders.unknown;
      continue;
    }
    // A reservoir: each pair is kept with the same probability.
    ++orders.eligible;
    size_t slot = orders.pairs.size();
    if (slot >= max_pairs) slot = random() % orders.eligible;
    if (slot >= max_pairs) continue;
    if (slot == orders.pairs.size()) orders.pairs.emplace_back();
    orders.pairs[slot] = {row.user_id, row.poi_id, row.date,
                          dataset.texts.Render(context, row.values),
                          orders.eligible};
  }
}

absl::StatusOr<Orders> CollectOrders(Corpus& corpus) {
  Orders orders;
  if (corpus.dataset.split.by_date()) {
    LARR_RETURN_IF_ERROR(ReadOrders(corpus, Part::kHistory, orders));
  }
  LARR_RETURN_IF_ERROR(ReadOrders(corpus, Part::kPairs, orders));
  std::sort(orders.pairs.begin(), orders.pairs.end(),
            [](const Pair& a, const Pair& b) { return a.row < b.row; });
  corpus.stats["orders_with_unknown_user_or_poi"] = orders.unknown;
  corpus.stats["pairs"] = orders.pairs.size();
  corpus.stats["known_orders"] = orders.known.size();
  return orders;
}

absl::Status WriteOrders(const Corpus& corpus, const Orders& orders) {
  LARR_ASSIGN_OR_RETURN(
      auto pairs,
      ParquetWriter::Create(corpus.folder / "pairs.parquet",
                            {{"user_id", ColumnType::kString},
                             {"poi_id", ColumnType::kString},
                             {"date", ColumnType::kString},
                             {"context", ColumnType::kStringList}}));
  for (const Pair& pair : orders.pairs) {
    LARR_RETURN_IF_ERROR(
        pairs.Append({pair.user_id, pair.poi_id, pair.date, pair.context}));
  }
  LARR_RETURN_IF_ERROR(pairs.Finish());
  LARR_ASSIGN_OR_RETURN(
      auto known, ParquetWriter::Create(corpus.folder / "known_orders.parquet",
                                        {{"user_id", ColumnType::kString},
                                         {"poi_id", ColumnType::kString}}));
  for (const auto& [user, poi] : orders.known) {
    LARR_RETURN_IF_ERROR(known.Append({user, poi}));
  }
  return known.Finish();
}

// The keys that training rows name. Without dates the others are left out.
struct TrainingKeys {
  std::set<std::string> users;
  std::set<std::string> pois;
};

absl::StatusOr<TrainingKeys> ReadTrainingKeys(const Dataset& dataset) {
  TrainingKeys keys;
  if (dataset.split.by_date()) return keys;
  LARR_ASSIGN_OR_RETURN(
      auto stream, ImpressionStream::Open(dataset, {.part = Part::kTrain}));
  Impression row;
  while (true) {
    LARR_ASSIGN_OR_RETURN(const bool more, stream.Next(row));
    if (!more) return keys;
    keys.users.insert(row.user_id);
    keys.pois.insert(row.poi_id);
  }
}

// Writes the rows of one entity table, each (id, date) once.
class EntityFile {
 public:
  static absl::StatusOr<EntityFile> Create(const Corpus& corpus, Table table) {
    std::vector<ParquetWriter::Column> columns = {
        {"id", ColumnType::kString},
        {"date", ColumnType::kString},
        {"texts", ColumnType::kStringList}};
    if (table == Table::kPois) {
      columns.push_back({"same_value", ColumnType::kString});
    }
    const auto path =
        corpus.folder / (std::string(TableName(table)) + ".parquet");
    LARR_ASSIGN_OR_RETURN(auto writer, ParquetWriter::Create(path, columns));
    const int same_value = corpus.dataset.schemas().pois.Find(
        corpus.spec.contrast().same_value_column());
    return EntityFile(corpus.dataset.texts, std::move(writer),
                      corpus.dataset.texts.KeywordsOf(
                          table == Table::kUsers ? Side::USER : Side::POI),
                      table == Table::kPois, same_value);
  }

  // `date` is the day that pairs look the row up by.
  absl::Status Add(const std::string& id, const std::string& date,
                   const Row& row) {
    if (!written_.emplace(id, date).second) return absl::OkStatus();
    std::vector<ParquetWriter::Cell> cells = {id, date,
                                              texts_->Render(keywords_, row)};
    if (poi_) {
      cells.emplace_back(same_value_ < 0 ? "" : ToText(row[same_value_]));
    }
    return writer_.Append(cells);
  }
  absl::Status Finish() { return writer_.Finish(); }
  size_t rows() const { return written_.size(); }

 private:
  EntityFile(const TextRenderer& texts, ParquetWriter writer,
             std::vector<int> keywords, bool poi, int same_value)
      : texts_(&texts),
        writer_(std::move(writer)),
        keywords_(std::move(keywords)),
        poi_(poi),
        same_value_(same_value) {}

  const TextRenderer* texts_;
  ParquetWriter writer_;
  std::vector<int> keywords_;
  bool poi_;
  int same_value_;
  std::set<std::pair<std::string, std::string>> written_;
};

// Entities as of the pairs' days, then all as of `newest`.
absl::Status WriteEntities(Corpus& corpus, Table table, const Orders& orders,
                           const EntityPartition* newest,
                           const std::set<std::string>& training_keys) {
  LARR_ASSIGN_OR_RETURN(auto file, EntityFile::Create(corpus, table));
  EntitySnapshots snapshots(corpus.dataset, table);
  for (const Pair& pair : orders.pairs) {
    const std::string& id = table == Table::kUsers ? pair.user_id : pair.poi_id;
    LARR_ASSIGN_OR_RETURN(const auto partition, snapshots.At(pair.date));
    LARR_RETURN_IF_ERROR(
        file.Add(id, pair.date, partition->row(partition->Find(id))));
  }
  for (int64_t i = 0; newest != nullptr && i < newest->size(); ++i) {
    const std::string& id = newest->key(i);
    if (!corpus.dataset.split.by_date() && training_keys.count(id) == 0) {
      continue;
    }
    LARR_RETURN_IF_ERROR(file.Add(id, newest->date(), newest->row(i)));
  }
  corpus.stats[std::string(TableName(table))] = file.rows();
  return file.Finish();
}

bool IsHeldOut(const std::string& poi, uint64_t seed, double fraction) {
  const uint64_t hash = XXH3_64bits_withSeed(poi.data(), poi.size(), seed);
  return std::ldexp(static_cast<double>(hash >> 11), -53) < fraction;
}

// D_i = [x_i, y_i] (eq. 5 and 6): the first two keywords, and the others.
absl::Status WriteDescriptions(Corpus& corpus, const EntityPartition* newest,
                               const std::set<std::string>& training_keys) {
  LARR_ASSIGN_OR_RETURN(
      auto file, ParquetWriter::Create(corpus.folder / "descriptions.parquet",
                                       {{"poi_id", ColumnType::kString},
                                        {"date", ColumnType::kString},
                                        {"x", ColumnType::kString},
                                        {"y", ColumnType::kString},
                                        {"held_out", ColumnType::kInteger}}));
  const auto keywords = corpus.dataset.texts.KeywordsOf(Side::POI);
  const auto x =
      std::span(keywords).first(std::min<size_t>(2, keywords.size()));
  const auto y = std::span(keywords).subspan(x.size());
  const double fraction = corpus.spec.corpus().held_out_fraction() > 0
                              ? corpus.spec.corpus().held_out_fraction()
                              : kDefaultHeldOut;
  int64_t counts[2] = {0, 0};
  int64_t empty = 0;
  for (int64_t i = 0; newest != nullptr && i < newest->size(); ++i) {
    const std::string& id = newest->key(i);
    if (!corpus.dataset.split.by_date() && training_keys.count(id) == 0) {
      continue;
    }
    const auto& texts = corpus.dataset.texts;
    std::string answer = texts.Describe(y, newest->row(i));
    if (answer.empty()) {  // Nothing to learn from.
      ++empty;
      continue;
    }
    const bool held_out = IsHeldOut(id, corpus.spec.seed(), fraction);
    ++counts[held_out];
    LARR_RETURN_IF_ERROR(
        file.Append({id, newest->date(), texts.Describe(x, newest->row(i)),
                     std::move(answer), int64_t{held_out}}));
  }
  corpus.stats["descriptions"] = counts[0];
  corpus.stats["descriptions_held_out"] = counts[1];
  corpus.stats["pois_without_description"] = empty;
  return file.Finish();
}

// The newest partition that the corpus may know.
absl::StatusOr<std::shared_ptr<const EntityPartition>> NewestKnown(
    const Dataset& dataset, Table table) {
  EntitySnapshots snapshots(dataset, table);
  if (!dataset.split.by_date()) return snapshots.Newest();
  const std::string* date = snapshots.DateBefore(dataset.split.cutoff());
  if (date == nullptr) return std::shared_ptr<const EntityPartition>();
  return snapshots.At(*date);
}

absl::Status CheckSettings(const Dataset& dataset,
                           const config::v1::TrainingSpec& spec) {
  const std::string& same = spec.contrast().same_value_column();
  if (!same.empty() && dataset.schemas().pois.Find(same) < 0) {
    return absl::InvalidArgumentError(fmt::format(
        "contrast.same_value_column: no keyword or feature of the dataset "
        "reads the column `{}` of pois; name one that is read",
        same));
  }
  const double held_out = spec.corpus().held_out_fraction();
  if (held_out >= 0 && held_out < 1) return absl::OkStatus();
  return absl::InvalidArgumentError(fmt::format(
      "corpus.held_out_fraction is {}; it must be in [0, 1)", held_out));
}

absl::Status WriteFiles(StageContext& context, Corpus& corpus) {
  const Dataset& dataset = corpus.dataset;
  const auto report = [&](int phase) {
    context.progress.Report(
        phase, kPhases, std::numeric_limits<double>::quiet_NaN(), 0, "phases");
  };
  LARR_ASSIGN_OR_RETURN(const PartCounts counts, CheckRows(dataset));
  for (size_t i = 0; i < counts.size(); ++i) {
    const std::string part(PartName(static_cast<Part>(i)));
    corpus.stats["impressions"][part] = counts[i];
  }
  report(1);
  LARR_ASSIGN_OR_RETURN(const Orders orders, CollectOrders(corpus));
  LARR_RETURN_IF_ERROR(WriteOrders(corpus, orders));
  report(2);
  LARR_ASSIGN_OR_RETURN(const TrainingKeys keys, ReadTrainingKeys(dataset));
  {
    LARR_ASSIGN_OR_RETURN(const auto newest,
                          NewestKnown(dataset, Table::kUsers));
    LARR_RETURN_IF_ERROR(
        WriteEntities(corpus, Table::kUsers, orders, newest.get(), keys.users));
  }
  report(3);
  LARR_ASSIGN_OR_RETURN(const auto newest, NewestKnown(dataset, Table::kPois));
  LARR_RETURN_IF_ERROR(
      WriteEntities(corpus, Table::kPois, orders, newest.get(), keys.pois));
  report(4);
  LARR_RETURN_IF_ERROR(WriteDescriptions(corpus, newest.get(), keys.pois));
  LARR_RETURN_IF_ERROR(WriteFileAtomically(corpus.folder / "dataset.textproto",
                                           ToTextProto(dataset.spec)));
  return WriteFileAtomically(corpus.folder / "corpus.json",
                             corpus.stats.dump(2) + "\n");
}

}  // namespace

absl::Status RunCorpus(StageContext& context) {
  const auto& spec = context.config.spec();
  LARR_ASSIGN_OR_RETURN(const Dataset dataset, OpenDataset(spec.dataset()));
  LARR_RETURN_IF_ERROR(CheckSettings(dataset, spec));
  LARR_ASSIGN_OR_RETURN(auto writer,
                        ArtifactWriter::Create(context.config.output()));
  Corpus corpus{dataset, spec, writer.path(), {}};
  LARR_RETURN_IF_ERROR(WriteFiles(context, corpus));
  config::v1::ArtifactManifest manifest;
  manifest.set_kind("corpus");
  manifest.set_config(ToTextProto(spec.corpus()));
  LARR_RETURN_IF_ERROR(writer.Finish(std::move(manifest)).status());
  context.progress.Report(
      kPhases, kPhases, std::numeric_limits<double>::quiet_NaN(), 0, "phases");
  spdlog::info("corpus written path={} stats={}", context.config.output(),
               corpus.stats.dump());
  return absl::OkStatus();
}

}  // namespace larr::stage
