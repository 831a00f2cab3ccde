// SPDX-License-Identifier: Apache-2.0
#include "services/stage/corpus.h"

#include <spdlog/spdlog.h>

#include <algorithm>
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
#include "common/base/invalid_argument.h"
#include "common/base/random_bits.h"
#include "common/base/status_macros.h"
#include "common/config/text_proto.h"
#include "common/config/training_settings.h"
#include "common/dataset/dataset_spec.h"
#include "common/dataset/entity_snapshots.h"
#include "common/dataset/impression_stream.h"
#include "common/dataset/parquet_writer.h"
#include "common/dataset/row_check.h"
#include "services/stage/corpus_files.h"
#include "services/stage/finished_steps.h"
#include "services/stage/held_out_ids.h"
#include "services/stage/identity.h"
#include "services/stage/known_entities.h"

namespace larr::stage {
namespace {

using config::v1::Side;
using Texts = std::vector<std::string>;

constexpr double kDefaultHeldOut = 0.05;

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

// What all steps share. Each step writes its files into `folder`.
struct Corpus {
  const Dataset& dataset;
  const config::v1::TrainingSpec& spec;
  const std::filesystem::path& folder;
  nlohmann::ordered_json& stats;
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

absl::Status CheckAllRows(Corpus& corpus) {
  LARR_ASSIGN_OR_RETURN(const PartCounts counts, CheckRows(corpus.dataset));
  for (size_t i = 0; i < counts.size(); ++i) {
    const std::string part(PartName(static_cast<Part>(i)));
    corpus.stats["impressions"][part] = counts[i];
  }
  return absl::OkStatus();
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

absl::Status WriteOrders(Corpus& corpus) {
  LARR_ASSIGN_OR_RETURN(const Orders orders, CollectOrders(corpus));
  LARR_ASSIGN_OR_RETURN(
      auto pairs,
      ParquetWriter::Create(corpus.folder / kPairsFile,
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
      auto known, ParquetWriter::Create(corpus.folder / kKnownOrdersFile,
                                        {{"user_id", ColumnType::kString},
                                         {"poi_id", ColumnType::kString}}));
  for (const auto& [user, poi] : orders.known) {
    LARR_RETURN_IF_ERROR(known.Append({user, poi}));
  }
  return known.Finish();
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
    LARR_ASSIGN_OR_RETURN(
        auto writer,
        ParquetWriter::Create(corpus.folder / EntitiesFile(table), columns));
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

// Entities as of the pairs' days, then all as of the newest.
absl::Status WriteEntities(Corpus& corpus, Table table) {
  LARR_ASSIGN_OR_RETURN(auto file, EntityFile::Create(corpus, table));
  LARR_ASSIGN_OR_RETURN(const auto pairs, ReadPairs(corpus.folder));
  EntitySnapshots snapshots(corpus.dataset, table);
  for (const CorpusPair& pair : pairs) {
    const std::string& id = table == Table::kUsers ? pair.user_id : pair.poi_id;
    LARR_ASSIGN_OR_RETURN(const auto partition, snapshots.At(pair.date));
    LARR_RETURN_IF_ERROR(
        file.Add(id, pair.date, partition->row(partition->Find(id))));
  }
  LARR_ASSIGN_OR_RETURN(const auto known,
                        KnownEntities::Read(corpus.dataset, table));
  LARR_RETURN_IF_ERROR(
      known.ForEach([&](const std::string& id, const std::string& date,
                        const Row& row) { return file.Add(id, date, row); }));
  corpus.stats[std::string(TableName(table))] = file.rows();
  return file.Finish();
}

absl::Status WriteUsers(Corpus& corpus) {
  return WriteEntities(corpus, Table::kUsers);
}

absl::Status WritePois(Corpus& corpus) {
  return WriteEntities(corpus, Table::kPois);
}

bool IsHeldOut(const std::string& poi, uint64_t seed, double fraction) {
  return UnitFraction(HeldOutHash(poi, seed)) < fraction;
}

// D_i = [x_i, y_i] (eq. 5 and 6): the first two keywords, and the others.
absl::Status WriteDescriptions(Corpus& corpus) {
  LARR_ASSIGN_OR_RETURN(
      auto file, ParquetWriter::Create(corpus.folder / kDescriptionsFile,
                                       {{"poi_id", ColumnType::kString},
                                        {"date", ColumnType::kString},
                                        {"x", ColumnType::kString},
                                        {"y", ColumnType::kString},
                                        {"held_out", ColumnType::kInteger},
                                        {"y_kinds", ColumnType::kString}}));
  const auto keywords = corpus.dataset.texts.KeywordsOf(Side::POI);
  const auto x =
      std::span(keywords).first(std::min<size_t>(2, keywords.size()));
  const auto y = std::span(keywords).subspan(x.size());
  const double fraction = corpus.spec.corpus().held_out_fraction() > 0
                              ? corpus.spec.corpus().held_out_fraction()
                              : kDefaultHeldOut;
  int64_t counts[2] = {0, 0};
  int64_t empty = 0;
  LARR_ASSIGN_OR_RETURN(const auto known,
                        KnownEntities::Read(corpus.dataset, Table::kPois));
  const auto& texts = corpus.dataset.texts;
  LARR_RETURN_IF_ERROR(known.ForEach(
      [&](const std::string& id, const std::string& date, const Row& row) {
        std::string kinds;
        std::string answer = texts.Describe(y, row, &kinds);
        if (answer.empty()) {  // Nothing to learn from.
          ++empty;
          return absl::OkStatus();
        }
        const bool held_out = IsHeldOut(id, corpus.spec.seed(), fraction);
        ++counts[held_out];
        return file.Append({id, date, texts.Describe(x, row), std::move(answer),
                            int64_t{held_out},
                            held_out ? std::move(kinds) : std::string()});
      }));
  corpus.stats["descriptions"] = counts[0];
  corpus.stats["descriptions_held_out"] = counts[1];
  corpus.stats["pois_without_description"] = empty;
  return file.Finish();
}

absl::Status CheckSettings(const Dataset& dataset,
                           const config::v1::TrainingSpec& spec) {
  const std::string& same = spec.contrast().same_value_column();
  if (!same.empty() && dataset.schemas().pois.Find(same) < 0) {
    return Invalid(
        "contrast.same_value_column: no keyword or feature of the dataset "
        "reads the column `{}` of pois; name one that is read",
        same);
  }
  return CheckRecommenderInputs(spec, dataset.spec);
}

constexpr absl::Status (*kSteps[])(Corpus&) = {
    CheckAllRows, WriteOrders, WriteUsers, WritePois, WriteDescriptions};

void Report(size_t step, const Corpus& corpus, ProgressWriter& progress) {
  int64_t impressions = 0;
  for (const auto& rows : corpus.stats["impressions"])
    impressions += rows.get<int64_t>();
  progress.Report(static_cast<int64_t>(step), std::size(kSteps),
                  std::numeric_limits<double>::quiet_NaN(),
                  static_cast<double>(impressions) / progress.elapsed(),
                  "impressions/s");
}

absl::Status WriteArtifact(const StageContext& context, const Corpus& corpus) {
  LARR_ASSIGN_OR_RETURN(auto writer,
                        ArtifactWriter::Create(context.config.output()));
  LARR_ASSIGN_OR_RETURN(const auto files, ListFolder(corpus.folder));
  for (const auto& file : files) {
    if (file.extension() != ".parquet") continue;
    std::error_code error;
    std::filesystem::copy_file(file, writer.path() / file.filename(), error);
    if (error) return FileStatus("cannot copy", file, error);
  }
  config::v1::DatasetSpec read = corpus.dataset.spec;
  read.clear_slices();
  LARR_RETURN_IF_ERROR(
      WriteFileAtomically(writer.path() / kDatasetSpecFile, ToTextProto(read)));
  LARR_RETURN_IF_ERROR(WriteFileAtomically(writer.path() / "corpus.json",
                                           corpus.stats.dump(2) + "\n"));
  config::v1::ArtifactManifest manifest;
  manifest.set_kind("corpus");
  manifest.set_config(ToTextProto(corpus.spec.corpus()));
  return writer.Finish(std::move(manifest)).status();
}

}  // namespace

absl::Status RunCorpus(StageContext& context) {
  const auto& spec = context.config.spec();
  LARR_ASSIGN_OR_RETURN(const Dataset dataset, OpenDataset(spec.dataset()));
  LARR_RETURN_IF_ERROR(CheckSettings(dataset, spec));
  LARR_ASSIGN_OR_RETURN(const auto identity, IdentityOf(context));
  LARR_ASSIGN_OR_RETURN(
      auto steps, FinishedSteps::Open(
                      std::filesystem::path(context.config.work()) / "steps",
                      identity.all()));
  Corpus corpus{dataset, spec, steps.folder(), steps.notes()};
  while (steps.count() < std::size(kSteps)) {
    LARR_RETURN_IF_ERROR(kSteps[steps.count()](corpus));
    LARR_RETURN_IF_ERROR(steps.Finish());
    Report(steps.count(), corpus, context.progress);
  }
  LARR_RETURN_IF_ERROR(WriteArtifact(context, corpus));
  spdlog::info("corpus written path={} stats={}", context.config.output(),
               corpus.stats.dump());
  return absl::OkStatus();
}

}  // namespace larr::stage
