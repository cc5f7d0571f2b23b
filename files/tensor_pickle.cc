// SPDX-License-Identifier: Apache-2.0
#include "files/tensor_pickle.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <iterator>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "base/excerpt.h"
#include "base/invalid_argument.h"
#include "base/status_macros.h"

namespace heed {
namespace {

using Kind = PickledValue::Kind;

constexpr size_t kMaxDimensions = 64;  // PyTorch's own limit

// What a pickle may ask for by module and name.
enum class Meaning { kOrderedDict, kRebuildTensor, kRebuildTensorV2, kRebuildParameter, kStorage };
struct Global {
  const char* module;
  const char* name;
  Meaning meaning;
  DType dtype;  // of kStorage
};
constexpr Global kGlobals[] = {
    {"collections", "OrderedDict", Meaning::kOrderedDict, DType::kF32},
    {"torch._utils", "_rebuild_tensor", Meaning::kRebuildTensor, DType::kF32},
    {"torch._utils", "_rebuild_tensor_v2", Meaning::kRebuildTensorV2, DType::kF32},
    {"torch._utils", "_rebuild_parameter", Meaning::kRebuildParameter, DType::kF32},
    {"torch", "DoubleStorage", Meaning::kStorage, DType::kF64},
    {"torch", "FloatStorage", Meaning::kStorage, DType::kF32},
    {"torch", "HalfStorage", Meaning::kStorage, DType::kF16},
    {"torch", "BFloat16Storage", Meaning::kStorage, DType::kBF16},
    {"torch", "LongStorage", Meaning::kStorage, DType::kI64},
    {"torch", "IntStorage", Meaning::kStorage, DType::kI32},
    {"torch", "ShortStorage", Meaning::kStorage, DType::kI16},
    {"torch", "CharStorage", Meaning::kStorage, DType::kI8},
    {"torch", "ByteStorage", Meaning::kStorage, DType::kU8},
    {"torch", "BoolStorage", Meaning::kStorage, DType::kBool},
};

// pickletools' names.
enum Opcode : uint8_t {
  kMarkOp = '(',
  kStop = '.',
  kBinFloat = 'G',
  kBinInt = 'J',
  kBinInt1 = 'K',
  kBinInt2 = 'M',
  kNoneOp = 'N',
  kBinPersId = 'Q',
  kReduce = 'R',
  kBinString = 'T',
  kShortBinString = 'U',
  kBinUnicode = 'X',
  kEmptyList = ']',
  kAppend = 'a',
  kBuild = 'b',
  kGlobalOp = 'c',
  kAppends = 'e',
  kBinGet = 'h',
  kLongBinGet = 'j',
  kBinPut = 'q',
  kLongBinPut = 'r',
  kSetItem = 's',
  kTupleOp = 't',
  kSetItems = 'u',
  kEmptyTuple = ')',
  kEmptyDict = '}',
  kProto = 0x80,
  kNewObj = 0x81,
  kTuple1 = 0x85,
  kTuple2 = 0x86,
  kTuple3 = 0x87,
  kNewTrue = 0x88,
  kNewFalse = 0x89,
  kLong1 = 0x8a,
  kLong4 = 0x8b,
  kShortBinUnicode = 0x8c,
  kBinUnicode8 = 0x8d,
  kStackGlobal = 0x93,
  kMemoize = 0x94,
  kFrame = 0x95,
};

}  // namespace

absl::string_view KindName(Kind kind) {
  constexpr absl::string_view kNames[] = {"None",      "a bool",   "an int", "an int", "a float",
                                          "a string",  "a tuple",  "a list", "a dict", "a class or function",
                                          "a storage", "a tensor", "a mark"};
  return kNames[static_cast<size_t>(kind)];
}

// Runs one pickle. The stack and the memo end with it.
class TensorPickle::Machine {
 public:
  Machine(TensorPickle& pickle, absl::string_view bytes) : pickle_(pickle), bytes_(bytes) {}

