// SPDX-License-Identifier: Apache-2.0
#include "tests/services/scoring/scoring_world.h"

#include <set>
#include <stdexcept>

#include "common/config/text_proto.h"
#include "common/features/text_renderer.h"
#include "common/store/snapshot_builder.h"
#include "tests/testing/snapshot_fixture.h"

namespace larr::testing {
namespace {

constexpr char kSpec[] = R"pb(
  name: "small"
  impressions {
    path: "impressions"
    user_key: "user_id"
    poi_key: "poi_id"
    click_column: "click"
    order_column: "order"
  }
  users { path: "users" key: "user_id" }
  pois { path: "pois" key: "poi_id" }
  keywords { name: "POI_name" side: POI group: POI_BUSINESS template: "{name}" }
  keywords { name: "POI_menu" side: POI group: POI_BUSINESS template: "{menu}" }
  keywords {
    name: "user_home"
    side: USER
    group: USER_PROFILE
    template: "lives in {home}"
  }
  keywords {
    name: "weather"
    side: CONTEXT
    group: USER_ACTION
    template: "{temperature}, {rain}"
    domains {
      column: "temperature"
      edges: [ 10, 25 ]
      labels: [ "cold", "mild", "hot" ]
    }
    domains {
      column: "rain"
      values: [ "dry", "wet" ]
    }
  }
  scene_features: [ "weather", "POI_name", "user_home", "POI_menu" ]
  tabular_features {
    name: "poi_id"
    side: POI
    vocabulary { column: "poi_id" }
  }
  tabular_features {
    name: "user_id"
    side: USER
    vocabulary { column: "user_id" }
  }
  tabular_features {
    name: "orders"
    side: USER
    dense { column: "orders" transform: LOG1P }
  }
  tabular_features {
    name: "hour"
    side: CONTEXT
    buckets {
      column: "hour"
      edges: [ 6, 12, 18 ]
    }
  }
  tabular_features {
    name: "price"
    side: POI
    dense { column: "price" }
  }
  tabular_features {
    name: "home_x_area"
    side: CROSS
    hash {
      columns: [ "users.home", "pois.area" ]
      buckets: 50
    }
  }
  tabular_features {
    name: "distance"
    side: CROSS
    dense { column: "impressions.distance" }
  }
  tabular_features {
    name: "event_x_area"
    side: CROSS
    hash {
      columns: [ "impressions.event", "pois.area" ]
      buckets: 20
    }
  }
  user_embedding_features: "user_id"
  poi_embedding_features: "poi_id"
)pb";

constexpr char kLearned[] = R"pb(
  architecture {
    kind: LARR
    embedding_width: 4
    ple_levels: 2
    expert_widths: [ 16, 8 ]
    tower_width: 8
    encoder_heads: 2
    encoder_ffn_width: 16
  }
  features {
    name: "user_id"
    vocabulary: [ "u1", "u2", "u3" ]
  }
  features { name: "orders" mean: 1 deviation: 0.5 }
  features {
    name: "hour"
    edges: [ 6, 12, 18 ]
  }
  features {
    name: "poi_id"
    vocabulary: [ "p0", "p1", "p2", "p3", "p7" ]
  }
  features { name: "price" mean: 20 deviation: 8 }
  features { name: "home_x_area" }
  features { name: "distance" mean: 2 deviation: 1 }
  features { name: "event_x_area" }
  has_order_task: true
)pb";

void Require(const absl::Status& status) {
  if (!status.ok()) throw std::runtime_error(status.ToString());
}

constexpr char kUnstoredName[] = "name 7";

// Renders a side's scene features into text ids; the texts go to `texts`.
storage::v1::EntityRow Entity(const TextRenderer& renderer,
                              config::v1::Side side, const Columns& columns,
                              std::set<std::string>& texts) {
  const Schema& schema = renderer.schemas().of(TableOf(side));
  const Row row = RowOf(schema, columns);
  storage::v1::EntityRow entity;
  for (const int keyword : renderer.SceneFeaturesOf(side)) {
    const std::string text = renderer.Render(keyword, row);
    entity.add_text_ids(text.empty() ? "" : TextId(text));
    if (ScoringWorld::IsStored(text)) texts.insert(text);
  }
  for (int i = 0; i < schema.size(); ++i) {
    (*entity.mutable_columns())[schema.name(i)] = ToProto(row[i]);
  }
  return entity;
}

}  // namespace

