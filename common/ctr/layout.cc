// SPDX-License-Identifier: Apache-2.0
#include "common/ctr/layout.h"

#include <absl/status/status.h>

#include <string_view>

#include "common/base/invalid_argument.h"
#include "common/base/status_macros.h"
#include "common/config/training_settings.h"
#include "common/features/tabular_encoder.h"

namespace larr {
namespace {

using config::v1::CtrArchitecture;
using config::v1::CtrModelDescription;
using config::v1::DatasetSpec;

// A weight of e_t's features: their columns of `ids`.
absl::Status AddTargets(
    const TabularEncoder& encoder, std::string_view field,
    const google::protobuf::RepeatedPtrField<std::string>& names,
    std::vector<int64_t>& targets) {
  for (const std::string& name : names) {
    const int column = encoder.FindCategorical(name);
    if (column < 0)
      return Invalid(
          "dataset.{} names \"{}\", which is no categorical tabular feature; "
          "name one with `vocabulary`, `hash` or `buckets`",
          field, name);
    targets.push_back(column);
  }
  return absl::OkStatus();
}

absl::Status AddTexts(const CtrModelDescription& description,
                      const TabularEncoder& encoder, CtrLayout& layout) {
  const DatasetSpec& spec = description.dataset();
  layout.text_dim = description.text_dim();
  if (layout.text_dim <= 0)
    return Invalid("text_dim is {}; it must be positive", layout.text_dim);
  if (layout.text_dim % description.architecture().encoder_heads() != 0)
    return Invalid(
        "architecture.encoder_heads is {}, which does not divide the width {} "
        "of a text's vector",
        description.architecture().encoder_heads(), layout.text_dim);
  for (const std::string& name : spec.scene_features()) {
    config::v1::Side side = config::v1::SIDE_UNSPECIFIED;
    for (const auto& keyword : spec.keywords())
      if (keyword.name() == name) side = keyword.side();
    if (side != config::v1::USER && side != config::v1::POI &&
        side != config::v1::CONTEXT)
      return Invalid(
          "dataset.scene_features names \"{}\", which is no keyword of side "
          "USER, POI or CONTEXT",
          name);
    layout.slots.push_back(side);
  }
  LARR_RETURN_IF_ERROR(AddTargets(encoder, "user_embedding_features",
                                  spec.user_embedding_features(),
                                  layout.target_ids));
  return AddTargets(encoder, "poi_embedding_features",
                    spec.poi_embedding_features(), layout.target_ids);
}

}  // namespace

bool IsSingleTask(CtrArchitecture::Kind kind) {
  return kind == CtrArchitecture::WIDE_DEEP ||
         kind == CtrArchitecture::DEEP_FM || kind == CtrArchitecture::LINEAR;
}

int64_t CtrLayout::target_width() const {
  return static_cast<int64_t>(target_ids.size()) * embedding_width;
}

std::vector<int64_t> CtrLayout::SlotsOf(config::v1::Side side) const {
  std::vector<int64_t> found;
  for (size_t s = 0; s < slots.size(); ++s)
    if (slots[s] == side) found.push_back(static_cast<int64_t>(s));
  return found;
}

absl::StatusOr<CtrLayout> MakeCtrLayout(
    const CtrModelDescription& description) {
  LARR_ASSIGN_OR_RETURN(const CtrArchitecture architecture,
                        CompleteArchitecture(description.architecture()));
  if (architecture.kind() == CtrArchitecture::P5)
    return Invalid(
        "model \"{}\" is of kind P5: a language model that answers a prompt "
        "for "
        "each candidate. The stage EVALUATE scores it; serving and its tools "
        "take the other kinds",
        description.name());
  LARR_RETURN_IF_ERROR(
      CheckRecommenderInputs(architecture.kind(), description.dataset()));
  LARR_ASSIGN_OR_RETURN(
      const TabularEncoder encoder,
      TabularEncoder::Create(description.dataset(), description.features()));
  CtrLayout layout;
  layout.tasks = description.has_order_task() ? 2 : 1;
  // A linear model has first-order weights and no embeddings.
  layout.embedding_width = architecture.kind() == CtrArchitecture::LINEAR
                               ? 0
                               : architecture.embedding_width();
  layout.table_width = IsSingleTask(architecture.kind())
                           ? layout.tasks * (layout.embedding_width + 1)
                           : layout.embedding_width;
  for (const CategoricalColumn& column : encoder.categorical()) {
    layout.table_rows.push_back(column.table_size);
    layout.table_names.push_back(column.name);
  }
  layout.dense_count = static_cast<int64_t>(encoder.dense().size());
  for (size_t i = 0; i < kBlockOrder.size(); ++i) {
    const FeatureBlock& from = encoder.block(kBlockOrder[i]);
    CtrBlock& to = layout.blocks[i];
    to = {.first_id = from.first_id,
          .id_count = from.id_count,
          .first_dense = from.first_dense,
          .dense_count = from.dense_count,
          .first_column = layout.tabular_columns,
          .column_count =
              from.id_count * layout.embedding_width + from.dense_count};
    layout.tabular_columns += to.column_count;
  }
  if (architecture.kind() == CtrArchitecture::LARR) {
    CtrModelDescription complete = description;
    *complete.mutable_architecture() = architecture;
    LARR_RETURN_IF_ERROR(AddTexts(complete, encoder, layout));
  }
  return layout;
}

}  // namespace larr