  absl::StatusOr<PickledValue> Run() {
    while (true) {
      HEED_RETURN_IF_ERROR(Count(1));
      at_ = next_;
      HEED_ASSIGN_OR_RETURN(const uint64_t opcode, Unsigned(1));
      if (opcode == kStop) return Pop();
      HEED_RETURN_IF_ERROR(Execute(static_cast<uint8_t>(opcode)));
    }
  }
  size_t end() const { return next_; }

 private:
  absl::Status Damaged(absl::string_view what) const {
    return InvalidArgument("the pickle is damaged at byte ", at_, ": ", what);
  }

  absl::Status Count(size_t operations) {
    pickle_.operations_ += static_cast<int64_t>(operations);
    if (pickle_.operations_ <= kMaxOperations) return absl::OkStatus();
    return InvalidArgument("the pickle has more than ", kMaxOperations, " operations");
  }

  absl::StatusOr<absl::string_view> Take(uint64_t count) {
    if (count > bytes_.size() - next_) return Damaged("it ends too soon");
    const absl::string_view taken = bytes_.substr(next_, count);
    next_ += count;
    return taken;
  }
  // Little-endian.
  absl::StatusOr<uint64_t> Unsigned(size_t bytes) {
    HEED_ASSIGN_OR_RETURN(const absl::string_view taken, Take(bytes));
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; ++i) value |= uint64_t{static_cast<uint8_t>(taken[i])} << (8 * i);
    return value;
  }
  absl::StatusOr<absl::string_view> Line() {
    const size_t end = bytes_.find('\n', next_);
    if (end == bytes_.npos) return Damaged("it ends too soon");
    const absl::string_view line = bytes_.substr(next_, end - next_);
    next_ = end + 1;
    return line;
  }

  absl::Status Push(Kind kind, int64_t number = 0) {
    stack_.push_back({kind, number});
    return absl::OkStatus();
  }
  absl::Status PushText(absl::StatusOr<absl::string_view> text, Kind kind = Kind::kText) {
    if (!text.ok()) return text.status();
    pickle_.texts_.push_back(*text);
    return Push(kind, static_cast<int64_t>(pickle_.texts_.size()) - 1);
  }
  absl::Status PushList(Kind kind, std::vector<PickledValue> items) {
    pickle_.lists_.push_back(std::move(items));
    return Push(kind, static_cast<int64_t>(pickle_.lists_.size()) - 1);
  }
  absl::Status PushDict() {
    pickle_.dicts_.emplace_back();
    return Push(Kind::kDict, static_cast<int64_t>(pickle_.dicts_.size()) - 1);
  }

  absl::StatusOr<PickledValue> Pop() {
    if (stack_.empty() || stack_.back().kind == Kind::kMark) return Damaged("it takes a value that is not there");
    const PickledValue value = stack_.back();
    stack_.pop_back();
    return value;
  }
  absl::StatusOr<PickledValue> Pop(Kind kind) {
    HEED_ASSIGN_OR_RETURN(const PickledValue value, Pop());
    if (value.kind != kind) return Damaged(absl::StrCat(KindName(value.kind), " stands for ", KindName(kind)));
    return value;
  }
  // The values above the last mark, in order; the mark goes too.
  absl::StatusOr<std::vector<PickledValue>> PopToMark() {
    size_t mark = stack_.size();
    while (mark > 0 && stack_[mark - 1].kind != Kind::kMark) --mark;
    if (mark == 0) return Damaged("it takes values up to a mark that is not there");
    std::vector<PickledValue> values(stack_.begin() + static_cast<std::ptrdiff_t>(mark), stack_.end());
    stack_.resize(mark - 1);
    return values;
  }
  // The value below what an operation took, which it changes.
  absl::StatusOr<PickledValue> Top(Kind kind) {
    HEED_ASSIGN_OR_RETURN(const PickledValue value, Pop(kind));
    stack_.push_back(value);
    return value;
  }

