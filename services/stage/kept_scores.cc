// SPDX-License-Identifier: Apache-2.0
#include "services/stage/kept_scores.h"

#include <spdlog/spdlog.h>

#include <bit>
#include <cstdint>
#include <variant>

#include "common/base/files.h"
#include "common/base/status_macros.h"
#include "common/tensors/safetensors.h"

namespace larr::stage {
namespace {

void AddNumber(int64_t number, std::string& out) {
  out.append(reinterpret_cast<const char*>(&number), sizeof(number));
}

void AddText(std::string_view text, std::string& out) {
  AddNumber(static_cast<int64_t>(text.size()), out);
  out += text;
}

// Unlike ToText, this keeps apart what differs in type alone.
void AddValue(const Value& value, std::string& out) {
  out += static_cast<char>(value.index());
  if (const auto* integer = std::get_if<int64_t>(&value)) {
    AddNumber(*integer, out);
  } else if (const auto* number = std::get_if<double>(&value)) {
    AddNumber(std::bit_cast<int64_t>(*number), out);
  } else if (const auto* text = std::get_if<std::string>(&value)) {
    AddText(*text, out);
  }
}

void AddRow(const Row* row, std::string& out) {
  AddNumber(row == nullptr ? -1 : static_cast<int64_t>(row->size()), out);
  if (row == nullptr) return;
  for (const Value& value : *row) AddValue(value, out);
}

}  // namespace

std::string KeptScores::KeyOf(std::string_view part,
                              std::span<const Impression> rows) const {
  std::string content;
  AddText(origin_, content);
  AddText(part, content);
  for (const Impression& impression : rows) {
    const FeatureRows joined = impression.rows();
    for (const Row* row : {joined.user, joined.poi, joined.impression})
      AddRow(row, content);
  }
  return Sha256(content);
}

std::optional<BatchScores> KeptScores::Find(const std::string& key) const {
  const auto file = SafetensorsFile::Open(PathOf(key));
  if (!file.ok()) {
    if (!absl::IsNotFound(file.status()))
      spdlog::warn("kept_scores_damaged reason=\"{}\"",
                   file.status().ToString());
    return std::nullopt;
  }
  BatchScores scores;
  for (const std::string& name : file->names())
    scores[name] = file->View(name).value();
  return scores;
}

absl::Status KeptScores::Keep(const std::string& key,
                              const BatchScores& scores) const {
  LARR_RETURN_IF_ERROR(MakeFolder(folder_));
  return WriteSafetensors(PathOf(key), scores);
}

std::filesystem::path KeptScores::PathOf(const std::string& key) const {
  return folder_ / (key + ".safetensors");
}

}  // namespace larr::stage
