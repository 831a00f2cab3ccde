// SPDX-License-Identifier: Apache-2.0
#include "common/features/text_renderer.h"

#include <catch2/catch.hpp>
#include <iterator>
#include <random>
#include <set>
#include <string>

#include "common/config/text_proto.h"

namespace larr {
namespace {

using config::v1::DatasetSpec;
using config::v1::Keyword;
using config::v1::Side;

DatasetSpec Spec() {
  const auto spec = ParseTextProto<DatasetSpec>(R"pb(
    keywords {
      name: "name"
      side: POI
      group: POI_BUSINESS
      template: "{name}, {area}"
    }
    keywords { name: "intro" side: POI group: POI_BASIC template: "{intro}" }
    keywords {
      name: "profile"
      side: USER
      group: USER_PROFILE
      template: "{age}"
    }
    keywords {
      name: "weather"
      side: CONTEXT
      group: USER_ACTION
      template: "{temperature}, {sky}"
      domains { column: "sky" values: "dry" values: "rain" }
      domains {
        column: "temperature"
        edges: 10
        edges: 25
        labels: "cold"
        labels: "mild"
        labels: "hot"
      }
    }
    scene_features: "weather"
    scene_features: "intro"
    scene_features: "name")pb");
  REQUIRE(spec.ok());
  return *spec;
}

// Columns of pois: name, area, intro; of impressions: temperature, sky.
const Row kPoi = {Value("Boba House"), Value("Old Town"), Value("Tea.")};

TEST_CASE("A text id is the XXH3-128 of the bytes, big-endian", "[features]") {
  // The value that the algorithm's own specification gives for no bytes.
  CHECK(TextId("") == std::string("\x99\xaa\x06\xd3\x01\x47\x98\xd8"
                                  "\x60\x01\xc3\x24\x46\x8d\x49\x7f",
                                  16));
  CHECK(TextId("a") != TextId("b"));
}

// What is left after cutting out tokens for as long as there are any.
std::string WithoutTokens(std::string text) {
  const std::string tokens[] = {"<name>",    "</name>",   "<intro>",
                                "</intro>",  "<profile>", "</profile>",
                                "<weather>", "</weather>"};
  for (bool found = true; found;) {
    found = false;
    for (const std::string& token : tokens) {
      const size_t at = text.find(token);
      if (at == std::string::npos) continue;
      text.erase(at, token.size());
      found = true;
    }
  }
  return text;
}

TEST_CASE("Whatever data is, no token of it is left", "[features]") {
  const auto renderer = TextRenderer::Create(Spec());
  REQUIRE(renderer.ok());
  const std::string parts[] = {"<",     ">",      "/",        "name",
                               "intro", "<name>", "</intro>", "</in",
                               "tro>",  "<na",    "me>",      "x"};
  std::mt19937 random(7);
  for (int i = 0; i < 3000; ++i) {
    std::string data;
    for (size_t n = random() % 12; n > 0; --n)
      data += parts[random() % std::size(parts)];
    const std::string wrapped = renderer->Wrap(1, data);
    const std::string left = WithoutTokens(data);
    INFO(data);
    if (data.empty()) continue;
    REQUIRE(wrapped == "<intro>" + left + "</intro>");
  }
  // A million bytes that the naive way would need minutes for.
  std::string hostile;
  for (int i = 0; i < 50'000; ++i) hostile += "</intro<name>";
  hostile.append(50'000, '>');
  CHECK(renderer->Wrap(1, hostile) == "<intro></intro>");
}

TEST_CASE("Texts stand between their special tokens", "[features]") {
  const auto renderer = TextRenderer::Create(Spec());
  REQUIRE(renderer.ok());
  CHECK(renderer->Render(0, kPoi) == "<name>Boba House, Old Town</name>");

  SECTION("without any value there is no text") {
    CHECK(renderer->Render(0, Row(3)).empty());
    CHECK(renderer->Render(0, {Value("X"), Value(), Value()}) ==
          "<name>X, </name>");
  }
  SECTION("data cannot forge a special token") {
    CHECK(
        renderer->Render(1, {Value(), Value(), Value("a</intro><name>b<c")}) ==
        "<intro>ab<c</intro>");
    CHECK(
        renderer->Render(1, {Value(), Value(), Value("a</in</intro>tro>b")}) ==
        "<intro>ab</intro>");
  }
  SECTION("a body that no template made is rendered as one that did") {
    CHECK(renderer->Wrap(0, "Boba House, Old Town") ==
          renderer->Render(0, kPoi));
    CHECK(renderer->Wrap(1, "a</intro><name>b<c") == "<intro>ab<c</intro>");
  }
  SECTION("kinds say what each byte is, also after a cut") {
    const std::vector<int> both = {0, 1};
    std::string kinds;
    const std::string text = renderer->Describe(
        both, {Value("Bo"), Value("Old"), Value("a<na<name>me>b")}, &kinds);
    CHECK(text == "<name>Bo, Old</name><intro>ab</intro>");
    CHECK(kinds ==
          "ssssss"
          "vvttvvv"
          "sssssss"
          "sssssss"
          "vv"
          "ssssssss");
  }
  SECTION("descriptions are the texts one after another") {
    CHECK(renderer->Describe(renderer->KeywordsOf(Side::POI), kPoi) ==
          "<name>Boba House, Old Town</name><intro>Tea.</intro>");
  }
  SECTION("scene features keep the order of the spec") {
    CHECK(renderer->scene_features() == std::vector<int>{3, 1, 0});
    CHECK(renderer->SceneFeaturesOf(Side::POI) == std::vector<int>{1, 0});
  }
}

TEST_CASE("Every context text is known ahead", "[features]") {
  const auto renderer = TextRenderer::Create(Spec());
  REQUIRE(renderer.ok());
  const auto all = renderer->ContextTexts(3);
  const std::set<std::string> known(all.begin(), all.end());
  CHECK(all.size() == 11);  // (3 + null) x (2 + null) - both null
  CHECK(known.size() == all.size());
  for (const Value& temperature :
       {Value(9.99), Value(int64_t{10}), Value(25.0), Value()}) {
    for (const char* sky : {"dry", "rain", "frogs"}) {
      const std::string text =
          renderer->Render(3, {temperature, Value(std::string(sky))});
      CHECK((text.empty() || known.count(text) == 1));
    }
  }
  CHECK(renderer->Render(3, {Value(10.0), Value("dry")}) ==
        "<weather>mild, dry</weather>");
  CHECK(renderer->Render(3, {Value(25.0), Value("frogs")}) ==
        "<weather>hot, </weather>");
  CHECK(renderer->Render(3, {Value(), Value("frogs")}).empty());
}

TEST_CASE("Wrong keywords are refused by name", "[features]") {
  const auto refused = [](auto change) {
    DatasetSpec spec = Spec();
    change(spec);
    const auto renderer = TextRenderer::Create(spec);
    REQUIRE_FALSE(renderer.ok());
    return std::string(renderer.status().message());
  };
  using Catch::Contains;
  CHECK_THAT(refused([](auto& s) { s.mutable_keywords(1)->set_name("name"); }),
             Contains("`name` appears twice"));
  CHECK_THAT(refused([](auto& s) { s.mutable_keywords(0)->set_name("a b"); }),
             Contains("`a b`"));
  CHECK_THAT(
      refused([](auto& s) { s.mutable_keywords(0)->set_template_("{a"); }),
      Contains("keyword name: the template `{a`"));
  CHECK_THAT(refused([](auto& s) {
               s.mutable_keywords(0)->set_group(Keyword::USER_PROFILE);
             }),
             Contains("USER_PROFILE does not belong to side POI"));
  CHECK_THAT(refused([](auto& s) { s.set_scene_features(0, "x"); }),
             Contains("`x` is not the name of a keyword"));
  CHECK_THAT(refused([](auto& s) { s.set_scene_features(0, "intro"); }),
             Contains("`intro` appears twice"));
  auto domain = [](auto& s, int i) {
    return s.mutable_keywords(3)->mutable_domains(i);
  };
  CHECK_THAT(refused([&](auto& s) { domain(s, 1)->add_labels("more"); }),
             Contains("needs 3 labels"));
  CHECK_THAT(refused([&](auto& s) { domain(s, 1)->set_edges(1, 10); }),
             Contains("not ascending"));
  CHECK_THAT(refused([&](auto& s) { domain(s, 0)->set_column("wind"); }),
             Contains("`wind`"));
  CHECK_THAT(refused([&](auto& s) {
               s.mutable_keywords(3)->mutable_domains()->RemoveLast();
             }),
             Contains("`temperature` has no domain"));
  CHECK_THAT(refused([&](auto& s) {
               for (int i = 0; i < 40'000; ++i) {
                 domain(s, 0)->add_values(std::to_string(i));
               }
             }),
             Contains("more than 100000 texts"));
}

}  // namespace
}  // namespace larr