  absl::Status Append(const std::vector<PickledValue>& values) {
    HEED_ASSIGN_OR_RETURN(const PickledValue list, Top(Kind::kList));
    std::vector<PickledValue>& items = pickle_.lists_[static_cast<size_t>(list.number)];
    items.insert(items.end(), values.begin(), values.end());
    return absl::OkStatus();
  }
  absl::Status SetItems(const std::vector<PickledValue>& values) {
    HEED_ASSIGN_OR_RETURN(const PickledValue dict, Top(Kind::kDict));
    if (values.size() % 2 != 0) return Damaged("a key of a dict has no value");
    auto& entries = pickle_.dicts_[static_cast<size_t>(dict.number)];
    for (size_t i = 0; i < values.size(); i += 2) entries.emplace_back(values[i], values[i + 1]);
    return absl::OkStatus();
  }

  absl::Status Memoize(uint64_t key) {
    if (stack_.empty() || stack_.back().kind == Kind::kMark) return Damaged("it names a value that is not there");
    memo_[key] = stack_.back();
    return absl::OkStatus();
  }
  absl::Status Recall(uint64_t key) {
    const auto found = memo_.find(key);
    if (found == memo_.end()) return Damaged("it recalls a value that is not there");
    stack_.push_back(found->second);
    return absl::OkStatus();
  }

  absl::Status PushGlobal(absl::string_view module, absl::string_view name) {
    for (size_t i = 0; i < std::size(kGlobals); ++i) {
      if (module == kGlobals[i].module && name == kGlobals[i].name) return Push(Kind::kGlobal, static_cast<int64_t>(i));
    }
    return InvalidArgument(
        "the pickle asks for ", Escaped(module), ".", Escaped(name),
        ", but only tensors are read, and no code is ever run; save model.state_dict(), not the model");
  }

  // PyTorch's id of a storage: ("storage", class, key, device, values), and a view's in old files.
  absl::Status PushStorage() {
    HEED_ASSIGN_OR_RETURN(const PickledValue id, Pop(Kind::kTuple));
    const std::vector<PickledValue>& parts = pickle_.Items(id);
    if (parts.empty() || parts[0].kind != Kind::kText) return Damaged("a persistent id names no kind");
    if (pickle_.Text(parts[0]) != "storage") {
      return InvalidArgument("the pickle asks for a persistent '", Escaped(pickle_.Text(parts[0])),
                             "', but only tensors are read; save model.state_dict(), not the model");
    }
    if (parts.size() < 5 || parts.size() > 6 || parts[1].kind != Kind::kGlobal || parts[2].kind != Kind::kText ||
        parts[4].kind != Kind::kInt || parts[4].number < 0) {
      return Damaged("a storage's id is not (\"storage\", class, key, device, values)");
    }
    const Global& type = kGlobals[static_cast<size_t>(parts[1].number)];
    if (type.meaning != Meaning::kStorage) return Damaged(absl::StrCat("a storage's class is ", type.name));
    PickledStorage storage;
    storage.key = std::string(pickle_.Text(parts[2]));
    storage.dtype = type.dtype;
    storage.values = static_cast<uint64_t>(parts[4].number);
    if (parts.size() == 6 && parts[5].kind != Kind::kNone) {
      const bool is_view = parts[5].kind == Kind::kTuple && pickle_.Items(parts[5]).size() == 3;
      if (!is_view) return Damaged("a storage's view is not (key, first, values)");
      const std::vector<PickledValue>& view = pickle_.Items(parts[5]);
      if (view[1].kind != Kind::kInt || view[1].number < 0 || view[2].kind != Kind::kInt || view[2].number < 0) {
        return Damaged("a storage's view is not (key, first, values)");
      }
      const uint64_t first = static_cast<uint64_t>(view[1].number), values = static_cast<uint64_t>(view[2].number);
      if (first > storage.values || values > storage.values - first) {
        return InvalidArgument("storage '", Escaped(storage.key), "' has ", storage.values, " values, but a view of ",
                               values, " begins at ", first);
      }
      storage.first = first;
      storage.values = values;
    }
    pickle_.storages_.push_back(std::move(storage));
    return Push(Kind::kStorage, static_cast<int64_t>(pickle_.storages_.size()) - 1);
  }

