// SPDX-License-Identifier: Apache-2.0
#include "common/tensors/pickle.h"

#include <absl/status/status.h>

#include <catch2/catch.hpp>
#include <random>

namespace larr {
namespace {

using namespace std::string_literals;  // NOLINT

constexpr std::string_view kNames[] = {"collections.OrderedDict", "m.f"};

Pickle Parsed(const std::string& bytes) {
  auto pickle = Pickle::Parse(bytes, kNames);
  INFO(pickle.status().ToString());
  REQUIRE(pickle.ok());
  return *std::move(pickle);
}
absl::Status Refused(const std::string& bytes) {
  return Pickle::Parse(bytes, kNames).status();
}

// The bytes below are what Python's pickle.dumps writes.

TEST_CASE("Numbers, texts and containers are read") {
  // ("a", 1, 300, -2, 2**40, True, None, 1.5), protocol 2
  const Pickle pickle = Parsed(
      "\x80\x02(X\x01\x00\x00\x00"
      "aq\x00K\x01M,\x01J\xfe\xff\xff\xff\x8a\x06\x00\x00\x00\x00\x00\x01\x88N"
      "G?\xf8\x00\x00\x00\x00\x00\x00tq\x01."s);
  const auto* list = pickle.root().As<PickleNode::List>();
  REQUIRE(list != nullptr);
  REQUIRE(list->size() == 8);
  CHECK(*(*list)[0]->As<std::string>() == "a");
  CHECK(*(*list)[1]->As<int64_t>() == 1);
  CHECK(*(*list)[2]->As<int64_t>() == 300);
  CHECK(*(*list)[3]->As<int64_t>() == -2);
  CHECK(*(*list)[4]->As<int64_t>() == int64_t{1} << 40);
  CHECK(*(*list)[5]->As<bool>());
  CHECK((*list)[6]->As<std::monostate>() != nullptr);
  CHECK(*(*list)[7]->As<double>() == 1.5);

  // {"x": [1, (2,)], "y": []}, protocol 4
  const Pickle dict = Parsed(
      "\x80\x04\x95\x1a\x00\x00\x00\x00\x00\x00\x00}\x94(\x8c\x01x\x94]\x94(K"
      "\x01K\x02\x85\x94"
      "e\x8c\x01y\x94]\x94u."s);
  const auto* items = dict.root().As<PickleNode::Dict>();
  REQUIRE(items != nullptr);
  REQUIRE(items->size() == 2);
  CHECK(*(*items)[0].first->As<std::string>() == "x");
  CHECK((*items)[0].second->As<PickleNode::List>()->size() == 2);
  CHECK((*items)[1].second->As<PickleNode::List>()->empty());
}

TEST_CASE("A call is described, and an OrderedDict's attributes are let go") {
  const Pickle call = Parsed("\x80\x02"s + "cm\nf\nK\x05\x85R.");
  const auto* made = call.root().As<PickleNode::Call>();
  REQUIRE(made != nullptr);
  CHECK(made->function == "m.f");
  CHECK(*made->arguments->As<PickleNode::List>()->front()->As<int64_t>() == 5);

  // An OrderedDict {"k": 1} with the attribute _metadata = {}.
  const Pickle dict = Parsed(
      "\x80\x02"s +
      "ccollections\nOrderedDict\n)RX\x01\x00\x00\x00kK\x01s}X\x09\x00\x00\x00"s +
      "_metadata}sb.");
  REQUIRE(dict.root().As<PickleNode::Dict>() != nullptr);
  CHECK(dict.root().As<PickleNode::Dict>()->size() == 1);
}

TEST_CASE("A name that is not listed ends the reading") {
  for (const std::string& bytes :
       {"\x80\x02"s + "cos\nsystem\nX\x04\x00\x00\x00true\x85R."s,
        "\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R."s}) {
    const auto status = Refused(bytes);
    CHECK(absl::IsInvalidArgument(status));
    CHECK_THAT(status.ToString(), Catch::Contains("names 'os.system'") &&
                                      Catch::Contains("nothing of it was run"));
  }
  // NEWOBJ and INST make objects in other ways.
  CHECK_THAT(Refused("\x80\x02)\x81."s).ToString(),
             Catch::Contains("instruction 0x81"));
  CHECK(absl::IsInvalidArgument(Refused("(ios\nsystem\n."s)));
}

TEST_CASE("Damaged bytes are an error") {
  for (const std::string& bytes : {""s,
                                   "."s,
                                   "\x80\x02"s,
                                   "N"s,
                                   "NN."s,
                                   "t."s,
                                   "u."s,
                                   "R."s,
                                   "s."s,
                                   "a."s,
                                   "(R."s,
                                   "NNs."s,
                                   "h\x07."s,
                                   "q\x01."s,
                                   "X\xff\xff\xff\xffxx."s,
                                   "NNR."s,
                                   "]N(NeNu."s,
                                   "cm"s,
                                   "\x8a\x09"s + "123456789."s,
                                   "(NQ)t"s}) {
    CHECK(absl::IsDataLoss(Refused(bytes)));
  }
  // Chains as deep as the input is long: nothing recurses.
  CHECK(Pickle::Parse("N" + std::string(100000, '\x85') + ".", kNames).ok());
  std::mt19937 random(1);
  const std::string valid =
      "\x80\x02"s +
      "ccollections\nOrderedDict\n)RX\x01\x00\x00\x00k(K\x01K\x02tQs."s;
  REQUIRE(Pickle::Parse(valid, kNames).ok());
  for (int round = 0; round < 20000; ++round) {
    std::string bytes = valid;
    for (int i = 0; i < 3; ++i)
      bytes[random() % bytes.size()] = static_cast<char>(random());
    (void)Pickle::Parse(bytes, kNames);
  }
}

}  // namespace
}  // namespace larr
