// SPDX-License-Identifier: Apache-2.0
#include "services/stage/p5_rows.h"

#include <iterator>
#include <string>
#include <utility>

#include "common/base/status_macros.h"
#include "services/stage/epoch_batches.h"

namespace larr::stage {

absl::StatusOr<std::optional<P5Rows::Labelled>> P5Rows::Read() {
  if (ahead_.has_value()) return std::exchange(ahead_, std::nullopt);
  if (!stream_.has_value()) {
    LARR_ASSIGN_OR_RETURN(
        stream_, OpenTrainingRows(dataset_, config_, seed_, epoch_, rows_));
  }
  LARR_ASSIGN_OR_RETURN(const bool more, stream_->Next(row_));
  if (!more) return std::optional<Labelled>();
  const std::string text[] = {text_.Of(row_.rows())};
  LARR_ASSIGN_OR_RETURN(auto prompts, prompts_.Make(text));
  const bool click = row_.click != 0;
  return Labelled{std::move(prompts[0]), click, click && row_.order != 0};
}

void P5Rows::Add(std::vector<Labelled> rows, P5Step& step) const {
  for (int task = 0; task < prompts_.tasks(); ++task) {
    for (const Labelled& row : rows)
      step.answers.push_back(
          (task == 0 ? row.click : row.order) ? prompts_.yes() : prompts_.no());
  }
  for (Labelled& row : rows) step.prompts.push_back(std::move(row.prompt));
}

absl::StatusOr<P5Step> P5Rows::Next() {
  P5Step step;
  std::vector<Labelled> rows;
  while (rows.empty() && epoch_ < config_.epochs()) {
    while (true) {
      LARR_ASSIGN_OR_RETURN(auto row, Read());
      if (!row.has_value()) break;
      const auto tokens = std::ssize(row->prompt.ids);
      if (!rows.empty() &&
          step.tokens + tokens > config_.p5().tokens_per_step()) {
        ahead_ = std::move(row);
        break;
      }
      step.tokens += tokens;
      rows.push_back(*std::move(row));
    }
    rows_ += std::ssize(rows);
    if (ahead_.has_value()) continue;
    stream_.reset();
    ++epoch_;
    rows_ = 0;
  }
  Add(std::move(rows), step);
  return step;
}

nlohmann::json P5Rows::position() const {
  return {{"epoch", epoch_}, {"rows", rows_}};
}

void P5Rows::Seek(const nlohmann::json& position) {
  epoch_ = position.at("epoch").get<int64_t>();
  rows_ = position.at("rows").get<int64_t>();
  stream_.reset();
  ahead_.reset();
}

}  // namespace larr::stage