  // A tuple or list of sizes or strides.
  absl::StatusOr<std::vector<int64_t>> Sizes(PickledValue value) const {
    if (value.kind != Kind::kTuple && value.kind != Kind::kList) return Damaged("a tensor's shape is not a tuple");
    const std::vector<PickledValue>& items = pickle_.Items(value);
    if (items.size() > kMaxDimensions) {
      return InvalidArgument("a tensor has ", items.size(), " dimensions, more than ", kMaxDimensions);
    }
    std::vector<int64_t> sizes;
    for (const PickledValue item : items) {
      if (item.kind != Kind::kInt || item.number < 0) return Damaged("a tensor's shape or stride is not a size");
      sizes.push_back(item.number);
    }
    return sizes;
  }

  // _rebuild_tensor(storage, offset, size, stride), and _v2 with requires_grad, hooks and, where set, bits of metadata.
  absl::Status RebuildTensor(const std::vector<PickledValue>& arguments) {
    if (arguments.size() < 4 || arguments[0].kind != Kind::kStorage || arguments[1].kind != Kind::kInt ||
        arguments[1].number < 0) {
      return Damaged("a tensor is not (storage, offset, size, stride)");
    }
    if (arguments.size() > 6 && !(arguments[6].kind == Kind::kNone ||
                                  (arguments[6].kind == Kind::kDict && pickle_.Entries(arguments[6]).empty()))) {
      return InvalidArgument("a tensor is a conjugate or a negative of its storage, which is not read");
    }
    PickledTensor tensor;
    tensor.storage = static_cast<size_t>(arguments[0].number);
    tensor.offset = static_cast<uint64_t>(arguments[1].number);
    HEED_ASSIGN_OR_RETURN(tensor.shape, Sizes(arguments[2]));
    HEED_ASSIGN_OR_RETURN(tensor.strides, Sizes(arguments[3]));
    if (tensor.shape.size() != tensor.strides.size()) return Damaged("a tensor has not one stride for each dimension");
    pickle_.tensors_.push_back(std::move(tensor));
    return Push(Kind::kTensor, static_cast<int64_t>(pickle_.tensors_.size()) - 1);
  }

  absl::Status MakeDict(const std::vector<PickledValue>& arguments) {
    HEED_RETURN_IF_ERROR(PushDict());
    if (arguments.empty()) return absl::OkStatus();
    if (arguments.size() != 1 || arguments[0].kind != Kind::kList) return Damaged("an OrderedDict is made of no list");
    std::vector<PickledValue> values;
    const std::vector<PickledValue>& pairs = pickle_.Items(arguments[0]);
    HEED_RETURN_IF_ERROR(Count(pairs.size()));
    for (const PickledValue pair : pairs) {
      const bool has_items = pair.kind == Kind::kTuple || pair.kind == Kind::kList;
      if (!has_items || pickle_.Items(pair).size() != 2) return Damaged("an OrderedDict is made of no pairs");
      values.insert(values.end(), pickle_.Items(pair).begin(), pickle_.Items(pair).end());
    }
    return SetItems(values);
  }

