/** The shape of the generated services, and the types of calls derived from it. */
import type { BinaryWriter } from '@bufbuild/protobuf/wire';
import type { MethodDefinition as GrpcMethod } from '@grpc/grpc-js';

export interface MessageType<T> {
  /** Full name, such as `scheduler.v2.StatTaskRequest`. */
  readonly $type: string;
  encode(message: T): BinaryWriter;
  decode(input: Uint8Array): T;
}

export interface MethodDefinition {
  readonly name: string;
  // The message types differ from method to method; RequestOf and ResponseOf recover them.
  readonly requestType: { readonly $type: string };
  readonly requestStream: boolean;
  readonly responseType: { readonly $type: string };
  readonly responseStream: boolean;
}

export interface ServiceDefinition {
  /** Package and name, such as `scheduler.v2.Scheduler`. */
  readonly fullName: string;
  readonly methods: Readonly<Record<string, MethodDefinition>>;
}

export type RequestOf<M extends MethodDefinition> = M['requestType'] extends { decode(input: Uint8Array): infer T }
  ? T
  : never;
export type ResponseOf<M extends MethodDefinition> = M['responseType'] extends { decode(input: Uint8Array): infer T }
  ? T
  : never;

/** The method as the gRPC library wants it. */
export function grpcMethod(service: ServiceDefinition, method: MethodDefinition): GrpcMethod<unknown, unknown> {
  const requestType = method.requestType as MessageType<unknown>;
  const responseType = method.responseType as MessageType<unknown>;
  return {
    path: `/${service.fullName}/${method.name}`,
    requestStream: method.requestStream,
    responseStream: method.responseStream,
    requestSerialize: (message) => serialize(requestType, message),
    requestDeserialize: (bytes) => requestType.decode(bytes),
    responseSerialize: (message) => serialize(responseType, message),
    responseDeserialize: (bytes) => responseType.decode(bytes),
  };
}

function serialize(type: MessageType<unknown>, message: unknown): Buffer {
  const bytes = type.encode(message).finish();
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
