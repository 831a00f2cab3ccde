// SPDX-License-Identifier: Apache-2.0
#include "services/stage/general_corpus.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <utility>

#include "common/base/invalid_argument.h"
#include "common/base/status_macros.h"

namespace larr::stage {
namespace {

constexpr int64_t kGroupBytes = 4 << 20;
constexpr int64_t kHeldOut = 100;

}  // namespace

GeneralCorpus::GeneralCorpus(const std::filesystem::path& path,
                             const std::string& column, uint64_t seed)
    : path_(path), column_(column), seed_(seed), order_(seed, "", 0) {}

absl::StatusOr<GeneralCorpus> GeneralCorpus::Open(
    const std::filesystem::path& path, const std::string& column,
    uint64_t seed) {
  GeneralCorpus corpus(path, column, seed);
  LARR_RETURN_IF_ERROR(path.extension() == ".parquet" ? corpus.FindRows()
                                                      : corpus.FindLines());
  int64_t documents = 0;
  for (Group& group : corpus.groups_) {
    group.first = documents;
    documents += group.documents;
  }
  if (documents == 0) {
    return Invalid("pretrain.general_corpus: {} has no document",
                   path.string());
  }
  corpus.HoldOut(documents);
  corpus.order_ = EpochOrder(seed, "general groups", corpus.groups_.size());
  return corpus;
}

absl::Status GeneralCorpus::FindLines() {
  std::ifstream in(path_, std::ios::binary);
  if (!in) {
    return absl::NotFoundError(fmt::format(
        "pretrain.general_corpus: {} cannot be opened", path_.string()));
  }
  std::streamoff begin = 0;
  for (std::string line; std::getline(in, line);) {
    if (groups_.empty() || begin - groups_.back().begin >= kGroupBytes)
      groups_.push_back({begin, 0, 0});
    if (!line.empty()) ++groups_.back().documents;
    begin += static_cast<std::streamoff>(line.size()) + 1;
  }
  return absl::OkStatus();
}

absl::Status GeneralCorpus::FindRows() {
  LARR_ASSIGN_OR_RETURN(parquet_, ParquetFile::Open(path_));
  const ColumnInfo* column = parquet_->Find(column_);
  if (column == nullptr || column->type != ColumnType::kString) {
    return Invalid(
        "`pretrain.general_text_column` is {}; in {} that is {}; name a column "
        "of strings",
        column_, path_.string(),
        column == nullptr ? "no column" : "of type " + column->type_name);
  }
  for (int i = 0; i < parquet_->row_groups(); ++i)
    groups_.push_back({0, 0, parquet_->rows_of(i)});
  return absl::OkStatus();
}

void GeneralCorpus::HoldOut(int64_t documents) {
  const int64_t count = std::min(kHeldOut, documents / 10);
  for (int64_t i = 0; i < count; ++i)
    held_out_.push_back((2 * i + 1) * documents / (2 * count));
  size_ = documents - count;
  for (const Group& group : groups_) {
    const auto number = [&](int64_t document) {
      return std::lower_bound(held_out_.begin(), held_out_.end(), document) -
             held_out_.begin();
    };
    training_.push_back(
        group.documents -
        (number(group.first + group.documents) - number(group.first)));
  }
}

bool GeneralCorpus::IsHeldOut(int64_t document) const {
  return std::binary_search(held_out_.begin(), held_out_.end(), document);
}

absl::StatusOr<std::vector<std::string>> GeneralCorpus::ReadLines(
    const Group& group) const {
  std::ifstream in(path_, std::ios::binary);
  in.seekg(group.begin);
  std::vector<std::string> texts;
  std::string line;
  while (static_cast<int64_t>(texts.size()) < group.documents &&
         std::getline(in, line)) {
    if (!line.empty()) texts.push_back(line);
  }
  return texts;
}

absl::StatusOr<std::vector<std::string>> GeneralCorpus::ReadRows(
    const ParquetFile& file, int64_t group) const {
  LARR_ASSIGN_OR_RETURN(const RowGroup rows,
                        file.Read(static_cast<int>(group), {column_}));
  std::vector<std::string> texts;
  const ColumnView& column = rows.column(0);
  for (int64_t row = 0; row < rows.rows(); ++row)
    texts.emplace_back(column.IsNull(row) ? "" : column.String(row));
  return texts;
}

absl::StatusOr<std::vector<GeneralDocument>> GeneralCorpus::Read(
    int64_t group) const {
  const Group& at = groups_[group];
  LARR_ASSIGN_OR_RETURN(auto texts,
                        parquet_ ? ReadRows(*parquet_, group) : ReadLines(at));
  if (static_cast<int64_t>(texts.size()) != at.documents) {
    return absl::DataLossError(
        fmt::format("{}: changed while it was read", path_.string()));
  }
  std::vector<GeneralDocument> documents;
  for (int64_t i = 0; i < at.documents; ++i) {
    documents.push_back(
        {std::move(texts[i]),
         fmt::format("{}: document {}", path_.string(), at.first + i + 1)});
  }
  return documents;
}

absl::Status GeneralCorpus::Load(int64_t position) {
  loaded_.clear();
  const auto groups = static_cast<int64_t>(groups_.size());
  const int64_t pass = position / size_;
  int64_t from = pass * size_, turn = pass * groups;
  while (position >= from + training_[order_.Item(turn)])
    from += training_[order_.Item(turn++)];
  const auto group = static_cast<int64_t>(order_.Item(turn));
  LARR_ASSIGN_OR_RETURN(auto documents, Read(group));
  for (int64_t i = 0; i < groups_[group].documents; ++i) {
    if (!IsHeldOut(groups_[group].first + i))
      loaded_.push_back(std::move(documents[i]));
  }
  auto random = StepRandom(seed_, "general documents", turn);
  Shuffle(random, loaded_);
  from_ = from;
  return absl::OkStatus();
}

absl::StatusOr<GeneralDocument> GeneralCorpus::At(int64_t position) {
  const auto is_loaded = [&] {
    return position >= from_ &&
           position < from_ + static_cast<int64_t>(loaded_.size());
  };
  if (!is_loaded()) LARR_RETURN_IF_ERROR(Load(position));
  return loaded_[position - from_];
}

absl::StatusOr<std::vector<GeneralDocument>> GeneralCorpus::HeldOut() const {
  std::vector<GeneralDocument> out;
  for (size_t group = 0; group < groups_.size(); ++group) {
    const Group& at = groups_[group];
    if (training_[group] == at.documents) continue;
    LARR_ASSIGN_OR_RETURN(auto documents, Read(static_cast<int64_t>(group)));
    for (int64_t i = 0; i < at.documents; ++i) {
      if (IsHeldOut(at.first + i)) out.push_back(std::move(documents[i]));
    }
  }
  return out;
}

}  // namespace larr::stage
