// SPDX-License-Identifier: Apache-2.0
#include "common/ctr/tensor_shapes.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "common/base/invalid_argument.h"

namespace larr {
namespace {

using config::v1::CtrArchitecture;
using Shapes = std::vector<TensorShape>;

// A weight [out, in] and its bias [out].
void AddLinear(const std::string& name, int64_t in, int64_t out,
               const std::string& set_by, Shapes& shapes) {
  shapes.push_back({name + "_weight", {out, in}, set_by});
  shapes.push_back({name + "_bias", {out}, set_by});
}

void AddTables(const CtrLayout& layout, Shapes& shapes) {
  const int64_t rows = std::accumulate(layout.table_rows.begin(),
                                       layout.table_rows.end(), int64_t{0});
  std::string set_by = "`architecture.embedding_width` and the features' rows";
  const auto most =
      std::max_element(layout.table_rows.begin(), layout.table_rows.end());
  if (most != layout.table_rows.end()) {
    set_by += fmt::format(", of which `{}` has {}",
                          layout.table_names[most - layout.table_rows.begin()],
                          *most);
  }
  shapes.push_back({"tables.weight", {rows, layout.table_width}, set_by});
}

void AddScene(const CtrArchitecture& architecture, const CtrLayout& layout,
              Shapes& shapes) {
  const int64_t r = layout.slot_count(), c = layout.text_dim;
  const std::string slots = "`dataset.scene_features` and `text_dim`";
  const std::string width = "`text_dim`";
  for (const char* name : {"scene.mean", "scene.slot", "scene.default"})
    shapes.push_back({name, {r, c}, slots});
  shapes.push_back({"scene.scale", {r}, slots});
  shapes.push_back({"scene.agg", {c}, width});
  for (const char* name : {"scene.norm1", "scene.norm2"}) {
    shapes.push_back({std::string(name) + "_weight", {c}, width});
    shapes.push_back({std::string(name) + "_bias", {c}, width});
  }
  AddLinear("scene.attention_in", c, 3 * c, width, shapes);
  AddLinear("scene.attention_out", c, c, width, shapes);
  const int64_t ffn = architecture.encoder_ffn_width();
  const std::string ffn_width = "`architecture.encoder_ffn_width`";
  AddLinear("scene.ffn1", c, ffn, ffn_width, shapes);
  AddLinear("scene.ffn2", ffn, c, ffn_width, shapes);
  AddLinear("scene.mlp1", c, c, width, shapes);
  AddLinear("scene.mlp2", c, layout.target_width(),
            "`dataset.user_embedding_features` and "
            "`dataset.poi_embedding_features`",
            shapes);
}

void AddPle(const CtrArchitecture& architecture, const CtrLayout& layout,
            Shapes& shapes) {
  const int64_t tasks = layout.tasks;
  const int64_t own = architecture.task_experts();
  const int64_t shared = architecture.shared_experts();
  const int64_t experts = tasks * own + shared;
  const int levels = architecture.ple_levels();
  int64_t width = layout.input_width();
  for (int level = 0; level < levels; ++level) {
    const std::string name = fmt::format("ple.level{}.", level);
    const std::string set_by = fmt::format(
        "`architecture.expert_widths[{}]`, the numbers of experts "
        "and the layer below",
        level);
    const int64_t to = architecture.expert_widths(level);
    // All levels but the last have a gate of the shared path, too.
    const int64_t gates =
        tasks * (own + shared) + (level + 1 < levels ? experts : 0);
    AddLinear(name + "expert", width, experts * to, set_by, shapes);
    AddLinear(name + "gate", width, gates, set_by, shapes);
    width = to;
  }
  for (int64_t task = 0; task < tasks; ++task) {
    const std::string name = fmt::format("ple.tower{}", task);
    const int64_t tower = architecture.tower_width();
    const std::string set_by = "`architecture.tower_width`";
    AddLinear(name + "_hidden", width, tower, set_by, shapes);
    AddLinear(name + "_logit", tower, 1, set_by, shapes);
  }
}

void AddWideDeep(const CtrArchitecture& architecture, const CtrLayout& layout,
                 const std::string& task, Shapes& shapes) {
  const std::string numbers = "the dataset's dense features";
  shapes.push_back({task + "wide_weight", {1, layout.dense_count}, numbers});
  shapes.push_back({task + "wide_bias", {1}, numbers});
  if (architecture.kind() == CtrArchitecture::DEEP_FM)
    shapes.push_back({task + "dense_factors",
                      {layout.dense_count, layout.embedding_width},
                      "`architecture.embedding_width`"});
  if (architecture.kind() == CtrArchitecture::LINEAR) return;
  int64_t width = layout.tabular_columns;
  const int layers = architecture.deep_widths_size();
  for (int layer = 0; layer <= layers; ++layer) {
    const int64_t to = layer < layers ? architecture.deep_widths(layer) : 1;
    AddLinear(fmt::format("{}deep{}", task, layer), width, to,
              "`architecture.deep_widths`", shapes);
    width = to;
  }
}

}  // namespace

std::vector<TensorShape> CtrTensorShapes(const CtrArchitecture& architecture,
                                         const CtrLayout& layout) {
  Shapes shapes;
  AddTables(layout, shapes);
  if (IsSingleTask(architecture.kind())) {
    for (int64_t task = 0; task < layout.tasks; ++task)
      AddWideDeep(architecture, layout, fmt::format("task{}.", task), shapes);
    return shapes;
  }
  if (layout.slot_count() > 0) AddScene(architecture, layout, shapes);
  AddPle(architecture, layout, shapes);
  return shapes;
}

absl::Status CheckCtrTensors(const SafetensorsHeader& header,
                             std::string_view file,
                             const CtrArchitecture& architecture,
                             const CtrLayout& layout) {
  const auto wrong = [&](const std::string& tensor, const std::string& what) {
    return Invalid(
        "{}: tensor \"{}\" {}; the file and the description are of "
        "different models",
        file, tensor, what);
  };
  const Shapes shapes = CtrTensorShapes(architecture, layout);
  std::set<std::string_view> known;
  for (const TensorShape& shape : shapes) known.insert(shape.name);
  for (const auto& [name, entry] : header.tensors)
    if (!known.contains(name)) return wrong(name, "is unknown");
  for (const TensorShape& shape : shapes) {
    const auto found = header.tensors.find(shape.name);
    if (found == header.tensors.end()) {
      return wrong(shape.name,
                   fmt::format("is missing; {} ask for {}", shape.set_by,
                               ShapeText(shape.sizes)));
    }
    const TensorEntry& entry = found->second;
    if (entry.shape != shape.sizes) {
      return wrong(shape.name, fmt::format("has shape {}, but {} ask for {}",
                                           ShapeText(entry.shape), shape.set_by,
                                           ShapeText(shape.sizes)));
    }
    if (entry.type != TensorType::kF32)
      return wrong(shape.name,
                   fmt::format("has dtype {}, not F32", NameOf(entry.type)));
  }
  return absl::OkStatus();
}

}  // namespace larr