Row RowOf(const Schema& schema, const Columns& columns) {
  Row row(schema.size());
  for (const auto& [name, value] : columns) {
    if (schema.Find(name) >= 0) row[schema.Find(name)] = value;
  }
  return row;
}

ScoringWorld::ScoringWorld()
    : spec_(*ParseTextProto<config::v1::DatasetSpec>(kSpec)) {
  users["u1"] = {{"user_id", "u1"}, {"home", "Rome"}, {"orders", int64_t{5}}};
  users["u2"] = {{"user_id", "u2"}, {"orders", int64_t{0}}};  // no home
  for (int i = 0; i < 8; ++i) {
    const std::string id = "p" + std::to_string(i);
    pois[id] = {{"poi_id", id},
                {"name", "name " + std::to_string(i)},
                {"area", i % 2 == 0 ? "north" : "south"},
                {"price", 10.0 + i}};
    if (i != 3) pois[id]["menu"] = "menu " + std::to_string(i % 4);
  }
}

config::v1::CtrModelDescription ScoringWorld::Description(
    const ModelOptions& options) const {
  auto description = *ParseTextProto<config::v1::CtrModelDescription>(kLearned);
  *description.mutable_dataset() = spec_;
  description.set_name(options.texts ? "larr" : "ple");
  if (options.texts) {
    description.set_text_dim(8);
    description.set_embedder_fingerprint(options.fingerprint);
  } else {
    description.mutable_architecture()->set_kind(
        config::v1::CtrArchitecture::PLE);
  }
  return description;
}

bool ScoringWorld::IsStored(const std::string& text) {
  return !text.empty() && text.find(kUnstoredName) == std::string::npos;
}

std::vector<float> ScoringWorld::VectorOfText(const std::string& text, int dim,
                                              bool shifted) {
  return VectorOf(std::hash<std::string>()(text) + (shifted ? 1 : 0), dim);
}

std::filesystem::path ScoringWorld::MakeSnapshot(
    const std::filesystem::path& dir, const std::string& name,
    const SnapshotOptions& options) const {
  auto info = InfoOf(options.fingerprint, options.dim);
  for (const auto& feature : options.scene_features) {
    info.add_scene_features(feature);
  }
  if (options.scene_features.empty()) {
    *info.mutable_scene_features() = spec_.scene_features();
  }
  const auto builder =
      SnapshotBuilder::Open(dir / (name + ".work"), info, nullptr);
  Require(builder.status());
  const auto renderer = TextRenderer::Create(spec_);
  Require(renderer.status());
  std::set<std::string> texts;
  using config::v1::POI;
  using config::v1::USER;
  for (const auto& [id, columns] : users) {
    Require((*builder)->AddEntity(USER, id,
                                  Entity(*renderer, USER, columns, texts)));
  }
  for (const auto& [id, columns] : pois) {
    Require(
        (*builder)->AddEntity(POI, id, Entity(*renderer, POI, columns, texts)));
  }
  for (const int keyword : renderer->SceneFeaturesOf(config::v1::CONTEXT)) {
    for (const auto& text : renderer->ContextTexts(keyword)) texts.insert(text);
  }
  std::vector<std::string> ids;
  std::vector<float> vectors;
  for (const std::string& text : texts) {
    ids.push_back(TextId(text));
    const auto vector = VectorOfText(text, options.dim, options.shift_vectors);
    vectors.insert(vectors.end(), vector.begin(), vector.end());
  }
  const std::vector<std::string_view> views(ids.begin(), ids.end());
  Require((*builder)->AddVectors(views, vectors, 1));
  const auto manifest = (*builder)->Publish(dir / name, {});
  Require(manifest.status());
  return dir / name;
}

}  // namespace larr::testing
