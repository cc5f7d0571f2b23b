// SPDX-License-Identifier: Apache-2.0
#include "server/services/unserved_extensions.h"

#include "absl/status/status.h"
#include "server/rpc/instant_call.h"

namespace heed {
namespace {

constexpr char kSharedMemory[] =
    "shared memory is not served: tensors travel in the request (raw_input_contents or contents) and in the response "
    "(raw_output_contents)";
constexpr char kTracing[] =
    "trace settings are not served: --trace_endpoint and --trace_sample_ratio are set when the server starts";
constexpr char kLogging[] = "log settings are not served: --log_level and --log_format are set when the server starts";

}  // namespace

grpc::ServerUnaryReactor* UnservedExtensions::Refuse(grpc::CallbackServerContext& context, std::string_view method,
                                                     const char* message) {
  return AnswerNow(requests_, context, method, [&] { return absl::UnimplementedError(message); });
}

grpc::ServerUnaryReactor* UnservedExtensions::SystemSharedMemoryStatus(
    grpc::CallbackServerContext* context, const inference::SystemSharedMemoryStatusRequest*,
    inference::SystemSharedMemoryStatusResponse*) {
  return Refuse(*context, "inference.GRPCInferenceService/SystemSharedMemoryStatus", kSharedMemory);
}

grpc::ServerUnaryReactor* UnservedExtensions::SystemSharedMemoryRegister(
    grpc::CallbackServerContext* context, const inference::SystemSharedMemoryRegisterRequest*,
    inference::SystemSharedMemoryRegisterResponse*) {
  return Refuse(*context, "inference.GRPCInferenceService/SystemSharedMemoryRegister", kSharedMemory);
}

grpc::ServerUnaryReactor* UnservedExtensions::SystemSharedMemoryUnregister(
    grpc::CallbackServerContext* context, const inference::SystemSharedMemoryUnregisterRequest*,
    inference::SystemSharedMemoryUnregisterResponse*) {
  return Refuse(*context, "inference.GRPCInferenceService/SystemSharedMemoryUnregister", kSharedMemory);
}

grpc::ServerUnaryReactor* UnservedExtensions::CudaSharedMemoryStatus(grpc::CallbackServerContext* context,
                                                                     const inference::CudaSharedMemoryStatusRequest*,
                                                                     inference::CudaSharedMemoryStatusResponse*) {
  return Refuse(*context, "inference.GRPCInferenceService/CudaSharedMemoryStatus", kSharedMemory);
}

grpc::ServerUnaryReactor* UnservedExtensions::CudaSharedMemoryRegister(
    grpc::CallbackServerContext* context, const inference::CudaSharedMemoryRegisterRequest*,
    inference::CudaSharedMemoryRegisterResponse*) {
  return Refuse(*context, "inference.GRPCInferenceService/CudaSharedMemoryRegister", kSharedMemory);
}

grpc::ServerUnaryReactor* UnservedExtensions::CudaSharedMemoryUnregister(
    grpc::CallbackServerContext* context, const inference::CudaSharedMemoryUnregisterRequest*,
    inference::CudaSharedMemoryUnregisterResponse*) {
  return Refuse(*context, "inference.GRPCInferenceService/CudaSharedMemoryUnregister", kSharedMemory);
}

grpc::ServerUnaryReactor* UnservedExtensions::TraceSetting(grpc::CallbackServerContext* context,
                                                           const inference::TraceSettingRequest*,
                                                           inference::TraceSettingResponse*) {
  return Refuse(*context, "inference.GRPCInferenceService/TraceSetting", kTracing);
}

grpc::ServerUnaryReactor* UnservedExtensions::LogSettings(grpc::CallbackServerContext* context,
                                                          const inference::LogSettingsRequest*,
                                                          inference::LogSettingsResponse*) {
  return Refuse(*context, "inference.GRPCInferenceService/LogSettings", kLogging);
}

}  // namespace heed
