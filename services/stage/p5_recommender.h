// SPDX-License-Identifier: Apache-2.0
//
// A P5 as a recommender of a run: impressions in, probabilities out. Its folder
// is that of P5Model with `model.textproto` (CtrModelDescription): the features
// that it reads.
//
// Ownership: the dataset stays the caller's, and must outlive the object.
// Threads:   one at a time.
// Errors:    those of P5Model, P5Prompts and P5Text
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <utility>

#include "absl/status/statusor.h"
#include "common/dataset/dataset_spec.h"
#include "common/dataset/impression_stream.h"
#include "common/llm/p5_model.h"
#include "common/llm/p5_prompt.h"
#include "larr/config/v1/model.pb.h"
#include "services/stage/p5_text.h"
#include "services/stage/row_scores.h"

namespace larr::stage {

inline constexpr char kP5Kind[] = "p5_model";  // of its artifact

class P5Recommender : public RowScores {
 public:
  static absl::StatusOr<std::unique_ptr<P5Recommender>> Make(
      std::unique_ptr<P5Model> model,
      const config::v1::CtrModelDescription& description,
      const Dataset& dataset);
  static absl::StatusOr<std::unique_ptr<P5Recommender>> Read(
      const std::filesystem::path& folder, const Dataset& dataset);
  // Into an existing folder.
  absl::Status Write(const std::filesystem::path& folder) const;

  bool has_order_task() const override { return prompts_.tasks() > 1; }
  // None that it could do without: what is missing is not told.
  bool reads_texts() const override { return false; }
  bool is_slow() const override { return true; }
  absl::StatusOr<torch::Tensor> Score(std::span<const Impression> rows,
                                      bool with_texts) override;

  const config::v1::CtrModelDescription& description() const {
    return description_;
  }
  void set_training_rows(int64_t rows) { description_.set_training_rows(rows); }
  P5Model& model() { return *model_; }
  const P5Text& text() const { return text_; }
  const P5Prompts& prompts() const { return prompts_; }

 private:
  P5Recommender(std::unique_ptr<P5Model> model,
                config::v1::CtrModelDescription description, P5Text text,
                P5Prompts prompts)
      : model_(std::move(model)),
        description_(std::move(description)),
        text_(std::move(text)),
        prompts_(std::move(prompts)) {}

  std::unique_ptr<P5Model> model_;
  config::v1::CtrModelDescription description_;
  P5Text text_;
  P5Prompts prompts_;
};

}  // namespace larr::stage
