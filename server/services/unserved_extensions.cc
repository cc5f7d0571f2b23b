// SPDX-License-Identifier: Apache-2.0
#include "server/services/unserved_extensions.h"

namespace heed {
namespace {

constexpr char kSharedMemory[] =
    "shared memory is not served: tensors travel in the request (raw_input_contents or contents) and in the response "
    "(raw_output_contents)";
constexpr char kTracing[] =
    "tracing is not served: the log names each request that is slow (--slow_request_ms), with the traceparent that its "
    "metadata holds";
constexpr char kLogging[] = "log settings are not served: --log_level and --log_format are set when the server starts";

grpc::ServerUnaryReactor* Refuse(grpc::CallbackServerContext& context, const char* message) {
  grpc::ServerUnaryReactor* reactor = context.DefaultReactor();
  reactor->Finish(grpc::Status(grpc::StatusCode::UNIMPLEMENTED, message));
  return reactor;
}

}  // namespace

grpc::ServerUnaryReactor* UnservedExtensions::SystemSharedMemoryStatus(
    grpc::CallbackServerContext* context, const inference::SystemSharedMemoryStatusRequest*,
    inference::SystemSharedMemoryStatusResponse*) {
  return Refuse(*context, kSharedMemory);
}

grpc::ServerUnaryReactor* UnservedExtensions::SystemSharedMemoryRegister(
    grpc::CallbackServerContext* context, const inference::SystemSharedMemoryRegisterRequest*,
    inference::SystemSharedMemoryRegisterResponse*) {
  return Refuse(*context, kSharedMemory);
}

grpc::ServerUnaryReactor* UnservedExtensions::SystemSharedMemoryUnregister(
    grpc::CallbackServerContext* context, const inference::SystemSharedMemoryUnregisterRequest*,
    inference::SystemSharedMemoryUnregisterResponse*) {
  return Refuse(*context, kSharedMemory);
}

grpc::ServerUnaryReactor* UnservedExtensions::CudaSharedMemoryStatus(grpc::CallbackServerContext* context,
                                                                     const inference::CudaSharedMemoryStatusRequest*,
                                                                     inference::CudaSharedMemoryStatusResponse*) {
  return Refuse(*context, kSharedMemory);
}

grpc::ServerUnaryReactor* UnservedExtensions::CudaSharedMemoryRegister(
    grpc::CallbackServerContext* context, const inference::CudaSharedMemoryRegisterRequest*,
    inference::CudaSharedMemoryRegisterResponse*) {
  return Refuse(*context, kSharedMemory);
}

grpc::ServerUnaryReactor* UnservedExtensions::CudaSharedMemoryUnregister(
    grpc::CallbackServerContext* context, const inference::CudaSharedMemoryUnregisterRequest*,
    inference::CudaSharedMemoryUnregisterResponse*) {
  return Refuse(*context, kSharedMemory);
}

grpc::ServerUnaryReactor* UnservedExtensions::TraceSetting(grpc::CallbackServerContext* context,
                                                           const inference::TraceSettingRequest*,
                                                           inference::TraceSettingResponse*) {
  return Refuse(*context, kTracing);
}

grpc::ServerUnaryReactor* UnservedExtensions::LogSettings(grpc::CallbackServerContext* context,
                                                          const inference::LogSettingsRequest*,
                                                          inference::LogSettingsResponse*) {
  return Refuse(*context, kLogging);
}

}  // namespace heed