  absl::Status Call() {
    HEED_ASSIGN_OR_RETURN(const PickledValue tuple, Pop(Kind::kTuple));
    HEED_ASSIGN_OR_RETURN(const PickledValue global, Pop(Kind::kGlobal));
    const Global& called = kGlobals[static_cast<size_t>(global.number)];
    HEED_RETURN_IF_ERROR(Count(pickle_.Items(tuple).size()));
    const std::vector<PickledValue> arguments = pickle_.Items(tuple);  // what is made may move the lists
    switch (called.meaning) {
      case Meaning::kOrderedDict:
        return MakeDict(arguments);
      case Meaning::kRebuildTensor:
      case Meaning::kRebuildTensorV2:
        return RebuildTensor(arguments);
      case Meaning::kRebuildParameter:
        if (arguments.empty() || arguments[0].kind != Kind::kTensor) return Damaged("a parameter is made of no tensor");
        stack_.push_back(arguments[0]);
        return absl::OkStatus();
      case Meaning::kStorage:
        break;
    }
    return InvalidArgument("the pickle calls ", called.module, ".", called.name, ", but storages are only named");
  }

  absl::Status CheckProtocol() {
    HEED_ASSIGN_OR_RETURN(const uint64_t protocol, Unsigned(1));
    if (protocol >= 2 && protocol <= 5) return absl::OkStatus();
    return InvalidArgument("the pickle has protocol ", protocol, ", but 2 to 5 are read");
  }

  absl::Status SkipFrame() {
    HEED_ASSIGN_OR_RETURN(const uint64_t length, Unsigned(8));
    return length <= bytes_.size() - next_ ? absl::OkStatus() : Damaged("a frame ends behind it");
  }

  // Two's complement of `length` bytes.
  absl::Status PushLong(uint64_t length) {
    if (length > 8) return PushText(Take(length), Kind::kBigInt);
    HEED_ASSIGN_OR_RETURN(uint64_t value, Unsigned(length));
    if (length > 0 && length < 8 && (value >> (8 * length - 1)) != 0) value |= ~uint64_t{0} << (8 * length);
    return Push(Kind::kInt, static_cast<int64_t>(value));
  }

  absl::Status PushNumber(uint8_t opcode) {
    switch (opcode) {
      case kBinInt: {
        HEED_ASSIGN_OR_RETURN(const uint64_t value, Unsigned(4));
        return Push(Kind::kInt, static_cast<int32_t>(static_cast<uint32_t>(value)));
      }
      case kBinFloat:
        HEED_RETURN_IF_ERROR(Take(8).status());
        return Push(Kind::kFloat);  // no reader asks for its value
      case kLong1:
      case kLong4: {
        HEED_ASSIGN_OR_RETURN(const uint64_t length, Unsigned(opcode == kLong1 ? 1 : 4));
        return PushLong(length);
      }
      default: {
        HEED_ASSIGN_OR_RETURN(const uint64_t value, Unsigned(opcode == kBinInt1 ? 1 : 2));
        return Push(Kind::kInt, static_cast<int64_t>(value));
      }
    }
  }

  absl::Status PushString(uint8_t opcode) {
    const bool is_short = opcode == kShortBinString || opcode == kShortBinUnicode;
    HEED_ASSIGN_OR_RETURN(const uint64_t length, Unsigned(is_short ? 1 : opcode == kBinUnicode8 ? 8 : 4));
    return PushText(Take(length));
  }

  absl::Status PushTuple(size_t size) {
    std::vector<PickledValue> items(size);
    for (auto item = items.rbegin(); item != items.rend(); ++item) {
      HEED_ASSIGN_OR_RETURN(*item, Pop());
    }
    return PushList(Kind::kTuple, std::move(items));
  }

  // Into the list or dict below its new items.
  absl::Status AddItems(uint8_t opcode) {
    switch (opcode) {
      case kAppend: {
        HEED_ASSIGN_OR_RETURN(const PickledValue value, Pop());
        return Append({value});
      }
      case kAppends: {
        HEED_ASSIGN_OR_RETURN(const std::vector<PickledValue> values, PopToMark());
        return Append(values);
      }
      case kSetItem: {
        HEED_ASSIGN_OR_RETURN(const PickledValue value, Pop());
        HEED_ASSIGN_OR_RETURN(const PickledValue key, Pop());
        return SetItems({key, value});
      }
      default: {
        HEED_ASSIGN_OR_RETURN(const std::vector<PickledValue> values, PopToMark());
        return SetItems(values);
      }
    }
  }

