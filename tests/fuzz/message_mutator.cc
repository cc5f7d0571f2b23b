// SPDX-License-Identifier: Apache-2.0
#include "tests/fuzz/message_mutator.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "base/utf8.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/stubs/logging.h"
#include "tests/fuzz/fuzz_target.h"

namespace heed {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

constexpr int kMaxElements = 64;  // that one change adds

// Strings that are not UTF-8 are not worth a line each.
[[maybe_unused]] const bool kIsQuiet = (google::protobuf::SetLogHandler(nullptr), true);

class MessageMutator {
 public:
  explicit MessageMutator(unsigned seed) : random_(seed) {}

  void Mutate(Message& message) {
    std::vector<Place> places;
    Collect(message, places);
    if (places.empty()) return;
    const Place& place = places[Below(places.size())];
    if (place.field->is_repeated()) {
      MutateRepeated(*place.message, *place.field);
    } else {
      MutateSingle(*place.message, *place.field);
    }
  }

 private:
  struct Place {
    Message* message;
    const FieldDescriptor* field;
  };

  size_t Below(size_t end) { return random_() % end; }

  // Every field of the message and of those in it.
  void Collect(Message& message, std::vector<Place>& places) {
    const Reflection& reflection = *message.GetReflection();
    for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
      const FieldDescriptor* field = message.GetDescriptor()->field(i);
      places.push_back({&message, field});
      if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;
      if (field->is_repeated()) {
        for (int k = 0; k < reflection.FieldSize(message, field); ++k) {
          Collect(*reflection.MutableRepeatedMessage(&message, field, k), places);
        }
      } else if (reflection.HasField(message, field)) {
        Collect(*reflection.MutableMessage(&message, field), places);
      }
    }
  }