  absl::Status UseMemo(uint8_t opcode) {
    if (opcode == kMemoize) return Memoize(memo_.size());
    HEED_ASSIGN_OR_RETURN(const uint64_t key, Unsigned(opcode == kBinPut || opcode == kBinGet ? 1 : 4));
    return opcode == kBinPut || opcode == kLongBinPut ? Memoize(key) : Recall(key);
  }

  absl::Status PushGlobalByLines() {
    HEED_ASSIGN_OR_RETURN(const absl::string_view module, Line());
    HEED_ASSIGN_OR_RETURN(const absl::string_view name, Line());
    return PushGlobal(module, name);
  }

  absl::Status PushGlobalByStack() {
    HEED_ASSIGN_OR_RETURN(const PickledValue name, Pop(Kind::kText));
    HEED_ASSIGN_OR_RETURN(const PickledValue module, Pop(Kind::kText));
    return PushGlobal(pickle_.Text(module), pickle_.Text(name));
  }

  // A state_dict carries its modules' versions as an attribute, which says nothing of the tensors.
  absl::Status SkipAttributes() {
    HEED_ASSIGN_OR_RETURN(const PickledValue state, Pop());
    if (state.kind != Kind::kDict) return Damaged("an OrderedDict's attributes are not a dict");
    return Top(Kind::kDict).status();
  }

  absl::Status Execute(uint8_t opcode) {
    switch (opcode) {
      case kProto:
        return CheckProtocol();
      case kFrame:
        return SkipFrame();
      case kMarkOp:
        return Push(Kind::kMark);
      case kNoneOp:
        return Push(Kind::kNone);
      case kNewTrue:
      case kNewFalse:
        return Push(Kind::kBool, opcode == kNewTrue ? 1 : 0);
      case kBinInt:
      case kBinInt1:
      case kBinInt2:
      case kLong1:
      case kLong4:
      case kBinFloat:
        return PushNumber(opcode);
      case kShortBinString:
      case kShortBinUnicode:
      case kBinString:
      case kBinUnicode:
      case kBinUnicode8:
        return PushString(opcode);
      case kEmptyTuple:
        return PushTuple(0);
      case kTuple1:
      case kTuple2:
      case kTuple3:
        return PushTuple(opcode - kTuple1 + 1u);
      case kTupleOp: {
        HEED_ASSIGN_OR_RETURN(std::vector<PickledValue> items, PopToMark());
        return PushList(Kind::kTuple, std::move(items));
      }
      case kEmptyList:
        return PushList(Kind::kList, {});
      case kEmptyDict:
        return PushDict();
      case kAppend:
      case kAppends:
      case kSetItem:
      case kSetItems:
        return AddItems(opcode);
      case kBinPut:
      case kLongBinPut:
      case kMemoize:
      case kBinGet:
      case kLongBinGet:
        return UseMemo(opcode);
      case kGlobalOp:
        return PushGlobalByLines();
      case kStackGlobal:
        return PushGlobalByStack();
      case kBinPersId:
        return PushStorage();
      case kReduce:
      case kNewObj:
        return Call();
      case kBuild:
        return SkipAttributes();
      default:
        return InvalidArgument("the pickle has opcode 0x", absl::Hex(opcode, absl::kZeroPad2), " at byte ", at_,
                               ", which tensors do not need");
    }
  }

  TensorPickle& pickle_;
  const absl::string_view bytes_;
  size_t at_ = 0;    // of the operation
  size_t next_ = 0;  // byte to read
  std::vector<PickledValue> stack_;
  absl::flat_hash_map<uint64_t, PickledValue> memo_;
};

absl::StatusOr<PickledValue> TensorPickle::Read(absl::string_view& bytes) {
  Machine machine(*this, bytes);
  HEED_ASSIGN_OR_RETURN(const PickledValue value, machine.Run());
  bytes.remove_prefix(machine.end());
  return value;
}

}  // namespace heed