  void MutateSingle(Message& message, const FieldDescriptor& field) {
    const Reflection& reflection = *message.GetReflection();
    if (reflection.HasField(message, &field) && Below(8) == 0) return reflection.ClearField(&message, &field);
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_MESSAGE:
        reflection.MutableMessage(&message, &field);
        return;
      case FieldDescriptor::CPPTYPE_INT32:
        return reflection.SetInt32(&message, &field, Whole(reflection.GetInt32(message, &field)));
      case FieldDescriptor::CPPTYPE_INT64:
        return reflection.SetInt64(&message, &field, Whole(reflection.GetInt64(message, &field)));
      case FieldDescriptor::CPPTYPE_UINT32:
        return reflection.SetUInt32(&message, &field, Whole(reflection.GetUInt32(message, &field)));
      case FieldDescriptor::CPPTYPE_UINT64:
        return reflection.SetUInt64(&message, &field, Whole(reflection.GetUInt64(message, &field)));
      case FieldDescriptor::CPPTYPE_FLOAT:
        return reflection.SetFloat(&message, &field, Real(reflection.GetFloat(message, &field)));
      case FieldDescriptor::CPPTYPE_DOUBLE:
        return reflection.SetDouble(&message, &field, Real(reflection.GetDouble(message, &field)));
      case FieldDescriptor::CPPTYPE_BOOL:
        return reflection.SetBool(&message, &field, !reflection.GetBool(message, &field));
      case FieldDescriptor::CPPTYPE_ENUM:
        return reflection.SetEnumValue(&message, &field, Number(field));
      case FieldDescriptor::CPPTYPE_STRING:
        return reflection.SetString(&message, &field, Text(reflection.GetString(message, &field), field));
    }
  }

  void MutateRepeated(Message& message, const FieldDescriptor& field) {
    const Reflection& reflection = *message.GetReflection();
    const int size = reflection.FieldSize(message, &field);
    const size_t what = size == 0 ? 0 : Below(8);
    if (what == 1) return reflection.RemoveLast(&message, &field);
    if (what == 2) {
      return reflection.SwapElements(&message, &field, static_cast<int>(Below(static_cast<size_t>(size))),
                                     static_cast<int>(Below(static_cast<size_t>(size))));
    }
    if (what == 3 && Below(4) == 0) return reflection.ClearField(&message, &field);
    if (what >= 4) return MutateElement(message, field, static_cast<int>(Below(static_cast<size_t>(size))));
    const size_t more = Below(4) > 0 ? 1 : 1 + Below(kMaxElements);
    for (size_t i = 0; i < more; ++i) Add(message, field, size);
  }

  void MutateElement(Message& message, const FieldDescriptor& field, int at) {
    const Reflection& reflection = *message.GetReflection();
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_MESSAGE:
        return Mutate(*reflection.MutableRepeatedMessage(&message, &field, at));
      case FieldDescriptor::CPPTYPE_INT32:
        return reflection.SetRepeatedInt32(&message, &field, at,
                                           Whole(reflection.GetRepeatedInt32(message, &field, at)));
      case FieldDescriptor::CPPTYPE_INT64:
        return reflection.SetRepeatedInt64(&message, &field, at,
                                           Whole(reflection.GetRepeatedInt64(message, &field, at)));
      case FieldDescriptor::CPPTYPE_UINT32:
        return reflection.SetRepeatedUInt32(&message, &field, at,
                                            Whole(reflection.GetRepeatedUInt32(message, &field, at)));
      case FieldDescriptor::CPPTYPE_UINT64:
        return reflection.SetRepeatedUInt64(&message, &field, at,
                                            Whole(reflection.GetRepeatedUInt64(message, &field, at)));
      case FieldDescriptor::CPPTYPE_FLOAT:
        return reflection.SetRepeatedFloat(&message, &field, at,
                                           Real(reflection.GetRepeatedFloat(message, &field, at)));
      case FieldDescriptor::CPPTYPE_DOUBLE:
        return reflection.SetRepeatedDouble(&message, &field, at,
                                            Real(reflection.GetRepeatedDouble(message, &field, at)));
      case FieldDescriptor::CPPTYPE_BOOL:
        return reflection.SetRepeatedBool(&message, &field, at, !reflection.GetRepeatedBool(message, &field, at));
      case FieldDescriptor::CPPTYPE_ENUM:
        return reflection.SetRepeatedEnumValue(&message, &field, at, Number(field));
      case FieldDescriptor::CPPTYPE_STRING:
        return reflection.SetRepeatedString(&message, &field, at,
                                            Text(reflection.GetRepeatedString(message, &field, at), field));
    }
  }

  // Like one that is there, if there are any, else one that is as good as empty.
  void Add(Message& message, const FieldDescriptor& field, int size) {
    const Reflection& reflection = *message.GetReflection();
    const int like = size == 0 ? -1 : static_cast<int>(Below(static_cast<size_t>(size)));
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_MESSAGE: {
        std::unique_ptr<Message> copy;
        if (like >= 0) {
          const Message& from = reflection.GetRepeatedMessage(message, &field, like);
          copy.reset(from.New());
          copy->CopyFrom(from);
        }
        Message* added = reflection.AddMessage(&message, &field);
        if (copy != nullptr) added->CopyFrom(*copy);
        return;
      }
      case FieldDescriptor::CPPTYPE_INT32:
        return reflection.AddInt32(&message, &field, Whole<int32_t>(0));
      case FieldDescriptor::CPPTYPE_INT64:
        return reflection.AddInt64(&message, &field,
                                   Whole(like < 0 ? int64_t{0} : reflection.GetRepeatedInt64(message, &field, like)));
      case FieldDescriptor::CPPTYPE_UINT32:
        return reflection.AddUInt32(&message, &field, Whole<uint32_t>(0));
      case FieldDescriptor::CPPTYPE_UINT64:
        return reflection.AddUInt64(&message, &field, Whole<uint64_t>(0));
      case FieldDescriptor::CPPTYPE_FLOAT:
        return reflection.AddFloat(&message, &field,
                                   like < 0 ? 0.5f : reflection.GetRepeatedFloat(message, &field, like));
      case FieldDescriptor::CPPTYPE_DOUBLE:
        return reflection.AddDouble(&message, &field, Real<double>(0));
      case FieldDescriptor::CPPTYPE_BOOL:
        return reflection.AddBool(&message, &field, Below(2) == 0);
      case FieldDescriptor::CPPTYPE_ENUM:
        return reflection.AddEnumValue(&message, &field, Number(field));
      case FieldDescriptor::CPPTYPE_STRING:
        return reflection.AddString(&message, &field,
                                    like < 0 ? "a" : reflection.GetRepeatedString(message, &field, like));
    }
  }

  template <typename T>
  T Whole(T value) {
    const T step = static_cast<T>(1 + Below(3));
    switch (Below(8)) {
      case 0:
        return 0;
      case 1:
        return static_cast<T>(std::numeric_limits<T>::max() - static_cast<T>(Below(2)));
      case 2:
        return static_cast<T>(std::numeric_limits<T>::min() + static_cast<T>(Below(2)));
      case 3:
        return static_cast<T>(T{1} << Below(8 * sizeof(T) - 1));
      case 4:
        return value > std::numeric_limits<T>::max() - step ? value : static_cast<T>(value + step);
      case 5:
        return value < std::numeric_limits<T>::min() + step ? value : static_cast<T>(value - step);
      default:
        return static_cast<T>(Below(12));
    }
  }

  template <typename T>
  T Real(T value) {
    constexpr T kValues[] = {0,
                             T{-0.0},
                             1,
                             -1,
                             T{0.25},
                             T{1e-30},
                             T{3e38},
                             T{-3e38},
                             std::numeric_limits<T>::denorm_min(),
                             std::numeric_limits<T>::infinity(),
                             -std::numeric_limits<T>::infinity(),
                             std::numeric_limits<T>::quiet_NaN()};
    switch (Below(4)) {
      case 0:
        return kValues[Below(std::size(kValues))];
      case 1:
        return -value;
      default:
        return value + static_cast<T>(Below(9)) * T{0.25} - 1;
    }
  }

  int Number(const FieldDescriptor& field) {
    return static_cast<int>(Below(static_cast<size_t>(field.enum_type()->value_count()) + 1)) - (Below(16) == 0);
  }

  std::string Text(std::string text, const FieldDescriptor& field) {
    const size_t size = text.size();
    text.resize(size + 16 + size / 2);
    text.resize(LLVMFuzzerMutate(reinterpret_cast<uint8_t*>(text.data()), size, text.size()));
    if (field.type() == FieldDescriptor::TYPE_BYTES) return text;
    for (auto at = FirstInvalidUtf8(text); at; at = FirstInvalidUtf8(text)) {
      text[*at] = static_cast<char>('a' + Below(26));
    }
    return text;
  }

  std::minstd_rand random_;
};

}  // namespace

size_t MutateMessage(uint8_t* data, size_t size, size_t max_size, unsigned seed, MessageOf* message_of) {
  if (seed % 16 == 0 || size < 1) return LLVMFuzzerMutate(data, size, max_size);
  if (seed % 64 == 1) data[0] = static_cast<uint8_t>(seed / 64);
  const std::unique_ptr<Message> message = message_of(data[0]);
  if (!message->ParseFromArray(data + 1, static_cast<int>(size - 1))) return LLVMFuzzerMutate(data, size, max_size);
  MessageMutator mutator(seed);
  for (unsigned i = 0; i < 1 + seed / 16 % 4; ++i) mutator.Mutate(*message);
  std::string bytes;
  if (!message->SerializeToString(&bytes) || bytes.size() + 1 > max_size) return LLVMFuzzerMutate(data, size, max_size);
  std::copy(bytes.begin(), bytes.end(), data + 1);
  return bytes.size() + 1;
}

}  // namespace heed
